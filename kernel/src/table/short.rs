//! The table of words of at most 24 bytes: the whole word and its count in half a cache line.
//!
//! Words that end in a NUL are none of its words, since zeros fill a slot up.
//!
//! ```text
//! slot, 32 bytes:  word 0..8 | 8..16 | 16..24 (zeros after the end) | count (0: empty)
//! slots:           2^k, the first by the top bits of the hash, then the next until the word or an empty one is met
//! ```
#![cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "prefetch of a slot")
)]

use super::hash::Seed;
use super::slots::Slots;

/// The longest word of a slot.
pub(crate) const SHORT_BYTES_MAX: usize = 24;

/// A word of at most 24 bytes with its hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Key {
    low: u64,
    high: u64,
    third: u64,
    hash: u64,
}

/// The bits of the bytes that a word of some length has, in its first, second and third eight bytes.
const fn masks() -> [[u64; 3]; SHORT_BYTES_MAX + 1] {
    let mut masks = [[0; 3]; SHORT_BYTES_MAX + 1];
    let mut length = 0;
    while length <= SHORT_BYTES_MAX {
        let mut byte = 0;
        while byte < length {
            masks[length][byte / 8] |= 0xFF << (byte % 8 * 8);
            byte += 1;
        }
        length += 1;
    }
    masks
}

static MASKS: [[u64; 3]; SHORT_BYTES_MAX + 1] = masks();

#[inline(always)]
fn word_at(bytes: &[u8; 32], start: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[start..start + 8]);
    u64::from_le_bytes(word)
}

impl Key {
    /// The key of the first `length` bytes of `bytes`, 1 to 24, the last of which is not 0.
    #[inline(always)]
    pub(crate) fn new(bytes: &[u8; 32], length: usize, seed: &Seed) -> Self {
        debug_assert!((1..=SHORT_BYTES_MAX).contains(&length) && bytes[length - 1] != 0);
        let masks = &MASKS[length];
        let low = word_at(bytes, 0) & masks[0];
        let high = word_at(bytes, 8) & masks[1];
        let (third, hash) = if length <= 16 {
            (0, seed.hash_two(low, high))
        } else {
            let third = word_at(bytes, 16) & masks[2];
            (third, seed.hash_three(low, high, third))
        };
        Self {
            low,
            high,
            third,
            hash,
        }
    }

    /// The key of `word`, if it is a word of a slot.
    #[inline]
    pub(crate) fn of(word: &[u8], seed: &Seed) -> Option<Self> {
        if word.len() > SHORT_BYTES_MAX || word.last().is_none_or(|&last| last == 0) {
            return None;
        }
        let mut bytes = [0; 32];
        bytes[..word.len()].copy_from_slice(word);
        Some(Self::new(&bytes, word.len(), seed))
    }

    /// Whether one of its bytes is not ASCII.
    #[inline(always)]
    pub(crate) fn has_non_ascii(&self) -> bool {
        (self.low | self.high | self.third) & 0x8080_8080_8080_8080 != 0
    }
}

/// A word and its count.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub(super) struct Slot {
    word: [u8; SHORT_BYTES_MAX],
    count: u64,
}

impl Slot {
    #[inline(always)]
    fn is(&self, key: &Key) -> bool {
        let (words, _) = self.word.as_chunks::<8>();
        let low = u64::from_le_bytes(words[0]) ^ key.low;
        let high = u64::from_le_bytes(words[1]) ^ key.high;
        let third = u64::from_le_bytes(words[2]) ^ key.third;
        low | high | third == 0
    }

    fn new(key: &Key, count: u64) -> Self {
        let mut word = [0; SHORT_BYTES_MAX];
        let (words, _) = word.as_chunks_mut::<8>();
        words[0] = key.low.to_le_bytes();
        words[1] = key.high.to_le_bytes();
        words[2] = key.third.to_le_bytes();
        Self { word, count }
    }

    fn word(&self) -> &[u8] {
        let length = self.word.iter().rposition(|&byte| byte != 0);
        &self.word[..length.map_or(0, |last| last + 1)]
    }

    /// The key again: growth needs no more than the slot.
    fn key(&self, seed: &Seed) -> Key {
        let (words, _) = self.word.as_chunks::<8>();
        let [low, high, third] = [words[0], words[1], words[2]].map(u64::from_le_bytes);
        let hash = if third == 0 {
            seed.hash_two(low, high)
        } else {
            seed.hash_three(low, high, third)
        };
        Key {
            low,
            high,
            third,
            hash,
        }
    }
}

/// 1024 slots, 32 KiB: what a text of a kilobyte fills to a tenth.
const SLOTS_MIN: usize = 1024;

/// Short words and their counts.
#[derive(Clone, Debug)]
pub(crate) struct ShortTable {
    slots: Slots,
    /// The hash shifted right by this is the first slot to look at.
    shift: u32,
    len: usize,
    /// One more word makes the table grow.
    len_max: usize,
}

impl ShortTable {
    pub(crate) fn new() -> Self {
        Self {
            slots: Slots::new(SLOTS_MIN),
            shift: 64 - SLOTS_MIN.ilog2(),
            len: 0,
            len_max: SLOTS_MIN / 2,
        }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "less than the slots")]
    fn first_slot(&self, key: &Key) -> usize {
        (key.hash >> self.shift) as usize
    }

    /// Brings the slot of `key` near.
    #[inline(always)]
    pub(crate) fn prefetch(&self, key: &Key) {
        let slot = self.slots.as_ptr().wrapping_add(self.first_slot(key));
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: a prefetch of any address is allowed, and has no effect that a program can see.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(slot.cast());
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = slot;
    }

    /// Counts `key` `count` more times.
    #[inline(always)]
    pub(crate) fn add(&mut self, key: &Key, count: u64, seed: &Seed) {
        let first = self.first_slot(key);
        let slot = &mut self.slots[first];
        if slot.is(key) {
            slot.count += count;
        } else {
            self.add_further(first, key, count, seed);
        }
    }

    #[inline(never)]
    fn add_further(&mut self, first: usize, key: &Key, count: u64, seed: &Seed) {
        let mask = self.slots.len() - 1;
        let mut at = first;
        loop {
            let slot = &mut self.slots[at];
            if slot.is(key) {
                slot.count += count;
                return;
            }
            if slot.count == 0 {
                *slot = Slot::new(key, count);
                self.len += 1;
                if self.len > self.len_max {
                    self.grow(seed);
                }
                return;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self, seed: &Seed) {
        let slots = self.slots.len() * if self.slots.len() < 1 << 18 { 4 } else { 2 };
        let old = std::mem::replace(&mut self.slots, Slots::new(slots));
        self.shift = 64 - slots.ilog2();
        self.len_max = slots / 2;
        let mask = slots - 1;
        for slot in old.iter().filter(|slot| slot.count != 0) {
            let mut at = self.first_slot(&slot.key(seed));
            while self.slots[at].count != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = *slot;
        }
    }

    /// How many different words there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Every word with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let used = self.slots.iter().filter(|slot| slot.count != 0);
        used.map(|slot| (slot.word(), slot.count))
    }

    /// Every key with its count, in no order.
    pub(crate) fn keys(&self, seed: &Seed) -> impl Iterator<Item = (Key, u64)> {
        let used = self.slots.iter().filter(|slot| slot.count != 0);
        used.map(|slot| (slot.key(seed), slot.count))
    }
}
