//! The table of one worker: each different word once, with its count.
//!
//! It sorts nothing and knows no mode.

use super::hash::Seed;
use super::long::LongTable;
use super::scatter::{PARTS, Part, Scatter, part_of};
use super::short::{GROUP, Key, ShortTable, Waiting};

/// 65536 slots, 2 MiB: a table that has outgrown the second-level cache may do better by writing words down.
const SCATTER_SLOTS_MIN: usize = if cfg!(test) { 1024 } else { 1 << 16 };

/// 16384 slots, 512 KiB, while words are written down: those that were frequent before are still counted.
const HOT_SLOTS: usize = if cfg!(test) { 1024 } else { 1 << 14 };

/// 200,000 words: a table that has slots for as many is near enough in the last cache to be better.
const COUNTED_MAX: usize = if cfg!(test) { 1000 } else { 200_000 };

/// Words and counts.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    seed: Seed,
    short: ShortTable,
    long: LongTable,
    words: u64,
    reseeded: bool,
    /// How many words, and how many different short ones, there were when room was made the last time.
    mark: (u64, usize),
    /// Words that are written down, if there are any.
    scatter: Option<Box<Scatter>>,
    /// Whether short words that are not in the table are written down.
    scattering: bool,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            seed,
            short: ShortTable::new(),
            long: LongTable::default(),
            words: 0,
            reseeded: false,
            mark: (0, 0),
            scatter: None,
            scattering: false,
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
        self.words += 1;
        match Key::of(word, &self.seed) {
            Some(key) => {
                self.add_key(&key);
                if self.short.is_flooded() {
                    self.reseed();
                }
            }
            None => self.long.add(word, self.seed.hash_long(word), 1),
        }
    }

    /// Counts `word`, not empty, once, while keys wait to be counted: their hashes stay good. Other hashes, if words collide, are
    /// given when the keys are added.
    #[inline]
    pub(crate) fn add_one_meanwhile(&mut self, word: &[u8]) {
        self.words += 1;
        match Key::of(word, &self.seed) {
            Some(key) => self.add_key(&key),
            None => self.long.add(word, self.seed.hash_long(word), 1),
        }
    }

    /// Counts `word`, not empty, `count` more times; it is no word of the text, and changes no sum.
    pub(crate) fn add(&mut self, word: &[u8], count: u64) {
        match Key::of(word, &self.seed) {
            Some(key) => self.short.add(&key, count, &self.seed),
            None => self.long.add(word, self.seed.hash_long(word), count),
        }
        if self.short.is_flooded() {
            self.reseed();
        }
    }

    fn add_key(&mut self, key: &Key) {
        match &mut self.scatter {
            Some(scatter) if self.scattering => {
                if !self.short.add_known(&self.short.fetch(key)) {
                    scatter.push(part_of(key.hash()), &key.words(), 1);
                }
            }
            _ => self.short.add(key, 1, &self.seed),
        }
    }

    /// Makes room for a group of words: at most [`GROUP`], those that wait and those that do not.
    #[inline(always)]
    pub(crate) fn begin_group(&mut self) {
        if self.short.lacks(GROUP) {
            self.make_room_or_scatter();
        }
    }

    /// Makes room for a group, or begins to write words down: when most that came since room was made the last time are new.
    #[cold]
    #[inline(never)]
    fn make_room_or_scatter(&mut self) {
        let words = self.words - self.mark.0;
        let new = self.short.len().saturating_sub(self.mark.1) as u64;
        self.mark = (self.words, self.short.len());
        let is_large = self.short.slots_count() >= SCATTER_SLOTS_MIN;
        // A table that was flooded has hashes of its own, by which parts are not those of the others.
        if is_large && new > words / 2 && !self.reseeded {
            self.begin_to_scatter();
        } else {
            self.short.make_room(GROUP, &self.seed);
        }
    }

    fn begin_to_scatter(&mut self) {
        let mut scatter = Box::new(Scatter::new(self.seed.clone()));
        let mut hot = ShortTable::with_slots(HOT_SLOTS);
        for (key, count) in self.short.keys(&self.seed) {
            if count > 1 && hot.len() < HOT_SLOTS / 4 {
                hot.add(&key, count, &self.seed);
            } else {
                scatter.push(part_of(key.hash()), &key.words(), count);
            }
        }
        self.short = hot;
        self.scatter = Some(scatter);
        self.scattering = true;
    }

    /// Adds up words that came again. When few are different they are counted in the table again.
    #[cold]
    #[inline(never)]
    fn compact(&mut self) {
        let Some(scatter) = &mut self.scatter else {
            return;
        };
        let distinct = scatter.compact();
        if distinct > COUNTED_MAX {
            return;
        }
        self.short.reserve(distinct, &self.seed);
        for (word, count) in scatter.iter() {
            if let Some(key) = Key::of(word, &self.seed) {
                self.short.add(&key, count, &self.seed);
            }
        }
        self.scatter = None;
        self.scattering = false;
        self.mark = (self.words, self.short.len());
        if self.short.is_flooded() {
            self.reseed();
        }
    }

    /// By whose hashes words are written down, if any are: the seed that it began with.
    pub(crate) fn scattered(&self) -> Option<&Seed> {
        self.scatter.as_ref().map(|scatter| scatter.seed())
    }

    /// Takes all short words out, by parts of their hashes as the seed `seed` gives them.
    pub(crate) fn take_parts(&mut self, seed: &Seed) -> Vec<Part> {
        let scatter = self.scatter.take();
        let mut scatter = scatter.unwrap_or_else(|| Box::new(Scatter::new(seed.clone())));
        for (key, count) in self.short.keys(seed) {
            scatter.push(part_of(key.hash()), &key.words(), count);
        }
        self.short = ShortTable::new();
        self.scattering = false;
        scatter.into_parts()
    }

    /// Brings the slot of `key`, made with this table's seed, near; it is counted with its group.
    #[inline(always)]
    pub(crate) fn fetch(&self, key: &Key) -> Waiting {
        self.short.fetch(key)
    }

    /// Counts the words of a group that waited, once each.
    #[inline(always)]
    pub(crate) fn end_group(&mut self, waiting: &[Waiting]) {
        self.words += waiting.len() as u64;
        if self.scattering {
            return self.end_group_scattering(waiting);
        }
        for waiting in waiting {
            self.short.add_waiting(waiting, 1);
        }
        if self.short.is_flooded() {
            self.reseed();
        }
    }

    /// Counts words that are in the table, and writes the others down.
    #[inline(never)]
    fn end_group_scattering(&mut self, waiting: &[Waiting]) {
        let Some(scatter) = &mut self.scatter else {
            return;
        };
        for waiting in waiting {
            if !self.short.add_known(waiting) {
                // The slots are a multiple of the parts: their order is that of the hashes.
                scatter.push(waiting.slot() / (HOT_SLOTS / PARTS), waiting.words(), 1);
            }
        }
        if scatter.is_full() {
            self.compact();
        }
    }

    /// Gives short words other hashes, which nobody could make words for: what follows is as fast as ever.
    #[cold]
    #[inline(never)]
    fn reseed(&mut self) {
        let seed = self.seed.with_other_words();
        let mut short = ShortTable::new();
        for (key, count) in self.short.keys(&seed) {
            short.add(&key, count, &seed);
        }
        self.short = short;
        self.seed = seed;
        self.reseeded = true;
        // What is written down stays so, by the hashes that it has.
        self.scattering = false;
    }

    /// Whether its words are no longer in the order of the hashes that it began with.
    pub(crate) fn is_reseeded(&self) -> bool {
        self.reseeded
    }

    /// How many different words there are.
    pub(crate) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// How many words were counted: the sum of all counts.
    pub(crate) fn words(&self) -> u64 {
        self.words
    }

    /// Every word with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.short.iter().chain(self.long.iter())
    }

    /// Adds every word of `other`.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.words += other.words;
        self.short.reserve(self.new_words_of(other), &self.seed);
        for (key, count) in other.short.keys(&self.seed) {
            self.short.add(&key, count, &self.seed);
        }
        if self.short.is_flooded() {
            self.reseed();
        }
        for (word, count) in other.long.iter() {
            self.long.add(word, self.seed.hash_long(word), count);
        }
    }

    /// The words of `tables`, which have one seed, whose hash is in the `index`th of `parts` equal parts of all hashes.
    pub(crate) fn of_part(tables: &[Self], index: usize, parts: usize) -> Option<Self> {
        let seed = &tables.first()?.seed;
        // By the same seed all words would crowd into one part of the new table.
        let mut part = Self::new(seed.with_other_words());
        let mut waiting = [(Key::default(), 0); 64];
        for table in tables {
            let mut keys = table.short.keys_of_part(index, parts, seed);
            loop {
                let mut count = 0;
                for (place, (key, times)) in waiting.iter_mut().zip(&mut keys) {
                    *place = (key.with(&part.seed), times);
                    part.short.prefetch(&place.0);
                    count += 1;
                }
                for (key, times) in &waiting[..count] {
                    part.short.add(key, *times, &part.seed);
                    part.words += times;
                }
                if count < waiting.len() {
                    break;
                }
            }
            for (word, hash, count) in table.long.iter_hashed() {
                if (u128::from(hash) * parts as u128) >> 64 == index as u128 {
                    // The hash is good here too: the seed of the part has other hashes of short words only.
                    part.long.add(word, hash, count);
                    part.words += count;
                }
            }
        }
        Some(part)
    }

    /// About how many short words of `other` are new here, by a sample of them.
    fn new_words_of(&self, other: &Self) -> usize {
        const SAMPLE: usize = 1000;
        let sample = other.short.len().min(SAMPLE);
        if sample == 0 {
            return 0;
        }
        // Words are in the order of hashes: the first of them are any of them.
        let keys = other.short.keys(&self.seed).map(|(key, _)| key);
        let known = self.short.known(keys.take(sample));
        // A tenth more than the sample says: too much costs little, too little a growth in the midst.
        let new = other.short.len() / sample * (sample - known);
        (new + new / 10 + sample).min(other.short.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// As many words as make the short slots grow into memory of their own; few where each step is interpreted.
    const WORDS: u64 = if cfg!(miri) { 640 } else { 100_000 };

    /// Word `number`, whatever its length: short, long, with zeros inside and at the end, alike but for one byte.
    fn word(number: u64) -> Vec<u8> {
        let digits = number.to_string().into_bytes();
        match number % 7 {
            0 => digits.repeat(6),
            1 => [&digits[..], &[0]].concat(),
            2 => [&[0, 0, 0][..], &digits].concat(),
            3 => [&b"the beginning of all of "[..], &digits].concat(),
            4 => [&[0xFF; 16][..], &digits].concat(),
            _ => digits,
        }
    }

    fn sorted<'a>(counts: impl Iterator<Item = (&'a [u8], u64)>) -> Vec<(&'a [u8], u64)> {
        let mut sorted: Vec<_> = counts.collect();
        sorted.sort_unstable();
        sorted
    }

    #[test]
    fn tables_count_as_a_map_does_alone_and_added_up() {
        let seed = Seed::random();
        let mut tables = [Table::new(seed.clone()), Table::new(seed)];
        let mut expected: HashMap<Vec<u8>, u64> = HashMap::new();
        for number in 0..WORDS {
            let table = &mut tables[usize::from(number % 3 == 0)];
            // Every word once, some again, and those of a few words over and over.
            for word in [word(number), word(number / 2), word(number % 11)] {
                table.add_one(&word);
                *expected.entry(word).or_default() += 1;
            }
        }
        let [mut all, other] = tables;
        all.absorb(&other.clone());
        assert_eq!(all.len(), expected.len());
        let expected = expected.iter().map(|(word, count)| (&word[..], *count));
        assert_eq!(sorted(all.iter()), sorted(expected));
    }

    #[test]
    fn keys_count_as_their_words_do() {
        let mut table = Table::new(Seed::random());
        let mut by_key = Table::new(table.seed().clone());
        for number in 0..WORDS.min(if cfg!(miri) { 100 } else { 5_000 }) {
            let word = word(number);
            if let Some(key) = Key::of(&word, by_key.seed()) {
                by_key.begin_group();
                let waiting = [by_key.fetch(&key), by_key.fetch(&key)];
                by_key.end_group(&waiting);
                table.add_one(&word);
                table.add_one(&word);
            }
        }
        assert_eq!(sorted(by_key.iter()), sorted(table.iter()));
    }

    #[test]
    fn words_made_to_collide_get_other_hashes() {
        let words = if cfg!(miri) { 600 } else { 20_000 };
        // One factor of the product is 0, and with it the hash, whatever the other is.
        let high = *b"collides";
        let mut table = Table::new(Seed::random().losing(high));
        let word = |number: u64| [number.to_le_bytes(), high].concat();
        for number in 0..words {
            table.add_one(&word(number));
        }
        assert!(table.is_reseeded());
        for number in 0..words {
            table.add_one(&word(number));
        }
        assert!(!table.short.is_flooded());
        assert_eq!(table.len() as u64, words);
        assert_eq!(table.words(), 2 * words);
        assert!(table.iter().all(|(_, count)| count == 2));
    }
}
