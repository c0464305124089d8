//! Owns the masks by which runs of letters, or of anything but white space, are found in 64 bytes; and their lower case.
//!
//! Does not follow runs over windows (see `tile`), and knows nothing of the rules of `unicode` mode.

use super::masks::{AsciiMasks, Classifier, WINDOW, WideMasks};

/// What is white space in a window, bit `i` for byte `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blanks {
    /// White space that is ASCII: 0x09 to 0x0D, 0x1C to 0x20.
    pub(crate) spaces: u64,
    /// 0x80 and up.
    pub(crate) non_ascii: u64,
    /// Bytes with which white space that is not ASCII begins: 0xC2, 0xE1, 0xE2, 0xE3.
    pub(crate) suspects: u64,
    /// 0x00.
    pub(crate) nuls: u64,
}

/// Makes those masks. Each instruction set has one; all give the same.
pub(crate) trait Runs: Copy {
    /// `A-Z a-z`.
    fn letters(self, window: &[u8; WINDOW]) -> u64;

    /// What is white space.
    fn blanks(self, window: &[u8; WINDOW]) -> Blanks;

    /// Copies the window with its ASCII letters in lower case.
    fn lower(self, window: &[u8; WINDOW], out: &mut [u8; WINDOW]);
}

/// All that an instruction set has to offer.
pub(crate) trait Means: Runs + Classifier {}

impl<T: Runs + Classifier> Means for T {}

/// Work that is compiled for each instruction set.
pub(crate) trait Work {
    /// What comes of it.
    type Output;

    /// Does it. Implementations are `#[inline(always)]`: else they are not compiled for the set.
    fn run(self, means: impl Means) -> Self::Output;
}

/// Does `work` by the best means of this CPU.
pub(crate) fn by_best_means<W: Work>(work: W) -> W::Output {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if let Some(avx2) = super::avx2::Avx2::new() {
        return avx2.run(work);
    }
    work.run(Portable)
}

/// The way of every machine: eight bytes at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The top bit of each byte of `bytes` that is from `first` to `last`, both below 0x80.
#[inline(always)]
fn between(bytes: u64, first: u8, last: u8) -> u64 {
    // Sums of seven bits never carry into the next byte.
    let low = bytes & !HIGH;
    let at_least = low + LOW * u64::from(0x80 - first);
    let above = low + LOW * u64::from(0x7F - last);
    at_least & !above & !bytes & HIGH
}

/// The top bits of eight bytes as the low eight bits.
#[inline(always)]
fn gather(tops: u64) -> u64 {
    // Each bit is moved to its place in the top byte by one term of the factor; no two terms meet.
    (tops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[inline(always)]
fn mask(window: &[u8; WINDOW], tops: impl Fn(u64) -> u64) -> u64 {
    let (words, _) = window.as_chunks::<8>();
    let mut mask = 0;
    for word in words.iter().rev() {
        mask = mask << 8 | gather(tops(u64::from_le_bytes(*word)));
    }
    mask
}

impl Runs for Portable {
    #[inline(always)]
    fn letters(self, window: &[u8; WINDOW]) -> u64 {
        mask(window, |bytes| between(bytes | (LOW * 0x20), b'a', b'z'))
    }

    #[inline(always)]
    fn blanks(self, window: &[u8; WINDOW]) -> Blanks {
        let spaces = mask(window, |bytes| {
            between(bytes, 0x09, 0x0D) | between(bytes, 0x1C, 0x20)
        });
        let non_ascii = mask(window, |bytes| bytes & HIGH);
        let mut suspects = 0;
        if non_ascii != 0 {
            suspects = mask(window, |bytes| {
                let low = bytes & !HIGH;
                bytes & (between(low, 0x42, 0x42) | between(low, 0x61, 0x63))
            });
        }
        Blanks {
            spaces,
            non_ascii,
            suspects,
            nuls: mask(window, |bytes| between(bytes, 0, 0)),
        }
    }

    #[inline(always)]
    fn lower(self, window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
        let (words, _) = window.as_chunks::<8>();
        let (out, _) = out.as_chunks_mut::<8>();
        for (word, out) in words.iter().zip(out) {
            let bytes = u64::from_le_bytes(*word);
            let upper = between(bytes, b'A', b'Z');
            *out = (bytes | upper >> 2).to_le_bytes();
        }
    }
}

impl Classifier for Portable {
    #[inline(always)]
    fn ascii(self, window: &[u8; WINDOW]) -> AsciiMasks {
        let equal = |byte: u8| mask(window, |bytes| between(bytes, byte, byte));
        let letters = self.letters(window);
        let digits = mask(window, |bytes| between(bytes, b'0', b'9'));
        let connectors = equal(b'_');
        let both = equal(b'\'') | equal(b'.');
        let joins_letters = both | equal(b':');
        let joins_digits = both | equal(b',') | equal(b';');
        let non_ascii = mask(window, |bytes| bytes & HIGH);
        let soft = joins_letters | joins_digits | equal(b'"');
        let hard = !(letters | digits | connectors | soft | non_ascii);
        AsciiMasks {
            letters,
            digits,
            connectors,
            joins_letters,
            joins_digits,
            hard,
            non_ascii,
        }
    }

    #[inline(always)]
    fn wide(self, window: &[u8; WINDOW]) -> WideMasks {
        let between = |first, last| Classifier::between(self, window, (first, last));
        WideMasks {
            leads2: between(0xC2, 0xDF),
            leads3: between(0xE0, 0xEF),
            leads4: between(0xF0, 0xF4),
            continuations: between(0x80, 0xBF),
        }
    }

    #[inline(always)]
    fn between(self, window: &[u8; WINDOW], (first, last): (u8, u8)) -> u64 {
        if first > last {
            return 0;
        }
        if first < 0x80 {
            return mask(window, |bytes| between(bytes, first, last));
        }
        mask(window, |bytes| {
            bytes & HIGH & between(bytes & !HIGH, first & 0x7F, last & 0x7F)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::scan::scalar::tests::assert_same_masks;
    use crate::settings::WordMode;
    use crate::words::for_each_word;

    /// Judges `runs` by the definitions on every byte at every place and on mixed windows.
    pub(crate) fn assert_right_masks(runs: impl Runs) {
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
        for window in windows {
            let expected = |holds: fn(u8) -> bool| {
                (0..WINDOW).fold(0, |mask, at| mask | u64::from(holds(window[at])) << at)
            };
            assert_eq!(
                runs.letters(&window),
                expected(|byte| byte.is_ascii_alphabetic())
            );
            let blanks = Blanks {
                spaces: expected(|byte| matches!(byte, 9..=13 | 28..=32)),
                non_ascii: expected(|byte| !byte.is_ascii()),
                suspects: expected(|byte| matches!(byte, 0xC2 | 0xE1..=0xE3)),
                nuls: expected(|byte| byte == 0),
            };
            assert_eq!(runs.blanks(&window), blanks, "{window:02X?}");
            let mut lower = [0; WINDOW];
            runs.lower(&window, &mut lower);
            assert_eq!(lower, window.map(|byte| byte.to_ascii_lowercase()));
        }
    }

    #[test]
    fn portable_masks_are_right() {
        assert_right_masks(Portable);
        assert_same_masks(Portable);
    }

    #[test]
    fn every_white_space_begins_with_a_space_or_a_suspect() {
        for c in ('\0'..=char::MAX).step_by(if cfg!(miri) { 997 } else { 1 }) {
            let mut bytes = [0; 4];
            let text = c.encode_utf8(&mut bytes).as_bytes();
            let mut words = 0;
            for_each_word(WordMode::Whitespace, text, &mut |_| words += 1);
            if words == 0 {
                assert!(matches!(text[0], 9..=13 | 28..=32 | 0xC2 | 0xE1..=0xE3));
            }
        }
    }
}
