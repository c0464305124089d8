//! Words of `unicode` mode, counted by tiles: first the places of many words are found, then all are counted.
//!
//! A tile is a part of the text that stays in the first cache: its bytes in the case in which they are counted, and the places
//! of its words. Which bytes are words is decided in `words`; runs, the words of the other modes, are in `tile`.

use crate::group::{Group, count_groups};
use crate::scan::{Means, PLACES_ROOM, TILE_BYTES, TileBytes, WINDOW, Work};
use crate::settings::CountSettings;
use crate::table::Table;
use crate::tile::place;
use crate::words::case;
use crate::words::lower_wide::lower_in_place;
use crate::words::plain::Plain;
use crate::words::segment::for_each_segment;
use crate::words::unicode::cut_past;
use crate::words::window::{Words, words};

/// More than prose has in a tile; where words are shorter a tile ends sooner.
const TILE_WORDS: usize = 1024;

/// After so many windows of plain text more are expected.
const PLAIN_WINDOWS_MIN: u32 = 4;

/// Counts the words of `text`, which begins and ends at safe cuts, into `table`.
pub(crate) fn count_segments(text: &[u8], settings: CountSettings, table: &mut Table) {
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

/// [`count_segments`] by given means.
#[inline(always)]
pub(crate) fn count_by(means: impl Means, text: &[u8], settings: CountSettings, table: &mut Table) {
    let mut tile = Tile::new(!settings.keep_case);
    count(means, text, &mut tile, table);
}

/// A part of a text that stays in the first cache.
struct Tile {
    /// Its bytes in the case that counts, and room to read a key past the end.
    bytes: TileBytes,
    /// Where words begin and end in turn, and room for what is written too far.
    edges: [u16; 2 * (TILE_WORDS + WINDOW) + PLACES_ROOM],
    edges_count: usize,
    other: Other,
    group: Group,
}

impl Tile {
    fn new(lower: bool) -> Self {
        Self {
            bytes: [0; TILE_BYTES + 2 * WINDOW],
            edges: [0; 2 * (TILE_WORDS + WINDOW) + PLACES_ROOM],
            edges_count: 0,
            other: Other {
                lower,
                word: Vec::new(),
            },
            group: Group::new(),
        }
    }

    /// Copies a window to `offset` in the case that counts.
    ///
    /// Result: the bytes of code points whose lower-case has another length, or depends on what is around.
    #[inline(always)]
    fn copy(&mut self, means: impl Means, window: &[u8; WINDOW], offset: usize, cased: u64) -> u64 {
        let Some(out) = self.bytes[offset..].first_chunk_mut::<WINDOW>() else {
            return !0;
        };
        if !self.other.lower {
            *out = *window;
            return 0;
        }
        means.lower(window, out);
        if cased == 0 {
            0
        } else {
            lower_in_place(window, out, cased)
        }
    }

    /// Adds the words of a window at `offset`.
    #[inline(always)]
    fn add(&mut self, means: impl Means, words: &Words, offset: usize) {
        let Words { starts, ends, .. } = *words;
        if starts & ends == 0 {
            if let Some(out) = self.edges[self.edges_count..].first_chunk_mut() {
                means.write_places(starts | ends, place(offset), out);
            }
            self.edges_count += (starts | ends).count_ones() as usize;
        } else {
            self.add_touching(starts, ends, offset);
        }
    }

    /// Adds words of a window at `offset`, some of which begin where another ends.
    #[inline(always)]
    fn add_touching(&mut self, mut starts: u64, mut ends: u64, offset: usize) {
        let (begun, count) = (self.edges_count, 2 * starts.count_ones() as usize);
        let mut written = 0;
        // Four words at a time: a loop that ended with the last one would be mispredicted each time.
        while written < count {
            let Some(out) = self.edges[begun + written..].first_chunk_mut::<8>() else {
                return;
            };
            let (words, _) = out.as_chunks_mut::<2>();
            for word in words {
                let (start, end) = (starts.trailing_zeros(), ends.trailing_zeros());
                *word = [place(offset + start as usize), place(offset + end as usize)];
                starts &= starts.wrapping_sub(1);
                ends &= ends.wrapping_sub(1);
            }
            written += 8;
        }
        self.edges_count = begun + count;
    }

    /// Adds the words of a slice between two cuts of a window at `offset`, by the state machine.
    #[inline(never)]
    fn add_slice(
        &mut self,
        window: &[u8; WINDOW],
        offset: usize,
        (first, last): (u32, u32),
        table: &mut Table,
    ) {
        for_each_segment(
            &window[first as usize..last as usize],
            |start, end, merged| {
                if !merged.makes_word() {
                    return;
                }
                let (start, end) = (first as usize + start, first as usize + end);
                if self.other.lower && merged.is_cased() {
                    self.other.count(&window[start..end], table);
                } else if let Some(word) = self.edges[self.edges_count..].first_chunk_mut::<2>() {
                    *word = [place(offset + start), place(offset + end)];
                    self.edges_count += 2;
                }
            },
        );
    }

    /// Adds the words of windows of plain text from the cut `at` on, as many as the tile has room for; the last cut, up to which
    /// they are added.
    ///
    /// - `base`: where the tile begins.
    #[inline(always)]
    fn add_plain(&mut self, means: impl Means, text: &[u8], base: usize, at: usize) -> usize {
        let mut plain = Plain::default();
        let first = at;
        let (mut at, mut cut) = (first, first);
        let mut count = self.edges_count;
        while at - base <= TILE_BYTES - WINDOW
            && count <= 2 * TILE_WORDS
            && let Some((window, &[after, ..])) = text[at..].split_first_chunk::<WINDOW>()
            && let Some(words) = plain.words(means, window, after)
        {
            means.prefetch(text, at + TILE_BYTES);
            let offset = at - base;
            self.copy(means, window, offset, 0);
            if let Some(out) = self.edges[count..].first_chunk_mut() {
                means.write_places(words.edges, place(offset), out);
            }
            count += words.edges.count_ones() as usize;
            if words.cuts != 0 {
                cut = at + 63 - words.cuts.leading_zeros() as usize;
            }
            at += WINDOW;
        }
        if cut == first {
            return first;
        }
        // What comes after the last cut, at which no word begins, is looked at again.
        let last = place(cut - base);
        while count > self.edges_count && self.edges[count - 1] > last {
            count -= 1;
        }
        self.edges_count = count;
        cut
    }

    /// Counts the words of the tile, and empties it.
    #[inline(always)]
    fn count(&mut self, means: impl Means, table: &mut Table) {
        let (bytes, edges) = (&self.bytes, &self.edges[..self.edges_count]);
        count_groups::<false>(
            means,
            bytes,
            edges,
            &mut self.group,
            table,
            |_, _| false,
            |_, _, _| {},
        );
        self.edges_count = 0;
    }
}

/// [`Tile::add_plain`].
struct AddPlain<'a> {
    tile: &'a mut Tile,
    text: &'a [u8],
    base: usize,
    at: usize,
}

impl Work for AddPlain<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<M: Means>(self, means: M) -> usize {
        self.tile.add_plain(means, self.text, self.base, self.at)
    }
}

/// Words that no tile can hold, or whose lower case takes the whole word to know.
struct Other {
    /// Whether words are lower-cased.
    lower: bool,
    /// Such a word in lower case.
    word: Vec<u8>,
}

impl Other {
    /// Counts a word of any length, as written in the text.
    #[inline(never)]
    fn count(&mut self, word: &[u8], table: &mut Table) {
        if !self.lower {
            return table.add_one(word);
        }
        self.word.clear();
        case::lower(word, &mut self.word);
        table.add_one(&self.word);
    }
}

#[inline(always)]
fn count<M: Means>(means: M, text: &[u8], tile: &mut Tile, table: &mut Table) {
    let (mut at, mut base) = (0, 0);
    let mut plain_windows = PLAIN_WINDOWS_MIN;
    while let Some(window) = text[at..].first_chunk::<WINDOW>() {
        if at - base > TILE_BYTES - WINDOW || tile.edges_count > 2 * TILE_WORDS {
            tile.count(means, table);
            base = at;
        }
        if M::AT_STRIDE && plain_windows >= PLAIN_WINDOWS_MIN {
            let cut = means.apart(AddPlain {
                tile,
                text,
                base,
                at,
            });
            if cut > at {
                at = cut;
                continue;
            }
        }
        means.prefetch(text, at + TILE_BYTES);
        let offset = at - base;
        let Some(mut words) = words(means, window) else {
            let cut = cut_past(text, at);
            count_slice(&text[at..cut], tile, table);
            at = cut;
            continue;
        };
        let is_ascii = means.mask(means.non_ascii(means.load(window))) == 0;
        plain_windows = if is_ascii { plain_windows + 1 } else { 0 };
        let stubborn = tile.copy(means, window, offset, words.cased);
        while let Some(slice) = words.take_complex() {
            tile.add_slice(window, offset, slice, table);
        }
        if stubborn != 0 {
            words.retain(|start, end, bytes| {
                let is_stubborn = bytes & stubborn != 0;
                if is_stubborn {
                    tile.other
                        .count(&window[start as usize..end as usize], table);
                }
                !is_stubborn
            });
        }
        tile.add(means, &words, offset);
        at += words.decided as usize;
    }
    tile.count(means, table);
    count_slice(&text[at..], tile, table);
}

/// Counts the words of a slice between two cuts, by the state machine.
#[inline(never)]
fn count_slice(slice: &[u8], tile: &mut Tile, table: &mut Table) {
    for_each_segment(slice, |start, end, merged| {
        if merged.makes_word() {
            tile.other.count(&slice[start..end], table);
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::count::count_bytes;
    use crate::oracle;
    use crate::settings::{CountSettings, WordMode};
    use crate::words::conformance::rows_of_pieces;

    /// Compares all counts of `text` with the naive counter's, in lower case and as written.
    fn assert_right_counts(text: &[u8]) {
        for keep_case in [false, true] {
            let settings = CountSettings::new(WordMode::Unicode, keep_case);
            let counts = count_bytes(text, settings);
            let mut found: Vec<(&[u8], u64)> = counts.iter().collect();
            found.sort_unstable();
            let expected = oracle::count(text, settings);
            let expected: Vec<(&[u8], u64)> = expected
                .iter()
                .map(|(word, &count)| (word.as_slice(), count))
                .collect();
            assert!(found == expected, "keep_case {keep_case}: {text:02X?}");
        }
    }

    #[test]
    fn words_longer_than_windows_slots_and_tiles_are_counted() {
        let lengths = [16, 17, 24, 25, 63, 64, 65, 127, 4095, 4096, 4097, 9000];
        let lengths = if cfg!(miri) {
            &lengths[3..4]
        } else {
            &lengths[..]
        };
        for length in lengths {
            let units = ["a", "é", "É", "Σ", "א", "가", "a_", "a.", "1,", "İ"];
            for unit in units.into_iter().step_by(if cfg!(miri) { 3 } else { 1 }) {
                let word = unit.repeat(length / unit.len());
                assert_right_counts(format!("{word} b {word}\n{word}").as_bytes());
            }
        }
    }

    #[test]
    fn tiles_full_of_short_words_are_counted() {
        let units = [
            "a ",
            "一",
            "a²",
            "Я ",
            "Σ ",
            "é\u{301} ",
            "\u{3000}",
            "_ ",
            "\n",
            "ﬀ",
            "İ-",
        ];
        for unit in units.into_iter().step_by(if cfg!(miri) { 4 } else { 1 }) {
            let bytes = if cfg!(miri) { 150 } else { 10_000 };
            assert_right_counts(unit.repeat(bytes / unit.len()).as_bytes());
        }
    }

    /// Pieces of text that is plain for long: joined and not, with and without cuts; and a few that are not plain.
    fn plain() -> impl Strategy<Value = Vec<u8>> {
        let plain = [
            "a", "Can't", "e.g.", "x", "7", "1,000.5", "12:30", "'", "\"", ".", ",", ":", ";", " ",
            "  ", "\r\n", "(", "-", "word ", "another ", "a.b.c", "''a", "1.a", "a,1",
        ];
        let piece = prop_oneof![
            60 => prop::sample::select(plain.to_vec()).prop_map(str::to_owned),
            2 => (1..150_usize).prop_map(|length| "long".repeat(length / 4 + 1)),
            1 => prop::sample::select(&["_", "\u{e9}", "\u{301}", "\u{2019}", "\u{5d0}", "\u{4e00}"][..]).prop_map(str::to_owned),
        ];
        let most = if cfg!(miri) { 120 } else { 2_500 };
        prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]

        #[test]
        fn plain_text_is_counted_at_its_stride(text in plain()) {
            assert_right_counts(&text);
        }

        #[test]
        fn counts_are_those_of_the_naive_counter(text in rows_of_pieces(0..if cfg!(miri) { 100 } else { 2_000 })) {
            assert_right_counts(&text);
        }

        #[test]
        fn counts_at_every_place_of_a_window_are_right(
            text in rows_of_pieces(1..8),
            before in 0..130_usize,
        ) {
            assert_right_counts(&[vec![b' '; before], text, vec![b'.'; 70]].concat());
        }
    }
}
