//! Owns the words of `unicode` mode: which segments of UAX #29 count.
//!
//! Does not own the boundaries (see `segment`) nor the case of a word (see
//! [`super::case`]).

use super::property::{Class, Property, decode};
use super::segment::for_each_segment;
use super::window::{Words, words};
use crate::scan::{Means, WINDOW, Work, by_best_means};

/// How a word gets its lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Lower-casing its ASCII letters is all.
    Ascii,
    /// [`super::case::lower`] is needed.
    Full,
}

/// Calls `f(start, end, case)` with every word of `text`.
///
/// - `text`: any bytes; each maximal ill-formed part of its UTF-8 acts as a line feed.
/// - A word is a segment of UAX #29 (Unicode 17) that holds at least one code point with Alphabetic
///   or of general category N. It is well-formed UTF-8 and not empty.
/// - Every word once; not always in the order of the text.
/// - Cost: O(bytes) time, no allocation.
#[inline(always)]
pub(crate) fn scan(means: impl Means, text: &[u8], f: &mut impl FnMut(usize, usize, Case)) {
    let mut at = 0;
    while let Some(window) = text[at..].first_chunk::<WINDOW>() {
        let Some(mut words) = words(means, window) else {
            let cut = cut_past(text, at);
            segment(text, at, cut, f);
            at = cut;
            continue;
        };
        while let Some((start, end)) = words.take_complex() {
            segment(text, at + start as usize, at + end as usize, f);
        }
        emit(&words, at, f);
        at += words.decided as usize;
    }
    segment(text, at, text.len(), f);
}

/// Calls `f` with the words of a window that begins at `at`.
#[inline(always)]
fn emit(words: &Words, at: usize, f: &mut impl FnMut(usize, usize, Case)) {
    let (mut starts, mut ends) = (words.starts, words.ends);
    while starts != 0 {
        let (start, end) = (starts.trailing_zeros(), ends.trailing_zeros());
        let is_cased = words.cased & ((1 << end) - (1 << start)) != 0;
        let case = if is_cased { Case::Full } else { Case::Ascii };
        f(at + start as usize, at + end as usize, case);
        starts &= starts - 1;
        ends &= ends - 1;
    }
}

/// Calls `f` with the words of `text[start..end]`, two cuts, by the state machine.
#[inline(never)]
fn segment(text: &[u8], start: usize, end: usize, f: &mut impl FnMut(usize, usize, Case)) {
    for_each_segment(&text[start..end], |first, last, merged| {
        if merged.makes_word() {
            let case = if merged.is_cased() {
                Case::Full
            } else {
                Case::Ascii
            };
            f(start + first, start + last, case);
        }
    });
}

/// The first cut of `text` that is a window or more past `at`.
#[cold]
pub(crate) fn cut_past(text: &[u8], at: usize) -> usize {
    let mut cut = (at + WINDOW).min(text.len());
    while !is_cut(text, cut) {
        cut += 1;
    }
    cut
}

/// Calls `f(start, end, case)` with every word of `text`, by the best means of this CPU; see
/// `scan`.
pub fn for_each_span(text: &[u8], f: &mut impl FnMut(usize, usize, Case)) {
    by_best_means(Spans { text, f });
}

struct Spans<'a, F> {
    text: &'a [u8],
    f: &'a mut F,
}

impl<F: FnMut(usize, usize, Case)> Work for Spans<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<M: Means>(self, means: M) {
        scan(means, self.text, self.f);
    }
}

/// Calls `f` with every word of `text`, as written; see [`for_each_span`].
pub fn for_each_word(text: &[u8], f: &mut impl FnMut(&[u8])) {
    for_each_span(text, &mut |start, end, _| f(&text[start..end]));
}

/// Whether `text` may be cut at `at`: the words of the two parts are the words of the whole.
///
/// - `at`: 0 to the length of `text`, which need not end where the input does.
/// - `true` is certain; `false` may be said of places where a cut would do no harm. Every place
///   after a line feed is `true`, and so is every place before an ASCII byte that no rule joins to
///   anything, save a space after a space or after a byte of 0x80 and up; also before every
///   ideograph, so that text without spaces can be cut.
/// - Cost: constant.
#[must_use]
pub fn is_cut(text: &[u8], at: usize) -> bool {
    if at == 0 || at >= text.len() || text[at - 1] == b'\n' {
        return true;
    }
    // Inside a code point, perhaps.
    if text[at] & 0xC0 == 0x80 {
        return false;
    }
    let (property, length) = decode(text, at);
    if property == Property::ILL_FORMED && at + length == text.len() {
        // More bytes could make it well-formed.
        return false;
    }
    match property.class() {
        Class::Other | Class::Cr | Class::Newline => true,
        Class::Lf => text[at - 1] != b'\r',
        Class::Space => text[at - 1] < 0x80 && text[at - 1] != b' ',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Portable;
    use crate::words::conformance::{for_each_line, rows_of_pieces};
    use crate::words::reference;
    use proptest::prelude::*;

    #[test]
    fn words_are_the_segments_with_letters_or_numbers() {
        let text = "“Can’t” cost 3.14 €, e.g. — _ 東京 パソコン! ¸ ½";
        let mut words = Vec::new();
        for_each_word(text.as_bytes(), &mut |word| {
            words.push(String::from_utf8_lossy(word).into_owned());
        });
        assert_eq!(
            words,
            ["Can’t", "cost", "3.14", "e.g", "東", "京", "パソコン", "½"]
        );
    }

    #[test]
    fn text_is_cut_before_blanks_and_ideographs_but_not_inside_what_may_join() {
        for (text, cuts) in [
            ("a b\n c", &[0, 1, 3, 4, 6][..]),
            ("a\r\nb", &[0, 1, 3, 4]),
            ("can't-do", &[0, 5, 8]),
            ("a  b", &[0, 1, 4]),
            ("一二", &[0, 3, 6]),
            ("é ", &[0, 3]),
            ("a—b", &[0, 1, 5]),
        ] {
            let found: Vec<usize> = (0..=text.len())
                .filter(|&at| is_cut(text.as_bytes(), at))
                .collect();
            assert_eq!(found, cuts, "{text:?}");
        }
    }

    /// The words by windows, in the order of the text, with what lower-casing they need; all means
    /// agree on them.
    fn scanned(text: &[u8]) -> Vec<(&[u8], Case)> {
        let (mut spans, mut scalar_spans) = (Vec::new(), Vec::new());
        for_each_span(text, &mut |start, end, case| spans.push((start, end, case)));
        scan(Portable, text, &mut |start, end, case| {
            scalar_spans.push((start, end, case));
        });
        assert!(
            spans == scalar_spans,
            "one of the means errs on {text:02X?}"
        );
        spans.sort_unstable_by_key(|&(start, ..)| start);
        spans
            .into_iter()
            .map(|(start, end, case)| (&text[start..end], case))
            .collect()
    }

    /// The words by the rules, and what lower-casing they need.
    fn expected(text: &[u8]) -> Vec<(&[u8], Case)> {
        let cased = |word: &[u8]| {
            let is_ascii_enough = std::str::from_utf8(word).unwrap().to_lowercase().as_bytes()
                == word.to_ascii_lowercase();
            if is_ascii_enough {
                Case::Ascii
            } else {
                Case::Full
            }
        };
        reference::words(text)
            .into_iter()
            .map(|word| (word, cased(word)))
            .collect()
    }

    #[test]
    fn windows_pass_the_official_test_lines_in_a_row() {
        let mut text = String::new();
        for_each_line(|_, line, _| {
            // Parted by what nothing joins to, and by nothing at all.
            for part in [line, "\n", line] {
                text.push_str(part);
            }
        });
        assert!(
            scanned(text.as_bytes()) == expected(text.as_bytes()),
            "see the proptests"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 4_000 }))]

        #[test]
        fn windows_find_the_words_of_the_reference(text in rows_of_pieces(0..120)) {
            prop_assert_eq!(scanned(&text), expected(&text), "{:02X?}", &text);
        }

        #[test]
        fn windows_find_the_words_of_the_reference_at_every_place(
            text in rows_of_pieces(1..8),
            before in 0..130_usize,
            filler in proptest::sample::select(&b" a-."[..]),
        ) {
            let text = [vec![filler; before], text, vec![b' '; 70]].concat();
            prop_assert_eq!(scanned(&text), expected(&text), "{:02X?}", &text);
        }

        #[test]
        fn the_parts_of_a_cut_have_the_words_of_the_whole(text in rows_of_pieces(0..20)) {
            let whole = reference::words(&text);
            for at in (0..=text.len()).filter(|&at| is_cut(&text, at)) {
                let mut parts = reference::words(&text[..at]);
                parts.extend(reference::words(&text[at..]));
                prop_assert_eq!(&parts, &whole, "cut at {} of {:02X?}", at, &text);
            }
        }

        #[test]
        fn a_cut_seen_without_the_rest_of_the_text_is_one_with_it(
            text in rows_of_pieces(0..12),
            rest in rows_of_pieces(1..4),
        ) {
            let whole = [text.clone(), rest].concat();
            for at in (0..text.len()).filter(|&at| is_cut(&text, at)) {
                prop_assert!(is_cut(&whole, at), "cut at {} of {:02X?}", at, &whole);
            }
        }
    }
}
