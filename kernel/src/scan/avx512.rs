//! Owns the means of AVX-512 with VBMI2: 64 bytes in one register, yes or no as a mask of 64 bits.
//!
//! Does not know what the masks mean.
#![expect(
    unsafe_code,
    reason = "loads and stores of arrays, and instructions that the CPU was asked for"
)]

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_loadu_si256, _mm256_srli_epi32, _mm512_add_epi8,
    _mm512_add_epi16, _mm512_aesenc_epi128, _mm512_and_si512, _mm512_castsi512_si256,
    _mm512_cmpeq_epi8_mask, _mm512_cmple_epu8_mask, _mm512_cmple_epu32_mask,
    _mm512_cmplt_epu8_mask, _mm512_cvtepu8_epi16, _mm512_cvtepu32_epi64, _mm512_extracti64x4_epi64,
    _mm512_loadu_si512, _mm512_mask_add_epi8, _mm512_maskz_compress_epi8,
    _mm512_maskz_compress_epi32, _mm512_movepi8_mask, _mm512_mul_epu32, _mm512_or_si512,
    _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32,
    _mm512_set1_epi64, _mm512_slli_epi32, _mm512_slli_epi64, _mm512_srli_epi32, _mm512_srli_epi64,
    _mm512_srlv_epi64, _mm512_storeu_si512, _mm512_sub_epi8, _mm512_sub_epi32, _mm512_sub_epi64,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::masks::WINDOW;
use super::means::{Means, Work};
use super::places::PLACES_ROOM;
use super::seconds::Seconds;
use super::split::{Hashed, List, NARROW_MAX, Place, SOME, Split, TILE_BYTES, TileBytes, WIDE_MAX};

/// Proof that this CPU has what the functions below are compiled for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// The proof, if this CPU can give it.
    pub(crate) fn new() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("vaes")
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
#[target_feature(
    enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx2,aes,vaes,bmi1,bmi2,lzcnt,popcnt"
)]
fn run<W: Work>(proof: Avx512, work: W) -> W::Output {
    work.run(proof)
}

impl Means for Avx512 {
    const NAME: &'static str = "AVX-512";
    const AT_STRIDE: bool = true;
    const SECONDS_AT_ONCE: bool = true;

    type Block = __m512i;
    type Flags = u64;

    fn apart<W: Work>(self, work: W) -> W::Output {
        self.run(work)
    }

    #[inline(always)]
    fn load(self, window: &[u8; WINDOW]) -> __m512i {
        // SAFETY: the proof is at hand.
        unsafe { load(window) }
    }

    #[inline(always)]
    fn equal(self, block: __m512i, byte: u8) -> u64 {
        // SAFETY: the proof is at hand.
        unsafe { equal(block, byte) }
    }

    #[inline(always)]
    fn between(self, block: __m512i, first: u8, last: u8) -> u64 {
        // SAFETY: the proof is at hand.
        unsafe { between(block, first, last) }
    }

    #[inline(always)]
    fn non_ascii(self, block: __m512i) -> u64 {
        // SAFETY: the proof is at hand.
        unsafe { non_ascii(block) }
    }

    #[inline(always)]
    fn with_case_bit(self, block: __m512i) -> __m512i {
        // SAFETY: the proof is at hand.
        unsafe { with_case_bit(block) }
    }

    #[inline(always)]
    fn either(self, one: u64, other: u64) -> u64 {
        one | other
    }

    #[inline(always)]
    fn mask(self, flags: u64) -> u64 {
        flags
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
    fn with_seconds(self, window: &[u8; WINDOW], leads: u64, ranges: [&Seconds; 2]) -> [u64; 2] {
        // SAFETY: the proof is at hand.
        unsafe { with_seconds(window, leads, ranges) }
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
#[target_feature(enable = "avx512f")]
fn load(window: &[u8; WINDOW]) -> __m512i {
    // SAFETY: 64 bytes can be read, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(window.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn equal(block: __m512i, byte: u8) -> u64 {
    _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(byte.cast_signed()))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn between(block: __m512i, first: u8, last: u8) -> u64 {
    if first > last {
        return 0;
    }
    let from_first = _mm512_sub_epi8(block, _mm512_set1_epi8(first.cast_signed()));
    _mm512_cmple_epu8_mask(from_first, _mm512_set1_epi8((last - first).cast_signed()))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn non_ascii(block: __m512i) -> u64 {
    _mm512_movepi8_mask(block)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn with_case_bit(block: __m512i) -> __m512i {
    _mm512_or_si512(block, _mm512_set1_epi8(0x20))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn lower(window: &[u8; WINDOW], out: &mut [u8; WINDOW]) {
    let block = load(window);
    let upper = between(block, b'A', b'Z');
    let lower = _mm512_mask_add_epi8(block, upper, block, _mm512_set1_epi8(0x20));
    // SAFETY: 64 bytes can be written, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), lower) }
}

/// 0 to 63.
const ALL: [u8; WINDOW] = {
    let mut all = [0; WINDOW];
    let mut place = 0;
    while place < WINDOW {
        #[expect(clippy::cast_possible_truncation, reason = "less than 64")]
        let byte = place as u8;
        all[place] = byte;
        place += 1;
    }
    all
};

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
fn write_places(bits: u64, offset: u16, out: &mut [u16; PLACES_ROOM]) {
    let places = _mm512_maskz_compress_epi8(bits, load(&ALL));
    let (outs, _) = out.as_chunks_mut::<32>();
    let write = |half, out: &mut [u16; 32]| {
        let places = _mm512_add_epi16(
            _mm512_cvtepu8_epi16(half),
            _mm512_set1_epi16(offset.cast_signed()),
        );
        // SAFETY: 64 bytes can be written, and the store needs no alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), places) }
    };
    write(_mm512_castsi512_si256(places), &mut outs[0]);
    // Hardly any text has so many.
    if bits.count_ones() > 32 {
        write(_mm512_extracti64x4_epi64::<1>(places), &mut outs[1]);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn with_seconds(window: &[u8; WINDOW], leads: u64, ranges: [&Seconds; 2]) -> [u64; 2] {
    let block = load(window);
    let next = _mm512_permutexvar_epi8(_mm512_add_epi8(load(&ALL), _mm512_set1_epi8(1)), block);
    ranges.map(|range| {
        // The place in a table is the lower six bits of a lead.
        let of = |table| _mm512_permutexvar_epi8(block, load(table));
        let from_first = _mm512_sub_epi8(next, of(&range.firsts));
        leads & _mm512_cmplt_epu8_mask(from_first, of(&range.counts))
    })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
fn split_words(words: &[[u16; 2]], split: &mut Split) {
    let (sixteens, rest) = words.as_chunks::<16>();
    let lists = [&split.narrow, &split.wide, &split.others];
    let [mut narrow_count, mut wide_count, mut others_count] = lists.map(|list| list.count);
    for sixteen in sixteens {
        // SAFETY: 64 bytes can be read, and the load needs no alignment.
        let both = unsafe { _mm512_loadu_si512(sixteen.as_ptr().cast()) };
        // The end is the upper half, and becomes the length.
        let places = _mm512_sub_epi32(both, _mm512_slli_epi32::<16>(both));
        let lengths = _mm512_srli_epi32::<16>(places);
        let at_most =
            |bytes: u8| _mm512_cmple_epu32_mask(lengths, _mm512_set1_epi32(i32::from(bytes)));
        let narrow = at_most(NARROW_MAX);
        set(&mut split.narrow, narrow_count, narrow, places);
        narrow_count += narrow.count_ones() as usize;
        let short = at_most(WIDE_MAX);
        set(&mut split.wide, wide_count, short & !narrow, places);
        wide_count += (short & !narrow).count_ones() as usize;
        // Hardly ever in some texts, nearly always in others.
        if short != !0 {
            set(&mut split.others, others_count, !short, places);
            others_count += short.count_zeros() as usize;
        }
    }
    let counts = [narrow_count, wide_count, others_count];
    [split.narrow.count, split.wide.count, split.others.count] = counts;
    split.push(rest);
}

/// Puts the words of `which` into `list` from the `at`th on.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn set(list: &mut List, at: usize, which: u16, places: __m512i) {
    let places = _mm512_maskz_compress_epi32(which, places);
    if let Some(out) = list.room(at) {
        // SAFETY: 64 bytes can be written, and the store needs no alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), places) };
    }
}

/// Eight bytes anywhere.
#[repr(C, packed)]
struct Unaligned(u64);

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,aes,vaes")]
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
    let eights = count.div_ceil(8);
    let (words, _) = hashed.words.as_chunks_mut::<8>();
    // All are loaded before the first is taken up: a vector cannot be loaded from what is still being stored.
    let (places, _) = places.as_chunks::<8>();
    for (words, places) in words.iter_mut().zip(places).take(eights) {
        for (word, place) in words.iter_mut().zip(places) {
            if let Some(bytes) = bytes[place.start() % TILE_BYTES..].first_chunk::<8>() {
                // Volatile, or the compiler makes one load of eight places, which takes longer.
                // SAFETY: eight bytes can be read, and the type needs no alignment.
                let Unaligned(found) = unsafe {
                    std::ptr::from_ref(bytes)
                        .cast::<Unaligned>()
                        .read_volatile()
                };
                *word = found;
            }
        }
    }
    let all = |at: usize| _mm512_set1_epi64(secret[at].cast_signed());
    let key = |at: usize| _mm512_unpacklo_epi64(all(at), all(at + 1));
    let mix = |words| _mm512_aesenc_epi128(_mm512_aesenc_epi128(words, key(2)), key(0));
    let of = _mm512_set1_epi64(i64::from(of));
    let (parts, _) = hashed.parts.as_chunks_mut::<8>();
    for ((words, parts), places) in words.iter_mut().zip(parts).zip(places).take(eights) {
        // SAFETY: 32 bytes can be read, and the load needs no alignment.
        let places = unsafe { _mm256_loadu_si256(places.as_ptr().cast()) };
        let lengths = _mm512_cvtepu32_epi64(_mm256_srli_epi32::<16>(places));
        let beyond = _mm512_sub_epi64(_mm512_set1_epi64(64), _mm512_slli_epi64::<3>(lengths));
        let mask = _mm512_srlv_epi64(_mm512_set1_epi64(-1), beyond);
        // SAFETY: 64 bytes can be read, and the load needs no alignment.
        let word = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
        let word = _mm512_and_si512(word, mask);
        let secret = _mm512_xor_si512(word, all(0));
        // Every other word, and those between.
        let even = mix(_mm512_unpacklo_epi64(secret, all(1)));
        let odd = mix(_mm512_unpackhi_epi64(secret, all(1)));
        let hash = _mm512_unpacklo_epi64(even, odd);
        let part = _mm512_mul_epu32(_mm512_srli_epi64::<32>(hash), of);
        let part = _mm512_srli_epi64::<32>(part);
        // SAFETY: 64 bytes can be written, and the store needs no alignment.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), word) };
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(parts.as_mut_ptr().cast(), part) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::means::tests::assert_right_masks;

    #[test]
    fn masks_are_right() {
        match Avx512::new() {
            Some(avx512) => assert_right_masks(avx512),
            None => println!("skipped: this CPU has no AVX-512 with VBMI2"),
        }
    }
}
