//! Owns what an instruction set has to offer: a few operations on 64 bytes at once, and out of them
//! the masks of all modes.
//!
//! Does not know any instruction set, nor what is done with the masks.

use super::masks::{AsciiMasks, Blanks, WINDOW, WideMasks};
use super::places::{self, PLACES_ROOM};
use super::seconds::Seconds;
use super::split::{Hashed, Place, SOME, Split, TileBytes};

/// Operations on the 64 bytes of a window. Each instruction set has a few lines of its own; all that
/// is made of them is the same for all.
pub(crate) trait Means: Copy {
    /// Its name.
    const NAME: &'static str;

    /// Whether plain text is taken at a fixed stride in `unicode` mode: with AVX2 it made prose and mixed texts slower.
    const AT_STRIDE: bool = false;

    /// Whether [`with_seconds`](Self::with_seconds) takes no longer the more different leads there are.
    const SECONDS_AT_ONCE: bool = false;

    /// The bytes of a window.
    type Block: Copy;
    /// Yes or no for each byte.
    type Flags: Copy;

    /// Does `work` in a function of its own: where too much is compiled into one, registers do not last.
    #[inline(never)]
    fn apart<W: Work>(self, work: W) -> W::Output {
        work.run(self)
    }

    /// The bytes of `window`.
    fn load(self, window: &[u8; WINDOW]) -> Self::Block;

    /// The bytes equal to `byte`.
    fn equal(self, block: Self::Block, byte: u8) -> Self::Flags;

    /// The bytes from `first` to `last`, both below 0x80 or neither; none if the last is one below
    /// the first.
    fn between(self, block: Self::Block, first: u8, last: u8) -> Self::Flags;

    /// The bytes from 0x80 on.
    fn non_ascii(self, block: Self::Block) -> Self::Flags;

    /// The bytes with 0x20 set.
    fn with_case_bit(self, block: Self::Block) -> Self::Block;

    /// Yes where either says so.
    fn either(self, one: Self::Flags, other: Self::Flags) -> Self::Flags;

    /// Bit `i` is what byte `i` has.
    fn mask(self, flags: Self::Flags) -> u64;

    /// Copies the window with its ASCII letters in lower case.
    fn lower(self, window: &[u8; WINDOW], out: &mut [u8; WINDOW]);

    /// Writes `offset` and the place of each bit of `bits`, in rising order; what follows in `out` is of no meaning.
    #[inline(always)]
    fn write_places(self, bits: u64, offset: u16, out: &mut [u16; PLACES_ROOM]) {
        places::write_places(bits, offset, out);
    }

    /// Sorts the words of a tile, `[start, end]` each, by how they are counted.
    #[inline(always)]
    fn split(self, words: &[[u16; 2]], split: &mut Split) {
        split.push(words);
    }

    /// Makes numbers of words of at most 8 bytes, and hashes them by AES; `false`, and nothing done, where there is nothing for that.
    ///
    /// A hash is two rounds: in 16 bytes, `word ^ secret[0]` below `secret[1]`; the keys of the rounds are `secret[2..4]` and
    /// `secret[0..2]`; the upper half of the result's lower half decides which of `of` equal parts of all hashes it is in.
    ///
    /// - `words`: at least `count`; those after it up to the next multiple of 8 are of no meaning, and so is what becomes of them.
    #[inline(always)]
    fn hash_words(
        self,
        bytes: &TileBytes,
        words: &[Place; SOME],
        count: usize,
        (secret, of): (&[u64; 4], u32),
        hashed: &mut Hashed,
    ) -> bool {
        let _ = (bytes, words, count, secret, of, hashed);
        false
    }

    /// Those of `leads`, bytes from 0xC0 on but the last of the window, whose next byte is in the range of `one`, and in that of `other`.
    #[inline(always)]
    fn with_seconds(
        self,
        window: &[u8; WINDOW],
        leads: u64,
        [one, other]: [&Seconds; 2],
    ) -> [u64; 2] {
        let mut rest = leads;
        let mut found = [0; 2];
        // Most texts have few leads in a window.
        while rest != 0 {
            let lead = window[rest.trailing_zeros() as usize];
            let alike = self.range(window, (lead, lead)) & rest;
            found[0] |= alike & self.range(window, one.of(lead)) >> 1;
            found[1] |= alike & self.range(window, other.of(lead)) >> 1;
            rest &= !alike;
        }
        found
    }

    /// Brings the bytes of `text` at `at`, which may be past its end, near.
    #[inline(always)]
    fn prefetch(self, text: &[u8], at: usize) {
        let _ = (text, at);
    }

    /// `A-Z a-z`.
    #[inline(always)]
    fn letters(self, window: &[u8; WINDOW]) -> u64 {
        let block = self.with_case_bit(self.load(window));
        self.mask(self.between(block, b'a', b'z'))
    }

    /// ASCII punctuation: Python's `string.punctuation`.
    #[inline(always)]
    fn punctuation(self, window: &[u8; WINDOW]) -> u64 {
        let block = self.load(window);
        let between = |first, last| self.between(block, first, last);
        let below = self.either(between(b'!', b'/'), between(b':', b'@'));
        let above = self.either(between(b'[', b'`'), between(b'{', b'~'));
        self.mask(self.either(below, above))
    }

    /// The bytes from the first to the last of `ends`, as [`between`](Self::between).
    #[inline(always)]
    fn range(self, window: &[u8; WINDOW], (first, last): (u8, u8)) -> u64 {
        self.mask(self.between(self.load(window), first, last))
    }

    /// What is white space.
    #[inline(always)]
    fn blanks(self, window: &[u8; WINDOW]) -> Blanks {
        let block = self.load(window);
        let non_ascii = self.mask(self.non_ascii(block));
        let suspects = if non_ascii == 0 {
            0
        } else {
            self.wide_blanks(block)
        };
        let spaces = self.either(
            self.between(block, 0x09, 0x0D),
            self.between(block, 0x1C, 0x20),
        );
        Blanks {
            spaces: self.mask(spaces),
            non_ascii,
            suspects,
            nuls: self.mask(self.equal(block, 0)),
        }
    }

    /// First bytes of white space beyond ASCII (see [`space_len`](crate::words::space_len)); at the end of the window also of what
    /// may be.
    #[inline(always)]
    fn wide_blanks(self, block: Self::Block) -> u64 {
        let two = self.mask(self.equal(block, 0xC2));
        let three = self.mask(self.between(block, 0xE1, 0xE3));
        if two | three == 0 {
            return 0;
        }
        let equal = |byte| self.mask(self.equal(block, byte));
        let between = |first, last| self.mask(self.between(block, first, last));
        let x80 = equal(0x80);
        let second = (equal(0x85) | equal(0xA0)) >> 1;
        let ogham = equal(0xE1) & equal(0x9A) >> 1 & x80 >> 2;
        let general = (between(0x80, 0x8A) | between(0xA8, 0xA9) | equal(0xAF)) >> 2 & x80 >> 1;
        let mathematical = equal(0x81) >> 1 & equal(0x9F) >> 2;
        let ideographic = equal(0xE3) & x80 >> 1 & x80 >> 2;
        let whole = two & second | ogham | equal(0xE2) & (general | mathematical) | ideographic;
        whole | two & 1 << 63 | three & 3 << 62
    }

    /// What the ASCII bytes are to the rules of `unicode` mode.
    #[inline(always)]
    fn ascii(self, window: &[u8; WINDOW]) -> AsciiMasks {
        let block = self.load(window);
        let equal = |byte| self.equal(block, byte);
        let letters = self.mask(self.between(self.with_case_bit(block), b'a', b'z'));
        let digits = self.mask(self.between(block, b'0', b'9'));
        let connectors = self.mask(equal(b'_'));
        let both = self.mask(self.either(equal(b'\''), equal(b'.')));
        let colons = self.mask(equal(b':'));
        let commas = self.mask(self.either(equal(b','), equal(b';')));
        let double_quotes = self.mask(equal(b'"'));
        let non_ascii = self.mask(self.non_ascii(block));
        let soft = both | colons | commas | double_quotes;
        AsciiMasks {
            letters,
            digits,
            connectors,
            joins_letters: both | colons,
            joins_digits: both | commas,
            hard: !(letters | digits | connectors | soft | non_ascii),
            non_ascii,
        }
    }

    /// What the other bytes are to UTF-8.
    #[inline(always)]
    fn wide(self, window: &[u8; WINDOW]) -> WideMasks {
        let block = self.load(window);
        WideMasks {
            leads2: self.mask(self.between(block, 0xC2, 0xDF)),
            leads3: self.mask(self.between(block, 0xE0, 0xEF)),
            leads4: self.mask(self.between(block, 0xF0, 0xF4)),
            continuations: self.mask(self.between(block, 0x80, 0xBF)),
        }
    }
}

/// Work that is compiled for each instruction set.
pub(crate) trait Work {
    /// What comes of it.
    type Output;

    /// Does it. Implementations are `#[inline(always)]`: else they are not compiled for the set.
    fn run<M: Means>(self, means: M) -> Self::Output;
}

/// Does `work` by the best means of this CPU.
pub(crate) fn by_best_means<W: Work>(work: W) -> W::Output {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        if let Some(avx512) = super::avx512::Avx512::new() {
            return avx512.run(work);
        }
        if let Some(avx2) = super::avx2::Avx2::new() {
            return avx2.run(work);
        }
        work.run(super::sse2::Sse2)
    }
    #[cfg(all(target_arch = "aarch64", target_endian = "little", not(miri)))]
    {
        work.run(super::neon::Neon)
    }
    #[cfg(not(all(
        any(
            target_arch = "x86_64",
            all(target_arch = "aarch64", target_endian = "little")
        ),
        not(miri)
    )))]
    {
        work.run(super::portable::Portable)
    }
}

/// Does what `make` makes by each of the means that this CPU has.
#[cfg(test)]
pub(crate) fn by_all_means<W: Work>(mut make: impl FnMut() -> W) -> Vec<W::Output> {
    let mut done = vec![make().run(super::portable::Portable)];
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        done.push(make().run(super::sse2::Sse2));
        done.extend(super::avx2::Avx2::new().map(|means| means.run(make())));
        done.extend(super::avx512::Avx512::new().map(|means| means.run(make())));
    }
    #[cfg(all(target_arch = "aarch64", target_endian = "little", not(miri)))]
    done.push(make().run(super::neon::Neon));
    done
}

struct Name;

impl Work for Name {
    type Output = &'static str;

    #[inline(always)]
    fn run<M: Means>(self, _means: M) -> &'static str {
        M::NAME
    }
}

/// The name of the best means of this CPU.
pub(crate) fn best_means() -> &'static str {
    by_best_means(Name)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::settings::WordMode;
    use crate::words::{Class, for_each_word, property, space_len};

    /// Judges `means` by the definitions, on every byte at every place and on mixed windows.
    pub(crate) fn assert_right_masks(means: impl Means) {
        let mut windows = Vec::new();
        for byte in (0..=u8::MAX).step_by(if cfg!(miri) { 37 } else { 1 }) {
            windows.push([byte; WINDOW]);
            for place in (0..WINDOW).step_by(if cfg!(miri) { 13 } else { 1 }) {
                let mut window = [b'x'; WINDOW];
                window[place] = byte;
                windows.push(window);
            }
            let mixed = |place| byte.wrapping_mul(2).wrapping_add(place).wrapping_mul(37);
            windows.push(std::array::from_fn(|place| {
                u8::try_from(place).map(mixed).unwrap()
            }));
        }
        assert_right_blanks(means);
        for window in windows {
            assert_right_ascii(means, &window);
            assert_right_rest(means, &window);
        }
        for bits in [
            0,
            1,
            1 << 63,
            !0,
            0xFF00_0000_0000_0081,
            0x5555_5555_5555_5555,
        ] {
            assert_right_places(means, bits);
        }
        let mut bits = 1_u64;
        for _ in 0..if cfg!(miri) { 20 } else { 20_000 } {
            bits = bits.wrapping_mul(0xD134_2543_DE82_EF95).rotate_left(29) | 1;
            assert_right_places(means, bits & bits.rotate_left(7));
            assert_right_places(means, bits | bits.rotate_left(7));
        }
    }

    fn assert_right_places(means: impl Means, bits: u64) {
        let mut out = [7; PLACES_ROOM];
        means.write_places(bits, 4000, &mut out);
        let expected: Vec<u16> = (0..64)
            .filter(|bit| bits >> bit & 1 == 1)
            .map(|bit| 4000 + bit)
            .collect();
        assert_eq!(out[..expected.len()], expected, "{bits:#x}");
    }

    fn expected(window: &[u8; WINDOW], holds: impl Fn(u8) -> bool) -> u64 {
        (0..WINDOW).fold(0, |mask, at| mask | u64::from(holds(window[at])) << at)
    }

    /// The masks for `unicode` mode, by the classes of the Unicode tables.
    fn assert_right_ascii(means: impl Means, window: &[u8; WINDOW]) {
        let has = |classes: &[Class]| {
            expected(window, |byte| {
                byte.is_ascii() && classes.contains(&property(u32::from(byte)).class())
            })
        };
        let both = has(&[Class::SingleQuote, Class::MidNumLet]);
        let masks = AsciiMasks {
            letters: has(&[Class::Letter]),
            digits: has(&[Class::Numeric]),
            connectors: has(&[Class::ExtendNumLet]),
            joins_letters: both | has(&[Class::MidLetter]),
            joins_digits: both | has(&[Class::MidNum]),
            hard: has(&[
                Class::Cr,
                Class::Lf,
                Class::Newline,
                Class::Other,
                Class::Space,
            ]),
            non_ascii: expected(window, |byte| !byte.is_ascii()),
        };
        assert_eq!(means.ascii(window), masks, "{window:02X?}");
    }

    fn assert_right_rest(means: impl Means, window: &[u8; WINDOW]) {
        let expected = |holds: fn(u8) -> bool| expected(window, holds);
        let wide = WideMasks {
            leads2: expected(|byte| matches!(byte, 0xC2..=0xDF)),
            leads3: expected(|byte| matches!(byte, 0xE0..=0xEF)),
            leads4: expected(|byte| matches!(byte, 0xF0..=0xF4)),
            continuations: expected(|byte| matches!(byte, 0x80..=0xBF)),
        };
        assert_eq!(means.wide(window), wide, "{window:02X?}");
        assert_eq!(
            means.letters(window),
            expected(|byte| byte.is_ascii_alphabetic())
        );
        let blanks = Blanks {
            spaces: expected(|byte| matches!(byte, 9..=13 | 28..=32)),
            non_ascii: expected(|byte| !byte.is_ascii()),
            suspects: expected_suspects(window),
            nuls: expected(|byte| byte == 0),
        };
        assert_eq!(means.blanks(window), blanks, "{window:02X?}");
        assert_eq!(
            means.punctuation(window),
            expected(|byte| byte.is_ascii_punctuation())
        );
        let mut lower = [0; WINDOW];
        means.lower(window, &mut lower);
        assert_eq!(lower, window.map(|byte| byte.to_ascii_lowercase()));
        let first = window[17];
        for last in [first | 0x7F, first, first.saturating_sub(1)] {
            let in_range = (0..WINDOW)
                .filter(|&at| (first..=last).contains(&window[at]))
                .fold(0, |mask, at| mask | 1_u64 << at);
            assert_eq!(
                means.range(window, (first, last)),
                in_range,
                "{first} {window:02X?}"
            );
        }
    }

    /// First bytes of white space beyond ASCII, and at the end of what may be.
    fn expected_suspects(window: &[u8; WINDOW]) -> u64 {
        let is_suspect = |at: &usize| {
            let length = match window[*at] {
                0xC2 => 2,
                0xE1..=0xE3 => 3,
                _ => return false,
            };
            at + length > WINDOW || space_len(&window[*at..]) > 1
        };
        (0..WINDOW)
            .filter(is_suspect)
            .fold(0, |mask, at| mask | 1 << at)
    }

    /// Every character that begins as white space beyond ASCII does, at places where it is whole and where it is cut.
    fn assert_right_blanks(means: impl Means) {
        for lead in [0xC2, 0xE1, 0xE2, 0xE3] {
            for second in 0x80..=0xBF {
                for third in (0x80..=0xBF).step_by(if cfg!(miri) { 29 } else { 1 }) {
                    let mut window = [b'x'; WINDOW];
                    for at in [usize::from(third % 32), 40, 62] {
                        let character = [lead, second, third];
                        let room = &mut window[at..];
                        let length = room.len().min(3);
                        room[..length].copy_from_slice(&character[..length]);
                    }
                    assert_eq!(
                        means.blanks(&window).suspects,
                        expected_suspects(&window),
                        "{window:02X?}"
                    );
                }
            }
        }
    }

    #[test]
    fn white_space_beyond_ascii_begins_with_four_bytes_alone() {
        for c in ('\u{80}'..=char::MAX).step_by(if cfg!(miri) { 997 } else { 1 }) {
            let mut bytes = [0; 4];
            let text = c.encode_utf8(&mut bytes).as_bytes();
            let mut words = 0;
            for_each_word(WordMode::Whitespace, text, &mut |_| words += 1);
            assert_eq!(words == 0, space_len(text) == text.len(), "{c:?}");
            if words == 0 {
                assert!(matches!(text[0], 0xC2 | 0xE1..=0xE3), "{c:?}");
            }
        }
    }
}
