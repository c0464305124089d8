//! Owns the AVX2 way to turn 64 bytes into masks.
//!
//! Does not know what the masks mean: the algebra over them is in `words`.
#![expect(
    unsafe_code,
    reason = "loads from a slice, and calls after the CPU was asked"
)]

use super::masks::{AsciiMasks, Classifier, WINDOW, WideMasks};
use super::runs::Work;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

/// Proof that this CPU has what the functions below are compiled for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
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
fn run<W: Work>(proof: Avx2, work: W) -> W::Output {
    work.run(proof)
}

impl Classifier for Avx2 {
    #[inline(always)]
    fn ascii(self, window: &[u8; WINDOW]) -> AsciiMasks {
        // SAFETY: the proof is at hand.
        unsafe { ascii(window) }
    }

    #[inline(always)]
    fn wide(self, window: &[u8; WINDOW]) -> WideMasks {
        // SAFETY: the proof is at hand.
        unsafe { wide(window) }
    }

    #[inline(always)]
    fn between(self, window: &[u8; WINDOW], (first, last): (u8, u8)) -> u64 {
        // SAFETY: the proof is at hand.
        unsafe { mask_between(window, first, last) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn halves(window: &[u8; WINDOW]) -> [__m256i; 2] {
    let (halves, _) = window.as_chunks::<32>();
    [load(&halves[0]), load(&halves[1])]
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes can be read, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Bit `i` is the top bit of byte `i`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn mask(halves: [__m256i; 2]) -> u64 {
    let [low, high] = halves.map(|half| u64::from(_mm256_movemask_epi8(half).cast_unsigned()));
    low | high << 32
}

#[inline]
#[target_feature(enable = "avx2")]
fn mask_between(window: &[u8; WINDOW], first: u8, last: u8) -> u64 {
    mask(halves(window).map(|half| between(half, first, last)))
}

/// The bytes from `first` to `last`, both at most 0x7F or both above.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn between(half: __m256i, first: u8, last: u8) -> __m256i {
    // Shifted so that `first` is the lowest signed number: then one comparison does.
    let shift = _mm256_set1_epi8(0x80_u8.wrapping_sub(first).cast_signed());
    let above = _mm256_set1_epi8(
        0x80_u8
            .wrapping_add(last.wrapping_sub(first).wrapping_add(1))
            .cast_signed(),
    );
    _mm256_cmpgt_epi8(above, _mm256_add_epi8(half, shift))
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal(half: __m256i, byte: u8) -> __m256i {
    _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte.cast_signed()))
}

#[inline]
#[target_feature(enable = "avx2")]
fn ascii(window: &[u8; WINDOW]) -> AsciiMasks {
    let halves = halves(window);
    let letters = mask(halves.map(|half| {
        let lower = _mm256_or_si256(half, _mm256_set1_epi8(0x20));
        between(lower, b'a', b'z')
    }));
    let digits = mask(halves.map(|half| between(half, b'0', b'9')));
    let connectors = mask(halves.map(|half| equal(half, b'_')));
    let both = halves.map(|half| _mm256_or_si256(equal(half, b'\''), equal(half, b'.')));
    // ',' to '.' without '-', and ':' and ';', differ in few bits; three comparisons are as cheap.
    let colon = mask(halves.map(|half| equal(half, b':')));
    let comma = mask(halves.map(|half| _mm256_or_si256(equal(half, b','), equal(half, b';'))));
    let both = mask(both);
    let double_quote = mask(halves.map(|half| equal(half, b'"')));
    let non_ascii = mask(halves);
    let joins_letters = both | colon;
    let joins_digits = both | comma;
    let hard =
        !(letters | digits | connectors | joins_letters | joins_digits | double_quote | non_ascii);
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

#[inline]
#[target_feature(enable = "avx2")]
fn wide(window: &[u8; WINDOW]) -> WideMasks {
    let halves = halves(window);
    WideMasks {
        leads2: mask(halves.map(|half| between(half, 0xC2, 0xDF))),
        leads3: mask(halves.map(|half| between(half, 0xE0, 0xEF))),
        leads4: mask(halves.map(|half| between(half, 0xF0, 0xF4))),
        continuations: mask(halves.map(|half| between(half, 0x80, 0xBF))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scalar::tests::assert_same_masks;

    #[test]
    fn masks_are_those_of_the_scalar_classifier() {
        match Avx2::new() {
            Some(avx2) => assert_same_masks(avx2),
            None => println!("skipped: this CPU has no AVX2"),
        }
    }
}
