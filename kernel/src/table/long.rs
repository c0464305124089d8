//! The table of words that are too long for a slot: where their entries are.
//!
//! ```text
//! slot, 8 bytes:  lower half of the hash | place of the entry, 4 bytes (0: empty)
//! slots:          the first by the lower half of the hash as a fraction of 2^32, then the next until the word or an empty one
//!                 is met
//! ```
//!
//! The parts of all hashes are by the upper half: the words of one part are anywhere here. The seed is that of all tables of a count,
//! until words collide too often.

use super::entries::Entries;
use super::growth::{self, Entry};
use super::hash::{LongSeed, Seed, fraction};
use super::prefetch::prefetch;
use super::slots::Slots;
use crate::scan::{Place, SOME, TileBytes};

/// The first slots, 4 KiB.
const SLOTS_MIN: usize = 512;

/// 131072 slots, 1 MiB: a table of less is made four times as large at once.
const SMALL_SLOTS: usize = if cfg!(test) { 1 << 10 } else { 1 << 17 };

/// 2048 slots, as for short words: with good hashes no word is so far from its first slot; words made to collide are.
const STEPS_MAX: usize = if cfg!(test) { 64 } else { 2048 };

/// Where the entry of a word is, and half of the word's hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct LongSlot(u64);

impl LongSlot {
    fn new(hash: u64, at: u32) -> Self {
        Self(hash << 32 | u64::from(at))
    }

    #[inline(always)]
    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the word here may have the hash `hash`.
    #[inline(always)]
    fn may_have(self, hash: u64) -> bool {
        (self.0 ^ hash << 32) >> 32 == 0
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    fn at(self) -> u32 {
        self.0 as u32
    }
}

impl Entry for LongSlot {
    /// One count for all: they are in no order of counts.
    #[inline(always)]
    fn count(&self) -> u64 {
        u64::from(!self.is_empty())
    }
}

/// Long words and their counts.
#[derive(Debug)]
pub(super) struct LongTable {
    seed: LongSeed,
    slots: Slots<LongSlot>,
    entries: Entries,
    /// How many words there is room for: half of the slots, or none once a word was too far from its first slot.
    len_max: usize,
}

/// The first slot of a hash among `of`.
#[inline(always)]
fn first(hash: u64, of: u32) -> usize {
    fraction(hash << 32, of)
}

/// The slot after the `at`th.
#[inline(always)]
fn next(at: usize, of: u32) -> usize {
    if at + 1 == of as usize { 0 } else { at + 1 }
}

impl LongTable {
    /// No words, and no memory.
    pub(super) fn new(seed: &Seed) -> Self {
        Self {
            seed: seed.long().clone(),
            slots: Slots::new(0),
            entries: Entries::new(),
            len_max: 0,
        }
    }

    /// Makes room for `more` words; they are hashed after it.
    #[inline(always)]
    fn make_room(&mut self, more: usize) {
        if self.entries.len() + more > self.len_max {
            self.grow(more);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        if self.len_max < self.slots.len() / 2 {
            self.reseed();
        }
        let (slots, least) = (self.slots.len(), (self.entries.len() + more) * 2);
        if least > slots {
            let larger = if slots < SMALL_SLOTS {
                slots * 4
            } else {
                slots / 2 * 3
            };
            let larger = larger.max(least).max(SLOTS_MIN);
            growth::grow(&mut self.slots, larger, |slot| slot.0);
        }
        self.len_max = self.slots.len() / 2;
    }

    /// Gives all words other hashes, which nobody could make words for.
    fn reseed(&mut self) {
        self.seed = LongSeed::random();
        self.slots.fill(LongSlot::default());
        let of = self.slots.count();
        for (place, word, _) in self.entries.iter_with_places() {
            let hash = self.seed.hash(word);
            let mut at = first(hash, of);
            while !self.slots[at].is_empty() {
                at = next(at, of);
            }
            self.slots[at] = LongSlot::new(hash, place);
        }
    }

    /// Counts `word` `count` more times; no allocation for a word seen before.
    pub(super) fn add(&mut self, word: &[u8], count: u64) {
        self.make_room(1);
        self.add_hashed(word, self.seed.hash(word), count);
    }

    /// Counts words of a tile once each.
    pub(super) fn add_all(&mut self, bytes: &TileBytes, words: &[Place]) {
        for words in words.chunks(SOME) {
            self.make_room(words.len());
            let mut hashes = [0; SOME];
            for (word, hash) in words.iter().zip(&mut hashes) {
                *hash = self.seed.hash(word.of(bytes));
            }
            self.add_some(&hashes[..words.len()], |at| words[at].of(bytes), |_| 1);
        }
    }

    /// Counts at most [`SOME`] words, given by their index in `hashes`, the hash of each. There is room for them.
    ///
    /// Three times over all of them: their slots are asked for, then their entries, and only then compared.
    #[inline(always)]
    fn add_some<'a>(
        &mut self,
        hashes: &[u64],
        word: impl Fn(usize) -> &'a [u8],
        count: impl Fn(usize) -> u64,
    ) {
        let Self { slots, entries, .. } = self;
        let of = slots.count();
        for hash in hashes {
            prefetch(slots, first(*hash, of));
        }
        let mut found = [0; SOME];
        for (hash, entry) in hashes.iter().zip(&mut found) {
            let mut at = first(*hash, of);
            let slot = loop {
                let slot = slots[at];
                if slot.may_have(*hash) || slot.is_empty() {
                    break slot;
                }
                at = next(at, of);
            };
            *entry = slot.at();
            entries.prefetch(*entry);
        }
        for (index, (hash, entry)) in hashes.iter().zip(found).enumerate() {
            let (word, count) = (word(index), count(index));
            // None is at 0; a word that came twice was new before.
            if entry == 0 || !self.entries.add(entry, word, count) {
                self.add_hashed(word, *hash, count);
            }
        }
    }

    /// Counts `word` of hash `hash` `count` more times. There is room for it.
    #[inline(never)]
    fn add_hashed(&mut self, word: &[u8], hash: u64, count: u64) {
        let of = self.slots.count();
        let mut at = first(hash, of);
        let mut steps = 0;
        loop {
            let slot = &mut self.slots[at];
            if slot.is_empty() {
                *slot = LongSlot::new(hash, self.entries.push(word, count));
                if steps > STEPS_MAX {
                    self.len_max = 0;
                }
                return;
            }
            if slot.may_have(hash) && self.entries.add(slot.at(), word, count) {
                return;
            }
            at = next(at, of);
            steps += 1;
        }
    }

    /// Adds the words of `other` whose hash, as `seed` gives it, is in the `index`th of `parts` equal parts of all hashes; the sum of
    /// their counts.
    pub(super) fn absorb_part(
        &mut self,
        other: &Self,
        (index, parts): (usize, u32),
        seed: &Seed,
    ) -> u64 {
        let mut words = other.iter();
        let mut sum = 0;
        loop {
            self.make_room(SOME);
            let is_same = self.seed.is(seed.long());
            let (mut hashes, mut some, mut count) = ([0; SOME], [(&[][..], 0); SOME], 0);
            for (word, times) in words.by_ref() {
                let hash = self.seed.hash(word);
                let of_parts = if is_same {
                    hash
                } else {
                    seed.long().hash(word)
                };
                if fraction(of_parts, parts) == index {
                    (hashes[count], some[count]) = (hash, (word, times));
                    sum += times;
                    count += 1;
                    if count == SOME {
                        break;
                    }
                }
            }
            self.add_some(&hashes[..count], |at| some[at].0, |at| some[at].1);
            if count < SOME {
                return sum;
            }
        }
    }

    /// How often `word` was counted.
    pub(super) fn count(&self, word: &[u8]) -> u64 {
        if self.len() == 0 {
            return 0;
        }
        let hash = self.seed.hash(word);
        let of = self.slots.count();
        let mut at = first(hash, of);
        loop {
            let slot = self.slots[at];
            if slot.is_empty() {
                return 0;
            }
            if slot.may_have(hash) && self.entries.is(slot.at(), word) {
                return self.entries.count(slot.at());
            }
            at = next(at, of);
        }
    }

    /// How many different words there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every word with its count, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sorted(table: &LongTable) -> Vec<(Vec<u8>, u64)> {
        let mut words: Vec<_> = table
            .iter()
            .map(|(word, count)| (word.to_vec(), count))
            .collect();
        words.sort_unstable();
        words
    }

    type Tile = (Box<TileBytes>, Vec<Place>, BTreeMap<Vec<u8>, u64>);

    /// Words of 25 bytes and more; the tile they are in; how often each is there.
    fn tile(numbers: std::ops::Range<u16>) -> Tile {
        let (mut bytes, mut places, mut expected) = (Vec::new(), Vec::new(), BTreeMap::new());
        for number in numbers {
            let width = 25 + usize::from(number % 60);
            let word = format!("{:0width$}", number / 3).into_bytes();
            let start = u16::try_from(bytes.len()).unwrap();
            bytes.extend_from_slice(&word);
            places.push(Place::new([start, u16::try_from(bytes.len()).unwrap()]));
            bytes.push(b' ');
            *expected.entry(word).or_insert(0) += 1;
        }
        bytes.resize(size_of::<TileBytes>(), 0);
        (bytes.try_into().unwrap(), places, expected)
    }

    #[test]
    fn words_of_a_tile_are_counted_as_a_map_does_whatever_is_there_already() {
        let seed = Seed::random();
        let mut table = LongTable::new(&seed);
        let mut expected = BTreeMap::new();
        let steps: u16 = if cfg!(miri) { 3 } else { 60 };
        for step in 0..steps {
            // Each word comes in several tiles, and again in its own.
            let (bytes, places, more) = tile(step * 20..step * 20 + 60);
            table.add_all(&bytes, &places);
            for (word, count) in more {
                *expected.entry(word).or_insert(0) += count;
            }
        }
        assert_eq!(table.len(), expected.len());
        assert_eq!(sorted(&table), expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn words_with_one_hash_are_told_apart_by_their_bytes() {
        let mut table = LongTable::new(&Seed::random());
        let mut expected = BTreeMap::new();
        for number in 1..if cfg!(miri) { 100 } else { 3000_u64 } {
            let word = format!("{:030}", number % 70).into_bytes();
            table.make_room(1);
            table.add_hashed(&word, (number % 7) << 29, number);
            *expected.entry(word).or_insert(0) += number;
        }
        assert_eq!(sorted(&table), expected.into_iter().collect::<Vec<_>>());
    }

    fn some_words(count: u32) -> Vec<Vec<u8>> {
        let words = 0..count;
        words
            .map(|number| format!("{number:030}").into_bytes())
            .collect()
    }

    #[test]
    fn words_made_to_collide_get_other_hashes() {
        let seed = Seed::random();
        let mut table = LongTable::new(&seed);
        table.seed = LongSeed::crowding();
        let words = some_words(400);
        for word in words.iter().chain(&words) {
            table.add(word, 1);
        }
        assert!(!table.seed.is(&LongSeed::crowding()), "it has another seed");
        let of = table.slots.count();
        let crowded = words
            .iter()
            .filter(|word| first(table.seed.hash(word), of) < of as usize / 8);
        assert!(crowded.count() < words.len() / 2);
        let expected: BTreeMap<Vec<u8>, u64> = words.iter().map(|word| (word.clone(), 2)).collect();
        assert_eq!(sorted(&table), expected.into_iter().collect::<Vec<_>>());
        assert!(words.iter().all(|word| table.count(word) == 2));
        // Beside one that has the seed of all, whole and in parts.
        let mut other = LongTable::new(&seed);
        words.iter().for_each(|word| other.add(word, 3));
        let mut parts = 0;
        for index in 0..3 {
            let mut part = LongTable::new(&seed);
            for table in [&table, &other] {
                part.absorb_part(table, (index, 3), &seed);
            }
            assert!(part.iter().all(|(_, count)| count == 5));
            parts += part.len();
        }
        assert_eq!(parts, words.len());
        table.absorb_part(&other, (0, 1), &seed);
        assert!(words.iter().all(|word| table.count(word) == 5));
    }

    #[test]
    fn words_of_tiles_that_collide_are_counted_once_each() {
        let seed = Seed::random().with_long(LongSeed::crowding());
        let mut table = LongTable::new(&seed);
        let words = some_words(400);
        for round in 0..3 {
            for words in words.chunks(100) {
                let (mut bytes, mut places) = (Vec::new(), Vec::new());
                for word in words {
                    let start = u16::try_from(bytes.len()).unwrap();
                    bytes.extend_from_slice(word);
                    places.push(Place::new([start, u16::try_from(bytes.len()).unwrap()]));
                }
                bytes.resize(size_of::<TileBytes>(), 0);
                let bytes: Box<TileBytes> = bytes.try_into().unwrap();
                table.add_all(&bytes, &places);
            }
            assert!(words.iter().all(|word| table.count(word) == round + 1));
        }
        assert!(!table.seed.is(&LongSeed::crowding()));
        assert_eq!(table.len(), words.len());
    }

    #[test]
    fn parts_of_tables_with_other_hashes_share_no_word() {
        let seed = Seed::random().with_long(LongSeed::crowding());
        let words = some_words(1200);
        let mut tables = [1, 2, 3].map(|_| LongTable::new(&seed));
        for (index, word) in words.iter().enumerate() {
            tables[index % 2].add(word, 1);
            tables[2].add(word, 3);
        }
        let mut all = Vec::new();
        let mut reseeded = 0;
        for index in 0..3 {
            let mut part = LongTable::new(&seed);
            for table in &tables {
                part.absorb_part(table, (index, 3), &seed);
            }
            reseeded += usize::from(!part.seed.is(&LongSeed::crowding()));
            assert!(
                part.iter()
                    .all(|(word, count)| count == 4 && part.count(word) == 4)
            );
            all.extend(sorted(&part));
        }
        assert_eq!(reseeded, 3);
        all.sort_unstable();
        assert_eq!(all.len(), words.len());
        all.dedup();
        assert_eq!(all.len(), words.len());
    }

    #[test]
    fn parts_of_tables_are_all_of_them() {
        let seed = Seed::random();
        let (mut first, mut second) = (LongTable::new(&seed), LongTable::new(&seed));
        for number in 0..if cfg!(miri) { 40 } else { 4000 } {
            let word = format!("{number:040}").into_bytes();
            if number % 3 != 0 {
                first.add(&word, 2);
            }
            if number % 2 != 0 {
                second.add(&word, 3);
            }
        }
        let mut whole = LongTable::new(&seed);
        for table in [&first, &second] {
            whole.absorb_part(table, (0, 1), &seed);
        }
        let mut parts = Vec::new();
        for index in 0..3 {
            let mut part = LongTable::new(&seed);
            let mut sum = 0;
            for table in [&first, &second] {
                sum += part.absorb_part(table, (index, 3), &seed);
            }
            assert_eq!(sum, part.iter().map(|(_, count)| count).sum::<u64>());
            parts.extend(sorted(&part));
        }
        parts.sort_unstable();
        assert_eq!(sorted(&whole), parts);
    }
}
