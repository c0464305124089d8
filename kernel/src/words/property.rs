//! Owns what Unicode 17 says about one code point, as far as words depend on it: its class for the
//! rules of UAX #29 and whether it makes a segment a word.
//!
//! Does not know the rules (see [`super::segment`]); the numbers behind the lookup are generated
//! into `generated.rs`.

mod generated;

use generated::{BLOCKS, INDEX_RUNS, LOWER_PAIRS, RUNS, UNICODE_VERSION as GENERATED_VERSION};

/// Version of the Unicode database that decides what a word is.
pub const UNICODE_VERSION: (u8, u8, u8) = GENERATED_VERSION;

/// Code points a block of the tables: what the last byte of a UTF-8 sequence tells apart.
const BLOCK: usize = 64;
/// Blocks of the whole code space.
const BLOCKS_ALL: usize = 0x11_0000 / BLOCK;

/// Number of the block of each 64 code points, so that a lookup is two loads.
static INDEX: [u16; BLOCKS_ALL] = index();

const fn index() -> [u16; BLOCKS_ALL] {
    let mut index = [0; BLOCKS_ALL];
    let (mut at, mut run) = (0, 0);
    while run < INDEX_RUNS.len() {
        let (block, times) = INDEX_RUNS[run];
        let mut done = 0;
        while done < times {
            index[at] = block;
            at += 1;
            done += 1;
        }
        run += 1;
    }
    assert!(at == BLOCKS_ALL, "the runs cover the code space");
    index
}

/// The class of a code point: its `Word_Break` value, where Extend and Format are one, and
/// `Extended_Pictographic` splits Other and `ALetter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    Other,
    Pictographic,
    Cr,
    Lf,
    Newline,
    Extend,
    Zwj,
    RegionalIndicator,
    Katakana,
    HebrewLetter,
    Letter,
    PictographicLetter,
    SingleQuote,
    DoubleQuote,
    MidNumLet,
    MidLetter,
    MidNum,
    Numeric,
    ExtendNumLet,
    Space,
}

impl Class {
    /// How many classes there are.
    pub(crate) const COUNT: usize = 20;

    /// Every class at the place of its number.
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Other,
        Self::Pictographic,
        Self::Cr,
        Self::Lf,
        Self::Newline,
        Self::Extend,
        Self::Zwj,
        Self::RegionalIndicator,
        Self::Katakana,
        Self::HebrewLetter,
        Self::Letter,
        Self::PictographicLetter,
        Self::SingleQuote,
        Self::DoubleQuote,
        Self::MidNumLet,
        Self::MidLetter,
        Self::MidNum,
        Self::Numeric,
        Self::ExtendNumLet,
        Self::Space,
    ];
}

/// What the tables say about one code point: its [`Class`], and whether it makes the segment that
/// holds it a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Property(u8);

impl Property {
    /// Bit of "Alphabetic or general category N".
    const WORD: u8 = 0x80;
    /// Bit of "not ASCII, and not its own lower-case".
    const CASED: u8 = 0x40;
    /// What ill-formed bytes are: a line break.
    pub(crate) const ILL_FORMED: Self = Self(Class::Newline as u8);

    /// The class.
    pub(crate) const fn class(self) -> Class {
        Class::ALL[self.class_index()]
    }

    /// The number of the class, below [`Class::COUNT`].
    pub(crate) const fn class_index(self) -> usize {
        (self.0 & !(Self::WORD | Self::CASED)) as usize
    }

    /// The number of the whole property.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The property of this number.
    pub(crate) const fn from_index(index: u8) -> Self {
        Self(index)
    }

    /// Whether a segment with this code point is a word.
    pub(crate) const fn makes_word(self) -> bool {
        self.0 & Self::WORD != 0
    }

    /// Whether lower-casing changes the code point, and it is not ASCII.
    pub(crate) const fn is_cased(self) -> bool {
        self.0 & Self::CASED != 0
    }

    /// The qualities of both: of a segment that holds the two, not of a code point.
    pub(crate) const fn merged(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The property of the code point at `low` (0 to 63) in block `high` (code point / 64, up to
/// 0x43FF).
#[inline]
fn at(high: usize, low: u8) -> Property {
    Property(BLOCKS[INDEX[high] as usize][(low & 0x3F) as usize])
}

/// The property of `code_point`.
///
/// # Panics
/// When `code_point` is above U+10FFFF.
pub(crate) fn property(code_point: u32) -> Property {
    at((code_point >> 6) as usize, (code_point & 0x3F) as u8)
}

/// The property of the code point that starts at `at` in `text`, and its length in bytes.
///
/// Where `text` is ill-formed at `at` the result is [`Property::ILL_FORMED`] and a length of
/// ill-formed bytes, at least 1: not always one maximal ill-formed part, but as many in a row act
/// like one, no word can tell the difference.
///
/// # Panics
/// When `at` is not inside `text`.
#[inline]
pub(crate) fn decode(text: &[u8], start: usize) -> (Property, usize) {
    let lead = text[start];
    if lead < 0x80 {
        return (at((lead >> 6) as usize, lead), 1);
    }
    let continuation = |offset: usize| match text.get(start + offset) {
        Some(&byte) if byte & 0xC0 == 0x80 => Some(byte),
        _ => None,
    };
    if !(0xC2..=0xF4).contains(&lead) {
        return (Property::ILL_FORMED, 1);
    }
    let Some(second) = continuation(1) else {
        return (Property::ILL_FORMED, 1);
    };
    if lead < 0xE0 {
        return (of_two(lead, second), 2);
    }
    let Some(third) = continuation(2) else {
        return (Property::ILL_FORMED, 2);
    };
    if lead < 0xF0 {
        return (of_three(lead, second, third), 3);
    }
    let Some(fourth) = continuation(3) else {
        return (Property::ILL_FORMED, 3);
    };
    let high =
        ((lead & 0x07) as usize) << 12 | ((second & 0x3F) as usize) << 6 | (third & 0x3F) as usize;
    if !(0x400..BLOCKS_ALL).contains(&high) {
        return (Property::ILL_FORMED, 4);
    }
    (at(high, fourth), 4)
}

/// A run of second bytes of one lead byte whose code points are alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The property of all, but for being cased.
    pub(crate) property: Property,
    /// The first and the last lead with this run; only leads that have all second bytes share it.
    pub(crate) leads: (u8, u8),
    /// The first and the last second byte; the last is below the first for none.
    pub(crate) seconds: (u8, u8),
    /// The same of those that are cased.
    pub(crate) cased: (u8, u8),
}

/// The run of each lead from 0xC0 on.
static LEADS: [Run; 64] = leads();

const fn leads() -> [Run; 64] {
    let none = Run {
        property: Property(0),
        leads: (0, 0),
        seconds: (0xC0, 0xBF),
        cased: (0xC0, 0xBF),
    };
    let mut leads = [none; 64];
    let mut first = 0;
    while first < 64 {
        let run = RUNS[first];
        let mut last = first;
        // The same run, of all second bytes, none of them cased.
        while last < 63
            && run.1 == 0x80
            && run.2 == 0xBF
            && run.3 > run.4
            && RUNS[last + 1].0 == run.0
            && RUNS[last + 1].1 == 0x80
            && RUNS[last + 1].2 == 0xBF
            && RUNS[last + 1].3 > RUNS[last + 1].4
            && (first >= 0x20) == (last + 1 >= 0x20)
        {
            last += 1;
        }
        let mut lead = first;
        while lead <= last {
            #[expect(clippy::cast_possible_truncation, reason = "below 64")]
            let ends = (0xC0 + first as u8, 0xC0 + last as u8);
            leads[lead] = Run {
                property: Property(run.0),
                leads: ends,
                seconds: (run.1, run.2),
                cased: (run.3, run.4),
            };
            lead += 1;
        }
        first = last + 1;
    }
    leads
}

impl Run {
    /// The run of `lead`, 0xC0 or above; there is none for leads of four bytes.
    #[inline]
    pub(crate) fn of(lead: u8) -> &'static Self {
        &LEADS[usize::from(lead & 0x3F)]
    }

    /// Whether there is none.
    #[inline]
    pub(crate) const fn is_none(&self) -> bool {
        self.seconds.0 > self.seconds.1
    }
}

/// The property of the code point of two well-formed bytes.
#[inline]
pub(crate) fn of_two(lead: u8, second: u8) -> Property {
    at((lead & 0x1F) as usize, second)
}

/// The property of the code point of a lead of three bytes and two continuations.
#[inline]
pub(crate) fn of_three(lead: u8, second: u8, third: u8) -> Property {
    let high = ((lead & 0x0F) as usize) << 6 | (second & 0x3F) as usize;
    // Overlong forms and surrogates: each of their bytes is ill-formed.
    if high < 0x20 || high & 0x3E0 == 0x360 {
        return Property::ILL_FORMED;
    }
    at(high, third)
}

/// The two UTF-8 bytes of the lower-case of the code point whose UTF-8 is `lead second`, where two
/// bytes are all it takes.
///
/// - `lead`: 0xC2 to 0xDF; `second`: a continuation byte.
/// - `None`: the lower-case has another length (İ, Ⱥ, Ⱦ) or depends on the neighbours (Σ).
#[inline]
pub(crate) fn lower_pair(lead: u8, second: u8) -> Option<[u8; 2]> {
    let index = ((lead & 0x1F) as usize) << 6 | (second & 0x3F) as usize;
    let pair = *LOWER_PAIRS.get(index.checked_sub(0x80)?)?;
    (pair != 0).then_some(pair.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every scalar value is looked at, but for fewer under miri.
    const STEP: usize = if cfg!(miri) { 997 } else { 1 };

    /// The checked-in extract of the database.
    const EXTRACT: &str = include_str!("../../tables/properties.txt");

    /// The extract, read without regard to how the tables were made: `(Word_Break, word,
    /// pictographic, cased)` by code point.
    fn extract() -> Vec<(&'static str, bool, bool, bool)> {
        let mut all = vec![("Other", false, false, false); 0x11_0000];
        for line in EXTRACT
            .lines()
            .filter(|line| line.contains(';') && !line.starts_with('#'))
        {
            let fields: Vec<&str> = line.split(" ; ").collect();
            let (first, last) = fields[0].split_once("..").unwrap();
            let first = usize::from_str_radix(first, 16).unwrap();
            let last = usize::from_str_radix(last, 16).unwrap();
            all[first..=last].fill((
                fields[1],
                fields[2] == "W",
                fields[3] == "P",
                fields[4] == "L",
            ));
        }
        all
    }

    #[test]
    #[cfg_attr(miri, ignore = "a million lookups, without unsafe code")]
    fn every_code_point_has_the_property_of_the_extract() {
        for (code_point, (name, word, pictographic, cased)) in (0..).zip(extract()) {
            let expected = match (name, pictographic) {
                ("Other", false) => Class::Other,
                ("Other", true) => Class::Pictographic,
                ("ALetter", false) => Class::Letter,
                ("ALetter", true) => Class::PictographicLetter,
                ("CR", false) => Class::Cr,
                ("LF", false) => Class::Lf,
                ("Newline", false) => Class::Newline,
                ("Extend" | "Format", false) => Class::Extend,
                ("ZWJ", false) => Class::Zwj,
                ("Regional_Indicator", false) => Class::RegionalIndicator,
                ("Katakana", false) => Class::Katakana,
                ("Hebrew_Letter", false) => Class::HebrewLetter,
                ("Single_Quote", false) => Class::SingleQuote,
                ("Double_Quote", false) => Class::DoubleQuote,
                ("MidNumLet", false) => Class::MidNumLet,
                ("MidLetter", false) => Class::MidLetter,
                ("MidNum", false) => Class::MidNum,
                ("Numeric", false) => Class::Numeric,
                ("ExtendNumLet", false) => Class::ExtendNumLet,
                ("WSegSpace", false) => Class::Space,
                other => panic!("U+{code_point:04X}: {other:?}"),
            };
            let found = property(code_point);
            assert_eq!(found.class(), expected, "U+{code_point:04X}");
            assert_eq!(found.makes_word(), word, "U+{code_point:04X}");
            assert_eq!(found.is_cased(), cased, "U+{code_point:04X}");
        }
    }

    #[test]
    fn decoding_finds_the_property_of_every_scalar_value() {
        for scalar in ('\0'..=char::MAX).step_by(STEP) {
            let mut bytes = [0; 4];
            let bytes = scalar.encode_utf8(&mut bytes).as_bytes();
            assert_eq!(
                decode(bytes, 0),
                (property(u32::from(scalar)), bytes.len()),
                "{scalar:?}"
            );
        }
    }

    #[test]
    fn words_are_made_by_what_the_standard_library_calls_alphanumeric() {
        assert_eq!(
            char::UNICODE_VERSION,
            UNICODE_VERSION,
            "the two databases can be compared"
        );
        for scalar in ('\0'..=char::MAX).step_by(STEP) {
            assert_eq!(
                property(u32::from(scalar)).makes_word(),
                scalar.is_alphanumeric(),
                "{scalar:?}"
            );
        }
    }

    #[test]
    fn cased_is_what_the_standard_library_lowers_beyond_ascii() {
        for scalar in ('\u{80}'..=char::MAX).step_by(STEP) {
            let is_lowered = !scalar.to_lowercase().eq([scalar]);
            assert_eq!(
                property(u32::from(scalar)).is_cased(),
                is_lowered,
                "{scalar:?}"
            );
        }
    }

    #[test]
    fn all_of_a_run_have_its_property() {
        let mut runs_count = 0;
        for lead in 0xC0..=0xFF_u8 {
            let run = Run::of(lead);
            assert!(run.is_none() || (run.leads.0..=run.leads.1).contains(&lead));
            for second in run.seconds.0..=run.seconds.1 {
                runs_count += 1;
                let thirds = 0x80..=if lead < 0xE0 { 0x80 } else { 0xBF };
                for third in thirds {
                    let (found, length) = decode(&[lead, second, third], 0);
                    assert_eq!(length, if lead < 0xE0 { 2 } else { 3 });
                    let is_cased = (run.cased.0..=run.cased.1).contains(&second);
                    let case = if is_cased { Property::CASED } else { 0 };
                    assert_eq!(
                        found,
                        Property(run.property.0 | case),
                        "{lead:02X} {second:02X}"
                    );
                }
            }
            for other in run.leads.0..=run.leads.1 {
                assert!(
                    run.is_none() || other == lead || run.seconds == (0x80, 0xBF),
                    "{lead:02X}"
                );
            }
        }
        assert!(runs_count > 700, "{runs_count}");
    }

    #[test]
    fn decoding_agrees_with_the_standard_library_on_what_is_ill_formed() {
        const BYTES: [u8; 24] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
            0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF,
        ];
        let mut ill_formed = Vec::new();
        for case in (0..BYTES.len().pow(4)).step_by(STEP) {
            let text: [u8; 4] = std::array::from_fn(|place| {
                BYTES[case / BYTES.len().pow(u32::try_from(place).unwrap()) % BYTES.len()]
            });
            ill_formed.clear();
            let mut start = 0;
            while start < text.len() {
                let (found, length) = decode(&text, start);
                // An ill-formed byte and a real line break have the same property: tell them apart
                // by the bytes.
                ill_formed.extend(std::iter::repeat_n(
                    found == Property::ILL_FORMED && text[start] >= 0x80,
                    length,
                ));
                start += length;
            }
            let mut expected = Vec::new();
            for part in text.utf8_chunks() {
                expected.extend(std::iter::repeat_n(false, part.valid().len()));
                expected.extend(std::iter::repeat_n(true, part.invalid().len()));
            }
            // U+0085 (C2 85) is a well-formed line break of the same property.
            if !text.windows(2).any(|pair| pair == [0xC2, 0x85]) {
                assert_eq!(ill_formed, expected, "{text:02X?}");
            }
        }
    }

    #[test]
    fn pairs_are_the_lower_case_of_the_standard_library() {
        for scalar in '\u{80}'..'\u{800}' {
            let mut bytes = [0; 2];
            scalar.encode_utf8(&mut bytes);
            let expected = scalar.to_lowercase().to_string();
            match lower_pair(bytes[0], bytes[1]) {
                Some(pair) => assert_eq!(pair, expected.as_bytes(), "{scalar:?}"),
                None => assert!("İΣȺȾ".contains(scalar), "{scalar:?}"),
            }
        }
    }
}
