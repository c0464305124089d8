//! Owns the means of every machine: eight bytes at a time in a common register.
//!
//! Does not know what the masks mean.

use super::masks::WINDOW;
use super::means::Means;

/// The means of every machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The top bit of each byte of `bytes` that is from `first` to `last`, all below 0x80.
#[inline(always)]
fn between(bytes: u64, first: u8, last: u8) -> u64 {
    // Sums of seven bits never carry into the next byte.
    let at_least = bytes + LOW * u64::from(0x80 - first);
    let above = bytes + LOW * u64::from(0x7F - last);
    at_least & !above & HIGH
}

impl Means for Portable {
    const NAME: &'static str = "portable";
    /// So that every machine can judge it.
    const AT_STRIDE: bool = true;

    type Block = [u64; 8];
    /// The top bit of each byte.
    type Flags = [u64; 8];

    #[inline(always)]
    fn load(self, window: &[u8; WINDOW]) -> [u64; 8] {
        let (words, _) = window.as_chunks::<8>();
        std::array::from_fn(|at| u64::from_le_bytes(words[at]))
    }

    #[inline(always)]
    fn equal(self, block: [u64; 8], byte: u8) -> [u64; 8] {
        self.between(block, byte, byte)
    }

    #[inline(always)]
    fn between(self, block: [u64; 8], first: u8, last: u8) -> [u64; 8] {
        if first > last {
            return [0; 8];
        }
        let wanted = if first < 0x80 { !0 } else { 0 };
        block.map(|bytes| {
            let right_half = bytes ^ wanted;
            between(bytes & !HIGH, first & 0x7F, last & 0x7F) & right_half
        })
    }

    #[inline(always)]
    fn non_ascii(self, block: [u64; 8]) -> [u64; 8] {
        block.map(|bytes| bytes & HIGH)
    }

    #[inline(always)]
    fn with_case_bit(self, block: [u64; 8]) -> [u64; 8] {
        block.map(|bytes| bytes | (LOW * 0x20))
    }

    #[inline(always)]
    fn either(self, one: [u64; 8], other: [u64; 8]) -> [u64; 8] {
        std::array::from_fn(|at| one[at] | other[at])
    }

    #[inline(always)]
    fn mask(self, flags: [u64; 8]) -> u64 {
        // Each bit is moved to its place in the top byte by one term of the factor; no two meet.
        let gather = |tops: u64| (tops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        flags
            .iter()
            .rev()
            .fold(0, |mask, &tops| mask << 8 | gather(tops))
    }

    #[inline(always)]
    fn lower(self, window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
        let block = self.load(window);
        let upper = self.between(block, b'A', b'Z');
        let (out, _) = out.as_chunks_mut::<8>();
        for (at, out) in out.iter_mut().enumerate() {
            *out = (block[at] | upper[at] >> 2).to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::means::tests::assert_right_masks;

    #[test]
    fn masks_are_right() {
        assert_right_masks(Portable);
    }
}
