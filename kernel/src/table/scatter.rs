//! Words written down by parts of their hashes, to be counted later, part by part.
//!
//! Where nearly every word is new, a table of all of them is memory in which no cache helps, and which the system has to clear.
//! A record is a third as large as a slot and written beside the last one; a part fits a cache when its words are counted.
//!
//! When words are written down rather than counted is decided in `counted`; what a record is, in `records`.

use super::chunks::Chunks;
use super::hash::{Seed, fraction};
use super::records::{LINE_BYTES, Records};
use super::short::ShortTable;

/// 512: the slots of a part of 2 * 10^7 words are 2 MiB, and the places that are written to are few enough for their pages to stay
/// in the second-level TLB. 1024 was no faster.
pub(crate) const PARTS: usize = PART_COUNT as usize;
const PART_COUNT: u32 = if cfg!(test) { 16 } else { 512 };

/// 8 KiB: what each part has before it is seen whether words come again. An odd number of cache lines: parts fill up at the same pace,
/// and what is written at a time would be in the same few sets of each cache otherwise.
const FIRST_CHUNK_BYTES: usize = if cfg!(test) { 1 << 8 } else { 129 * LINE_BYTES };

/// 33 KiB, an odd number of cache lines too.
const CHUNK_BYTES: usize = if cfg!(test) {
    1 << 10
} else {
    515 * LINE_BYTES
};

/// 4 MiB: with as many records it is time to look whether words come again.
const FIRST_BYTES_MAX: usize = if cfg!(test) { 4 << 10 } else { 4 << 20 };

/// 64 MiB: where words come again, less often than that many bytes it is not worth to add them up.
const BYTES_MAX: usize = if cfg!(test) { 16 << 10 } else { 64 << 20 };

/// What counts one part after another.
#[derive(Debug)]
pub(crate) struct Counter {
    /// Empty between parts.
    table: ShortTable<3>,
    seed: Seed,
}

impl Counter {
    /// One whose hashes are not those by which parts were made: by these all words of a part would crowd into a part of the table.
    pub(crate) fn new(seed: &Seed) -> Self {
        Self {
            table: ShortTable::new(),
            seed: seed.with_other_words(),
        }
    }

    /// Counts all records of a part, which are taken; how many different words it has. Their chunks go to `chunks`: what was read is
    /// written over.
    fn count(&mut self, part: &mut [(usize, Records)], chunks: &mut Chunks) -> usize {
        for (_, records) in part {
            let records = std::mem::take(records);
            records.count_into(&mut self.table, &self.seed);
            if self.table.is_flooded() {
                // Words made to collide by this seed are few: the next one is secret too.
                self.reseed();
            }
            chunks.keep(records.into_chunk());
        }
        self.table.len()
    }

    #[cold]
    fn reseed(&mut self) {
        let seed = self.seed.with_other_words();
        let mut table = ShortTable::new();
        for (key, count) in self.table.keys(&seed) {
            table.add(&key, count, &seed);
        }
        self.table = table;
        self.seed = seed;
    }
}

/// The different words of one part after another.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    full: Vec<Records>,
    open: Records,
    distinct: usize,
    chunks: Chunks,
}

impl Sum {
    /// Adds the words of a part, each once, from all its records, which are taken.
    pub(crate) fn add(&mut self, part: &mut [(usize, Records)], counter: &mut Counter) {
        self.distinct += counter.count(part, &mut self.chunks);
        counter.table.take_all(|words, count| {
            let full = |records| self.full.push(records);
            write(words, count, &mut self.open, &mut self.chunks, full);
        });
    }

    /// How many different words there are, and their records.
    pub(crate) fn finish(mut self) -> (usize, Vec<Records>) {
        self.full.push(self.open);
        (self.distinct, self.full)
    }
}

/// Writes a word down, in one more of `chunks` where needed, after which `full` has what was written before; how many bytes the record
/// has.
#[inline(always)]
fn write<const N: usize>(
    words: &[u64; N],
    count: u64,
    open: &mut Records,
    chunks: &mut Chunks,
    mut full: impl FnMut(Records),
) -> usize {
    loop {
        match open.push(words, count) {
            Some(bytes) => return bytes,
            None => turn_over(open, chunks, &mut full),
        }
    }
}

/// Goes on in another chunk.
#[cold]
#[inline(never)]
fn turn_over(open: &mut Records, chunks: &mut Chunks, full: &mut impl FnMut(Records)) {
    let chunk = chunks.take(if open.are_nowhere() {
        FIRST_CHUNK_BYTES
    } else {
        CHUNK_BYTES
    });
    let records = std::mem::replace(open, Records::within(chunk));
    if !records.are_nowhere() {
        full(records);
    }
}

/// Words that one worker wrote down.
#[derive(Debug)]
pub(crate) struct Scatter {
    /// Whose hashes make the parts.
    seed: Seed,
    /// What is written to, for each part.
    open: Vec<Records>,
    /// What is full, and the part it is of. One list for all: each of its own would be 512 that grow.
    full: Vec<(usize, Records)>,
    /// How many bytes all records have.
    bytes: usize,
    /// With more bytes the parts are counted, so that words that come again do not pile up.
    bytes_max: usize,
    chunks: Chunks,
}

impl Scatter {
    /// No words.
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            seed,
            open: (0..PARTS).map(|_| Records::default()).collect(),
            full: Vec::new(),
            bytes: 0,
            bytes_max: FIRST_BYTES_MAX,
            chunks: Chunks::default(),
        }
    }

    /// Whose hashes make the parts.
    pub(crate) fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Writes a word down whose hash is in the part `part`.
    #[inline(always)]
    pub(crate) fn push<const N: usize>(&mut self, part: usize, words: &[u64; N], count: u64) {
        let part = part % PARTS;
        let full = |records| self.full.push((part, records));
        self.bytes += write(words, count, &mut self.open[part], &mut self.chunks, full);
    }

    /// How many bytes all records have.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there are so many records that words that came again should be added up.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > self.bytes_max
    }

    /// Adds up what came again; how many different words there are.
    ///
    /// The next time is when there is a multiple of what is left: the larger the more of it was new, since then it is done for
    /// nothing.
    #[cold]
    #[inline(never)]
    pub(crate) fn compact(&mut self) -> usize {
        let before = std::mem::take(&mut self.bytes);
        let mut counter = Counter::new(&self.seed);
        let mut distinct = 0;
        let mut records = self.take_records();
        for of_part in by_part(&mut records) {
            let part = of_part.first().map_or(0, |(part, _)| *part);
            distinct += counter.count(of_part, &mut self.chunks);
            counter
                .table
                .take_all(|words, count| self.push(part, words, count));
        }
        self.bytes_max = if self.bytes > before / 4 * 3 {
            8 * self.bytes
        } else {
            (2 * self.bytes).max(BYTES_MAX)
        };
        distinct
    }

    /// All records, each with the part it is of, in no order; none are left.
    pub(crate) fn take_records(&mut self) -> Vec<(usize, Records)> {
        let mut records = std::mem::take(&mut self.full);
        let open = self.open.iter_mut().map(std::mem::take);
        records.extend(open.enumerate());
        records
    }

    /// Every word with its count, as often as it was written down.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let full = self.full.iter().map(|(_, records)| records);
        full.chain(&self.open).flat_map(Records::iter)
    }
}

/// The records of each part together, part by part.
pub(crate) fn by_part(
    records: &mut [(usize, Records)],
) -> impl Iterator<Item = &mut [(usize, Records)]> + Send {
    records.sort_by_key(|(part, _)| *part);
    records.chunk_by_mut(|(one, _), (other, _)| one == other)
}

/// The part of a hash.
#[inline(always)]
pub(crate) fn part_of(hash: u64) -> usize {
    fraction(hash, PART_COUNT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::table::Key;
    use crate::table::key::WIDE_BYTES_MAX;

    fn counted<'a>(
        words: impl Iterator<Item = (&'a [u8], u64)>,
    ) -> (usize, BTreeMap<Vec<u8>, u64>) {
        let (mut records, mut counts) = (0, BTreeMap::new());
        for (word, count) in words {
            records += 1;
            *counts.entry(word.to_vec()).or_insert(0) += count;
        }
        (records, counts)
    }

    #[test]
    fn words_of_every_length_and_count_come_back() {
        let seed = Seed::random();
        let mut scatter = Scatter::new(seed.clone());
        let mut expected = BTreeMap::new();
        for length in 1..=WIDE_BYTES_MAX {
            for (fill, count) in [
                (1, 1),
                (b'a', 2),
                (0xFF, 255),
                (b'z', 256),
                (b'y', u64::MAX >> 8),
            ] {
                let mut word = vec![0; length];
                word[length - 1] = fill;
                let key = Key::<3>::of(&word, &seed).unwrap();
                scatter.push(part_of(key.hash()), &key.words(), count);
                scatter.push(part_of(key.hash()), &key.words(), 1);
                *expected.entry(word).or_insert(0) += count + 1;
            }
        }
        assert_eq!(counted(scatter.iter()).1, expected);
        assert_eq!(scatter.compact(), expected.len());
        assert!(scatter.chunks.spare() > 0, "what was read is used again");
        assert_eq!(counted(scatter.iter()), (expected.len(), expected.clone()));
        let mut sum = Sum::default();
        let mut counter = Counter::new(&seed);
        let mut records = scatter.take_records();
        let mut parts = 0;
        for part in by_part(&mut records) {
            sum.add(part, &mut counter);
            parts += 1;
        }
        assert_eq!(parts, PARTS, "the records of each are together");
        let (distinct, records) = sum.finish();
        assert_eq!(distinct, expected.len());
        let found = counted(records.iter().flat_map(Records::iter));
        assert_eq!(found, (expected.len(), expected));
        assert_eq!(scatter.iter().count(), 0);
    }

    #[test]
    fn words_that_come_again_do_not_pile_up() {
        let seed = Seed::random();
        let mut scatter = Scatter::new(seed.clone());
        let mut compactions = 0;
        for number in 0..if cfg!(miri) { 1_500 } else { 200_000 } {
            let key = Key::<3>::of(format!("{}", number % 500).as_bytes(), &seed).unwrap();
            scatter.push(part_of(key.hash()), &key.words(), 1);
            if scatter.is_full() {
                assert!(scatter.compact() <= 500);
                compactions += 1;
            }
            let chunks = scatter.full.len() + PARTS;
            assert!(
                chunks + scatter.chunks.spare() < 6 * PARTS,
                "{chunks} chunks"
            );
        }
        assert!(compactions > usize::from(!cfg!(miri)));
    }
}
