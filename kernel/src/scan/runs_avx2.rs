//! Owns the AVX2 way to the masks of `runs`.
//!
//! Does not know what the masks mean.
#![expect(
    unsafe_code,
    reason = "loads and stores of arrays, and calls after the CPU was asked"
)]

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_storeu_si256,
};

use super::avx2::{Avx2, between, halves, mask};
use super::masks::WINDOW;
use super::runs::{Blanks, Runs};

impl Runs for Avx2 {
    #[inline(always)]
    fn letters(self, window: &[u8; WINDOW]) -> u64 {
        // SAFETY: the proof is at hand.
        unsafe { letters(window) }
    }

    #[inline(always)]
    fn blanks(self, window: &[u8; WINDOW]) -> Blanks {
        // SAFETY: the proof is at hand.
        unsafe { blanks(window) }
    }

    #[inline(always)]
    fn lower(self, window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
        // SAFETY: the proof is at hand.
        unsafe { lower(window, out) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(bytes: __m256i, out: &mut [u8; 32]) {
    // SAFETY: 32 bytes can be written, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), bytes) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn letters(window: &[u8; WINDOW]) -> u64 {
    mask(halves(window).map(|half| {
        let lower = _mm256_or_si256(half, _mm256_set1_epi8(0x20));
        between(lower, b'a', b'z')
    }))
}

#[inline]
#[target_feature(enable = "avx2")]
fn blanks(window: &[u8; WINDOW]) -> Blanks {
    let halves = halves(window);
    let non_ascii = mask(halves);
    let mut suspects = 0;
    if non_ascii != 0 {
        suspects = mask(halves.map(|half| {
            let c2 = _mm256_cmpeq_epi8(half, _mm256_set1_epi8(0xC2_u8.cast_signed()));
            _mm256_or_si256(c2, between(half, 0xE1, 0xE3))
        }));
    }
    Blanks {
        spaces: mask(
            halves.map(|half| _mm256_or_si256(between(half, 9, 13), between(half, 28, 32))),
        ),
        non_ascii,
        suspects,
        nuls: mask(halves.map(|half| _mm256_cmpeq_epi8(half, _mm256_setzero_si256()))),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn lower(window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
    let (outs, _) = out.as_chunks_mut::<32>();
    for (half, out) in halves(window).into_iter().zip(outs) {
        let upper = between(half, b'A', b'Z');
        let bit = _mm256_and_si256(upper, _mm256_set1_epi8(0x20));
        store(_mm256_or_si256(half, bit), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::runs::tests::assert_right_masks;

    #[test]
    fn masks_are_right() {
        match Avx2::new() {
            Some(avx2) => assert_right_masks(avx2),
            None => println!("skipped: this CPU has no AVX2"),
        }
    }
}
