//! The hash of a word, seeded for each count.
//!
//! It never leaves the process: no answer, partial or file depends on it.

use std::sync::Arc;

use ahash::RandomState;

/// The secret of the hashes, shared by the tables that will be merged. It never changes an answer.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    short: ShortSeed,
    long: LongSeed,
}

/// The secret of the hashes of longer words.
#[derive(Clone, Debug)]
pub(super) struct LongSeed(Arc<RandomState>);

/// The secret of the hashes of words of at most 24 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortSeed {
    words: [u64; 4],
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    aes: Option<super::aes::Aes>,
}

impl Seed {
    /// A seed that nobody can foretell.
    pub(crate) fn random() -> Self {
        let long = RandomState::new();
        // Odd: a factor of 0 would lose the other.
        let words = [1, 2, 3, 4].map(|number: u64| long.hash_one(number) | 1);
        Self {
            short: ShortSeed {
                words,
                #[cfg(all(target_arch = "x86_64", not(miri)))]
                aes: super::aes::Aes::new(),
            },
            long: LongSeed(Arc::new(long)),
        }
    }

    /// A seed with the same hashes of long words and others of short ones.
    pub(super) fn with_other_words(&self) -> Self {
        Self {
            short: Self::random().short,
            long: self.long.clone(),
        }
    }

    /// This seed with hashes by multiplication, also where a CPU has AES.
    #[cfg(test)]
    pub(crate) fn by_products(self) -> Self {
        let short = ShortSeed {
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            aes: None,
            ..self.short
        };
        Self { short, ..self }
    }

    /// This seed with long words by `long`.
    #[cfg(test)]
    pub(super) fn with_long(self, long: LongSeed) -> Self {
        Self { long, ..self }
    }

    /// This seed by products, but all words of 16 bytes that end in `high` have the hash 0.
    #[cfg(test)]
    pub(crate) fn losing(self, high: [u8; 8]) -> Self {
        let mut losing = self.by_products();
        losing.short.words[1] = u64::from_le_bytes(high);
        losing
    }

    /// The secret of short words.
    #[inline(always)]
    pub(crate) fn short(&self) -> ShortSeed {
        self.short
    }

    /// The secret of longer words.
    pub(super) fn long(&self) -> &LongSeed {
        &self.long
    }
}

impl LongSeed {
    /// One that nobody can foretell.
    pub(super) fn random() -> Self {
        Self(Arc::new(RandomState::new()))
    }

    /// One by whose hashes all words have the same first slot, in whatever part they are.
    #[cfg(test)]
    pub(super) fn crowding() -> Self {
        static CROWDING: std::sync::LazyLock<LongSeed> = std::sync::LazyLock::new(LongSeed::random);
        CROWDING.clone()
    }

    /// Whether it gives the same hashes.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The hash of a word.
    #[inline]
    pub(super) fn hash(&self, word: &[u8]) -> u64 {
        #[cfg(test)]
        if self.is(&Self::crowding()) {
            return self.0.hash_one(word) & (!0 << 32);
        }
        self.0.hash_one(word)
    }
}

impl ShortSeed {
    /// Does `work`, inlined, in which many words are hashed.
    #[inline(always)]
    pub(crate) fn hashing<T>(&self, work: impl FnOnce() -> T) -> T {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if let Some(aes) = self.aes {
            return aes.run(work);
        }
        work()
    }

    /// The hash of a short word, as little-endian words filled up with zeros: one of at most 8 bytes, or three.
    #[inline(always)]
    pub(crate) fn hash<const N: usize>(&self, words: [u64; N]) -> u64 {
        let word = |at: usize| if at < N { words[at] } else { 0 };
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if let Some(aes) = self.aes {
            return if N == 1 {
                aes.hash_one(word(0), &self.words)
            } else {
                aes.hash([word(0), word(1), word(2)], &self.words)
            };
        }
        let hash = folded_product(word(0) ^ self.words[0], word(1) ^ self.words[1]);
        if word(2) == 0 {
            hash
        } else {
            folded_product(hash ^ word(2), self.words[2])
        }
    }

    /// The secret of hashes by AES, if they are such: see [`hash_words`](crate::scan::Means::hash_words).
    #[inline(always)]
    pub(crate) fn of_rounds(&self) -> Option<&[u64; 4]> {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if self.aes.is_some() {
            return Some(&self.words);
        }
        None
    }
}

/// Which of `of` equal parts of all hashes `hash` is in. The upper half of it decides: a vector has this product for eight hashes
/// at once.
#[inline(always)]
pub(crate) fn fraction(hash: u64, of: u32) -> usize {
    (((hash >> 32) * u64::from(of)) >> 32) as usize
}

/// Both halves of the product of 128 bits, the one on the other: each bit of the result depends on all bits.
#[inline(always)]
fn folded_product(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    #[expect(clippy::cast_possible_truncation, reason = "the halves of 128 bits")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}
