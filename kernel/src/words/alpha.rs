//! `alpha` words: maximal runs of `A`-`Z` and `a`-`z`, byte by byte.
//!
//! The fast path over 64-byte masks is in `scan`; this one is its judge and its tail.

/// Calls `f` with each run of ASCII letters of `text`.
pub(crate) fn for_each_word(text: &[u8], f: &mut impl FnMut(&[u8])) {
    for word in text.split(|byte| !byte.is_ascii_alphabetic()) {
        if !word.is_empty() {
            f(word);
        }
    }
}
