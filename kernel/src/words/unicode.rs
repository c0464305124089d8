//! Owns the words of `unicode` mode: which segments of UAX #29 count.
//!
//! Does not own the boundaries (see [`super::segment`]) nor the case of a word (see
//! [`super::case`]).

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
