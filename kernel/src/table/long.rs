//! The table of words that are too long for a slot: their bytes in blocks, their hashes kept.
//!
//! Growth moves entries, never bytes, and hashes nothing again.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// 1 MiB: what is allocated at a time for the bytes of words.
const BLOCK_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
struct LongWord {
    hash: u64,
    count: u64,
    length: usize,
    block: u32,
    start: u32,
}

/// Long words and their counts.
#[derive(Clone, Debug, Default)]
pub(super) struct LongTable {
    entries: HashTable<LongWord>,
    bytes: Blocks,
}

/// Bytes of words, in blocks that never move.
#[derive(Clone, Debug, Default)]
struct Blocks(Vec<Vec<u8>>);

impl Blocks {
    fn word(&self, entry: &LongWord) -> &[u8] {
        let start = entry.start as usize;
        &self.0[entry.block as usize][start..start + entry.length]
    }

    /// Keeps the bytes of `word`; the block and the place in it.
    fn push(&mut self, word: &[u8]) -> (u32, u32) {
        let fits = |block: &Vec<u8>| block.capacity() - block.len() >= word.len();
        if !self.0.last().is_some_and(fits) {
            self.0.push(Vec::with_capacity(word.len().max(BLOCK_BYTES)));
        }
        let index = self.0.len() - 1;
        let block = &mut self.0[index];
        let start = block.len();
        block.extend_from_slice(word);
        // A word of more than a block begins its own at 0.
        let (Ok(index), Ok(start)) = (u32::try_from(index), u32::try_from(start)) else {
            unreachable!("2^32 blocks of a megabyte do not fit an address space")
        };
        (index, start)
    }
}

impl LongTable {
    /// Counts `word` of hash `hash` `count` more times; no allocation for a word seen before.
    pub(super) fn add(&mut self, word: &[u8], hash: u64, count: u64) {
        let bytes = &mut self.bytes;
        let entry = self.entries.entry(
            hash,
            |entry| entry.hash == hash && bytes.word(entry) == word,
            |entry| entry.hash,
        );
        match entry {
            Entry::Occupied(mut entry) => entry.get_mut().count += count,
            Entry::Vacant(entry) => {
                let (block, start) = bytes.push(word);
                entry.insert(LongWord {
                    hash,
                    count,
                    length: word.len(),
                    block,
                    start,
                });
            }
        }
    }

    /// How many different words there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every word with its hash and count, in no order.
    pub(super) fn iter_hashed(&self) -> impl Iterator<Item = (&[u8], u64, u64)> {
        self.entries
            .iter()
            .map(|entry| (self.bytes.word(entry), entry.hash, entry.count))
    }

    /// Every word with its count, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.entries
            .iter()
            .map(|entry| (self.bytes.word(entry), entry.count))
    }
}
