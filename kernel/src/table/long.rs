//! The table of words that are too long for a slot: their bytes in blocks, their hashes in slots.
//!
//! ```text
//! slot, 32 bytes:  hash | count (0: empty) | block | place in it | length
//! slots:           the first by the lower half of the hash as a fraction of 2^32, then the next until the word or an empty one
//!                  is met
//! ```
//!
//! The parts of all hashes are by the upper half: the words of one part are anywhere here.

use super::growth::{self, Entry};
use super::hash::{Seed, fraction};
use super::prefetch::prefetch;
use super::slots::Slots;

/// 1 MiB: what is allocated at a time for the bytes of words.
const BLOCK_BYTES: usize = 1 << 20;

/// The first slots, 8 KiB.
const SLOTS_MIN: usize = 256;

/// How many words are looked up to tell how many are new.
const SAMPLE: usize = 1000;

/// How far ahead the bytes of a word are asked for: most words that are counted together come within it.
const LINE_BYTES: usize = 64;

#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct LongWord {
    hash: u64,
    count: u64,
    block: u32,
    start: u32,
    length: u64,
}

impl Entry for LongWord {
    #[inline(always)]
    fn count(&self) -> u64 {
        self.count
    }
}

/// Long words and their counts.
#[derive(Clone, Debug, Default)]
pub(super) struct LongTable {
    /// None at first.
    slots: Option<Slots<LongWord>>,
    len: usize,
    bytes: Blocks,
    /// The hashes of words that are counted together, and the slots where they may be.
    waiting: Vec<(u64, usize)>,
}

/// Bytes of words, in blocks that never move.
#[derive(Clone, Debug, Default)]
struct Blocks(Vec<Vec<u8>>);

impl Blocks {
    #[inline(always)]
    fn word(&self, entry: &LongWord) -> &[u8] {
        let start = entry.start as usize;
        &self.0[entry.block as usize][start..start + length(entry)]
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

/// The bytes of a word that is in memory.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "it was a length in memory")]
fn length(entry: &LongWord) -> usize {
    entry.length as usize
}

/// Whether two words are the same. A call of the C library would take longer, and with musl much longer.
#[inline(always)]
fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() || one.len() < 8 {
        return one == other;
    }
    let (eights, others) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    eights.iter().zip(others).all(|(one, other)| one == other)
        // With bytes that were compared already.
        && one.last_chunk::<8>() == other.last_chunk::<8>()
}

/// The first slot of a hash among `of`.
#[inline(always)]
fn first(hash: u64, of: u32) -> usize {
    fraction(hash.rotate_left(32), of)
}

/// The slot after the `at`th.
#[inline(always)]
fn next(at: usize, of: u32) -> usize {
    if at + 1 == of as usize { 0 } else { at + 1 }
}

impl LongTable {
    /// Makes room for `more` words: at least three slots for two.
    #[inline(always)]
    fn make_room(&mut self, more: usize) {
        let slots = self.slots.as_ref().map_or(0, |slots| slots.len());
        if (self.len + more) * 3 > slots * 2 {
            self.grow((self.len + more) * 3);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, slots: usize) {
        match &mut self.slots {
            Some(few) => growth::grow(few, slots, |entry| entry.hash.rotate_left(32)),
            None => self.slots = Some(Slots::new(slots.max(SLOTS_MIN))),
        }
    }

    fn entries(&self) -> impl Iterator<Item = &LongWord> {
        let slots = self.slots.iter().flat_map(|slots| slots.iter());
        slots.filter(|entry| entry.count != 0)
    }

    /// Counts `word` of hash `hash` `count` more times; no allocation for a word seen before.
    pub(super) fn add(&mut self, word: &[u8], hash: u64, count: u64) {
        self.make_room(1);
        if let Some(slots) = &mut self.slots {
            self.len += usize::from(add(slots, &mut self.bytes, word, hash, count));
        }
    }

    /// Counts words of a tile, `[start, end]` of `bytes` each, once each.
    ///
    /// Three times over all of them: their slots are asked for, then their bytes, and only then compared.
    pub(super) fn add_all(&mut self, bytes: &[u8], words: &[[u16; 2]], seed: &Seed) {
        self.make_room(words.len());
        let Some(slots) = &mut self.slots else {
            return;
        };
        let of = slots.count();
        let word = |[start, end]: [u16; 2]| &bytes[usize::from(start)..usize::from(end)];
        self.waiting.clear();
        self.waiting.extend(words.iter().map(|place| {
            let hash = seed.hash_long(word(*place));
            let at = first(hash, of);
            prefetch(slots, at);
            (hash, at)
        }));
        for (hash, at) in &mut self.waiting {
            let entry = loop {
                let entry = &slots[*at];
                if entry.hash == *hash || entry.count == 0 {
                    break entry;
                }
                *at = next(*at, of);
            };
            if entry.count != 0 {
                let known = self.bytes.word(entry);
                prefetch(known, 0);
                prefetch(known, LINE_BYTES);
            }
        }
        for (place, (hash, at)) in words.iter().zip(&self.waiting) {
            let word = word(*place);
            let entry = &mut slots[*at];
            if entry.count != 0 && entry.hash == *hash && same(self.bytes.word(entry), word) {
                entry.count += 1;
            } else {
                self.len += usize::from(add(slots, &mut self.bytes, word, *hash, 1));
            }
        }
    }

    /// Adds the words of `other` whose hash there is in the `index`th of `parts` equal parts of all hashes; the sum of their counts.
    ///
    /// - `hash`: what hash here a word has, by its hash there.
    pub(super) fn absorb_part(
        &mut self,
        other: &Self,
        (index, parts): (usize, u32),
        hash: impl Fn(&[u8], u64) -> u64,
    ) -> u64 {
        let of_part = || {
            let words = other.iter_hashed();
            words.filter(|(_, hash, _)| fraction(*hash, parts) == index)
        };
        // They may come in the order of hashes: a table that grew meanwhile would be full at its start and empty at its end.
        let (mut sample, mut new) = (0, 0);
        for (word, there, _) in of_part().take(SAMPLE) {
            sample += 1;
            new += usize::from(self.count(word, hash(word, there)) == 0);
        }
        let all = other.len() / parts as usize;
        let new = (all / sample.max(1) * new).min(all);
        self.make_room(new + new / 10);
        let mut sum = 0;
        for (word, there, count) in of_part() {
            self.add(word, hash(word, there), count);
            sum += count;
        }
        sum
    }

    /// How often `word` of hash `hash` was counted.
    pub(super) fn count(&self, word: &[u8], hash: u64) -> u64 {
        let Some(slots) = &self.slots else {
            return 0;
        };
        let mut at = first(hash, slots.count());
        loop {
            let entry = &slots[at];
            if entry.count == 0 || entry.hash == hash && same(self.bytes.word(entry), word) {
                return entry.count;
            }
            at = next(at, slots.count());
        }
    }

    /// How many different words there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Every word with its hash and count, in no order.
    pub(super) fn iter_hashed(&self) -> impl Iterator<Item = (&[u8], u64, u64)> {
        self.entries()
            .map(|entry| (self.bytes.word(entry), entry.hash, entry.count))
    }

    /// Every word with its count, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.entries()
            .map(|entry| (self.bytes.word(entry), entry.count))
    }
}

/// Counts `word` `count` more times; whether it is new. There is room for it.
#[inline(never)]
fn add(
    slots: &mut Slots<LongWord>,
    bytes: &mut Blocks,
    word: &[u8],
    hash: u64,
    count: u64,
) -> bool {
    let of = slots.count();
    let mut at = first(hash, of);
    loop {
        let entry = &mut slots[at];
        if entry.count == 0 {
            let (block, start) = bytes.push(word);
            let length = word.len() as u64;
            *entry = LongWord {
                hash,
                count,
                block,
                start,
                length,
            };
            return true;
        }
        if entry.hash == hash && same(bytes.word(entry), word) {
            entry.count += count;
            return false;
        }
        at = next(at, of);
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

    type Tile = (Vec<u8>, Vec<[u16; 2]>, BTreeMap<Vec<u8>, u64>);

    /// Words of 25 bytes and more; the tile they are in; how often each is there.
    fn tile(numbers: std::ops::Range<u16>) -> Tile {
        let (mut bytes, mut places, mut expected) = (Vec::new(), Vec::new(), BTreeMap::new());
        for number in numbers {
            let width = 25 + usize::from(number % 60);
            let word = format!("{:0width$}", number / 3).into_bytes();
            let start = u16::try_from(bytes.len()).unwrap();
            bytes.extend_from_slice(&word);
            places.push([start, u16::try_from(bytes.len()).unwrap()]);
            bytes.push(b' ');
            *expected.entry(word).or_insert(0) += 1;
        }
        (bytes, places, expected)
    }

    #[test]
    fn words_of_a_tile_are_counted_as_a_map_does_whatever_is_there_already() {
        let seed = Seed::random();
        let mut table = LongTable::default();
        let mut expected = BTreeMap::new();
        let steps: u16 = if cfg!(miri) { 3 } else { 60 };
        for step in 0..steps {
            // Each word comes in several tiles, and again in its own.
            let (bytes, places, more) = tile(step * 20..step * 20 + 60);
            table.add_all(&bytes, &places, &seed);
            for (word, count) in more {
                *expected.entry(word).or_insert(0) += count;
            }
        }
        assert_eq!(table.len(), expected.len());
        assert_eq!(sorted(&table), expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn words_with_one_hash_are_told_apart_by_their_bytes() {
        let (mut table, mut expected) = (LongTable::default(), BTreeMap::new());
        for number in 1..if cfg!(miri) { 100 } else { 3000_u64 } {
            let word = format!("{:030}", number % 700).into_bytes();
            table.add(&word, (number % 7) << 31, number);
            *expected.entry(word).or_insert(0) += number;
        }
        assert_eq!(sorted(&table), expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn parts_of_tables_are_all_of_them() {
        let seed = Seed::random();
        let hash = |word: &[u8]| seed.hash_long(word);
        let (mut first, mut second) = (LongTable::default(), LongTable::default());
        for number in 0..if cfg!(miri) { 40 } else { 4000 } {
            let word = format!("{number:040}").into_bytes();
            if number % 3 != 0 {
                first.add(&word, hash(&word), 2);
            }
            if number % 2 != 0 {
                second.add(&word, hash(&word), 3);
            }
        }
        let mut whole = first.clone();
        whole.absorb_part(&second, (0, 1), |_, hash| hash);
        let mut parts = Vec::new();
        for index in 0..3 {
            let mut part = LongTable::default();
            let mut sum = 0;
            for table in [&first, &second] {
                sum += part.absorb_part(table, (index, 3), |_, hash| hash);
            }
            assert_eq!(sum, part.iter().map(|(_, count)| count).sum::<u64>());
            parts.extend(sorted(&part));
        }
        parts.sort_unstable();
        assert_eq!(sorted(&whole), parts);
    }
}
