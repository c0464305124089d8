//! The table of one worker: each different word once, with its count.
//!
//! It sorts nothing and knows no mode.

use super::hash::Seed;
use super::long::LongTable;
use super::short::{Key, ShortTable};

/// 64 keys wait between the prefetch of their slots and their counting: enough to hide a miss of all caches.
const WAITING: usize = 64;

/// Words and counts.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    seed: Seed,
    short: ShortTable,
    long: LongTable,
    waiting: [Key; WAITING],
    waiting_count: usize,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            seed,
            short: ShortTable::new(),
            long: LongTable::default(),
            waiting: [Key::default(); WAITING],
            waiting_count: 0,
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
            Some(key) => self.push(key),
            None => self.long.add(word, self.seed.hash_long(word), 1),
        }
    }

    /// Counts the word of `key`, made with this table's seed, once: now or before [`settle`](Self::settle) returns.
    #[inline(always)]
    pub(crate) fn push(&mut self, key: Key) {
        self.short.prefetch(&key);
        self.waiting[self.waiting_count % WAITING] = key;
        self.waiting_count += 1;
        if self.waiting_count == WAITING {
            self.settle();
        }
    }

    /// Counts the words that wait. Needed before anything is read.
    pub(crate) fn settle(&mut self) {
        for key in &self.waiting[..self.waiting_count] {
            self.short.add(key, 1, &self.seed);
        }
        self.waiting_count = 0;
    }

    /// How many different words there are.
    pub(crate) fn len(&self) -> usize {
        debug_assert_eq!(self.waiting_count, 0);
        self.short.len() + self.long.len()
    }

    /// Every word with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        debug_assert_eq!(self.waiting_count, 0);
        let long = self.long.iter().map(|(word, _, count)| (word, count));
        self.short.iter().chain(long)
    }

    /// Adds every word of `other`, which has the same seed.
    pub(crate) fn absorb(&mut self, other: &Self) {
        debug_assert_eq!(other.waiting_count, 0);
        for (key, count) in other.short.keys(&self.seed) {
            self.short.add(&key, count, &self.seed);
        }
        for (word, hash, count) in other.long.iter() {
            self.long.add(word, hash, count);
        }
    }
}
