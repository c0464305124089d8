//! The hash of a word, seeded for each count.
//!
//! It never leaves the process: no answer, partial or file depends on it.

use ahash::RandomState;

/// The secret of the hash, shared by the tables that will be merged. It never changes an answer.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    words: [u64; 3],
    long: RandomState,
}

impl Seed {
    /// A seed that nobody can foretell.
    pub(crate) fn random() -> Self {
        let long = RandomState::new();
        // Odd: a factor of 0 would lose the other.
        let words = [1, 2, 3].map(|number: u64| long.hash_one(number) | 1);
        Self { words, long }
    }

    /// A seed with the same hashes of long words and others of short ones.
    pub(super) fn with_other_words(&self) -> Self {
        Self {
            words: Self::random().words,
            long: self.long.clone(),
        }
    }

    /// The second eight bytes of words that all have the hash 0.
    #[cfg(test)]
    pub(super) fn factor_lost_by(&self) -> [u8; 8] {
        self.words[1].to_le_bytes()
    }

    /// This seed, but all words of 16 bytes that end in `high` have the hash 0.
    #[cfg(test)]
    pub(crate) fn losing(mut self, high: [u8; 8]) -> Self {
        self.words[1] = u64::from_le_bytes(high);
        self
    }

    /// The hash of a word of at most 16 bytes, as two little-endian words filled up with zeros.
    #[inline(always)]
    pub(crate) fn hash_two(&self, low: u64, high: u64) -> u64 {
        folded_product(low ^ self.words[0], high ^ self.words[1])
    }

    /// The hash of a word of 17 to 24 bytes. `third` 0 does not give [`hash_two`](Self::hash_two).
    #[inline(always)]
    pub(crate) fn hash_three(&self, low: u64, high: u64, third: u64) -> u64 {
        folded_product(self.hash_two(low, high) ^ third, self.words[2])
    }

    /// The hash of a longer word.
    #[inline]
    pub(crate) fn hash_long(&self, word: &[u8]) -> u64 {
        self.long.hash_one(word)
    }
}

/// Both halves of the product of 128 bits, the one on the other: each bit of the result depends on all bits.
#[inline(always)]
fn folded_product(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    #[expect(clippy::cast_possible_truncation, reason = "the halves of 128 bits")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}
