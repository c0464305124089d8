//! Short words of one width: counted in a table, or written down where nearly all of them are new.
//!
//! How they are written down is in `scatter`; long words, and the sums of all, are in `words`.

use super::hash::Seed;
use super::key::Key;
use super::scatter::{PARTS, Scatter, part_of};
use super::short::{ShortTable, Slot};
use crate::scan::SOME;

/// 2 MiB: a table that has outgrown the second-level cache may do better by writing words down.
const SCATTER_BYTES_MIN: usize = if cfg!(test) { 16 << 10 } else { 2 << 20 };

/// 16384 slots, 256 or 512 KiB, while words are written down: those that were frequent before are still counted.
const HOT_SLOTS: usize = if cfg!(test) { 1024 } else { 1 << 14 };

/// 65536 words: after so many it is asked whether looking for them in the table is worth it.
const LOOKED_MAX: usize = if cfg!(test) { 256 } else { 1 << 16 };

/// Words of at most `8 * N` bytes and their counts.
#[derive(Debug)]
pub(super) struct Counted<const N: usize> {
    pub(super) table: ShortTable<N>,
    /// How many words were counted in the table, or written down.
    words: u64,
    /// How many words, and how many different ones, there were when room was made the last time.
    mark: (u64, usize),
    /// Whether words that are not in the table are written down.
    scattering: bool,
    /// Whether words that are written down are looked for in the table first.
    looking: bool,
    /// How many were looked for, and how many were there, since that was asked the last time.
    looked: (usize, usize),
}

impl<const N: usize> Counted<N> {
    pub(super) fn new() -> Self {
        Self {
            table: ShortTable::new(),
            words: 0,
            mark: (0, 0),
            scattering: false,
            looking: true,
            looked: (0, 0),
        }
    }

    /// Makes room for a group, or begins to write words down, if that is allowed: when most that came since room was made the last
    /// time are new.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(
        &mut self,
        seed: &Seed,
        scatter: &mut Option<Box<Scatter>>,
        may_scatter: bool,
    ) {
        if self.scattering {
            // No word is added to the table, and its slots tell the parts: it must not grow.
            return;
        }
        let words = self.words - self.mark.0;
        let new = self.table.len().saturating_sub(self.mark.1) as u64;
        self.mark = (self.words, self.table.len());
        let is_large =
            self.table.slots_count() as usize * size_of::<Slot<N>>() >= SCATTER_BYTES_MIN;
        if is_large && new > words / 2 && may_scatter {
            let scatter = scatter.get_or_insert_with(|| Box::new(Scatter::new(seed.clone())));
            self.begin_to_scatter(seed, scatter);
        } else {
            self.table.make_room(SOME, seed);
        }
    }

    fn begin_to_scatter(&mut self, seed: &Seed, scatter: &mut Scatter) {
        let mut hot = ShortTable::with_slots(HOT_SLOTS);
        for (key, count) in self.table.keys(seed) {
            if count > 1 && hot.len() < HOT_SLOTS / 4 {
                hot.add(&key, count, seed);
            } else {
                scatter.push(part_of(key.hash()), &key.words(), count);
            }
        }
        self.table = hot;
        self.scattering = true;
        self.look_again();
    }

    /// Looks for words in the table again.
    pub(super) fn look_again(&mut self) {
        self.looking = true;
        self.looked = (0, 0);
    }

    /// Goes on without writing down.
    pub(super) fn end_scattering(&mut self) {
        self.scattering = false;
        self.mark = (self.words, self.table.len());
    }

    /// Counts one word.
    #[inline]
    pub(super) fn add_one(
        &mut self,
        key: &Key<N>,
        seed: &Seed,
        scatter: &mut Option<Box<Scatter>>,
    ) {
        self.words += 1;
        match scatter {
            Some(scatter) if self.scattering => {
                if !self
                    .table
                    .add_known(&key.words, self.table.first_slot(key.hash))
                {
                    scatter.push(part_of(key.hash()), &key.words(), 1);
                }
            }
            _ => self.table.add(key, 1, seed),
        }
    }

    /// Counts the words of a group that waited, once each.
    #[inline(always)]
    pub(super) fn add_group<'a>(
        &mut self,
        waiting: impl Iterator<Item = (&'a [u64; N], usize)>,
        count: usize,
        scatter: &mut Option<Box<Scatter>>,
    ) {
        self.words += count as u64;
        if self.scattering {
            return self.add_group_scattering(waiting, scatter);
        }
        self.table.add_all(waiting);
    }

    /// Counts words that are in the table, and writes the others down.
    #[inline(never)]
    fn add_group_scattering<'a>(
        &mut self,
        waiting: impl Iterator<Item = (&'a [u64; N], usize)>,
        scatter: &mut Option<Box<Scatter>>,
    ) {
        let Some(scatter) = scatter else {
            return;
        };
        // The slots are a multiple of the parts: their order is that of the hashes.
        debug_assert_eq!(self.table.slots_count() as usize, HOT_SLOTS);
        let part_of = |slot: usize| slot / (HOT_SLOTS / PARTS);
        if !self.looking {
            for (words, slot) in waiting {
                scatter.push(part_of(slot), words, 1);
            }
            return;
        }
        for (words, slot) in waiting {
            let is_known = self.table.add_known(words, slot);
            self.looked.0 += 1;
            self.looked.1 += usize::from(is_known);
            if !is_known {
                scatter.push(part_of(slot), words, 1);
            }
        }
        if self.looked.0 >= LOOKED_MAX {
            self.looking = self.looked.1 > self.looked.0 / 16;
            self.looked = (0, 0);
        }
    }

    /// Takes all words out, into `scatter`.
    pub(super) fn move_to(&mut self, scatter: &mut Scatter, seed: &Seed) {
        for (key, count) in self.table.keys(seed) {
            scatter.push(part_of(key.hash()), &key.words(), count);
        }
        self.table = ShortTable::new();
        self.scattering = false;
    }

    /// Gives the words the hashes of `seed`.
    pub(super) fn reseed(&mut self, seed: &Seed) {
        let mut table = ShortTable::new();
        for (key, count) in self.table.keys(seed) {
            table.add(&key, count, seed);
        }
        self.table = table;
        self.scattering = false;
    }

    /// Adds every word of `other`.
    pub(super) fn absorb(&mut self, other: &Self, seed: &Seed) {
        self.table.reserve(self.new_words_of(other, seed), seed);
        for (key, count) in other.table.keys(seed) {
            self.table.add(&key, count, seed);
        }
    }

    /// Adds the words of `other`, whose seed is `others`, whose hash by that is in the `index`th of `parts` equal parts of all
    /// hashes; how many words they are.
    pub(super) fn absorb_part(
        &mut self,
        other: &Self,
        (index, parts): (usize, u32),
        others: &Seed,
        seed: &Seed,
    ) -> u64 {
        let mut waiting = [(Key::default(), 0); SOME];
        let mut keys = other.table.keys_of_part(index, parts, others);
        let mut words = 0;
        loop {
            let mut count = 0;
            for (place, (key, times)) in waiting.iter_mut().zip(&mut keys) {
                *place = (key.with(seed), times);
                self.table.prefetch(&place.0);
                count += 1;
            }
            for (key, times) in &waiting[..count] {
                self.table.add(key, *times, seed);
                words += times;
            }
            if count < waiting.len() {
                return words;
            }
        }
    }

    /// About how many words of `other` are new here, by a sample of them.
    fn new_words_of(&self, other: &Self, seed: &Seed) -> usize {
        const SAMPLE: usize = 1000;
        let sample = other.table.len().min(SAMPLE);
        if sample == 0 {
            return 0;
        }
        // Words are in the order of hashes: the first of them are any of them.
        let keys = other.table.keys(seed).map(|(key, _)| key);
        let known = self.table.known(keys.take(sample));
        // A tenth more than the sample says: too much costs little, too little a growth in the midst.
        let new = other.table.len() / sample * (sample - known);
        (new + new / 10 + sample).min(other.table.len())
    }
}
