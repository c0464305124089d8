//! Owns the qualities of the bytes of a window: what the algebra of [`super::window`] works on.
//!
//! All bytes of a code point carry its quality. ASCII has its own from the masks alone; the others
//! are looked up, many of one lead byte at once where they are alike.

use super::property::{Class, Property, Run, decode, of_three, of_two};
use crate::scan::{AsciiMasks, Means, WINDOW};

/// The qualities of all bytes of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Qualities {
    pub(super) letters: u64,
    pub(super) digits: u64,
    /// `ExtendNumLet`, such as `_`.
    pub(super) connectors: u64,
    pub(super) katakana: u64,
    /// Code points that are words of their own, such as ideographs.
    pub(super) singles: u64,
    /// Neither part of a word nor joining anything.
    pub(super) hard: u64,
    /// What the algebra does not decide.
    pub(super) complex: u64,
    /// Code points that are not ASCII and that lower-casing changes.
    pub(super) cased: u64,
    /// First bytes of what joins letters, of one, two and three bytes.
    pub(super) joins_letters: [u64; 3],
    /// First bytes of what joins digits.
    pub(super) joins_digits: [u64; 3],
    /// First bytes of code points that are not ASCII.
    pub(super) leads: u64,
    /// All before a code point that the end of the window cuts short.
    pub(super) known: u64,
}

/// What the algebra does with a code point: the number of a mask.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Group {
    Letter,
    Digit,
    Connector,
    Katakana,
    Single,
    Hard,
    JoinsLetters,
    JoinsBoth,
    JoinsDigits,
    Complex,
}

/// Set in a group if lower-casing changes the code point.
const CASED: u8 = 0x80;

/// The group of each property that is not ASCII.
static GROUPS: [u8; 256] = groups();

const fn groups() -> [u8; 256] {
    let mut groups = [Group::Complex as u8; 256];
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends before 256")]
        let property = Property::from_index(index as u8);
        if property.class_index() < Class::COUNT {
            let group = match (property.class(), property.makes_word()) {
                (Class::Letter, true) => Group::Letter,
                (Class::Numeric, true) => Group::Digit,
                (Class::ExtendNumLet, false) => Group::Connector,
                (Class::Katakana, true) => Group::Katakana,
                (Class::Other, true) => Group::Single,
                (Class::Other | Class::Space, false) => Group::Hard,
                (Class::MidLetter, false) => Group::JoinsLetters,
                (Class::MidNumLet, false) => Group::JoinsBoth,
                (Class::MidNum, false) => Group::JoinsDigits,
                _ => Group::Complex,
            };
            groups[index] = group as u8 | if property.is_cased() { CASED } else { 0 };
        }
        index += 1;
    }
    groups
}

/// The bytes of code points by group, as they are found.
struct Found {
    groups: [u64; 16],
    cased: u64,
}

impl Found {
    /// Adds `bytes` to the group of `property`.
    #[inline(always)]
    fn add(&mut self, property: Property, bytes: u64) {
        let group = GROUPS[property.index()];
        self.groups[usize::from(group & 0x0F)] |= bytes;
        self.cased |= bytes & u64::from(group >> 7).wrapping_neg();
    }

    /// Adds the code points whose first bytes are `firsts`, each looked up; none if one of them is
    /// ill-formed.
    ///
    /// - `leads`: the first bytes of two, three and four bytes.
    #[inline(always)]
    fn look_up(&mut self, window: &[u8; WINDOW], firsts: u64, leads: [u64; 3]) -> Option<()> {
        let [mut twos, mut threes, mut fours] = leads.map(|leads| leads & firsts);
        while twos != 0 {
            let at = twos.trailing_zeros();
            self.add(of_two(byte(window, at), byte(window, at + 1)), 0b11 << at);
            twos &= twos - 1;
        }
        while threes != 0 {
            let at = threes.trailing_zeros();
            let (second, third) = (byte(window, at + 1), byte(window, at + 2));
            let property = of_three(byte(window, at), second, third);
            if property == Property::ILL_FORMED {
                return None;
            }
            self.add(property, 0b111 << at);
            threes &= threes - 1;
        }
        while fours != 0 {
            let at = fours.trailing_zeros();
            let (property, _) = decode(window, at as usize);
            if property == Property::ILL_FORMED {
                return None;
            }
            self.add(property, 0b1111 << at);
            fours &= fours - 1;
        }
        Some(())
    }

    fn of(&self, group: Group) -> u64 {
        self.groups[group as usize]
    }
}

impl Qualities {
    /// Of a window that is ASCII.
    #[inline(always)]
    pub(super) fn ascii(masks: AsciiMasks) -> Self {
        Self {
            letters: masks.letters,
            digits: masks.digits,
            connectors: masks.connectors,
            katakana: 0,
            singles: 0,
            hard: masks.hard,
            complex: 0,
            cased: 0,
            joins_letters: [masks.joins_letters, 0, 0],
            joins_digits: [masks.joins_digits, 0, 0],
            leads: 0,
            known: !0,
        }
    }

    /// Of a window that is not ASCII; none if it is not well-formed.
    ///
    /// - `window`: begins with a first byte.
    #[inline(always)]
    pub(super) fn mixed(
        means: impl Means,
        window: &[u8; WINDOW],
        ascii: AsciiMasks,
    ) -> Option<Self> {
        let wide = means.wide(window);
        let (leads2, leads3, leads4) = (wide.leads2, wide.leads3, wide.leads4);
        let leads = leads2 | leads3 | leads4;
        let expected = leads << 1 | (leads3 | leads4) << 2 | leads4 << 3;
        if expected != wide.continuations || leads | expected != ascii.non_ascii {
            return None;
        }
        let cut_short = leads & 1 << 63 | leads3 & 1 << 62 | leads4 & (1 << 62 | 1 << 61);
        let known = (cut_short & cut_short.wrapping_neg()).wrapping_sub(1);

        let mut found = Found {
            groups: [0; 16],
            cased: 0,
        };
        let mut one_by_one = 0;
        let mut rest = leads & known;
        while rest != 0 {
            let run = Run::of(byte(window, rest.trailing_zeros()));
            if run.is_none() {
                one_by_one |= rest & rest.wrapping_neg();
                rest &= rest - 1;
                continue;
            }
            let alike = means.range(window, run.leads) & rest;
            let in_run = means.range(window, run.seconds) >> 1 & alike;
            let spread = |firsts: u64| firsts | firsts << 1 | (firsts & leads3) << 2;
            found.add(run.property, spread(in_run));
            if run.cased.0 <= run.cased.1 {
                found.cased |= spread(means.range(window, run.cased) >> 1 & in_run);
            }
            one_by_one |= alike & !in_run;
            rest &= !alike;
        }
        found.look_up(window, one_by_one, [leads2, leads3, leads4])?;
        let joins_letters = found.of(Group::JoinsLetters) | found.of(Group::JoinsBoth);
        let joins_digits = found.of(Group::JoinsDigits) | found.of(Group::JoinsBoth);
        Some(Self {
            letters: ascii.letters | found.of(Group::Letter),
            digits: ascii.digits | found.of(Group::Digit),
            connectors: ascii.connectors | found.of(Group::Connector),
            katakana: found.of(Group::Katakana),
            singles: found.of(Group::Single),
            hard: ascii.hard | found.of(Group::Hard),
            complex: found.of(Group::Complex),
            cased: found.cased,
            joins_letters: [
                ascii.joins_letters,
                joins_letters & leads2,
                joins_letters & leads3,
            ],
            joins_digits: [
                ascii.joins_digits,
                joins_digits & leads2,
                joins_digits & leads3,
            ],
            leads,
            known,
        })
    }
}

/// The byte at `at`, below [`WINDOW`].
#[inline(always)]
fn byte(window: &[u8; WINDOW], at: u32) -> u8 {
    window[at as usize % WINDOW]
}
