//! The choice of a mode's rules.
//!
//! Counting words is not done here; nor is cutting text into chunks.

use super::unicode::Case;
use super::{alpha, case, unicode, whitespace};
use crate::settings::{CountSettings, WordMode};

/// Calls `f` with each word of `text` as written, before any change of case.
///
/// `text` is a whole text or a part of one that begins and ends at safe cuts (see [`crate::chunk`]).
pub fn for_each_word(mode: WordMode, text: &[u8], f: &mut impl FnMut(&[u8])) {
    match mode {
        WordMode::Unicode => unicode::for_each_word(text, f),
        WordMode::Whitespace => whitespace::for_each_run(text, f),
        WordMode::Alpha => alpha::for_each_word(text, f),
        WordMode::Tutorial => whitespace::for_each_run(text, &mut |run| {
            let word = whitespace::strip_punctuation(run);
            if !word.is_empty() {
                f(word);
            }
        }),
    }
}

/// Calls `f` with each word of `text` as it is counted: in lower case unless `settings` keep it.
pub fn for_each_counted(settings: CountSettings, text: &[u8], f: &mut impl FnMut(&[u8])) {
    if settings.keep_case {
        return for_each_word(settings.words, text, f);
    }
    let mut lower = Vec::new();
    if settings.words == WordMode::Unicode {
        return unicode::for_each_span(text, &mut |start, end, case| {
            lower.clear();
            match case {
                Case::Ascii => {
                    lower.extend_from_slice(&text[start..end]);
                    lower.make_ascii_lowercase();
                }
                Case::Full => case::lower(&text[start..end], &mut lower),
            }
            f(&lower);
        });
    }
    for_each_word(settings.words, text, &mut |word| {
        lower.clear();
        case::lower(word, &mut lower);
        f(&lower);
    });
}
