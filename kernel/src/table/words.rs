//! The table of one worker: each different word once, with its count.
//!
//! It sorts nothing and knows no mode.

use ahash::RandomState;
use hashbrown::HashTable;

/// The secret of the hash, shared by the tables that will be merged. It never changes an answer.
#[derive(Clone, Debug)]
pub(crate) struct Seed(RandomState);

impl Seed {
    /// A seed that nobody can foretell.
    #[must_use]
    pub(crate) fn random() -> Self {
        Self(RandomState::new())
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    count: u64,
    start: usize,
    end: usize,
}

/// Words and counts.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    seed: Seed,
    entries: HashTable<Entry>,
    bytes: Vec<u8>,
}

impl Table {
    /// An empty table; it takes no memory.
    #[must_use]
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            seed,
            entries: HashTable::new(),
            bytes: Vec::new(),
        }
    }

    /// Counts `word` `count` more times; no allocation for a word seen before.
    #[inline]
    pub(crate) fn add(&mut self, word: &[u8], count: u64) {
        let hash = self.seed.0.hash_one(word);
        let bytes = &mut self.bytes;
        let entry = self.entries.entry(
            hash,
            |entry| entry.hash == hash && &bytes[entry.start..entry.end] == word,
            |entry| entry.hash,
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(mut entry) => entry.get_mut().count += count,
            hashbrown::hash_table::Entry::Vacant(entry) => {
                let start = bytes.len();
                bytes.extend_from_slice(word);
                entry.insert(Entry {
                    hash,
                    count,
                    start,
                    end: bytes.len(),
                });
            }
        }
    }

    /// How many different words there are.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every word with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.entries
            .iter()
            .map(|entry| (&self.bytes[entry.start..entry.end], entry.count))
    }

    /// Adds every word of `other`.
    pub(crate) fn absorb(&mut self, other: &Self) {
        for (word, count) in other.iter() {
            self.add(word, count);
        }
    }
}
