//! Owns the means of AVX2: 64 bytes in two registers.
//!
//! Does not know what the masks mean.
#![expect(
    unsafe_code,
    reason = "loads and stores of arrays, and instructions that the CPU was asked for"
)]

use std::arch::x86_64::{
    __m256i, _MM_HINT_T0, _mm_prefetch, _mm256_add_epi8, _mm256_and_si256, _mm256_cmpeq_epi8,
    _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_storeu_si256,
};

use super::masks::WINDOW;
use super::means::{Means, Work};

/// Proof that this CPU has what the functions below are compiled for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The proof, if this CPU can give it.
    pub(crate) fn new() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("aes")
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

#[inline(never)]
#[target_feature(enable = "avx2,aes,bmi1,bmi2,lzcnt,popcnt")]
fn run<W: Work>(proof: Avx2, work: W) -> W::Output {
    work.run(proof)
}

impl Means for Avx2 {
    const NAME: &'static str = "AVX2";

    type Block = [__m256i; 2];
    /// All bits of each byte.
    type Flags = [__m256i; 2];

    fn apart<W: Work>(self, work: W) -> W::Output {
        self.run(work)
    }

    #[inline(always)]
    fn load(self, window: &[u8; WINDOW]) -> [__m256i; 2] {
        // SAFETY: the proof is at hand.
        unsafe { load(window) }
    }

    #[inline(always)]
    fn equal(self, block: [__m256i; 2], byte: u8) -> [__m256i; 2] {
        // SAFETY: the proof is at hand.
        unsafe { equal(block, byte) }
    }

    #[inline(always)]
    fn between(self, block: [__m256i; 2], first: u8, last: u8) -> [__m256i; 2] {
        // SAFETY: the proof is at hand.
        unsafe { between(block, first, last) }
    }

    #[inline(always)]
    fn non_ascii(self, block: [__m256i; 2]) -> [__m256i; 2] {
        // The mask takes the top bits.
        block
    }

    #[inline(always)]
    fn with_case_bit(self, block: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: the proof is at hand.
        unsafe { with_case_bit(block) }
    }

    #[inline(always)]
    fn either(self, one: [__m256i; 2], other: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: the proof is at hand.
        unsafe { either(one, other) }
    }

    #[inline(always)]
    fn mask(self, flags: [__m256i; 2]) -> u64 {
        // SAFETY: the proof is at hand.
        unsafe { mask(flags) }
    }

    #[inline(always)]
    fn prefetch(self, text: &[u8], at: usize) {
        // SAFETY: a prefetch of any address is allowed, and has no effect that a program can see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(text.as_ptr().wrapping_add(at).cast()) }
    }

    #[inline(always)]
    fn lower(self, window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
        // SAFETY: the proof is at hand.
        unsafe { lower(window, out) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(window: &[u8; WINDOW]) -> [__m256i; 2] {
    let (halves, _) = window.as_chunks::<32>();
    // SAFETY: 32 bytes can be read, and the load needs no alignment.
    [&halves[0], &halves[1]].map(|half| unsafe { _mm256_loadu_si256(half.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal(block: [__m256i; 2], byte: u8) -> [__m256i; 2] {
    let byte = _mm256_set1_epi8(byte.cast_signed());
    block.map(|half| _mm256_cmpeq_epi8(half, byte))
}

#[inline]
#[target_feature(enable = "avx2")]
fn between(block: [__m256i; 2], first: u8, last: u8) -> [__m256i; 2] {
    // Shifted so that `first` is the lowest signed number: then one comparison does.
    let shift = 0x80_u8.wrapping_sub(first);
    let above = last.wrapping_add(shift).wrapping_add(1);
    let (shift, above) = (
        _mm256_set1_epi8(shift.cast_signed()),
        _mm256_set1_epi8(above.cast_signed()),
    );
    block.map(|half| _mm256_cmpgt_epi8(above, _mm256_add_epi8(half, shift)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn with_case_bit(block: [__m256i; 2]) -> [__m256i; 2] {
    block.map(|half| _mm256_or_si256(half, _mm256_set1_epi8(0x20)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn either(one: [__m256i; 2], other: [__m256i; 2]) -> [__m256i; 2] {
    [
        _mm256_or_si256(one[0], other[0]),
        _mm256_or_si256(one[1], other[1]),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn mask(flags: [__m256i; 2]) -> u64 {
    let [low, high] = flags.map(|half| u64::from(_mm256_movemask_epi8(half).cast_unsigned()));
    low | high << 32
}

#[inline]
#[target_feature(enable = "avx2")]
fn lower(window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
    let block = load(window);
    let upper = between(block, b'A', b'Z');
    let (outs, _) = out.as_chunks_mut::<32>();
    for ((half, upper), out) in block.into_iter().zip(upper).zip(outs) {
        let bit = _mm256_and_si256(upper, _mm256_set1_epi8(0x20));
        let lower = _mm256_or_si256(half, bit);
        // SAFETY: 32 bytes can be written, and the store needs no alignment.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), lower) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::means::tests::assert_right_masks;

    #[test]
    fn masks_are_right() {
        match Avx2::new() {
            Some(avx2) => assert_right_masks(avx2),
            None => println!("skipped: this CPU has no AVX2"),
        }
    }
}
