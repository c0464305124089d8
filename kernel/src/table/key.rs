//! Short words as numbers: little-endian words filled up with zeros, one of at most 8 bytes, three of at most 24.
//!
//! A word that ends in a NUL is none of them, since zeros fill a key up.

use super::hash::{Seed, ShortSeed};
use crate::scan::{NARROW_MAX, WIDE_MAX};

/// The longest word of one number.
pub(crate) const NARROW_BYTES_MAX: usize = NARROW_MAX as usize;

/// The longest word of three.
pub(crate) const WIDE_BYTES_MAX: usize = WIDE_MAX as usize;

/// A word of at most `8 * N` bytes with its hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<const N: usize> {
    pub(super) words: [u64; N],
    pub(super) hash: u64,
}

/// The bits of the bytes that a word of some length has, in each of four times eight bytes.
const fn masks() -> [[u64; 4]; WIDE_BYTES_MAX + 1] {
    let mut masks = [[0; 4]; WIDE_BYTES_MAX + 1];
    let mut length = 0;
    while length <= WIDE_BYTES_MAX {
        let mut byte = 0;
        while byte < length {
            masks[length][byte / 8] |= 0xFF << (byte % 8 * 8);
            byte += 1;
        }
        length += 1;
    }
    masks
}

static MASKS: [[u64; 4]; WIDE_BYTES_MAX + 1] = masks();

impl Key<3> {
    /// The key of the first `length` bytes of `bytes`, 1 to 24, the last of which is not 0.
    ///
    /// Where a mapped file changes while it is counted that byte may be 0 all the same; the count is then worthless, but
    /// nothing breaks.
    #[inline(always)]
    pub(crate) fn new(bytes: &[u8; 32], length: usize, seed: &ShortSeed) -> Self {
        debug_assert!((1..=WIDE_BYTES_MAX).contains(&length));
        let masks = &MASKS[length];
        let (words, _) = bytes.as_chunks::<8>();
        // Four words, of which the last is nothing: then they are one register.
        let word: [u64; 4] = std::array::from_fn(|at| u64::from_le_bytes(words[at]) & masks[at]);
        let [low, high, third, _] = word;
        Self::of_words([low, high, third], seed)
    }
}

impl<const N: usize> Key<N> {
    /// The key of a word as numbers.
    #[inline(always)]
    pub(crate) fn of_words(words: [u64; N], seed: &ShortSeed) -> Self {
        Self {
            words,
            hash: seed.hash(words),
        }
    }

    /// The key of `word`, if it is not too long and does not end in a NUL.
    #[inline]
    pub(crate) fn of(word: &[u8], seed: &Seed) -> Option<Self> {
        if word.len() > 8 * N || word.last().is_none_or(|&last| last == 0) {
            return None;
        }
        let mut bytes = [[0; 8]; N];
        bytes.as_flattened_mut()[..word.len()].copy_from_slice(word);
        Some(Self::of_words(bytes.map(u64::from_le_bytes), &seed.short()))
    }

    /// Its bytes, as little-endian words filled up with zeros.
    #[inline(always)]
    pub(crate) fn words(&self) -> [u64; N] {
        self.words
    }

    /// Its hash.
    #[inline(always)]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The same word with the hash of `seed`.
    #[inline]
    pub(crate) fn with(&self, seed: &Seed) -> Self {
        Self::of_words(self.words, &seed.short())
    }
}

impl<const N: usize> Default for Key<N> {
    fn default() -> Self {
        Self {
            words: [0; N],
            hash: 0,
        }
    }
}

/// The bytes of a word: the place of its last byte that is not 0.
#[inline(always)]
pub(super) fn length<const N: usize>(words: &[u64; N]) -> usize {
    // All are computed and one is taken: lengths are too irregular for branches.
    let mut length = 0;
    for (at, word) in words.iter().enumerate() {
        let bytes = 8 * at + 8 - word.leading_zeros() as usize / 8;
        length = if *word == 0 { length } else { bytes };
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_every_length_has_its_key_and_no_other() {
        let seed = Seed::random();
        for length in 1..=WIDE_BYTES_MAX {
            for fill in [1, b'a', 0xFF] {
                let mut word = vec![0; length];
                word[length - 1] = fill;
                let key = Key::<3>::of(&word, &seed).unwrap();
                assert_eq!(super::length(&key.words()), length);
                // Whatever comes after it in a text.
                let mut bytes = [0xEE; 32];
                bytes[..length].copy_from_slice(&word);
                let found = Key::new(&bytes, length, &seed.short());
                assert_eq!((found.words, found.hash), (key.words, key.hash));
                let narrow = Key::<1>::of(&word, &seed);
                assert_eq!(narrow.is_some(), length <= NARROW_BYTES_MAX);
                if let Some(narrow) = narrow {
                    assert_eq!(narrow.words, key.words[..1]);
                    assert_eq!(super::length(&narrow.words()), length);
                }
            }
            assert!(Key::<3>::of(&vec![0; length], &seed).is_none());
        }
        assert!(Key::<3>::of(&[b'a'; WIDE_BYTES_MAX + 1], &seed).is_none());
        assert!(Key::<1>::of(b"", &seed).is_none());
    }
}
