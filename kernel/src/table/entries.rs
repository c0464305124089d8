//! Long words with their counts, one after the other.
//!
//! ```text
//! entry, whole units of 16 bytes:  count | length of the word | the word | zeros
//! ```
//!
//! An entry never moves, and is named by its first unit; no entry is at unit 0. They are in small pages, which
//! cost less: entries are written one after the other, and most of them are rare words.

use super::prefetch::prefetch;
use super::slots::Slots;

const UNIT_BYTES: usize = 16;

/// 1024 units, 16 KiB: what there is room for at first.
const UNITS_MIN: usize = 1 << 10;

/// 1 MiB: the units that the system is asked for at a time.
const POPULATED_UNITS: usize = (1 << 20) / UNIT_BYTES;

/// Words and counts, in the order in which they came.
#[derive(Debug)]
pub(super) struct Entries {
    units: Slots<[u8; UNIT_BYTES]>,
    /// The first unit that is free.
    end: usize,
    /// The first that the system was not asked for.
    unpopulated: usize,
    len: usize,
}

impl Entries {
    /// No words, and no memory.
    pub(super) fn new() -> Self {
        Self {
            units: Slots::new(0),
            end: 1,
            unpopulated: 0,
            len: 0,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds `word`; where its entry is.
    pub(super) fn push(&mut self, word: &[u8], count: u64) -> u32 {
        let start = self.end;
        let end = start + 1 + word.len().div_ceil(UNIT_BYTES);
        if end > self.units.len() {
            // Units that are not written to take no memory, once there are many.
            self.units.extend(units_for(end));
        }
        if end > self.unpopulated {
            self.populate(end);
        }
        let [counted, length] = [count, word.len() as u64].map(u64::to_le_bytes);
        let entry = self.units[start..end].as_flattened_mut();
        entry[..8].copy_from_slice(&counted);
        entry[8..16].copy_from_slice(&length);
        entry[16..16 + word.len()].copy_from_slice(word);
        self.end = end;
        self.len += 1;
        // There are less than 2^32 units: the slots refuse more.
        u32::try_from(start).unwrap_or_default()
    }

    /// Brings pages to the units up to `end` and to some more.
    #[cold]
    #[inline(never)]
    fn populate(&mut self, end: usize) {
        let populated = end.next_multiple_of(POPULATED_UNITS).min(self.units.len());
        self.units.populate(self.unpopulated..populated);
        self.unpopulated = populated;
    }

    #[inline(always)]
    fn head(&self, at: usize) -> (u64, usize) {
        let head = &self.units[at];
        let half = |bytes: &[u8]| u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8]));
        #[expect(clippy::cast_possible_truncation, reason = "it was a length in memory")]
        let length = half(&head[8..]) as usize;
        (half(head), length)
    }

    #[inline(always)]
    fn word_at(&self, at: usize, length: usize) -> &[u8] {
        let start = (at + 1) * UNIT_BYTES;
        &self.units.as_flattened()[start..start + length]
    }

    /// How often the word of an entry was counted.
    pub(super) fn count(&self, at: u32) -> u64 {
        self.head(at as usize).0
    }

    /// Counts the word of an entry `count` more times, if it is `word`; whether it is.
    #[inline(always)]
    pub(super) fn add(&mut self, at: u32, word: &[u8], count: u64) -> bool {
        let at = at as usize;
        let (before, length) = self.head(at);
        if length != word.len() || !same(self.word_at(at, length), word) {
            return false;
        }
        let count = (before + count).to_le_bytes();
        self.units[at][..8].copy_from_slice(&count);
        true
    }

    /// Whether the word of an entry is `word`.
    pub(super) fn is(&self, at: u32, word: &[u8]) -> bool {
        let (_, length) = self.head(at as usize);
        self.word_at(at as usize, length) == word
    }

    /// Brings an entry near: its first two cache lines, within which most words end.
    #[inline(always)]
    pub(super) fn prefetch(&self, at: u32) {
        const LINE_UNITS: usize = 64 / UNIT_BYTES;
        prefetch(&self.units, at as usize);
        prefetch(&self.units, at as usize + LINE_UNITS);
    }

    /// Every word with its count.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.iter_with_places()
            .map(|(_, word, count)| (word, count))
    }

    /// Every entry: where it is, its word, and its count.
    pub(super) fn iter_with_places(&self) -> impl Iterator<Item = (u32, &[u8], u64)> {
        let mut next = 1;
        std::iter::from_fn(move || {
            (next < self.end).then(|| {
                let at = next;
                let (count, length) = self.head(at);
                next += 1 + length.div_ceil(UNIT_BYTES);
                // There are less than 2^32 units.
                let place = u32::try_from(at).unwrap_or_default();
                (place, self.word_at(at, length), count)
            })
        })
    }
}

/// How many units to have for `end` of them.
fn units_for(end: usize) -> usize {
    const UNITS_MAX: usize = u32::MAX as usize;
    (4 * end).clamp(UNITS_MIN, UNITS_MAX).max(end)
}

/// Whether two words of the same length are the same. A call of the C library would take longer, and with musl much longer.
#[inline(always)]
fn same(one: &[u8], other: &[u8]) -> bool {
    const PIECE: usize = 16;
    let (pieces, others) = (one.as_chunks::<PIECE>().0, other.as_chunks::<PIECE>().0);
    if pieces.is_empty() || pieces.len() != others.len() {
        return one == other;
    }
    let mut pieces = pieces.iter().zip(others);
    pieces.all(|(one, other)| u128::from_ne_bytes(*one) == u128::from_ne_bytes(*other))
        // With bytes that were compared already.
        && one.last_chunk::<PIECE>() == other.last_chunk::<PIECE>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_up_to_all_that_a_place_can_name_and_what_is_more_is_asked_for() {
        assert_eq!(units_for(2), UNITS_MIN);
        assert_eq!(units_for(5000), 20_000);
        assert_eq!(units_for((1 << 30) + 1), 0xFFFF_FFFF);
        assert_eq!(units_for(0xFFFF_FFFF), 0xFFFF_FFFF);
        assert_eq!(units_for(1 << 32), 1 << 32);
    }

    #[test]
    fn words_of_all_lengths_come_back_in_order_with_their_counts() {
        let mut entries = Entries::new();
        let lengths = if cfg!(miri) { 0..70 } else { 0..3000_u64 };
        let word = |length: u64| -> Vec<u8> {
            (0..length)
                .map(|at| (at ^ length).to_le_bytes()[0])
                .collect()
        };
        let places: Vec<u32> = lengths
            .clone()
            .map(|length| entries.push(&word(length), length + 1))
            .collect();
        for (length, at) in lengths.clone().zip(&places) {
            let same = word(length);
            assert!(entries.is(*at, &same));
            assert!(entries.add(*at, &same, 5));
            assert_eq!(entries.count(*at), length + 6);
            for wrong in 0..same.len() {
                let mut other = same.clone();
                other[wrong] ^= 0x80;
                assert!(!entries.add(*at, &other, 1) && !entries.is(*at, &other));
            }
            assert!(!entries.add(*at, &word(length + 1), 1));
        }
        let all: Vec<(Vec<u8>, u64)> = entries
            .iter()
            .map(|(word, count)| (word.to_vec(), count))
            .collect();
        let expected: Vec<_> = lengths.map(|length| (word(length), length + 6)).collect();
        assert_eq!(all, expected);
        assert_eq!(entries.len(), expected.len());
    }
}
