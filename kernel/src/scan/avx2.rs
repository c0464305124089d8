//! Owns the means of AVX2: 64 bytes in two registers.
//!
//! Does not know what the masks mean.
#![expect(
    unsafe_code,
    reason = "loads and stores of arrays, and instructions that the CPU was asked for"
)]

use std::arch::x86_64::{
    __m256i, _MM_HINT_T0, _mm_add_epi16, _mm_aesenc_si128, _mm_loadu_si128, _mm_prefetch,
    _mm_set1_epi16, _mm_srli_epi32, _mm_storeu_si128, _mm256_add_epi8, _mm256_and_si256,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8,
    _mm256_cmpgt_epi32, _mm256_cvtepu16_epi32, _mm256_cvtepu32_epi64, _mm256_extracti128_si256,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_movemask_ps, _mm256_mul_epu32,
    _mm256_or_si256, _mm256_permutevar8x32_epi32, _mm256_set_epi64x, _mm256_set_m128i,
    _mm256_set1_epi8, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_slli_epi32, _mm256_slli_epi64,
    _mm256_srli_epi32, _mm256_srli_epi64, _mm256_srlv_epi64, _mm256_storeu_si256, _mm256_sub_epi32,
    _mm256_sub_epi64, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use super::masks::WINDOW;
use super::means::{Means, Work};
use super::places::{PLACES, PLACES_ROOM};
use super::split::{Hashed, List, NARROW_MAX, Place, SOME, Split, TILE_BYTES, TileBytes, WIDE_MAX};

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

    #[inline(always)]
    fn write_places(self, bits: u64, offset: u16, out: &mut [u16; PLACES_ROOM]) {
        // SAFETY: the proof is at hand.
        unsafe { write_places(bits, offset, out) }
    }

    #[inline(always)]
    fn split(self, words: &[[u16; 2]], split: &mut Split) {
        // SAFETY: the proof is at hand.
        unsafe { split_words(words, split) }
    }

    #[inline(always)]
    fn hash_words(
        self,
        bytes: &TileBytes,
        words: &[Place; SOME],
        count: usize,
        (secret, of): (&[u64; 4], u32),
        hashed: &mut Hashed,
    ) -> bool {
        // SAFETY: the proof is at hand.
        unsafe { hash_words(bytes, words, count, secret, of, hashed) };
        true
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(window: &[u8; WINDOW]) -> [__m256i; 2] {
    let (halves, _) = window.as_chunks::<32>();
    // SAFETY: 32 bytes can be read, and the load needs no alignment.
    let low = unsafe { _mm256_loadu_si256(halves[0].as_ptr().cast()) };
    // SAFETY: as above.
    let high = unsafe { _mm256_loadu_si256(halves[1].as_ptr().cast()) };
    [low, high]
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal(block: [__m256i; 2], byte: u8) -> [__m256i; 2] {
    let byte = _mm256_set1_epi8(byte.cast_signed());
    // Here and below each half by itself: a closure for both is not always compiled into registers.
    [
        _mm256_cmpeq_epi8(block[0], byte),
        _mm256_cmpeq_epi8(block[1], byte),
    ]
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
    [
        _mm256_cmpgt_epi8(above, _mm256_add_epi8(block[0], shift)),
        _mm256_cmpgt_epi8(above, _mm256_add_epi8(block[1], shift)),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn with_case_bit(block: [__m256i; 2]) -> [__m256i; 2] {
    let bit = _mm256_set1_epi8(0x20);
    [
        _mm256_or_si256(block[0], bit),
        _mm256_or_si256(block[1], bit),
    ]
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
    let low = _mm256_movemask_epi8(flags[0]).cast_unsigned();
    let high = _mm256_movemask_epi8(flags[1]).cast_unsigned();
    u64::from(low) | u64::from(high) << 32
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

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn write_places(bits: u64, offset: u16, out: &mut [u16; PLACES_ROOM]) {
    let mut count = 0;
    let mut base = _mm_set1_epi16(offset.cast_signed());
    for byte in bits.to_le_bytes() {
        if let Some(out) = out[count..].first_chunk_mut::<8>() {
            let places = PLACES[usize::from(byte)].as_ptr();
            // SAFETY: 16 bytes can be read, and the load needs no alignment.
            let places = unsafe { _mm_loadu_si128(places.cast()) };
            let places = _mm_add_epi16(base, places);
            // SAFETY: 16 bytes can be written, and the store needs no alignment.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), places) };
        }
        count += byte.count_ones() as usize;
        base = _mm_add_epi16(base, _mm_set1_epi16(8));
    }
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn split_words(words: &[[u16; 2]], split: &mut Split) {
    let (eights, rest) = words.as_chunks::<8>();
    let lists = [&split.narrow, &split.wide, &split.others];
    let [mut narrow_count, mut wide_count, mut others_count] = lists.map(|list| list.count);
    for eight in eights {
        // SAFETY: 32 bytes can be read, and the load needs no alignment.
        let both = unsafe { _mm256_loadu_si256(eight.as_ptr().cast()) };
        // The end is the upper half, and becomes the length.
        let places = _mm256_sub_epi32(both, _mm256_slli_epi32::<16>(both));
        let lengths = _mm256_srli_epi32::<16>(places);
        let at_most = |bytes: u8| {
            let above = _mm256_set1_epi32(i32::from(bytes) + 1);
            let flags = _mm256_castsi256_ps(_mm256_cmpgt_epi32(above, lengths));
            _mm256_movemask_ps(flags).cast_unsigned()
        };
        let (narrow, short) = (at_most(NARROW_MAX), at_most(WIDE_MAX));
        set(&mut split.narrow, narrow_count, narrow, places);
        narrow_count += narrow.count_ones() as usize;
        set(&mut split.wide, wide_count, short & !narrow, places);
        wide_count += (short & !narrow).count_ones() as usize;
        // Hardly ever in some texts, nearly always in others.
        if short != 0xFF {
            set(&mut split.others, others_count, !short & 0xFF, places);
            others_count += 8 - short.count_ones() as usize;
        }
    }
    let counts = [narrow_count, wide_count, others_count];
    [split.narrow.count, split.wide.count, split.others.count] = counts;
    split.push(rest);
}

/// Puts the words of `which` into `list` from the `at`th on.
#[inline]
#[target_feature(enable = "avx2")]
fn set(list: &mut List, at: usize, which: u32, places: __m256i) {
    let order = &PLACES[which as usize % PLACES.len()];
    // SAFETY: 16 bytes can be read, and the load needs no alignment.
    let order = unsafe { _mm_loadu_si128(order.as_ptr().cast()) };
    let places = _mm256_permutevar8x32_epi32(places, _mm256_cvtepu16_epi32(order));
    if let Some(out) = list.room(at) {
        // SAFETY: 32 bytes can be written, and the store needs no alignment.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), places) };
    }
}

#[inline]
#[target_feature(enable = "avx2,aes")]
fn hash_words(
    bytes: &TileBytes,
    places: &[Place; SOME],
    count: usize,
    secret: &[u64; 4],
    of: u32,
    hashed: &mut Hashed,
) {
    const {
        assert!(
            size_of::<usize>() == size_of::<u64>(),
            "parts are stored as such"
        );
    };
    let all = |at: usize| _mm256_set1_epi64x(secret[at].cast_signed());
    let key = |at: usize| _mm256_castsi256_si128(_mm256_unpacklo_epi64(all(at), all(at + 1)));
    let mix = |words| _mm_aesenc_si128(_mm_aesenc_si128(words, key(2)), key(0));
    let mix_both = |words| {
        _mm256_set_m128i(
            mix(_mm256_extracti128_si256::<1>(words)),
            mix(_mm256_castsi256_si128(words)),
        )
    };
    let of = _mm256_set1_epi64x(i64::from(of));
    let (words, _) = hashed.words.as_chunks_mut::<4>();
    let (parts, _) = hashed.parts.as_chunks_mut::<4>();
    let (places, _) = places.as_chunks::<4>();
    let fours = words.iter_mut().zip(parts).zip(places);
    for ((words, parts), places) in fours.take(count.div_ceil(4)) {
        let [one, two, three, four] = places.map(|place| {
            let bytes = bytes[place.start() % TILE_BYTES..].first_chunk();
            i64::from_le_bytes(*bytes.unwrap_or(&[0; 8]))
        });
        // SAFETY: 16 bytes can be read, and the load needs no alignment.
        let places = unsafe { _mm_loadu_si128(places.as_ptr().cast()) };
        let lengths = _mm256_cvtepu32_epi64(_mm_srli_epi32::<16>(places));
        let beyond = _mm256_sub_epi64(_mm256_set1_epi64x(64), _mm256_slli_epi64::<3>(lengths));
        let mask = _mm256_srlv_epi64(_mm256_set1_epi64x(-1), beyond);
        let word = _mm256_and_si256(_mm256_set_epi64x(four, three, two, one), mask);
        let secret = _mm256_xor_si256(word, all(0));
        // Every other word, and those between.
        let even = mix_both(_mm256_unpacklo_epi64(secret, all(1)));
        let odd = mix_both(_mm256_unpackhi_epi64(secret, all(1)));
        let hash = _mm256_unpacklo_epi64(even, odd);
        let part = _mm256_mul_epu32(_mm256_srli_epi64::<32>(hash), of);
        let part = _mm256_srli_epi64::<32>(part);
        // SAFETY: 32 bytes can be written, and the store needs no alignment.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), word) };
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(parts.as_mut_ptr().cast(), part) };
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
