//! Owns the words of plain text in `unicode` mode: ASCII without underscores, window after window, at a fixed stride.
//!
//! [`super::window`] begins each window at the last cut of the one before, so a processor has to finish one before it knows where
//! the next begins. In plain text the rules need no more than a neighbour on each side of a byte: what goes over is four bits.
//!
//! Words are known up to the last cut; what comes after it may turn out otherwise where the text is plain no longer.

use crate::scan::{Means, WINDOW};

/// What the last byte of a window is to the next, each in the lowest bit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plain {
    word: u64,
    letter: u64,
    digit: u64,
    hard: u64,
}

/// What a window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlainWords {
    /// First bytes of words and first bytes after words, in turn; the first may end a word of the windows before.
    pub(crate) edges: u64,
    /// First bytes of rows of hard bytes: cuts.
    pub(crate) cuts: u64,
}

/// A byte joined to both its neighbours if they are `sides`; the highest bit's upper neighbour is `after`.
#[inline(always)]
fn between(joins: u64, sides: u64, before: u64, after: bool) -> u64 {
    joins & (sides << 1 | before) & (sides >> 1 | u64::from(after) << 63)
}

impl Plain {
    /// The words of `window`, which follows the last one, or begins at a cut; none if it is not plain.
    ///
    /// - `after`: the byte after the window.
    #[inline(always)]
    pub(crate) fn words(
        &mut self,
        means: impl Means,
        window: &[u8; WINDOW],
        after: u8,
    ) -> Option<PlainWords> {
        let ascii = means.ascii(window);
        if ascii.non_ascii | ascii.connectors != 0 {
            return None;
        }
        let (letters, digits) = (ascii.letters, ascii.digits);
        let words = letters
            | digits
            | between(
                ascii.joins_letters,
                letters,
                self.letter,
                after.is_ascii_alphabetic(),
            )
            | between(
                ascii.joins_digits,
                digits,
                self.digit,
                after.is_ascii_digit(),
            );
        let found = PlainWords {
            edges: words ^ (words << 1 | self.word),
            cuts: ascii.hard & !(ascii.hard << 1 | self.hard),
        };
        *self = Self {
            word: words >> 63,
            letter: letters >> 63,
            digit: digits >> 63,
            hard: ascii.hard >> 63,
        };
        Some(found)
    }
}
