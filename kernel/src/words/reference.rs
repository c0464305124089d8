//! Owns a second reading of UAX #29: rule by rule, looking back and ahead as far as a rule says.
//! Slow, for tests, benches and fuzzing alone.
//!
//! Shares the property tables with `segment`, and nothing else.

use super::property::{Class, Property, property};

/// A code point, or a maximal ill-formed part, which acts as a line feed.
#[derive(Clone, Copy, Debug)]
struct Unit {
    start: usize,
    property: Property,
}

impl Unit {
    fn is(self, classes: &[Class]) -> bool {
        classes.contains(&self.property.class())
    }
}

const LINE_BREAK: [Class; 3] = [Class::Cr, Class::Lf, Class::Newline];
const SKIPPED: [Class; 2] = [Class::Extend, Class::Zwj];
const AH_LETTER: [Class; 3] = [
    Class::Letter,
    Class::PictographicLetter,
    Class::HebrewLetter,
];
const PICTOGRAPHIC: [Class; 2] = [Class::Pictographic, Class::PictographicLetter];
const MID_LETTER: [Class; 3] = [Class::MidLetter, Class::MidNumLet, Class::SingleQuote];
const MID_NUM: [Class; 3] = [Class::MidNum, Class::MidNumLet, Class::SingleQuote];

/// Every word segment of `text`: `(start, end, is_word)`, in order and without gaps, `is_word` when
/// the segment holds a code point with Alphabetic or of general category N.
///
/// - `text`: any bytes; each maximal ill-formed part is a segment of its own, to which nothing
///   attaches.
/// - Cost: O(bytes) for usual text, quadratic at worst.
#[must_use]
pub fn segments(text: &[u8]) -> Vec<(usize, usize, bool)> {
    let units = units(text);
    let mut segments = Vec::new();
    let mut first = 0;
    for next in 1..=units.len() {
        if next < units.len() && !is_boundary(&units, next) {
            continue;
        }
        let end = units.get(next).map_or(text.len(), |unit| unit.start);
        let is_word = units[first..next]
            .iter()
            .any(|unit| unit.property.makes_word());
        segments.push((units[first].start, end, is_word));
        first = next;
    }
    segments
}

/// Every word of `text` in `unicode` mode, in order, as written.
#[must_use]
pub fn words(text: &[u8]) -> Vec<&[u8]> {
    let words = segments(text)
        .into_iter()
        .filter(|&(_, _, is_word)| is_word);
    words.map(|(start, end, _)| &text[start..end]).collect()
}

fn units(text: &[u8]) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut base = 0;
    for part in text.utf8_chunks() {
        for (offset, scalar) in part.valid().char_indices() {
            units.push(Unit {
                start: base + offset,
                property: property(u32::from(scalar)),
            });
        }
        base += part.valid().len();
        if !part.invalid().is_empty() {
            units.push(Unit {
                start: base,
                property: Property::ILL_FORMED,
            });
        }
        base += part.invalid().len();
    }
    units
}

/// The last unit before `before` that WB4 does not skip, and its place. None at the start of the
/// text, and where what would be skipped has nothing to attach to: there the first skipped unit
/// stands for itself, and no rule joins to it.
fn significant_before(units: &[Unit], before: usize) -> Option<usize> {
    let found = (0..before)
        .rev()
        .find(|&index| !units[index].is(&SKIPPED))?;
    (!units[found].is(&LINE_BREAK)).then_some(found)
}

/// Whether there is a word boundary before unit `at`, which is neither the first nor past the end.
fn is_boundary(units: &[Unit], at: usize) -> bool {
    let (just_before, here) = (units[at - 1], units[at]);
    // WB3
    if just_before.is(&[Class::Cr]) && here.is(&[Class::Lf]) {
        return false;
    }
    // WB3a, WB3b
    if just_before.is(&LINE_BREAK) || here.is(&LINE_BREAK) {
        return true;
    }
    // WB3c
    if just_before.is(&[Class::Zwj]) && here.is(&PICTOGRAPHIC) {
        return false;
    }
    // WB3d
    if just_before.is(&[Class::Space]) && here.is(&[Class::Space]) {
        return false;
    }
    // WB4
    if here.is(&SKIPPED) {
        return false;
    }
    let Some(before) = significant_before(units, at) else {
        return true;
    };
    let second_before = significant_before(units, before);
    let after = (at + 1..units.len()).find(|&index| !units[index].is(&SKIPPED));
    let before_is = |classes: &[Class]| units[before].is(classes);
    let second_before_is =
        |classes: &[Class]| second_before.is_some_and(|index| units[index].is(classes));
    let after_is = |classes: &[Class]| after.is_some_and(|index| units[index].is(classes));
    let hebrew = [Class::HebrewLetter];
    let numeric = [Class::Numeric];
    let extended = [Class::ExtendNumLet];
    let joined =
        // WB5
        before_is(&AH_LETTER) && here.is(&AH_LETTER)
        // WB6
        || before_is(&AH_LETTER) && here.is(&MID_LETTER) && after_is(&AH_LETTER)
        // WB7
        || second_before_is(&AH_LETTER) && before_is(&MID_LETTER) && here.is(&AH_LETTER)
        // WB7a
        || before_is(&hebrew) && here.is(&[Class::SingleQuote])
        // WB7b
        || before_is(&hebrew) && here.is(&[Class::DoubleQuote]) && after_is(&hebrew)
        // WB7c
        || second_before_is(&hebrew) && before_is(&[Class::DoubleQuote]) && here.is(&hebrew)
        // WB8
        || before_is(&numeric) && here.is(&numeric)
        // WB9
        || before_is(&AH_LETTER) && here.is(&numeric)
        // WB10
        || before_is(&numeric) && here.is(&AH_LETTER)
        // WB11
        || second_before_is(&numeric) && before_is(&MID_NUM) && here.is(&numeric)
        // WB12
        || before_is(&numeric) && here.is(&MID_NUM) && after_is(&numeric)
        // WB13
        || before_is(&[Class::Katakana]) && here.is(&[Class::Katakana])
        // WB13a
        || (before_is(&AH_LETTER) || before_is(&[Class::Numeric, Class::Katakana, Class::ExtendNumLet]))
            && here.is(&extended)
        // WB13b
        || before_is(&extended) && (here.is(&AH_LETTER) || here.is(&[Class::Numeric, Class::Katakana]))
        // WB15, WB16
        || before_is(&[Class::RegionalIndicator])
            && here.is(&[Class::RegionalIndicator])
            && regional_indicators_before(units, at) % 2 == 1;
    !joined
}

/// How many regional indicators stand in a row before unit `before`, skipped units left out.
fn regional_indicators_before(units: &[Unit], before: usize) -> usize {
    units[..before]
        .iter()
        .rev()
        .filter(|unit| !unit.is(&SKIPPED))
        .take_while(|unit| unit.is(&[Class::RegionalIndicator]))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::conformance::for_each_line;

    #[test]
    fn the_reference_passes_the_official_test() {
        for_each_line(|number, text, boundaries| {
            let found: Vec<usize> = segments(text.as_bytes())
                .iter()
                .map(|&(_, end, _)| end)
                .collect();
            assert_eq!(found, boundaries, "line {number}: {text:?}");
        });
    }

    #[test]
    fn an_ill_formed_part_separates_and_nothing_attaches_to_it() {
        let text = b"a\xE2\x80b \xFF\xCC\x81c d\xF0\x9F\x98e";
        let expected: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];
        assert_eq!(words(text), expected);
    }
}
