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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Place, Work, by_all_means};
    use crate::table::Seed;

    /// Hashes words by the means it is given, if they have something for that.
    struct Hashing<'a> {
        bytes: &'a TileBytes,
        places: &'a [Place; SOME],
        count: usize,
        secret: &'a [u64; 4],
        of: u32,
    }

    impl Work for Hashing<'_> {
        type Output = Option<(&'static str, Hashed)>;

        #[inline(always)]
        fn run<M: Means>(self, means: M) -> Self::Output {
            let mut hashed = Hashed::EMPTY;
            let by = (self.secret, self.of);
            means
                .hash_words(self.bytes, self.places, self.count, by, &mut hashed)
                .then_some((M::NAME, hashed))
        }
    }

    #[test]
    fn words_hashed_together_have_the_numbers_and_hashes_of_each() {
        let mut bytes = [0; TILE_BYTES + 128];
        let mut random = 1_u64;
        for byte in &mut bytes {
            random = random.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1);
            *byte = random.to_be_bytes()[0];
        }
        let short = Seed::random().short();
        let Some(secret) = short.of_rounds() else {
            return println!("skipped: this CPU has no AES");
        };
        for first in [0, 1, TILE_BYTES - 500] {
            let mut places = [Place::default(); SOME];
            for (index, place) in places.iter_mut().enumerate() {
                let start = first + 7 * index;
                let ends = [start, start + 1 + index % 8];
                *place = Place::new(ends.map(|end| u16::try_from(end).unwrap()));
            }
            for (count, of) in [(1, 16), (5, 1000), (8, 1 << 20), (63, 3), (64, u32::MAX)] {
                let hashing = || Hashing {
                    bytes: &bytes,
                    places: &places,
                    count,
                    secret,
                    of,
                };
                for (name, hashed) in by_all_means(hashing).into_iter().flatten() {
                    for (index, place) in places[..count].iter().enumerate() {
                        let mut word = [0; 8];
                        word[..place.length()].copy_from_slice(place.of(&bytes));
                        let word = u64::from_le_bytes(word);
                        assert_eq!(hashed.words[index], word, "{name}");
                        let part = fraction(short.hash([word]), of);
                        assert_eq!(hashed.parts[index], part, "{name}");
                    }
                }
            }
        }
    }
}
