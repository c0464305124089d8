//! Words counted by tiles: first all ends of words are found, then all are counted.
//!
//! A tile is a part of a text that stays in the first cache: its bytes in the case in which they are counted, and the places
//! where words begin and end. Finding has no branch that depends on the text, counting one for each word that is long.
//!
//! The words of `unicode` mode are in `segments`, tables are elsewhere.

use crate::group::{Group, count_groups};
use crate::marks::{Before, without_last};
use crate::scan::{Means, PLACES_ROOM, TILE_BYTES, TileBytes, WINDOW, Work};
use crate::settings::{CountSettings, WordMode};
use crate::table::Table;
use crate::words::lower_wide::lower_wide;
use crate::words::{case, space_len, strip_punctuation};

/// Windows of a tile.
const WINDOWS: usize = TILE_BYTES / WINDOW;

/// Modes, known when compiled.
const ALPHA: u8 = 0;
const WHITESPACE: u8 = 1;
const TUTORIAL: u8 = 2;

/// Counts the words of `text`, which begins and ends at safe cuts, into `table`; for all modes but `unicode`.
pub(crate) fn count_runs(text: &[u8], settings: CountSettings, table: &mut Table) {
    debug_assert_ne!(settings.words, WordMode::Unicode);
    crate::scan::by_best_means(Count {
        text,
        settings,
        table,
    });
}

struct Count<'a> {
    text: &'a [u8],
    settings: CountSettings,
    table: &'a mut Table,
}

impl Work for Count<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: Means>(self, means: M) {
        count_by(means, self.text, self.settings, self.table);
    }
}

/// [`count_runs`] by given means.
#[inline(always)]
pub(crate) fn count_by(means: impl Means, text: &[u8], settings: CountSettings, table: &mut Table) {
    let mut tile = Tile::new(!settings.keep_case);
    match settings.words {
        WordMode::Alpha => count::<ALPHA>(means, text, &mut tile, table),
        WordMode::Tutorial => count::<TUTORIAL>(means, text, &mut tile, table),
        _ => count::<WHITESPACE>(means, text, &mut tile, table),
    }
}

/// A part of a text that stays in the first cache.
struct Tile {
    /// Its bytes, lower-cased as ASCII if words are, and room to read a key past the end.
    bytes: TileBytes,
    /// Where words begin and end in turn; where they end first, if a word was open before. Room for what is written too far.
    edges: [u16; TILE_BYTES + PLACES_ROOM],
    edges_count: usize,
    /// The words of each window, and their punctuation, where it is taken off.
    words: [u64; WINDOWS],
    marks: [u64; WINDOWS],
    before: Before,
    /// Whether words are lower-cased.
    lower: bool,
    /// Whether a byte is 0, or a code point that lower-casing changes stays as it is.
    odd: bool,
    /// Whether the byte before is of a word.
    carry: u64,
    /// The bytes at the start of the next window that belong to white space that began before.
    spill: u64,
    /// Where the word that is open began, in the text.
    open: usize,
    /// Words in lower case that are no short ASCII words.
    word: Vec<u8>,
    group: Group,
}

impl Tile {
    fn new(lower: bool) -> Self {
        Self {
            bytes: [0; TILE_BYTES + 2 * WINDOW],
            edges: [0; TILE_BYTES + PLACES_ROOM],
            edges_count: 0,
            words: [0; WINDOWS],
            marks: [0; WINDOWS],
            before: Before::default(),
            lower,
            odd: false,
            carry: 0,
            spill: 0,
            open: 0,
            word: Vec::new(),
            group: Group::new(),
        }
    }
}

#[inline(always)]
fn count<const MODE: u8>(means: impl Means, text: &[u8], tile: &mut Tile, table: &mut Table) {
    let mut base = 0;
    while base < text.len() {
        let end = text.len().min(base + TILE_BYTES);
        let was_open = tile.carry != 0;
        find::<MODE>(means, text, base..end, tile);
        let mut edges = 0..tile.edges_count;
        if was_open && !edges.is_empty() {
            let last = base + usize::from(tile.edges[0]);
            add_long::<MODE>(&text[tile.open..last], tile.lower, &mut tile.word, table);
            edges.start = 1;
        }
        if tile.carry != 0 && !edges.is_empty() {
            edges.end -= 1;
            tile.open = base + usize::from(tile.edges[edges.end]);
        }
        if tile.odd {
            count_tile::<MODE, true>(means, text, base, edges, tile, table);
        } else {
            count_tile::<MODE, false>(means, text, base, edges, tile, table);
        }
        base = end;
    }
    if tile.carry != 0 {
        add_long::<MODE>(&text[tile.open..], tile.lower, &mut tile.word, table);
        tile.carry = 0;
    }
}

/// The edges of words as they are found.
struct Edges<'a> {
    places: &'a mut [u16; TILE_BYTES + PLACES_ROOM],
    count: usize,
    /// Whether the byte before is of a word.
    carry: u64,
}

impl Edges<'_> {
    /// Adds the edges of the words of a window at `offset`.
    #[inline(always)]
    fn add(&mut self, means: impl Means, words: u64, offset: usize) {
        let edges = words ^ (words << 1 | self.carry);
        self.carry = words >> 63;
        if let Some(out) = self.places[self.count..].first_chunk_mut() {
            means.write_places(edges, place(offset), out);
        }
        self.count += edges.count_ones() as usize;
    }
}

/// Fills the tile with the bytes `range` of `text` and the edges of their words.
#[inline(always)]
fn find<const MODE: u8>(
    means: impl Means,
    text: &[u8],
    range: std::ops::Range<usize>,
    tile: &mut Tile,
) {
    // What changes with every window stays in registers.
    let (lower, mut spill) = (tile.lower, tile.spill);
    let mut edges = Edges {
        places: &mut tile.edges,
        count: 0,
        carry: tile.carry,
    };
    let (mut non_ascii, mut nuls) = (0, 0);
    let mut at = range.start;
    let mut padded = [b' '; WINDOW];
    while at < range.end {
        let window = match text[at..].first_chunk::<WINDOW>() {
            Some(window) => window,
            None => {
                padded[..range.end - at].copy_from_slice(&text[at..range.end]);
                &padded
            }
        };
        means.prefetch(text, at + TILE_BYTES);
        let words = if MODE == ALPHA {
            means.letters(window)
        } else {
            let blanks = means.blanks(window);
            non_ascii |= blanks.non_ascii;
            nuls |= blanks.nuls;
            let mut spaces = blanks.spaces | spill;
            spill = 0;
            if blanks.suspects != 0 {
                let wide = wide_spaces(text, at, blanks.suspects);
                spaces |= wide.0;
                spill = wide.1;
            }
            !spaces
        };
        let offset = at - range.start;
        if let Some(out) = tile.bytes[offset..].first_chunk_mut::<WINDOW>() {
            if lower {
                means.lower(window, out);
            } else {
                *out = *window;
            }
        }
        if MODE == TUTORIAL {
            let marks = means.punctuation(window);
            let index = offset / WINDOW % WINDOWS;
            tile.words[index] = tile.before.without_first(words, marks);
            tile.marks[index] = marks;
        } else {
            edges.add(means, words, offset);
        }
        at += WINDOW;
    }
    if MODE == TUTORIAL {
        let windows = range.len().div_ceil(WINDOW).min(WINDOWS);
        without_last(&mut tile.words[..windows], &tile.marks[..windows]);
        for (index, words) in tile.words[..windows].iter().enumerate() {
            edges.add(means, *words, index * WINDOW);
        }
    }
    let Edges { count, carry, .. } = edges;
    (tile.edges_count, tile.carry, tile.spill) = (count, carry, spill);
    tile.odd = nuls != 0;
    if non_ascii != 0 && tile.lower {
        let text = &text[range];
        tile.odd |= lower_wide(means, text, &mut tile.bytes[..text.len()]);
    }
}

/// White space beyond ASCII that begins at `suspects` of the window at `at`: its bytes in the window, and in the next.
#[inline(always)]
fn wide_spaces(text: &[u8], at: usize, mut suspects: u64) -> (u64, u64) {
    let mut wide = 0;
    while suspects != 0 {
        let place = suspects.trailing_zeros();
        suspects &= suspects - 1;
        let length = space_len(&text[at + place as usize..]);
        wide |= ((1_u128 << length) - 1) << place;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the halves of 128 bits")]
    (wide as u64, (wide >> 64) as u64)
}

/// Counts the words between the edges of a tile that begins at `base` of `text`.
#[inline(always)]
fn count_tile<const MODE: u8, const ODD: bool>(
    means: impl Means,
    text: &[u8],
    base: usize,
    edges: std::ops::Range<usize>,
    tile: &mut Tile,
    table: &mut Table,
) {
    let lower = tile.lower;
    let (bytes, edges) = (&tile.bytes, &tile.edges[edges]);
    count_groups::<ODD>(
        means,
        bytes,
        edges,
        &mut tile.group,
        table,
        |start, end| bytes[end - 1] == 0 || lower && !bytes[start..end].is_ascii(),
        |table, start, end| {
            add_long::<MODE>(
                &text[base + start..base + end],
                lower,
                &mut tile.word,
                table,
            );
        },
    );
}

/// A place in a tile.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "less than the tile has bytes, and a window"
)]
pub(crate) const fn place(at: usize) -> u16 {
    at as u16
}

/// Counts a word of any length and any bytes, as written in the text.
#[inline(never)]
fn add_long<const MODE: u8>(word: &[u8], lower: bool, room: &mut Vec<u8>, table: &mut Table) {
    let word = if MODE == TUTORIAL {
        strip_punctuation(word)
    } else {
        word
    };
    if word.is_empty() {
        return;
    }
    if !lower {
        return table.add_one(word);
    }
    room.clear();
    case::lower(word, room);
    table.add_one(room);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write;

    use super::*;
    use crate::oracle;
    use crate::table::Seed;

    #[test]
    fn words_made_to_collide_are_counted_once_while_others_wait() {
        let settings = CountSettings::new(WordMode::Whitespace, false);
        // Every word ends in the eight bytes that lose the other factor of its hash.
        let mut text = String::new();
        for number in 0..if cfg!(miri) { 2500 } else { 4000 } {
            // Counted at once, where a letter of its tile has no simple lower case.
            write!(text, "\u{e9}{number:06}collides ").unwrap();
            if number % 9 == 0 {
                // Waits.
                write!(text, "{:08}collides \u{3a3}a ", number % 40).unwrap();
            }
        }
        let mut table = Table::new(Seed::random().losing(*b"collides"));
        count_runs(text.as_bytes(), settings, &mut table);
        assert!(table.is_reseeded());
        let counts: Vec<_> = table.iter().collect();
        assert_eq!(counts.len(), table.len());
        let found: BTreeMap<Vec<u8>, u64> = counts
            .iter()
            .map(|(word, count)| (word.to_vec(), *count))
            .collect();
        assert_eq!(found.len(), counts.len(), "a word has two entries");
        assert_eq!(found, oracle::count(text.as_bytes(), settings));
    }
}
