//! Words of a tile counted in groups: their keys are made and their slots fetched, then all are counted.
//!
//! Where words are in a tile is found elsewhere.

use crate::scan::{Hashed, List, Means, SOME, SPLIT_WORDS, Split, TILE_BYTES, TileBytes};
use crate::table::{Key, Table, Waiting, fraction};

/// What a wide key is made of: the longest word, and more that is not looked at.
const WIDE_ROOM: usize = 32;

/// Words between their places and their counting.
pub(crate) struct Group {
    split: Split,
    narrow: Hashed,
    wide: Lines<[Waiting<3>; SOME]>,
}

/// From the start of a cache line on.
#[repr(C, align(64))]
struct Lines<T>(T);

impl Group {
    /// No words.
    pub(crate) fn new() -> Self {
        Self {
            split: Split::EMPTY,
            narrow: Hashed::EMPTY,
            wide: Lines([Waiting::default(); SOME]),
        }
    }
}

/// Counts words of any length.
///
/// - `places`: where words begin and end in turn.
/// - `ODD`: whether words may be for `others(table, start, end)`: when they are longer than 24 bytes, or `is_odd(start, end)`.
#[inline(always)]
pub(crate) fn count_groups<const ODD: bool>(
    means: impl Means,
    bytes: &TileBytes,
    places: &[u16],
    group: &mut Group,
    table: &mut Table,
    is_odd: impl Fn(usize, usize) -> bool,
    mut others: impl FnMut(&mut Table, usize, usize),
) {
    let (words, _) = places.as_chunks::<2>();
    let Group {
        split,
        narrow,
        wide,
    } = group;
    for words in words.chunks(SPLIT_WORDS) {
        split.clear();
        if ODD {
            for &[start, end] in words {
                if is_odd(usize::from(start), usize::from(end)) {
                    split.others.push([start, end]);
                } else {
                    split.push(&[[start, end]]);
                }
            }
        } else {
            means.split(words, split);
        }
        count_narrow(means, bytes, &split.narrow, narrow, table);
        count_wide(bytes, &split.wide, &mut wide.0, table);
        if ODD {
            for place in split.others.words() {
                others(table, place.start(), place.start() + place.length());
            }
        } else if split.others.len() > 0 {
            table.add_longs(bytes, split.others.words());
        }
    }
}

/// Counts words of at most 8 bytes.
#[inline(always)]
fn count_narrow(
    means: impl Means,
    bytes: &TileBytes,
    words: &List,
    hashed: &mut Hashed,
    table: &mut Table,
) {
    let mut at = 0;
    while let Some(some) = words.some(at)
        && at < words.len()
    {
        let count = SOME.min(words.len() - at);
        let slots = table.begin_narrow();
        let seed = table.seed().short();
        let is_hashed = match seed.of_rounds() {
            Some(secret) => means.hash_words(bytes, some, count, (secret, slots), hashed),
            None => false,
        };
        if !is_hashed {
            let hashed = hashed.words.iter_mut().zip(&mut hashed.parts);
            for ((word, part), place) in hashed.zip(some).take(count) {
                let bytes = bytes[place.start() % TILE_BYTES..].first_chunk();
                *word = u64::from_le_bytes(*bytes.unwrap_or(&[0; 8]))
                    & (!0 >> ((64 - 8 * place.length()) % 64));
                *part = fraction(seed.hash([*word]), slots);
            }
        }
        let (words, _) = hashed.words[..count].as_chunks::<1>();
        let slots = &hashed.parts[..count];
        for slot in slots {
            table.prefetch_narrow(*slot);
        }
        table.end_narrow(words, slots);
        at += SOME;
    }
}

/// Counts words of 9 to 24 bytes.
#[inline(always)]
fn count_wide(bytes: &TileBytes, words: &List, group: &mut [Waiting<3>; SOME], table: &mut Table) {
    let mut at = 0;
    while at < words.len() {
        let count = SOME.min(words.len() - at);
        table.begin_wide();
        let seed = table.seed().short();
        let Some(some) = words.some(at) else {
            return;
        };
        for (waiting, place) in group.iter_mut().zip(some).take(count) {
            if let Some(word) = bytes[place.start() % TILE_BYTES..].first_chunk::<WIDE_ROOM>() {
                *waiting = table.fetch_wide(&Key::new(word, place.length(), &seed));
            }
        }
        table.end_wide(&group[..count]);
        at += SOME;
    }
}
