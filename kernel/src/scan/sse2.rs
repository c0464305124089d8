//! Owns the means of SSE2, which every `x86_64` has: 64 bytes in four registers.
//!
//! Does not know what the masks mean.
#![expect(
    unsafe_code,
    reason = "loads and stores of arrays, and instructions that all such CPUs have"
)]

use std::arch::x86_64::{
    __m128i, _mm_add_epi8, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_loadu_si128,
    _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8, _mm_storeu_si128,
};

use super::masks::WINDOW;
use super::means::Means;

/// The means of SSE2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sse2;

impl Means for Sse2 {
    const NAME: &'static str = "SSE2";

    type Block = [__m128i; 4];
    /// All bits of each byte.
    type Flags = [__m128i; 4];

    #[inline(always)]
    fn load(self, window: &[u8; WINDOW]) -> [__m128i; 4] {
        // SAFETY: every `x86_64` has SSE2.
        unsafe { load(window) }
    }

    #[inline(always)]
    fn equal(self, block: [__m128i; 4], byte: u8) -> [__m128i; 4] {
        // SAFETY: every `x86_64` has SSE2.
        unsafe { equal(block, byte) }
    }

    #[inline(always)]
    fn between(self, block: [__m128i; 4], first: u8, last: u8) -> [__m128i; 4] {
        // SAFETY: every `x86_64` has SSE2.
        unsafe { between(block, first, last) }
    }

    #[inline(always)]
    fn non_ascii(self, block: [__m128i; 4]) -> [__m128i; 4] {
        // The mask takes the top bits.
        block
    }

    #[inline(always)]
    fn with_case_bit(self, block: [__m128i; 4]) -> [__m128i; 4] {
        // SAFETY: every `x86_64` has SSE2.
        unsafe { with_case_bit(block) }
    }

    #[inline(always)]
    fn either(self, one: [__m128i; 4], other: [__m128i; 4]) -> [__m128i; 4] {
        // SAFETY: every `x86_64` has SSE2.
        unsafe { either(one, other) }
    }

    #[inline(always)]
    fn mask(self, flags: [__m128i; 4]) -> u64 {
        // SAFETY: every `x86_64` has SSE2.
        unsafe { mask(flags) }
    }

    #[inline(always)]
    fn lower(self, window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
        // SAFETY: every `x86_64` has SSE2.
        unsafe { lower(window, out) }
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(window: &[u8; WINDOW]) -> [__m128i; 4] {
    let (quarters, _) = window.as_chunks::<16>();
    [&quarters[0], &quarters[1], &quarters[2], &quarters[3]].map(|quarter| {
        // SAFETY: 16 bytes can be read, and the load needs no alignment.
        unsafe { _mm_loadu_si128(quarter.as_ptr().cast()) }
    })
}

#[inline]
#[target_feature(enable = "sse2")]
fn equal(block: [__m128i; 4], byte: u8) -> [__m128i; 4] {
    let byte = _mm_set1_epi8(byte.cast_signed());
    block.map(|quarter| _mm_cmpeq_epi8(quarter, byte))
}

#[inline]
#[target_feature(enable = "sse2")]
fn between(block: [__m128i; 4], first: u8, last: u8) -> [__m128i; 4] {
    // Shifted so that `first` is the lowest signed number: then one comparison does.
    let shift = 0x80_u8.wrapping_sub(first);
    let above = _mm_set1_epi8(last.wrapping_add(shift).wrapping_add(1).cast_signed());
    let shift = _mm_set1_epi8(shift.cast_signed());
    block.map(|quarter| _mm_cmpgt_epi8(above, _mm_add_epi8(quarter, shift)))
}

#[inline]
#[target_feature(enable = "sse2")]
fn with_case_bit(block: [__m128i; 4]) -> [__m128i; 4] {
    block.map(|quarter| _mm_or_si128(quarter, _mm_set1_epi8(0x20)))
}

#[inline]
#[target_feature(enable = "sse2")]
fn either(one: [__m128i; 4], other: [__m128i; 4]) -> [__m128i; 4] {
    [
        _mm_or_si128(one[0], other[0]),
        _mm_or_si128(one[1], other[1]),
        _mm_or_si128(one[2], other[2]),
        _mm_or_si128(one[3], other[3]),
    ]
}

#[inline]
#[target_feature(enable = "sse2")]
fn mask(flags: [__m128i; 4]) -> u64 {
    let bits = flags.map(|quarter| u64::from(_mm_movemask_epi8(quarter).cast_unsigned()));
    bits[0] | bits[1] << 16 | bits[2] << 32 | bits[3] << 48
}

#[inline]
#[target_feature(enable = "sse2")]
fn lower(window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
    let block = load(window);
    let upper = between(block, b'A', b'Z');
    let (outs, _) = out.as_chunks_mut::<16>();
    for ((quarter, upper), out) in block.into_iter().zip(upper).zip(outs) {
        let bit = _mm_and_si128(upper, _mm_set1_epi8(0x20));
        let lower = _mm_or_si128(quarter, bit);
        // SAFETY: 16 bytes can be written, and the store needs no alignment.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), lower) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::means::tests::assert_right_masks;

    #[test]
    fn masks_are_right() {
        assert_right_masks(Sse2);
    }
}
