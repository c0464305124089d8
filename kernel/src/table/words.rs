//! The table of one worker: each different word once, with its count.
//!
//! It sorts nothing and knows no mode.

use rayon::ThreadPool;

use super::counted::Counted;
use super::hash::Seed;
use super::key::{Key, NARROW_BYTES_MAX};
use super::long::LongTable;
use super::records::Records;
use super::scatter::Scatter;
use super::short::Waiting;
use crate::scan::{Place, SOME, TileBytes};

/// 200,000 words: a table that has slots for as many is near enough in the last cache to be better.
const COUNTED_MAX: usize = if cfg!(test) { 1000 } else { 200_000 };

/// 10,000 words: waking another thread costs less than adding them.
const BESIDE_WORDS_MIN: usize = if cfg!(test) { 100 } else { 10_000 };

/// Words and counts.
#[derive(Debug)]
pub(crate) struct Table {
    seed: Seed,
    /// Words of at most 8 bytes.
    narrow: Counted<1>,
    /// Longer ones, of at most 24.
    wide: Counted<3>,
    long: LongTable,
    words: u64,
    reseeded: bool,
    /// Words that are written down, if there are any.
    scatter: Option<Box<Scatter>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            long: LongTable::new(&seed),
            seed,
            narrow: Counted::new(),
            wide: Counted::new(),
            words: 0,
            reseeded: false,
            scatter: None,
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
        let Self { seed, scatter, .. } = self;
        if word.len() <= NARROW_BYTES_MAX
            && let Some(key) = Key::of(word, seed)
        {
            self.narrow.add_one(&key, seed, scatter);
        } else if let Some(key) = Key::of(word, seed) {
            self.wide.add_one(&key, seed, scatter);
        } else {
            self.long.add(word, 1);
        }
        self.end_group();
    }

    /// Counts `word`, not empty, `count` more times; it is no word of the text, and changes no sum.
    pub(crate) fn add(&mut self, word: &[u8], count: u64) {
        let seed = &self.seed;
        if word.len() <= NARROW_BYTES_MAX
            && let Some(key) = Key::of(word, seed)
        {
            self.narrow.table.add(&key, count, seed);
        } else if let Some(key) = Key::of(word, seed) {
            self.wide.table.add(&key, count, seed);
        } else {
            self.long.add(word, count);
        }
        self.reseed_if_flooded();
    }

    /// Makes room for a group of at most [`SOME`] words of at most 8 bytes; how many slots there are.
    #[inline(always)]
    pub(crate) fn begin_narrow(&mut self) -> u32 {
        if self.narrow.table.lacks(SOME) {
            // A table that was flooded has hashes of its own, by which parts are not those of the others.
            self.narrow
                .make_room(&self.seed, &mut self.scatter, !self.reseeded);
        }
        self.narrow.table.slots_count()
    }

    /// Makes room for a group of at most [`SOME`] words of 9 to 24 bytes.
    #[inline(always)]
    pub(crate) fn begin_wide(&mut self) {
        if self.wide.table.lacks(SOME) {
            self.wide
                .make_room(&self.seed, &mut self.scatter, !self.reseeded);
        }
    }

    /// Brings a slot for words of at most 8 bytes near.
    #[inline(always)]
    pub(crate) fn prefetch_narrow(&self, slot: usize) {
        self.narrow.table.prefetch_slot(slot);
    }

    /// Brings the slot of `key`, made with this table's seed, near; it is counted with its group.
    #[inline(always)]
    pub(crate) fn fetch_wide(&self, key: &Key<3>) -> Waiting<3> {
        self.wide.table.fetch(key)
    }

    /// Counts the words of a group that waited, once each.
    #[inline(always)]
    pub(crate) fn end_narrow(&mut self, words: &[[u64; 1]], slots: &[usize]) {
        self.words += words.len() as u64;
        let waiting = words.iter().zip(slots.iter().copied());
        self.narrow
            .add_group(waiting, words.len(), &mut self.scatter);
        self.end_group();
    }

    /// Counts the words of a group that waited, once each.
    #[inline(always)]
    pub(crate) fn end_wide(&mut self, waiting: &[Waiting<3>]) {
        self.words += waiting.len() as u64;
        let count = waiting.len();
        let waiting = waiting
            .iter()
            .map(|waiting| (waiting.words(), waiting.slot()));
        self.wide.add_group(waiting, count, &mut self.scatter);
        self.end_group();
    }

    /// Counts words of more than 24 bytes once each.
    #[inline(never)]
    pub(crate) fn add_longs(&mut self, bytes: &TileBytes, words: &[Place]) {
        self.words += words.len() as u64;
        self.long.add_all(bytes, words);
    }

    #[inline(always)]
    fn end_group(&mut self) {
        if self
            .scatter
            .as_ref()
            .is_some_and(|scatter| scatter.is_full())
        {
            self.compact();
        }
        self.reseed_if_flooded();
    }

    /// Adds up words that came again. When few are different they are counted in tables again.
    #[cold]
    #[inline(never)]
    fn compact(&mut self) {
        let Some(scatter) = &mut self.scatter else {
            return;
        };
        let distinct = scatter.compact();
        self.narrow.look_again();
        self.wide.look_again();
        if distinct > COUNTED_MAX {
            return;
        }
        if let Some(scatter) = self.scatter.take() {
            let is_narrow = |word: &[u8]| word.len() <= NARROW_BYTES_MAX;
            let narrow = scatter.iter().filter(|(word, _)| is_narrow(word)).count();
            // They come in the order of hashes.
            self.narrow.table.reserve(narrow, &self.seed);
            self.wide.table.reserve(distinct - narrow, &self.seed);
            for (word, count) in scatter.iter() {
                self.add(word, count);
            }
            self.narrow.end_scattering();
            self.wide.end_scattering();
        }
    }

    /// By whose hashes words are written down, if any are: the seed that it began with.
    pub(crate) fn scattered(&self) -> Option<&Seed> {
        self.scatter.as_ref().map(|scatter| scatter.seed())
    }

    /// Takes all short words out, each record of them with the part of their hashes, as the seed `seed` gives them.
    pub(crate) fn take_records(&mut self, seed: &Seed) -> Vec<(usize, Records)> {
        let scatter = self.scatter.take();
        let mut scatter = scatter.unwrap_or_else(|| Box::new(Scatter::new(seed.clone())));
        self.narrow.move_to(&mut scatter, seed);
        self.wide.move_to(&mut scatter, seed);
        scatter.take_records()
    }

    #[inline(always)]
    fn reseed_if_flooded(&mut self) {
        if self.narrow.table.is_flooded() || self.wide.table.is_flooded() {
            self.reseed();
        }
    }

    /// Gives short words other hashes, which nobody could make words for: what follows is as fast as ever.
    #[cold]
    #[inline(never)]
    fn reseed(&mut self) {
        self.seed = self.seed.with_other_words();
        // What is written down stays so, by the hashes that it has.
        self.narrow.reseed(&self.seed);
        self.wide.reseed(&self.seed);
        self.reseeded = true;
    }

    /// Whether its words are no longer in the order of the hashes that it began with.
    pub(crate) fn is_reseeded(&self) -> bool {
        self.reseeded
    }

    /// How often `word`, not empty, was counted, but for what is written down.
    pub(crate) fn count(&self, word: &[u8]) -> u64 {
        let seed = &self.seed;
        if word.len() <= NARROW_BYTES_MAX
            && let Some(key) = Key::of(word, seed)
        {
            self.narrow.table.count(&key)
        } else if let Some(key) = Key::of(word, seed) {
            self.wide.table.count(&key)
        } else {
            self.long.count(word)
        }
    }

    /// How many different words there are.
    pub(crate) fn len(&self) -> usize {
        self.narrow.table.len() + self.wide.table.len() + self.long.len()
    }

    /// How many words were counted: the sum of all counts.
    pub(crate) fn words(&self) -> u64 {
        self.words
    }

    /// Every word with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let short = self.narrow.table.iter().chain(self.wide.table.iter());
        short.chain(self.long.iter())
    }

    /// Adds every word of `other`; with `pool`, long words beside short ones.
    pub(crate) fn absorb(&mut self, other: &Self, pool: Option<&ThreadPool>) {
        self.words += other.words;
        let Self {
            seed,
            narrow,
            wide,
            long,
            ..
        } = self;
        let seed = &*seed;
        let mut short = || {
            narrow.absorb(&other.narrow, seed);
            wide.absorb(&other.wide, seed);
        };
        let mut long = || long.absorb_part(&other.long, (0, 1), seed);
        match pool {
            Some(pool) if other.len() > BESIDE_WORDS_MIN => drop(pool.join(short, long)),
            _ => {
                short();
                long();
            }
        }
        self.reseed_if_flooded();
    }

    /// The words of `tables`, which have one seed, whose hash is in the `index`th of `parts` equal parts of all hashes.
    pub(crate) fn of_part(tables: &[Self], index: usize, parts: u32) -> Option<Self> {
        let others = &tables.first()?.seed;
        // By the same seed all words would crowd into one part of the new table.
        let seed = others.with_other_words();
        let mut part = Self::new(seed.clone());
        for table in tables {
            let which = (index, parts);
            part.words += part.narrow.absorb_part(&table.narrow, which, others, &seed);
            part.words += part.wide.absorb_part(&table.wide, which, others, &seed);
            // Long words have the same hashes here, but those that were given others.
            part.words += part.long.absorb_part(&table.long, which, &seed);
        }
        Some(part)
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
        all.absorb(&other, None);
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
            if word.len() > NARROW_BYTES_MAX
                && let Some(key) = Key::of(&word, by_key.seed())
            {
                by_key.begin_wide();
                let waiting = [by_key.fetch_wide(&key), by_key.fetch_wide(&key)];
                by_key.end_wide(&waiting);
                table.add_one(&word);
                table.add_one(&word);
            }
        }
        assert_eq!(sorted(by_key.iter()), sorted(table.iter()));
    }

    #[test]
    fn words_one_by_one_do_not_pile_up() {
        let mut table = Table::new(Seed::random());
        let bytes = |table: &Table| table.scatter.as_ref().map_or(0, |scatter| scatter.bytes());
        let mut most = 0;
        for number in 0..if cfg!(miri) { 3000 } else { 60_000_u64 } {
            // All new until they are written down, then some over and over.
            let number = if number < 1500 { number } else { number % 1200 };
            if number == 0 {
                table.begin_narrow();
            }
            table.add_one(format!("{number}").as_bytes());
            if table.narrow.table.lacks(SOME) {
                table.begin_narrow();
            }
            most = most.max(bytes(&table));
        }
        assert!(most > 0, "some are written down");
        assert!(most < 40_000, "{most}");
        assert_eq!(table.words(), if cfg!(miri) { 3000 } else { 60_000 });
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
        assert!(!table.wide.table.is_flooded());
        assert_eq!(table.len() as u64, words);
        assert_eq!(table.words(), 2 * words);
        assert!(table.iter().all(|(_, count)| count == 2));
    }
    #[test]
    fn narrow_words_made_to_collide_get_other_hashes() {
        let words: u64 = if cfg!(miri) { 600 } else { 20_000 };
        // The other factor of their product is 0.
        let mut table = Table::new(Seed::random().losing([0; 8]));
        for number in 0..2 * words {
            table.add_one(format!("{:x}", number % words).as_bytes());
        }
        assert!(table.is_reseeded());
        assert!(!table.narrow.table.is_flooded());
        assert_eq!((table.len() as u64, table.words()), (words, 2 * words));
        assert!(table.iter().all(|(_, count)| count == 2));
    }
}
