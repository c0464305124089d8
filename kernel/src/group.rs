//! Words of a tile counted in groups: their keys are made and their slots fetched, then all are counted.
//!
//! Where words are in a tile is found elsewhere.

use crate::scan::WINDOW;
use crate::table::{GROUP, Key, SHORT_BYTES_MAX, Table, Waiting};

/// 4 KiB: with its places, 8 KiB at most, it fits the first cache beside a group; places fit 16 bits.
pub(crate) const TILE_BYTES: usize = 4096;

/// The bytes of a tile, and room to read a key and to write a window past its end.
pub(crate) type TileBytes = [u8; TILE_BYTES + 2 * WINDOW];

/// Words between their keys and their counting.
pub(crate) type Group = [Waiting; GROUP];

/// What a key is made of: the longest word, and more that is not looked at.
const KEY_BYTES: usize = 32;

/// Counts words of at most 24 bytes; `others(table, start, end)` the rest.
///
/// - `places`: where words begin and end in turn.
/// - `ODD`: whether a word of at most 24 bytes may be for `others` too: when `is_odd(last byte, key)`.
#[inline(always)]
pub(crate) fn count_groups<const ODD: bool>(
    bytes: &TileBytes,
    places: &[u16],
    group: &mut Group,
    table: &mut Table,
    is_odd: impl Fn(u8, &Key) -> bool,
    mut others: impl FnMut(&mut Table, usize, usize),
) {
    let (words, _) = places.as_chunks::<2>();
    for words in words.chunks(GROUP) {
        table.begin_group();
        let seed = table.seed().short();
        let mut count = 0;
        for &[start, end] in words {
            let (start, end) = (usize::from(start), usize::from(end));
            let length = end.wrapping_sub(start);
            if length <= SHORT_BYTES_MAX
                && let Some(word) = bytes[start % TILE_BYTES..].first_chunk::<KEY_BYTES>()
            {
                let key = Key::new(word, length, &seed);
                if !(ODD && is_odd(word[length - 1], &key)) {
                    group[count % GROUP] = table.fetch(&key);
                    count += 1;
                    continue;
                }
            }
            others(table, start, end);
        }
        table.end_group(&group[..count]);
    }
}
