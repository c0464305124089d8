//! Words written down by parts of their hashes, to be counted later, part by part.
//!
//! Where nearly every word is new, a table of all of them is memory in which no cache helps, and which the system has to clear.
//! A record is a third as large as a slot and written beside the last one; a part fits a cache when its words are counted.
//!
//! ```text
//! record:  length of the word, 1 to 24 | count, unless it is 1 | the word
//!          with FEW in the first byte the count is the next byte, with MANY the next eight, little-endian
//! ```
//!
//! When words are written down rather than counted is decided in `counted`.

use super::chunks::{Chunk, Chunks};
use super::hash::{Seed, fraction};
use super::key::{Key, WIDE_BYTES_MAX, length};
use super::prefetch::{prefetch, prefetch_to_write};
use super::short::{ShortTable, Waiting};
use crate::scan::SOME;

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

const LINE_BYTES: usize = 64;

/// 4 MiB: with as many records it is time to look whether words come again.
const FIRST_BYTES_MAX: usize = if cfg!(test) { 4 << 10 } else { 4 << 20 };

/// 64 MiB: where words come again, less often than that many bytes it is not worth to add them up.
const BYTES_MAX: usize = if cfg!(test) { 16 << 10 } else { 64 << 20 };

/// What is written at a time: the longest head and three times eight bytes.
const RECORD_ROOM: usize = 40;

const FEW: u8 = 0x40;
const MANY: u8 = 0x80;
const LENGTH: u8 = 0x1F;

/// Records of the words whose hashes are in one of [`PARTS`] equal parts of all hashes.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Those that are full, with where their records end.
    full: Vec<(Chunk, usize)>,
    /// The one that is written to; of no bytes at first.
    chunk: Chunk,
    at: usize,
}

impl Part {
    /// Writes a word down, in one more chunk where needed; how many bytes the record has.
    #[inline(always)]
    fn push<const N: usize>(&mut self, words: &[u64; N], count: u64, chunks: &mut Chunks) -> usize {
        let room = loop {
            match self
                .chunk
                .get_mut(self.at..)
                .and_then(<[u8]>::first_chunk_mut::<RECORD_ROOM>)
            {
                Some(room) => break room,
                None => self.turn_over(chunks),
            }
        };
        let length = length(words);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a word of a slot has at most 24 bytes, and few is less than 256"
        )]
        let (length_byte, few) = (length as u8, count as u8);
        let head = match count {
            1 => {
                room[0] = length_byte;
                1
            }
            2..256 => {
                room[..2].copy_from_slice(&[length_byte | FEW, few]);
                2
            }
            _ => {
                room[0] = length_byte | MANY;
                room[1..9].copy_from_slice(&count.to_le_bytes());
                9
            }
        };
        for (index, word) in words.iter().enumerate() {
            room[head + 8 * index..][..8].copy_from_slice(&word.to_le_bytes());
        }
        self.at += head + length;
        // Else the first word of every cache line would wait for memory.
        prefetch_to_write(&self.chunk, self.at + LINE_BYTES);
        head + length
    }

    /// Goes on in another chunk.
    #[cold]
    #[inline(never)]
    fn turn_over(&mut self, chunks: &mut Chunks) {
        let chunk = chunks.take(if self.chunk.is_empty() {
            FIRST_CHUNK_BYTES
        } else {
            CHUNK_BYTES
        });
        let full = std::mem::replace(&mut self.chunk, chunk);
        if !full.is_empty() {
            self.full.push((full, self.at));
        }
        self.at = 0;
    }

    /// Each chunk, with where its records end.
    fn chunks(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let full = self.full.iter().map(|(chunk, end)| (&chunk[..], *end));
        full.chain(std::iter::once((&self.chunk[..], self.at)))
    }

    /// How many bytes its records have.
    fn bytes(&self) -> usize {
        self.chunks().map(|(_, end)| end).sum()
    }

    /// Every word with its count, as often as it was written down.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.chunks().flat_map(|(chunk, end)| {
            let mut at = 0;
            std::iter::from_fn(move || {
                (at < end).then(|| {
                    let (head, length, count) = head(&chunk[at..]);
                    let start = at + head;
                    at = start + length;
                    (&chunk[start..at], count)
                })
            })
        })
    }

    /// Counts all records into `table`.
    fn count_into(&self, table: &mut ShortTable<3>, seed: &Seed) {
        seed.short().hashing(
            #[inline(always)]
            || self.count_records(table, seed),
        );
    }

    #[inline(always)]
    fn count_records(&self, table: &mut ShortTable<3>, seed: &Seed) {
        let mut waiting = [(Waiting::default(), 0); SOME];
        for (chunk, end) in self.chunks() {
            let mut at = 0;
            while at < end {
                table.make_room(SOME, seed);
                let short = seed.short();
                let mut count = 0;
                while count < SOME && at < end {
                    let (head, length, times) = head(&chunk[at..]);
                    let start = at + head;
                    at = start + length;
                    prefetch(chunk, at + 512);
                    let key = match chunk[start..].first_chunk::<32>() {
                        Some(bytes) => Key::new(bytes, length.clamp(1, WIDE_BYTES_MAX), &short),
                        None => {
                            let mut bytes = [0; 32];
                            bytes[..length].copy_from_slice(&chunk[start..at]);
                            Key::new(&bytes, length.clamp(1, WIDE_BYTES_MAX), &short)
                        }
                    };
                    waiting[count] = (table.fetch(&key), times);
                    count += 1;
                }
                for (waiting, times) in &waiting[..count] {
                    table.add_at(waiting.words(), waiting.slot(), *times);
                }
            }
        }
    }

    /// A part with all the words of `parts`, each once, counted in `counter`; their chunks go to `chunks`.
    pub(crate) fn counted(parts: Vec<Self>, counter: &mut Counter, chunks: &mut Chunks) -> Self {
        for part in &parts {
            part.count_into(&mut counter.table, &counter.seed);
            if counter.table.is_flooded() {
                // Words made to collide by this seed are few: the next one is secret too.
                counter.reseed();
            }
        }
        // What was read is written over.
        for part in parts {
            let full = part.full.into_iter().map(|(chunk, _)| chunk);
            full.chain([part.chunk])
                .for_each(|chunk| chunks.keep(chunk));
        }
        let mut whole = Self::default();
        counter.len = counter.table.len();
        counter.table.take_all(|words, count| {
            whole.push(words, count, chunks);
        });
        whole
    }
}

/// The lengths of the head and of the word of the record at the start of `bytes`, and its count.
#[inline(always)]
fn head(bytes: &[u8]) -> (usize, usize, u64) {
    let first = bytes[0];
    let length = usize::from(first & LENGTH);
    if first & (FEW | MANY) == 0 {
        return (1, length, 1);
    }
    if first & FEW != 0 {
        return (2, length, u64::from(bytes[1]));
    }
    let mut count = [0; 8];
    count.copy_from_slice(&bytes[1..9]);
    (9, length, u64::from_le_bytes(count))
}

/// What counts one part after another.
#[derive(Debug)]
pub(crate) struct Counter {
    /// Empty between parts.
    table: ShortTable<3>,
    seed: Seed,
    len: usize,
}

impl Counter {
    /// One whose hashes are not those by which parts were made: by these all words of a part would crowd into a part of the table.
    pub(crate) fn new(seed: &Seed) -> Self {
        Self {
            table: ShortTable::new(),
            seed: seed.with_other_words(),
            len: 0,
        }
    }

    /// How many different words the last part has.
    pub(crate) fn len(&self) -> usize {
        self.len
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

/// All parts of one worker.
#[derive(Debug)]
pub(crate) struct Scatter {
    /// Whose hashes make the parts.
    seed: Seed,
    parts: Vec<Part>,
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
            parts: (0..PARTS).map(|_| Part::default()).collect(),
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
        self.bytes += self.parts[part % PARTS].push(words, count, &mut self.chunks);
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
        let written = |parts: &[Part]| parts.iter().map(Part::bytes).sum::<usize>();
        let before = written(&self.parts);
        let mut counter = Counter::new(&self.seed);
        let mut distinct = 0;
        for part in &mut self.parts {
            *part = Part::counted(vec![std::mem::take(part)], &mut counter, &mut self.chunks);
            distinct += counter.len();
        }
        let after = written(&self.parts);
        self.bytes = after;
        self.bytes_max = if after > before / 4 * 3 {
            8 * after
        } else {
            (2 * after).max(BYTES_MAX)
        };
        distinct
    }

    /// Its parts, in the order of hashes.
    pub(crate) fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    /// Every word with its count, as often as it was written down.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.parts.iter().flat_map(Part::iter)
    }
}

/// The part of a hash.
#[inline(always)]
pub(crate) fn part_of(hash: u64) -> usize {
    fraction(hash, PART_COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn words_of_every_length_and_count_come_back() {
        let seed = Seed::random();
        let mut part = Part::default();
        let mut chunks = Chunks::default();
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
                part.push(&key.words(), count, &mut chunks);
                part.push(&key.words(), 1, &mut chunks);
                *expected.entry(word).or_insert(0) += count + 1;
            }
        }
        let mut written: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for (word, count) in part.iter() {
            *written.entry(word.to_vec()).or_insert(0) += count;
        }
        assert_eq!(written, expected);
        let counted = Part::counted(
            vec![part, Part::default()],
            &mut Counter::new(&seed),
            &mut chunks,
        );
        assert!(chunks.spare() > 0, "what was read is used again");
        let counted: Vec<(Vec<u8>, u64)> = counted
            .iter()
            .map(|(word, count)| (word.to_vec(), count))
            .collect();
        assert_eq!(counted.len(), expected.len(), "a word is there twice");
        assert_eq!(counted.into_iter().collect::<BTreeMap<_, _>>(), expected);
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
            let chunks: usize = scatter.parts.iter().map(|part| part.full.len() + 1).sum();
            assert!(
                chunks + scatter.chunks.spare() < 6 * PARTS,
                "{chunks} chunks"
            );
        }
        assert!(compactions > usize::from(!cfg!(miri)));
    }
}
