//! Owns the AVX2 way to the masks of `runs`.
//!
//! Does not know what the masks mean.
#![expect(
    unsafe_code,
    reason = "loads and stores of arrays, and calls after the CPU was asked"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi8, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_storeu_si256,
};

use super::masks::WINDOW;
use super::runs::{Blanks, Runs, Work};

/// Proof that this CPU has what the functions below are compiled for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunsAvx2(());

impl RunsAvx2 {
    /// The proof, if this CPU can give it.
    pub(crate) fn new() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        has_all.then_some(Self(()))
    }

    /// Does `work` compiled for this instruction set.
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        // SAFETY: the proof is at hand.
        unsafe { run(self, work) }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn run<W: Work>(proof: RunsAvx2, work: W) -> W::Output {
    work.run(proof)
}

impl Runs for RunsAvx2 {
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
fn halves(window: &[u8; WINDOW]) -> [__m256i; 2] {
    let (halves, _) = window.as_chunks::<32>();
    [load(&halves[0]), load(&halves[1])]
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes can be read, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(bytes: __m256i, out: &mut [u8; 32]) {
    // SAFETY: 32 bytes can be written, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), bytes) }
}

/// Bit `i` is the top bit of byte `i`.
#[inline]
#[target_feature(enable = "avx2")]
fn mask(halves: [__m256i; 2]) -> u64 {
    let [low, high] = halves.map(|half| u64::from(_mm256_movemask_epi8(half).cast_unsigned()));
    low | high << 32
}

/// The bytes from `first` to `last`.
#[inline]
#[target_feature(enable = "avx2")]
fn between(half: __m256i, first: u8, last: u8) -> __m256i {
    // Shifted so that `first` is the lowest signed number: then one comparison does.
    let shift = _mm256_set1_epi8(0x80_u8.wrapping_sub(first).cast_signed());
    let above = _mm256_set1_epi8(0x80_u8.wrapping_add(last - first + 1).cast_signed());
    _mm256_cmpgt_epi8(above, _mm256_add_epi8(half, shift))
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
        match RunsAvx2::new() {
            Some(avx2) => assert_right_masks(avx2),
            None => println!("skipped: this CPU has no AVX2"),
        }
    }
}
