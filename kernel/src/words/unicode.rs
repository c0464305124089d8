//! Owns the words of `unicode` mode: which segments of UAX #29 count.
//!
//! Does not own the boundaries (see [`super::segment`]) nor the case of a word (see
//! [`super::case`]).

use super::property::{Class, Property, decode};
use super::segment::for_each_segment;

/// Calls `f` with every word of `text`, in order, as written.
///
/// - `text`: any bytes; each maximal ill-formed part of its UTF-8 acts as a line feed.
/// - A word is a segment of UAX #29 (Unicode 17) that holds at least one code point with Alphabetic
///   or of general category N. It is well-formed UTF-8 and not empty.
/// - Cost: O(bytes) time, no allocation.
pub fn for_each_word(text: &[u8], f: &mut impl FnMut(&[u8])) {
    for_each_segment(text, |start, end, is_word| {
        if is_word {
            f(&text[start..end]);
        }
    });
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
    use crate::words::conformance::rows_of_pieces;
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 4_000 }))]

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
