//! Owns the means of NEON, which every `aarch64` has: 64 bytes in four registers.
//!
//! Does not know what the masks mean.
#![expect(
    unsafe_code,
    reason = "loads and stores of arrays, and instructions that all such CPUs have"
)]

use std::arch::aarch64::{
    uint8x16_t, vaddq_u8, vandq_u8, vceqq_u8, vcltq_u8, vcltzq_s8, vdupq_n_u8, vdupq_n_u64,
    vgetq_lane_u64, vld1q_u8, vorrq_u8, vpaddq_u8, vreinterpretq_s8_u8, vreinterpretq_u8_u64,
    vreinterpretq_u64_u8, vst1q_u8,
};

use super::masks::WINDOW;
use super::means::Means;

/// The means of NEON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neon;

impl Means for Neon {
    const NAME: &'static str = "NEON";

    type Block = [uint8x16_t; 4];
    /// All bits of each byte.
    type Flags = [uint8x16_t; 4];

    #[inline(always)]
    fn load(self, window: &[u8; WINDOW]) -> [uint8x16_t; 4] {
        // SAFETY: every `aarch64` has NEON.
        unsafe { load(window) }
    }

    #[inline(always)]
    fn equal(self, block: [uint8x16_t; 4], byte: u8) -> [uint8x16_t; 4] {
        // SAFETY: every `aarch64` has NEON.
        unsafe { equal(block, byte) }
    }

    #[inline(always)]
    fn between(self, block: [uint8x16_t; 4], first: u8, last: u8) -> [uint8x16_t; 4] {
        // SAFETY: every `aarch64` has NEON.
        unsafe { between(block, first, last) }
    }

    #[inline(always)]
    fn non_ascii(self, block: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
        // SAFETY: every `aarch64` has NEON.
        unsafe { non_ascii(block) }
    }

    #[inline(always)]
    fn with_case_bit(self, block: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
        // SAFETY: every `aarch64` has NEON.
        unsafe { with_case_bit(block) }
    }

    #[inline(always)]
    fn either(self, one: [uint8x16_t; 4], other: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
        // SAFETY: every `aarch64` has NEON.
        unsafe { either(one, other) }
    }

    #[inline(always)]
    fn mask(self, flags: [uint8x16_t; 4]) -> u64 {
        // SAFETY: every `aarch64` has NEON.
        unsafe { mask(flags) }
    }

    #[inline(always)]
    fn lower(self, window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
        // SAFETY: every `aarch64` has NEON.
        unsafe { lower(window, out) }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load(window: &[u8; WINDOW]) -> [uint8x16_t; 4] {
    let (quarters, _) = window.as_chunks::<16>();
    [&quarters[0], &quarters[1], &quarters[2], &quarters[3]].map(|quarter| {
        // SAFETY: 16 bytes can be read, and the load needs no alignment.
        unsafe { vld1q_u8(quarter.as_ptr()) }
    })
}

#[inline]
#[target_feature(enable = "neon")]
fn equal(block: [uint8x16_t; 4], byte: u8) -> [uint8x16_t; 4] {
    block.map(|quarter| vceqq_u8(quarter, vdupq_n_u8(byte)))
}

#[inline]
#[target_feature(enable = "neon")]
fn between(block: [uint8x16_t; 4], first: u8, last: u8) -> [uint8x16_t; 4] {
    // Shifted so that `first` is 0: then one comparison does.
    let shift = vdupq_n_u8(first.wrapping_neg());
    let count = vdupq_n_u8(last.wrapping_sub(first).wrapping_add(1));
    block.map(|quarter| vcltq_u8(vaddq_u8(quarter, shift), count))
}

#[inline]
#[target_feature(enable = "neon")]
fn non_ascii(block: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    block.map(|quarter| vcltzq_s8(vreinterpretq_s8_u8(quarter)))
}

#[inline]
#[target_feature(enable = "neon")]
fn with_case_bit(block: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    block.map(|quarter| vorrq_u8(quarter, vdupq_n_u8(0x20)))
}

#[inline]
#[target_feature(enable = "neon")]
fn either(one: [uint8x16_t; 4], other: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    [
        vorrq_u8(one[0], other[0]),
        vorrq_u8(one[1], other[1]),
        vorrq_u8(one[2], other[2]),
        vorrq_u8(one[3], other[3]),
    ]
}

#[inline]
#[target_feature(enable = "neon")]
fn mask(flags: [uint8x16_t; 4]) -> u64 {
    // Of each byte one bit, another for each of eight in a row; then sums of neighbours gather
    // eight bytes in one.
    let bits = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
    let [first, second, third, fourth] = flags.map(|quarter| vandq_u8(quarter, bits));
    let sums = vpaddq_u8(vpaddq_u8(first, second), vpaddq_u8(third, fourth));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)))
}

#[inline]
#[target_feature(enable = "neon")]
fn lower(window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
    let block = load(window);
    let upper = between(block, b'A', b'Z');
    let (outs, _) = out.as_chunks_mut::<16>();
    for ((quarter, upper), out) in block.into_iter().zip(upper).zip(outs) {
        let lower = vorrq_u8(quarter, vandq_u8(upper, vdupq_n_u8(0x20)));
        // SAFETY: 16 bytes can be written, and the store needs no alignment.
        unsafe { vst1q_u8(out.as_mut_ptr(), lower) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::means::tests::assert_right_masks;

    #[test]
    fn masks_are_right() {
        assert_right_masks(Neon);
    }
}
