//! The table of one worker: each different word once, with its count.
//!
//! It sorts nothing and knows no mode.

use super::hash::Seed;
use super::long::LongTable;
use super::short::{Key, ShortTable};

/// Words and counts.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    seed: Seed,
    short: ShortTable,
    long: LongTable,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            seed,
            short: ShortTable::new(),
            long: LongTable::default(),
        }
    }

    /// The seed of its hashes.
    #[inline(always)]
    pub(crate) fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Counts `word`, not empty, once; no allocation for a word seen before.
    #[inline]
    pub(crate) fn add_one(&mut self, word: &[u8]) {
        match Key::of(word, &self.seed) {
            Some(key) => self.short.add(&key, 1, &self.seed),
            None => self.long.add(word, self.seed.hash_long(word), 1),
        }
    }

    /// Brings the slot of `key` near, before it is counted.
    #[inline(always)]
    pub(crate) fn prefetch(&self, key: &Key) {
        self.short.prefetch(key);
    }

    /// Counts the word of each key, made with this table's seed, once.
    #[inline(always)]
    pub(crate) fn add_keys(&mut self, keys: &[Key]) {
        for key in keys {
            self.short.add(key, 1, &self.seed);
        }
    }

    /// How many different words there are.
    pub(crate) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// Every word with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let long = self.long.iter().map(|(word, _, count)| (word, count));
        self.short.iter().chain(long)
    }

    /// Adds every word of `other`, which has the same seed.
    pub(crate) fn absorb(&mut self, other: &Self) {
        for (key, count) in other.short.keys(&self.seed) {
            self.short.add(&key, count, &self.seed);
        }
        for (word, hash, count) in other.long.iter() {
            self.long.add(word, hash, count);
        }
    }
}
