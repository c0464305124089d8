//! Owns the word boundaries of UAX #29: a state machine over the classes of code points, one table
//! lookup each.
//!
//! Does not look classes up (see [`super::property`]) nor say which segments are words (see
//! [`super::unicode`]).
//!
//! # The machine
//!
//! All that the rules look back at fits a [`State`]: the class of the last code point that WB4 does
//! not skip, and whether the code point just before was a ZWJ (`WB3c`). Where a rule looks ahead
//! (`can't`, `3.14`, `צה"ל`) the machine goes on as if there were no boundary and remembers where
//! it would be; the next code point that is not skipped decides. So a step yields one of five
//! [`Action`]s, and every byte is read once.

use super::property::{Class, Property, decode};

/// What the rules need to know of the text before the next code point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum State {
    /// Nothing that a rule joins to, except that Extend, Format and ZWJ attach.
    Other,
    /// The start of the text, or right after a line break: nothing attaches.
    Break,
    /// Right after a CR, to which an LF attaches.
    Cr,
    /// Right after a `WSegSpace`.
    Space,
    Letter,
    Hebrew,
    Numeric,
    Katakana,
    ExtendNumLet,
    /// An odd number of regional indicators.
    Regional,
    /// A letter, then what joins two letters, if one follows.
    LetterMid,
    /// A Hebrew letter and a single quote, joined whatever follows.
    HebrewSingle,
    /// A Hebrew letter and a double quote, joined if a Hebrew letter follows.
    HebrewDouble,
    /// A number, then what joins two numbers, if one follows.
    NumericMid,
}

/// Number of states: those above, and each again for "the code point just before was a ZWJ".
const STATES: usize = 28;
/// Added to the number of a state after a ZWJ.
const AFTER_ZWJ: usize = 14;

/// The states in order of their number.
const ALL: [State; AFTER_ZWJ] = [
    State::Other,
    State::Break,
    State::Cr,
    State::Space,
    State::Letter,
    State::Hebrew,
    State::Numeric,
    State::Katakana,
    State::ExtendNumLet,
    State::Regional,
    State::LetterMid,
    State::HebrewSingle,
    State::HebrewDouble,
    State::NumericMid,
];

/// Where a code point puts boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Action {
    /// None before it.
    Join,
    /// One before it.
    Split,
    /// None before it if what follows decides so, else one: remember the place.
    Defer,
    /// One at the remembered place, none before it.
    SplitDeferred,
    /// One at the remembered place and one before it.
    SplitBoth,
}

/// The state after a code point of `class` at the start of a segment.
const fn entered(class: Class) -> State {
    match class {
        Class::Cr => State::Cr,
        Class::Lf | Class::Newline => State::Break,
        Class::Space => State::Space,
        Class::Letter | Class::PictographicLetter => State::Letter,
        Class::HebrewLetter => State::Hebrew,
        Class::Numeric => State::Numeric,
        Class::Katakana => State::Katakana,
        Class::ExtendNumLet => State::ExtendNumLet,
        Class::RegionalIndicator => State::Regional,
        _ => State::Other,
    }
}

/// What happens at a code point of `class` in `state`: the rules of UAX #29, in their order where
/// it matters.
const fn rule(state: State, after_zwj: bool, class: Class) -> (Action, State) {
    let (join, next) = (Action::Join, entered(class));
    let deferred = matches!(
        state,
        State::LetterMid | State::HebrewDouble | State::NumericMid
    );
    let split = if deferred {
        Action::SplitBoth
    } else {
        Action::Split
    };
    match (state, class) {
        // WB3, WB3a, WB3b.
        (State::Cr, Class::Lf) => return (join, next),
        (State::Cr | State::Break, _) | (_, Class::Cr | Class::Lf | Class::Newline) => return (split, next),
        // WB3d, WB4.
        (State::Space, Class::Space) => return (join, next),
        (State::Space, Class::Extend | Class::Zwj) => return (join, State::Other),
        (_, Class::Extend | Class::Zwj) => return (join, state),
        // WB5, WB9, and WB7, WB7c.
        (
            State::Letter | State::Hebrew | State::Numeric | State::LetterMid | State::HebrewSingle,
            Class::Letter | Class::PictographicLetter | Class::HebrewLetter,
        )
        | (State::HebrewDouble, Class::HebrewLetter)
        // WB8, WB10, and WB11.
        | (State::Letter | State::Hebrew | State::Numeric | State::NumericMid, Class::Numeric)
        // WB13.
        | (State::Katakana, Class::Katakana) => return (join, next),
        // WB6, WB7a, WB7b.
        (State::Hebrew, Class::SingleQuote) => return (join, State::HebrewSingle),
        (State::Hebrew, Class::DoubleQuote) => return (Action::Defer, State::HebrewDouble),
        (State::Letter | State::Hebrew, Class::MidLetter | Class::MidNumLet | Class::SingleQuote) => {
            return (Action::Defer, State::LetterMid);
        }
        // WB12.
        (State::Numeric, Class::MidNum | Class::MidNumLet | Class::SingleQuote) => {
            return (Action::Defer, State::NumericMid);
        }
        // WB13a, WB13b.
        (
            State::Letter | State::Hebrew | State::Numeric | State::Katakana | State::ExtendNumLet,
            Class::ExtendNumLet,
        )
        | (
            State::ExtendNumLet,
            Class::Letter
            | Class::PictographicLetter
            | Class::HebrewLetter
            | Class::Numeric
            | Class::Katakana,
        ) => return (join, next),
        // WB15, WB16: the second of a pair leaves an even number behind.
        (State::Regional, Class::RegionalIndicator) => return (join, State::Other),
        _ => {}
    }
    // WB3c stands before all but the first rules above, but only where those do not join anyway
    // does it matter.
    if after_zwj && matches!(class, Class::Pictographic | Class::PictographicLetter) {
        return (
            if deferred {
                Action::SplitDeferred
            } else {
                join
            },
            next,
        );
    }
    (split, next)
}

/// Bits of the state in a step; the action is above them.
const STATE_BITS: u32 = 5;

/// Every step: `action << STATE_BITS | state`, by state and class.
static STEPS: [[u8; Class::COUNT]; STATES] = steps();

#[expect(
    clippy::cast_possible_truncation,
    reason = "five actions and 28 states fit eight bits"
)]
const fn steps() -> [[u8; Class::COUNT]; STATES] {
    let mut steps = [[0; Class::COUNT]; STATES];
    let mut state = 0;
    while state < STATES {
        let mut class = 0;
        while class < Class::COUNT {
            let (action, next) = rule(
                ALL[state % AFTER_ZWJ],
                state >= AFTER_ZWJ,
                Class::ALL[class],
            );
            let is_zwj = matches!(Class::ALL[class], Class::Zwj);
            let next = next as usize + if is_zwj { AFTER_ZWJ } else { 0 };
            steps[state][class] = (action as u8) << STATE_BITS | next as u8;
            class += 1;
        }
        state += 1;
    }
    steps
}

/// Calls `f(start, end, merged)` for every word segment of `text`, in order.
///
/// - `text`: any bytes. Ill-formed UTF-8 is a segment of its own, as a line feed would be; how many
///   segments a row of ill-formed parts gives is not fixed.
/// - `merged`: what is true of any code point of the segment; its class means nothing.
/// - The segments cover `text` without gaps.
/// - Cost: O(bytes) time, no allocation.
///
/// Source: <https://www.unicode.org/reports/tr29/tr29-47.html#Word_Boundary_Rules>
#[inline]
pub(crate) fn for_each_segment(text: &[u8], mut f: impl FnMut(usize, usize, Property)) {
    const NONE: Property = Property::from_index(0);
    let mut state = State::Break as usize;
    let (mut start, mut merged) = (0, NONE);
    // The boundary that is not decided yet: its place, and what is on either side.
    let (mut deferred, mut before, mut after) = (0, NONE, NONE);
    let mut at = 0;
    while at < text.len() {
        let (property, length) = decode(text, at);
        let step = STEPS[state][property.class_index()];
        state = usize::from(step & ((1 << STATE_BITS) - 1));
        match step >> STATE_BITS {
            action if action == Action::Join as u8 => {}
            action if action == Action::Defer as u8 => {
                (deferred, before, after) = (at, merged, NONE);
            }
            action => {
                if action != Action::Split as u8 {
                    f(start, deferred, before);
                    (start, merged) = (deferred, after);
                }
                if action != Action::SplitDeferred as u8 && start < at {
                    f(start, at, merged);
                    (start, merged) = (at, NONE);
                }
            }
        }
        merged = merged.merged(property);
        after = after.merged(property);
        at += length;
    }
    if is_deferred(state) {
        f(start, deferred, before);
        (start, merged) = (deferred, after);
    }
    if start < at {
        f(start, at, merged);
    }
}

/// Whether a boundary is undecided in the state of this number.
const fn is_deferred(state: usize) -> bool {
    matches!(
        ALL[state % AFTER_ZWJ],
        State::LetterMid | State::HebrewDouble | State::NumericMid
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::conformance::{PIECES, for_each_line, rows_of_pieces};
    use crate::words::reference;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn ends(text: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        for_each_segment(text, |_, end, _| ends.push(end));
        ends
    }

    #[test]
    fn the_machine_passes_the_official_test() {
        for_each_line(|number, text, boundaries| {
            assert_eq!(ends(text.as_bytes()), boundaries, "line {number}: {text:?}");
        });
    }

    #[test]
    fn the_machine_agrees_with_the_reference_on_every_row_of_four_pieces() {
        let length = if cfg!(miri) { 2 } else { 4 };
        let pieces = &PIECES[..if cfg!(miri) { PIECES.len() } else { 30 }];
        let mut text = Vec::new();
        for case in 0..pieces.len().pow(length) {
            text.clear();
            let mut rest = case;
            for _ in 0..length {
                text.extend_from_slice(pieces[rest % pieces.len()]);
                rest /= pieces.len();
            }
            assert_same_segments(&text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 4_000 }))]

        #[test]
        fn the_machine_agrees_with_the_reference_on_rows_of_pieces(text in rows_of_pieces(0..40)) {
            assert_same_segments(&text);
        }

        #[test]
        fn the_machine_agrees_with_the_reference_on_any_text(text in any::<String>()) {
            assert_same_segments(text.as_bytes());
        }

        #[test]
        fn the_machine_agrees_with_the_reference_on_any_bytes(text in vec(any::<u8>(), 0..200)) {
            assert_same_segments(&text);
        }
    }

    /// Compares the segments, those of ill-formed rows merged: how they are parted is not fixed.
    fn assert_same_segments(text: &[u8]) {
        let mut found = Vec::new();
        for_each_segment(text, |start, end, merged| {
            found.push((start, end, merged.makes_word()));
        });
        let covered = found
            .iter()
            .try_fold(0, |at, &(start, end, _)| (start == at).then_some(end));
        assert_eq!(covered, Some(text.len()), "no gaps in {text:02X?}");
        let mut expected = reference::segments(text);
        for segments in [&mut found, &mut expected] {
            segments.retain(|&(start, end, _)| std::str::from_utf8(&text[start..end]).is_ok());
        }
        assert_eq!(found, expected, "{text:02X?} {}", text.escape_ascii());
    }
}
