//! Owns the texts that implementations of `unicode` mode are tried on: the lines of the Unicode
//! Consortium's word break test and of ICU's random one, and rows of pieces that meet every rule.
//!
//! Judges nothing: each implementation's own tests do.

use proptest::prelude::Strategy;

/// The official lines, then ICU's.
const FILES: [&str; 2] = [
    include_str!("../../../tests/fixtures/word_break_test_17.txt"),
    include_str!("../../../tests/fixtures/word_break_random_17.txt"),
];

/// Calls `f(number, text, boundaries)` for each line: its number in its file, the text, and the
/// byte offsets of the boundaries after the first one. Fewer lines under miri.
pub(crate) fn for_each_line(mut f: impl FnMut(usize, &str, &[usize])) {
    for (file, lines_min) in FILES.iter().zip([1_900, 1_000]) {
        let mut lines_count = 0;
        let lines = file
            .lines()
            .enumerate()
            .filter(|(_, line)| line.starts_with('÷'));
        for (index, line) in lines.take(if cfg!(miri) { 3 } else { usize::MAX }) {
            let (mut text, mut boundaries) = (String::new(), Vec::new());
            for part in line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
            {
                match part {
                    "÷" => boundaries.push(text.len()),
                    "×" => {}
                    hex => text.extend(u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)),
                }
            }
            f(index + 1, &text, &boundaries[1..]);
            lines_count += 1;
        }
        assert!(
            cfg!(miri) || lines_count >= lines_min,
            "{lines_count} lines"
        );
    }
}

/// Texts that together meet every rule: the first 30 are one code point of every class, with and
/// without the quality that makes a word; then ill-formed UTF-8 and neighbours in code space.
pub(crate) const PIECES: [&[u8]; 67] = [
    b"a",
    b"1",
    b"_",
    b"'",
    b"\"",
    b".",
    b":",
    b",",
    b" ",
    b"-",
    b"\n",
    b"\r",
    b"\x0b",
    "é".as_bytes(),
    "א".as_bytes(),
    "カ".as_bytes(),
    "٣".as_bytes(),
    "’".as_bytes(),
    "·".as_bytes(),
    "٬".as_bytes(),
    "‿".as_bytes(),
    "\u{301}".as_bytes(),
    "\u{903}".as_bytes(),
    "\u{ad}".as_bytes(),
    "\u{200d}".as_bytes(),
    "\u{3000}".as_bytes(),
    "一".as_bytes(),
    "🇦".as_bytes(),
    "😀".as_bytes(),
    "\u{b8}".as_bytes(),
    // More of each class, with other lengths.
    "ℹ".as_bytes(),
    "Ⓜ".as_bytes(),
    "²".as_bytes(),
    "×".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{202f}".as_bytes(),
    "—".as_bytes(),
    "“".as_bytes(),
    "…".as_bytes(),
    "я".as_bytes(),
    "Я".as_bytes(),
    "Ж".as_bytes(),
    "ς".as_bytes(),
    "Σ".as_bytes(),
    "ё".as_bytes(),
    "İ".as_bytes(),
    "ﬁ".as_bytes(),
    "가".as_bytes(),
    "あ".as_bytes(),
    "ー".as_bytes(),
    "・".as_bytes(),
    "、".as_bytes(),
    "ｱ".as_bytes(),
    "：".as_bytes(),
    "ก".as_bytes(),
    "ิ".as_bytes(),
    "𝐀".as_bytes(),
    "𠀀".as_bytes(),
    "\u{e0001}".as_bytes(),
    b"Z",
    b"\x7f",
    // Ill-formed: stray, cut short, overlong, a surrogate, too large.
    b"\x80",
    b"\xe2\x80",
    b"\xf0\x9f\x98",
    b"\xed\xa0\x80",
    b"\xf5",
];

/// Texts of `pieces_count` pieces in a row.
pub(crate) fn rows_of_pieces(
    pieces_count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(&PIECES[..]), pieces_count)
        .prop_map(|pieces| pieces.concat())
}
