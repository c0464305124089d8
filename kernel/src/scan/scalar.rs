//! Owns the way to turn 64 bytes into masks that every machine has, and that the others are judged
//! by.
//!
//! Does not know what the masks mean: the algebra over them is in `words`.

use super::masks::{AsciiMasks, Classifier, WINDOW, WideMasks};

/// The classifier of every machine: byte by byte, out of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar;

/// Bits of a byte in [`BYTES`], in the order of the fields of [`AsciiMasks`].
static BYTES: [u8; 256] = bytes();

const fn bytes() -> [u8; 256] {
    let mut bytes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends before 256")]
        let value = byte as u8;
        bytes[byte] = match value {
            b'A'..=b'Z' | b'a'..=b'z' => 1,
            b'0'..=b'9' => 2,
            b'_' => 4,
            b'\'' | b'.' => 8 | 16,
            b':' => 8,
            b',' | b';' => 16,
            b'"' => 0,
            0x80.. => 64,
            _ => 32,
        };
        byte += 1;
    }
    bytes
}

/// The bits of `window` where `holds`.
fn mask(window: &[u8; WINDOW], holds: impl Fn(u8) -> bool) -> u64 {
    window
        .iter()
        .rev()
        .fold(0, |mask, &byte| mask << 1 | u64::from(holds(byte)))
}

impl Classifier for Scalar {
    fn ascii(self, window: &[u8; WINDOW]) -> AsciiMasks {
        let mut masks = [0_u64; 7];
        for &byte in window.iter().rev() {
            for (bit, mask) in masks.iter_mut().enumerate() {
                *mask = *mask << 1 | u64::from(BYTES[usize::from(byte)] >> bit & 1);
            }
        }
        let [
            letters,
            digits,
            connectors,
            joins_letters,
            joins_digits,
            hard,
            non_ascii,
        ] = masks;
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

    fn wide(self, window: &[u8; WINDOW]) -> WideMasks {
        WideMasks {
            leads2: mask(window, |byte| matches!(byte, 0xC2..=0xDF)),
            leads3: mask(window, |byte| matches!(byte, 0xE0..=0xEF)),
            leads4: mask(window, |byte| matches!(byte, 0xF0..=0xF4)),
            continuations: mask(window, |byte| matches!(byte, 0x80..=0xBF)),
        }
    }

    fn between(self, window: &[u8; WINDOW], (first, last): (u8, u8)) -> u64 {
        mask(window, |byte| (first..=last).contains(&byte))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::words::{Class, property};

    /// Compares the masks of `classifier` with those of [`Scalar`] on every byte at every place,
    /// and on windows of mixed bytes.
    pub(crate) fn assert_same_masks(classifier: impl Classifier) {
        let mut windows = Vec::new();
        for byte in (0..=u8::MAX).step_by(if cfg!(miri) { 37 } else { 1 }) {
            windows.push([byte; WINDOW]);
            for place in (0..WINDOW).step_by(if cfg!(miri) { 13 } else { 1 }) {
                let mut window = [b' '; WINDOW];
                window[place] = byte;
                windows.push(window);
            }
            let mixed = |place| byte.wrapping_mul(2).wrapping_add(place).wrapping_mul(37);
            windows.push(std::array::from_fn(|place| {
                u8::try_from(place).map(mixed).unwrap()
            }));
        }
        for window in windows {
            assert_eq!(
                classifier.ascii(&window),
                Scalar.ascii(&window),
                "{window:02X?}"
            );
            assert_eq!(
                classifier.wide(&window),
                Scalar.wide(&window),
                "{window:02X?}"
            );
        }
    }

    #[test]
    fn every_ascii_byte_has_the_masks_of_its_class() {
        for byte in (0..0x80_u8).step_by(if cfg!(miri) { 3 } else { 1 }) {
            let AsciiMasks {
                letters,
                digits,
                connectors,
                joins_letters,
                joins_digits,
                hard,
                non_ascii,
            } = Scalar.ascii(&[byte; WINDOW]);
            let has = |classes: &[Class]| {
                let class = property(u32::from(byte)).class();
                if classes.contains(&class) { !0 } else { 0 }
            };
            assert_eq!(letters, has(&[Class::Letter]), "{byte:02X}");
            assert_eq!(digits, has(&[Class::Numeric]), "{byte:02X}");
            assert_eq!(connectors, has(&[Class::ExtendNumLet]), "{byte:02X}");
            let both = [Class::SingleQuote, Class::MidNumLet];
            assert_eq!(
                joins_letters,
                has(&both) | has(&[Class::MidLetter]),
                "{byte:02X}"
            );
            assert_eq!(
                joins_digits,
                has(&both) | has(&[Class::MidNum]),
                "{byte:02X}"
            );
            let line_breaks = [Class::Cr, Class::Lf, Class::Newline];
            let hard_classes = has(&line_breaks) | has(&[Class::Other, Class::Space]);
            assert_eq!(hard, hard_classes, "{byte:02X}");
            assert_eq!(non_ascii, 0, "{byte:02X}");
        }
    }
}
