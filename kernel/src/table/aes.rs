//! The hash of a short word by the instructions for AES, where a CPU has them.
//!
//! Which words are hashed, and what the hashes are for, is decided elsewhere.
#![expect(unsafe_code, reason = "instructions that the CPU was asked for")]

use std::arch::x86_64::{_mm_aesenc_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_xor_si128};

/// Proof that this CPU has the instructions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aes(());

impl Aes {
    /// The proof, if this CPU can give it.
    pub(super) fn new() -> Option<Self> {
        is_x86_feature_detected!("aes").then_some(Self(()))
    }

    /// Does `work` compiled for these instructions, so that hashing is no call in it.
    #[inline]
    pub(super) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        // SAFETY: the proof is at hand.
        unsafe { run(work) }
    }

    /// The hash of a word by a secret: three rounds, of which two see the third eight bytes.
    ///
    /// After two rounds each bit depends on all.
    #[inline(always)]
    pub(super) fn hash(self, word: [u64; 3], secret: &[u64; 4]) -> u64 {
        // SAFETY: the proof is at hand.
        unsafe { hash(word, secret) }
    }

    /// The hash of eight bytes by a secret: two rounds, after which each bit depends on all.
    ///
    /// [`hash_words`](crate::scan::Means::hash_words) has the same for eight words at once.
    #[inline(always)]
    pub(super) fn hash_one(self, word: u64, secret: &[u64; 4]) -> u64 {
        // SAFETY: the proof is at hand.
        unsafe { hash_one(word, secret) }
    }
}

#[inline]
#[target_feature(enable = "aes")]
fn hash_one(word: u64, secret: &[u64; 4]) -> u64 {
    let pair = |high: u64, low: u64| _mm_set_epi64x(high.cast_signed(), low.cast_signed());
    let mixed = pair(secret[1], word ^ secret[0]);
    let mixed = _mm_aesenc_si128(mixed, pair(secret[3], secret[2]));
    let mixed = _mm_aesenc_si128(mixed, pair(secret[1], secret[0]));
    _mm_cvtsi128_si64(mixed).cast_unsigned()
}

#[inline]
#[target_feature(enable = "aes")]
fn run<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline]
#[target_feature(enable = "aes")]
fn hash([low, high, third]: [u64; 3], secret: &[u64; 4]) -> u64 {
    let pair = |high: u64, low: u64| _mm_set_epi64x(high.cast_signed(), low.cast_signed());
    let (one, other) = (pair(secret[1], secret[0]), pair(secret[3], secret[2]));
    let mixed = _mm_aesenc_si128(
        _mm_xor_si128(pair(high, low), one),
        _mm_xor_si128(pair(0, third), other),
    );
    let mixed = _mm_aesenc_si128(_mm_aesenc_si128(mixed, one), other);
    _mm_cvtsi128_si64(mixed).cast_unsigned()
}
