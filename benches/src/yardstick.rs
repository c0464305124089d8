//! A fixed yardstick: cutting at blanks, lower-casing and hashing of every word with AVX2, and no table.
//!
//! What a counter reaches is told as a share of its speed. It changes only together with the records that name it.
#![expect(
    unsafe_code,
    reason = "loads of arrays, and instructions that the CPU was asked for"
)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi8, _mm_and_si128, _mm_cmplt_epi8, _mm_cvtsi128_si64,
    _mm_extract_epi64, _mm_loadu_si128, _mm_or_si128, _mm_set1_epi8, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_max_epu8, _mm256_movemask_epi8, _mm256_set1_epi8,
};

/// What a pass over a text gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Runs of bytes above a blank.
    pub words: u64,
    /// The sum of their hashes: it keeps the hashing from being left out.
    pub hashes: u64,
}

/// Cuts `text` at bytes up to a blank, lower-cases the words as ASCII and hashes them; `None` where there is no AVX2.
///
/// Bit masks of 64 bytes say where words end. A word is loaded as 16 bytes, of which what is behind it is masked off; a longer
/// one as several times 16.
#[must_use]
pub fn pass(text: &[u8]) -> Option<Pass> {
    let has_all = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2");
    // SAFETY: this CPU has what the function is compiled for.
    has_all.then(|| unsafe { pass_avx2(text) })
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
fn pass_avx2(text: &[u8]) -> Pass {
    let mut done = Pass::default();
    let mut start = 0;
    let (blocks, rest) = text.as_chunks::<64>();
    for (index, block) in blocks.iter().enumerate() {
        let mut ends = blanks(block);
        while ends != 0 {
            let end = 64 * index + ends.trailing_zeros() as usize;
            done.add(text, start, end);
            start = end + 1;
            ends &= ends - 1;
        }
    }
    for (index, byte) in rest.iter().enumerate() {
        if *byte <= b' ' {
            let end = 64 * blocks.len() + index;
            done.add(text, start, end);
            start = end + 1;
        }
    }
    done.add(text, start, text.len());
    done
}

/// A bit for each byte up to a blank.
#[inline]
#[target_feature(enable = "avx2")]
fn blanks(block: &[u8; 64]) -> u64 {
    let (halves, _) = block.as_chunks::<32>();
    halves.iter().rev().fold(0, |bits, half| {
        // SAFETY: the half has 32 bytes.
        let bytes = unsafe { _mm256_loadu_si256(half.as_ptr().cast::<__m256i>()) };
        let blank = _mm256_set1_epi8(b' '.cast_signed());
        let found = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, blank), blank);
        bits << 32 | u64::from(_mm256_movemask_epi8(found).cast_unsigned())
    })
}

impl Pass {
    /// The word of `text` from `start` to `end`, none when they are equal.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn add(&mut self, text: &[u8], mut start: usize, end: usize) {
        if start == end {
            return;
        }
        self.words += 1;
        while end - start > 16 {
            self.hashes = self.hashes.wrapping_add(hash(key(text, start, 16)));
            start += 16;
        }
        self.hashes = self
            .hashes
            .wrapping_add(hash(key(text, start, end - start)));
    }
}

/// `length` bytes of `text` from `start`, lower-cased, then zeros.
#[inline]
#[target_feature(enable = "avx2")]
fn key(text: &[u8], start: usize, length: usize) -> [u64; 2] {
    let tail;
    let window = match text[start..].first_chunk() {
        Some(window) => window,
        None => {
            tail = last(&text[start..]);
            &tail
        }
    };
    let [low, high] = lower(window);
    let [low_kept, high_kept] = KEPT[length];
    [low & low_kept, high & high_kept]
}

/// The end of a text, with zeros behind it.
#[cold]
fn last(text: &[u8]) -> [u8; 16] {
    let mut window = [0; 16];
    window[..text.len()].copy_from_slice(text);
    window
}

#[inline]
#[target_feature(enable = "avx2")]
fn lower(window: &[u8; 16]) -> [u64; 2] {
    // SAFETY: the window has 16 bytes.
    let bytes = unsafe { _mm_loadu_si128(window.as_ptr().cast::<__m128i>()) };
    // `A` becomes the least signed byte, so that one comparison finds all capitals.
    let moved = _mm_add_epi8(bytes, _mm_set1_epi8((128 - b'A').cast_signed()));
    let capital = _mm_cmplt_epi8(moved, _mm_set1_epi8(i8::MIN + 26));
    let lower = _mm_or_si128(bytes, _mm_and_si128(capital, _mm_set1_epi8(0x20)));
    [
        _mm_cvtsi128_si64(lower).cast_unsigned(),
        _mm_extract_epi64::<1>(lower).cast_unsigned(),
    ]
}

#[inline]
fn hash([low, high]: [u64; 2]) -> u64 {
    let factor = (high ^ 0xD6E8_FEB8_6659_FD93) | 1;
    let (low, high) = (low ^ 0x9E37_79B9_7F4A_7C15).carrying_mul(factor, 0);
    low ^ high
}

/// The bits that a word of each length keeps.
const KEPT: [[u64; 2]; 17] = {
    let mut kept = [[0; 2]; 17];
    let mut length = 0;
    while length <= 16_u32 {
        kept[length as usize] = [
            u64::MAX.unbounded_shr(64_u32.saturating_sub(8 * length)),
            u64::MAX.unbounded_shr(128 - 8 * length),
        ];
        length += 1;
    }
    kept
};

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(text: &[u8]) -> Pass {
        let mut done = Pass::default();
        for word in text.split(|byte| *byte <= b' ') {
            done.words += u64::from(!word.is_empty());
            for part in word.to_ascii_lowercase().chunks(16) {
                let mut window = [0; 16];
                window[..part.len()].copy_from_slice(part);
                let (low, high) = window.split_at(8);
                let half = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
                done.hashes = done.hashes.wrapping_add(hash([half(low), half(high)]));
            }
        }
        done
    }

    #[test]
    fn words_of_every_length_at_every_place_are_hashed() {
        if pass(b"").is_none() {
            return; // no AVX2 here
        }
        for lead in 0..70 {
            for length in 0..70 {
                let text = format!("{} {}\n AZaz[@`{{ é", "b".repeat(lead), "Q".repeat(length));
                assert_eq!(
                    pass(text.as_bytes()),
                    Some(naive(text.as_bytes())),
                    "{text}"
                );
                let end = text.as_bytes()[..lead + length].as_ref();
                assert_eq!(pass(end), Some(naive(end)), "{text}");
            }
        }
    }
}
