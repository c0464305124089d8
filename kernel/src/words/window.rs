//! Owns the words of a 64-byte window in `unicode` mode, found by algebra on bit masks.
//!
//! Does not walk over a text (see [`super::unicode`]) nor load bytes into registers: a
//! [`Means`] makes the masks. What the masks cannot tell goes to [`super::segment`].
//!
//! # Why a window needs no memory
//!
//! A window begins at a cut: no rule looks across its first byte. It is decided up to its last cut,
//! where the next window begins. Before a hard byte (ASCII that no rule joins to anything) there is
//! always a boundary, and no rule carries anything over it, but for LF after CR and for a space
//! after a space; so the first byte of a row of hard bytes is a cut. So is the first byte of an
//! ideograph or of anything else of class Other, unless it is pictographic.
//!
//! # What the masks decide
//!
//! Each bit is a byte; all bytes of a code point carry its quality. On these qualities the rules
//! come down to the neighbours of a byte:
//!
//! ```text
//! core   = letters | digits | connectors (ExtendNumLet) | katakana | singles
//! infix  = joins letters, between two letters | joins digits, between two digits
//! word   = a row of core | infix, parted on both sides of each single (an ideograph is a word of
//!          its own) and between katakana and letters or digits
//! ```
//!
//! A word of connectors alone is none. What needs more memory than a neighbour (Extend, Format and
//! ZWJ, which attach to anything; regional indicators; Hebrew letters with their quotes;
//! pictographs) makes its surroundings complex: all between the cuts around it is given to the
//! state machine.

use super::quality::Qualities;
use crate::scan::{Means, WINDOW};

/// The words of a window up to its last cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// First bytes of words.
    pub(crate) starts: u64,
    /// First bytes after words, one for each start, in the same order.
    pub(crate) ends: u64,
    /// Bytes of code points before the last cut that are not ASCII and that lower-casing changes.
    pub(crate) cased: u64,
    /// The last cut: how many bytes of the window are decided.
    pub(crate) decided: u32,
    /// Bytes of complex code points before the last cut. The words between the cuts around them
    /// are not among the words.
    pub(crate) complex: u64,
    /// The cuts, the first byte of the window among them.
    pub(crate) cuts: u64,
}

impl Words {
    /// Keeps the words for which `keep(start, end, bytes)` holds.
    #[cold]
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u32, u32, u64) -> bool) {
        let (mut starts, mut ends) = (self.starts, self.ends);
        while starts != 0 {
            let (start, end) = (starts & starts.wrapping_neg(), ends & ends.wrapping_neg());
            let bytes = end.wrapping_sub(start);
            if !keep(start.trailing_zeros(), end.trailing_zeros(), bytes) {
                self.starts ^= start;
                self.ends ^= end;
            }
            starts ^= start;
            ends ^= end;
        }
    }
}

impl Qualities {
    /// The words, or none if there is no cut after the first byte.
    #[inline(always)]
    fn words(self) -> Option<Words> {
        let single_leads = self.singles & self.leads;
        let cuts = (self.hard & !(self.hard << 1) | single_leads) & self.known | 1;
        let decided = 63 - cuts.leading_zeros();
        if decided == 0 {
            return None;
        }
        let before_cut = (1_u64 << decided) - 1;

        let letters_digits = self.letters | self.digits;
        let core = letters_digits | self.connectors | self.katakana | self.singles;
        let infix =
            between(self.joins_letters, self.letters) | between(self.joins_digits, self.digits);
        let rows = (core | infix) & before_cut;
        let parted = single_leads
            | self.singles << 1 & !(self.singles & !self.leads)
            | self.katakana & letters_digits << 1
            | letters_digits & self.katakana << 1;
        let mut words = Words {
            starts: rows & (!(rows << 1) | parted),
            ends: rows << 1 & (!rows | parted),
            cased: self.cased & before_cut,
            decided,
            complex: self.complex & before_cut,
            cuts,
        };
        if self.connectors & before_cut != 0 {
            let needed = letters_digits | self.katakana | self.singles;
            words.retain(|_, _, bytes| bytes & needed != 0);
        }
        Some(words)
    }
}

/// The bytes of `joins`, first bytes of code points of one, two and three bytes, that stand between
/// two bytes of `sides`.
#[inline(always)]
fn between(joins: [u64; 3], sides: u64) -> u64 {
    let before = sides << 1;
    let [ones, twos, threes] = joins;
    let ones = ones & before & sides >> 1;
    let twos = twos & before & sides >> 2;
    let threes = threes & before & sides >> 3;
    ones | twos | twos << 1 | threes | threes << 1 | threes << 2
}

/// The words of a window up to its last cut, or none if it has no cut after its first byte or is
/// not well-formed.
///
/// - `window`: begins at a cut.
#[inline(always)]
pub(crate) fn words(means: impl Means, window: &[u8; WINDOW]) -> Option<Words> {
    let ascii = means.ascii(window);
    if ascii.non_ascii == 0 {
        Qualities::ascii(ascii).words()
    } else {
        Qualities::mixed(means, window, ascii)?.words()
    }
}

impl Words {
    /// The slice between the cuts around the first complex byte: `(start, end)`, with its words and
    /// its complex bytes taken away; none when no complex byte is left.
    #[inline]
    pub(crate) fn take_complex(&mut self) -> Option<(u32, u32)> {
        if self.complex == 0 {
            return None;
        }
        let at = self.complex.trailing_zeros();
        let start = 63 - (self.cuts & ((2_u64 << at) - 1)).leading_zeros();
        let end = (self.cuts & !((2_u64 << at) - 1)).trailing_zeros();
        let inside = (1_u64 << end) - (1_u64 << start);
        self.starts &= !inside;
        self.ends &= !(inside << 1);
        self.complex &= !inside;
        Some((start, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_of_connectors_alone_are_dropped(rows in any::<u64>(), needed in any::<u64>()) {
            let rows = rows & !(1 << 63);
            let (starts, ends) = (rows & !(rows << 1), rows << 1 & !rows);
            let cuts = 1;
            let mut words = Words { starts, ends, cased: 0, decided: 63, complex: 0, cuts };
            words.retain(|_, _, bytes| bytes & needed != 0);
            let kept = (0..63).filter(|&start| starts & 1 << start != 0).filter(|&start| {
                let length = (!(rows >> start)).trailing_zeros();
                needed >> start & ((1 << length) - 1) != 0
            });
            prop_assert_eq!(words.starts, kept.fold(0, |mask, start| mask | 1 << start));
            prop_assert_eq!(words.ends.count_ones(), words.starts.count_ones());
        }
    }
}
