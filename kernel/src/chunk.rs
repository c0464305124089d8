//! Where text may be cut so that the words of the parts are the words of the whole.
//!
//! It knows positions, not files: workers and the planner of slices both ask here.

use crate::settings::WordMode;
use crate::words::unicode;

/// 16 MiB: how far past its nominal end a slice looks for a line feed before any other safe cut will do.
pub const LINE_SEARCH_BYTES: usize = 16 << 20;

/// Whether `text` may be cut before the byte `at`: no word of `mode` spans it, and no rule looks across.
///
/// - `at`: more than 0 and less than the length of `text`.
/// - Only the byte before `at` and the character at `at` are read. After a line feed the answer is always true.
/// - The answer may be false where a cut would do no harm; true stays true when more text follows.
#[must_use]
#[inline]
pub fn is_safe_cut(mode: WordMode, text: &[u8], at: usize) -> bool {
    match mode {
        WordMode::Alpha => !text[at - 1].is_ascii_alphabetic(),
        WordMode::Whitespace | WordMode::Tutorial => is_ascii_space(text[at - 1]),
        WordMode::Unicode => unicode::is_cut(text, at),
    }
}

/// Python's `str.isspace` for ASCII bytes.
#[inline]
fn is_ascii_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1C..=0x20)
}

/// The first safe cut `c` of `text` with `from` <= `c` <= `to`, 0 < `c` < length.
#[must_use]
pub fn first_safe_cut(mode: WordMode, text: &[u8], from: usize, to: usize) -> Option<usize> {
    let first = from.max(1);
    let last = to.min(text.len().saturating_sub(1));
    (first..=last).find(|&at| is_safe_cut(mode, text, at))
}

/// The last safe cut `c` of `text` with 0 < `c` < length.
#[must_use]
pub fn last_safe_cut(mode: WordMode, text: &[u8]) -> Option<usize> {
    (1..text.len())
        .rev()
        .find(|&at| is_safe_cut(mode, text, at))
}

/// Where a slice of a file ends.
///
/// - `window`: bytes of the file in order, from any byte at or before the nominal end.
/// - `nominal`: the nominal end as an index into `window`.
/// - `end_of_file`: whether `window` reaches the end of the file.
/// - Result: the index in `window` at which the slice ends, `nominal` or later. It is the one after the first line feed at or
///   past `nominal`; if there is none in [`LINE_SEARCH_BYTES`], the first safe cut of `mode` past `nominal`; at the end of the
///   file its end.
/// - `None`: more bytes are needed. While the window holds less than [`LINE_SEARCH_BYTES`] past `nominal`, append to it. After
///   that there is no safe cut in it either: go on with a window that begins with the last four bytes of this one, and ask
///   [`first_safe_cut`] from 1 on.
/// - The cut depends on the bytes of the file and on the nominal offset, not on how the file was read, if every call but
///   the last of a file gives a window of at least `nominal` + [`LINE_SEARCH_BYTES`] bytes or finds a line feed.
/// - Cost: O(window).
#[must_use]
pub fn cut_after(
    mode: WordMode,
    window: &[u8],
    nominal: usize,
    end_of_file: bool,
) -> Option<usize> {
    let past = window.get(nominal..).unwrap_or_default();
    let searched = &past[..past.len().min(LINE_SEARCH_BYTES)];
    if let Some(line) = searched.iter().position(|&byte| byte == b'\n') {
        return Some(nominal + line + 1);
    }
    if past.len() >= LINE_SEARCH_BYTES
        && let Some(cut) = first_safe_cut(mode, window, nominal, window.len())
    {
        return Some(cut);
    }
    end_of_file.then_some(window.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle;
    use crate::settings::CountSettings;
    use proptest::prelude::*;

    #[test]
    fn a_slice_ends_after_the_first_line_feed_past_its_nominal_end() {
        let text = b"ab cd\nef gh\nij";
        let cut = |nominal, end| cut_after(WordMode::Unicode, text, nominal, end);
        assert_eq!(cut(2, false), Some(6));
        assert_eq!(cut(5, false), Some(6));
        assert_eq!(cut(6, false), Some(12));
        assert_eq!(cut(12, false), None);
        assert_eq!(cut(12, true), Some(14));
        assert_eq!(cut(99, true), Some(14));
    }

    #[test]
    fn without_a_line_feed_the_next_safe_cut_will_do() {
        let mut text = vec![b'a'; LINE_SEARCH_BYTES + 100];
        assert_eq!(cut_after(WordMode::Alpha, &text, 50, false), None);
        text[70] = b' ';
        assert_eq!(cut_after(WordMode::Alpha, &text, 50, false), Some(71));
        assert_eq!(cut_after(WordMode::Unicode, &text, 50, false), Some(70));
        assert_eq!(cut_after(WordMode::Alpha, &text[..1000], 50, false), None);
    }

    /// Bytes that meet every rule: letters, marks, spaces of all kinds, line ends, ill-formed parts.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "a",
            "B",
            "7",
            "_",
            "'",
            "\"",
            ".",
            ":",
            ",",
            " ",
            "  ",
            "\t",
            "\n",
            "\r\n",
            "\r",
            "-",
            "é",
            "\u{301}",
            "\u{200D}",
            "\u{3000}",
            "א",
            "カ",
            "一",
            "\u{1F1E6}",
            "\u{85}",
            "\0",
            "\u{2019}",
            "\u{903}",
        ]);
        let bytes = prop_oneof![
            8 => piece.prop_map(|piece| piece.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 1..4),
        ];
        prop::collection::vec(bytes, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_safe_cut_keeps_the_words(text in text()) {
            for mode in WordMode::ALL {
                let settings = CountSettings::new(mode, true);
                let whole = oracle::count(&text, settings);
                for at in 1..text.len() {
                    if is_safe_cut(mode, &text, at) {
                        let mut parts = oracle::count(&text[..at], settings);
                        for (word, count) in oracle::count(&text[at..], settings) {
                            *parts.entry(word).or_insert(0) += count;
                        }
                        prop_assert_eq!(&parts, &whole, "{} cut at {}", mode, at);
                    }
                }
            }
        }
    }
}
