//! The table of words of at most 24 bytes: the whole word and its count in half a cache line.
//!
//! Words that end in a NUL are none of its words, since zeros fill a slot up.
//!
//! ```text
//! slot, 32 bytes:  word 0..8 | 8..16 | 16..24 (zeros after the end) | count (0: empty)
//! slots:           the first by the hash as a fraction of 2^64, then the next until the word or an empty one is met
//! ```
#![cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "prefetch of a slot")
)]

use super::hash::{Seed, ShortSeed};
use super::slots::Slots;

/// 64 words are counted together: while the slot of the last is asked for, that of the first has come from any memory.
pub(crate) const GROUP: usize = 64;

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

/// The bits of the bytes that a word of some length has, in each of four times eight bytes.
const fn masks() -> [[u64; 4]; SHORT_BYTES_MAX + 1] {
    let mut masks = [[0; 4]; SHORT_BYTES_MAX + 1];
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

static MASKS: [[u64; 4]; SHORT_BYTES_MAX + 1] = masks();

impl Key {
    /// The key of the first `length` bytes of `bytes`, 1 to 24, the last of which is not 0.
    ///
    /// Where a mapped file changes while it is counted that byte may be 0 all the same; the count is then worthless, but
    /// nothing breaks.
    #[inline(always)]
    pub(crate) fn new(bytes: &[u8; 32], length: usize, seed: &ShortSeed) -> Self {
        debug_assert!((1..=SHORT_BYTES_MAX).contains(&length));
        let masks = &MASKS[length];
        let (words, _) = bytes.as_chunks::<8>();
        // Four words, of which the last is nothing: then they are one register.
        let word: [u64; 4] = std::array::from_fn(|at| u64::from_le_bytes(words[at]) & masks[at]);
        let [low, high, third, _] = word;
        Self {
            low,
            high,
            third,
            hash: seed.hash([low, high, third]),
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
        Some(Self::new(&bytes, word.len(), &seed.short()))
    }

    /// Its bytes, as three little-endian words filled up with zeros.
    #[inline(always)]
    pub(crate) fn words(&self) -> [u64; 3] {
        [self.low, self.high, self.third]
    }

    /// Its hash.
    #[inline(always)]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The same word with the hash of `seed`.
    #[inline]
    pub(crate) fn with(&self, seed: &Seed) -> Self {
        let hash = seed.short().hash([self.low, self.high, self.third]);
        Self { hash, ..*self }
    }

    /// Whether one of its bytes is not ASCII.
    #[inline(always)]
    pub(crate) fn has_non_ascii(&self) -> bool {
        (self.low | self.high | self.third) & 0x8080_8080_8080_8080 != 0
    }
}

/// A word that waits while its slot is on the way.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub(crate) struct Waiting {
    words: [u64; 3],
    /// The first slot to look at.
    slot: usize,
}

impl Waiting {
    /// Its bytes, as three little-endian words filled up with zeros.
    #[inline(always)]
    pub(crate) fn words(&self) -> &[u64; 3] {
        &self.words
    }

    /// The first slot to look at.
    #[inline(always)]
    pub(crate) fn slot(&self) -> usize {
        self.slot
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
    fn has(&self, words: &[u64; 3]) -> bool {
        // Two words in one register, and no look at the count: a load that covers it waits until it was written.
        let (own, _) = self.word.as_chunks::<8>();
        let two = [words[0].to_le_bytes(), words[1].to_le_bytes()];
        own[..2] == two && u64::from_le_bytes(own[2]) == words[2]
    }

    fn new(words: &[u64; 3], count: u64) -> Self {
        let mut word = [0; SHORT_BYTES_MAX];
        let (own, _) = word.as_chunks_mut::<8>();
        for (own, word) in own.iter_mut().zip(words) {
            *own = word.to_le_bytes();
        }
        Self { word, count }
    }

    fn word(&self) -> &[u8] {
        let (words, _) = self.word.as_chunks::<8>();
        let [low, high, third] = [words[0], words[1], words[2]].map(u64::from_le_bytes);
        let (before, last) = match (high, third) {
            (0, 0) => (0, low),
            (_, 0) => (8, high),
            _ => (16, third),
        };
        &self.word[..before + 8 - last.leading_zeros() as usize / 8]
    }

    /// Changes places with `other` if that is more frequent: frequent words are then met first. Without it growth would put
    /// late and rare words first, and the branch that expects a word in its first slot would fail more often.
    #[inline(always)]
    fn let_first(&mut self, other: &mut Self) {
        if other.count > self.count {
            std::mem::swap(self, other);
        }
    }

    /// The key again: growth needs no more than the slot.
    fn key(&self, seed: &Seed) -> Key {
        let (words, _) = self.word.as_chunks::<8>();
        let [low, high, third] = [words[0], words[1], words[2]].map(u64::from_le_bytes);
        let key = Key {
            low,
            high,
            third,
            hash: 0,
        };
        key.with(seed)
    }
}

/// 1024 slots, 32 KiB: what a text of a kilobyte fills to a tenth.
const SLOTS_MIN: usize = 1024;

/// Short words and their counts.
#[derive(Clone, Debug)]
pub(crate) struct ShortTable {
    slots: Slots,
    len: usize,
    /// One more word makes the table grow.
    len_max: usize,
    /// Whether a word was so far from its first slot that its hash is no good.
    flooded: bool,
}

/// 2048 slots: with good hashes even 10^9 words have none so far from its first slot; words made to collide have. From here
/// on one more costs about as much as a growth for every thousand. An interpreter cannot walk so far.
const STEPS_MAX: usize = if cfg!(miri) { 256 } else { 2048 };

/// How many words `slots` hold at most: three of four, so that a word is met after two or three slots even then.
const fn len_max(slots: usize) -> usize {
    slots / 4 * 3
}

impl ShortTable {
    pub(crate) fn new() -> Self {
        Self::with_slots(SLOTS_MIN)
    }

    /// No words, and `slots` slots, an even number.
    pub(crate) fn with_slots(slots: usize) -> Self {
        Self {
            slots: Slots::new(slots),
            len: 0,
            len_max: len_max(slots),
            flooded: false,
        }
    }

    /// The first slot to look at. Slots are in the order of hashes, but for words that found theirs taken.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "less than the slots")]
    fn first_slot(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize
    }

    /// Makes room for `more` words in any order.
    #[inline(always)]
    pub(crate) fn make_room(&mut self, more: usize, seed: &Seed) {
        if self.lacks(more) {
            self.grow_by_steps(seed);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow_by_steps(&mut self, seed: &Seed) {
        // Fourfold while it is small, then by steps that leave little unused.
        let slots = self.slots.len();
        self.grow(
            if slots < 1 << 15 {
                slots * 4
            } else {
                slots / 2 * 3
            },
            seed,
        );
    }

    /// Brings the slot of `key` near. It is counted by [`add_waiting`](Self::add_waiting) before the table may grow.
    #[inline(always)]
    pub(crate) fn fetch(&self, key: &Key) -> Waiting {
        let slot = self.first_slot(key.hash);
        self.prefetch_slot(slot);
        Waiting {
            words: [key.low, key.high, key.third],
            slot,
        }
    }

    /// Counts a word that waited `count` more times. There is room for it.
    #[inline(always)]
    pub(crate) fn add_waiting(&mut self, waiting: &Waiting, count: u64) {
        let slot = &mut self.slots[waiting.slot];
        if slot.has(&waiting.words) {
            slot.count += count;
        } else {
            self.add_further(waiting.slot, &waiting.words, count);
        }
    }

    /// Counts a word that waited once more if it is here; whether it is.
    #[inline(always)]
    pub(crate) fn add_known(&mut self, waiting: &Waiting) -> bool {
        let mut at = waiting.slot;
        loop {
            let slot = &mut self.slots[at];
            if slot.has(&waiting.words) {
                slot.count += 1;
                return true;
            }
            if slot.count == 0 {
                return false;
            }
            at = self.next(at);
        }
    }

    /// Removes all words; the slots stay.
    pub(crate) fn clear(&mut self) {
        self.slots.fill(Slot::default());
        self.len = 0;
        self.flooded = false;
    }

    /// How many slots there are.
    #[inline(always)]
    pub(crate) fn slots_count(&self) -> usize {
        self.slots.len()
    }

    /// Whether `more` words make it grow.
    #[inline(always)]
    pub(crate) fn lacks(&self, more: usize) -> bool {
        self.len + more > self.len_max
    }

    /// Brings the slot of `key` near.
    #[inline(always)]
    pub(crate) fn prefetch(&self, key: &Key) {
        self.prefetch_slot(self.first_slot(key.hash));
    }

    #[inline(always)]
    fn prefetch_slot(&self, slot: usize) {
        let slot = self.slots.as_ptr().wrapping_add(slot);
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
        self.make_room(1, seed);
        let words = [key.low, key.high, key.third];
        let first = self.first_slot(key.hash);
        let slot = &mut self.slots[first];
        if slot.has(&words) {
            slot.count += count;
        } else {
            self.add_further(first, &words, count);
        }
    }

    #[inline(never)]
    fn add_further(&mut self, first: usize, words: &[u64; 3], count: u64) {
        let mut at = first;
        let mut steps = 0;
        loop {
            let slot = &mut self.slots[at];
            if slot.has(words) {
                slot.count += count;
                break;
            }
            if slot.count == 0 {
                *slot = Slot::new(words, count);
                self.len += 1;
                break;
            }
            at = self.next(at);
            steps += 1;
        }
        self.flooded |= steps > STEPS_MAX;
    }

    /// Whether words collide as no good hash lets them.
    #[inline(always)]
    pub(crate) fn is_flooded(&self) -> bool {
        self.flooded
    }

    #[inline(always)]
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() {
            0
        } else {
            at + 1
        }
    }

    /// Makes room for `more` words before they are added in the order of their hashes: a table that grew meanwhile would be
    /// full at its start and empty at its end.
    pub(crate) fn reserve(&mut self, more: usize, seed: &Seed) {
        let slots = (self.len + more) / 3 * 4 + 4;
        if slots > self.slots.len() {
            // At least by an eighth: many small tables, added one after another, would each move every word otherwise.
            self.grow(slots.max(self.slots.len() / 8 * 9), seed);
        }
    }

    /// Grows to `slots` where it is: the slots of a larger table are in the same order, so each word moves to its new place from
    /// the last to the first, and never onto a word that has not moved yet.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, slots: usize, seed: &Seed) {
        seed.short().hashing(
            #[inline(always)]
            || self.grow_in_place(slots, seed),
        );
    }

    #[inline(always)]
    fn grow_in_place(&mut self, slots: usize, seed: &Seed) {
        let before = self.slots.len();
        self.slots.extend(slots);
        self.len_max = len_max(slots);
        // Words that would move towards the start, or past the end: those of the first slots, mostly.
        let mut astray = Vec::new();
        for at in (0..before).rev() {
            let mut slot = self.slots[at];
            if slot.count == 0 {
                continue;
            }
            self.slots[at] = Slot::default();
            let mut to = self.first_slot(slot.key(seed).hash);
            if to >= at {
                while to < slots && self.slots[to].count != 0 {
                    self.slots[to].let_first(&mut slot);
                    to += 1;
                }
                if to < slots {
                    self.slots[to] = slot;
                    continue;
                }
            }
            astray.push(slot);
        }
        for mut slot in astray {
            let mut to = self.first_slot(slot.key(seed).hash);
            while self.slots[to].count != 0 {
                self.slots[to].let_first(&mut slot);
                to = self.next(to);
            }
            self.slots[to] = slot;
        }
    }

    /// Every key with its count whose hash is in the `index`th of `parts` equal parts of all hashes, in about the order of
    /// hashes.
    pub(crate) fn keys_of_part(
        &self,
        index: usize,
        parts: usize,
        seed: &Seed,
    ) -> impl Iterator<Item = (Key, u64)> {
        let part_of = move |hash: u64| (u128::from(hash) * parts as u128) >> 64;
        let slots = self.slots.len();
        // The slots of the first and of the last hash of the part, and then, round the end, those that words went on to.
        let first = index * slots / parts;
        let last = ((index + 1) * slots).div_ceil(parts).min(slots);
        let beyond = (last..slots).chain(0..first);
        let beyond = beyond.take_while(|&at| self.slots[at].count != 0);
        (first..last).chain(beyond).filter_map(move |at| {
            let slot = &self.slots[at];
            let key = slot.key(seed);
            (slot.count != 0 && part_of(key.hash) == index as u128).then_some((key, slot.count))
        })
    }

    /// How many of the words of `sample` there are here.
    pub(crate) fn known(&self, sample: impl Iterator<Item = Key>) -> usize {
        sample.filter(|key| self.has(key)).count()
    }

    fn has(&self, key: &Key) -> bool {
        let first = self.first_slot(key.hash);
        let mut at = first;
        loop {
            let slot = &self.slots[at];
            if slot.count == 0 || slot.has(&[key.low, key.high, key.third]) {
                return slot.count != 0;
            }
            at = self.next(at);
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

    /// Every word, as the words of its key, with its count, in no order.
    pub(crate) fn words(&self) -> impl Iterator<Item = ([u64; 3], u64)> {
        let used = self.slots.iter().filter(|slot| slot.count != 0);
        used.map(|slot| {
            let (words, _) = slot.word.as_chunks::<8>();
            (
                [words[0], words[1], words[2]].map(u64::from_le_bytes),
                slot.count,
            )
        })
    }

    /// Every key with its count, in no order.
    pub(crate) fn keys(&self, seed: &Seed) -> impl Iterator<Item = (Key, u64)> {
        let used = self.slots.iter().filter(|slot| slot.count != 0);
        used.map(|slot| (slot.key(seed), slot.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn growth_loses_and_doubles_nothing() {
        let seed = Seed::random();
        let mut table = ShortTable::new();
        let mut expected = BTreeMap::new();
        let words = if cfg!(miri) { 1800 } else { 300_000 };
        for number in 0..words {
            let word = format!("{:x}", number * 7919 % (words / 2) * 0x1_0000_0001_u64);
            *expected.entry(word.clone().into_bytes()).or_insert(0) += 2;
            table.add(&Key::of(word.as_bytes(), &seed).unwrap(), 2, &seed);
        }
        let mut found: Vec<_> = table
            .iter()
            .map(|(word, count)| (word.to_vec(), count))
            .collect();
        found.sort_unstable();
        assert_eq!(table.len(), expected.len());
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn growth_to_any_size_keeps_every_word_in_reach() {
        // The last is where slots leave the heap for a mapping that miri does not know.
        let sizes = [1025, 1100, 1500, 4096, 70_001];
        for slots in &sizes[..if cfg!(miri) { 1 } else { sizes.len() }] {
            let seed = Seed::random();
            let mut table = ShortTable::new();
            let keys: Vec<Key> = (0..700)
                .map(|number| Key::of(format!("word {number}").as_bytes(), &seed).unwrap())
                .collect();
            for key in &keys {
                table.add(key, 1, &seed);
            }
            table.grow(*slots, &seed);
            assert_eq!(table.known(keys.iter().copied()), 700);
            for key in &keys {
                table.add(key, 1, &seed);
            }
            assert_eq!(table.len(), 700);
            assert!(table.iter().all(|(_, count)| count == 2));
        }
    }

    #[test]
    fn room_for_few_words_at_a_time_is_made_for_many() {
        let seed = Seed::random();
        let mut table = ShortTable::new();
        let words = if cfg!(miri) { 1000 } else { 20_000 };
        let mut growths = 0;
        for number in 0..words {
            let slots = table.slots.len();
            table.reserve(1, &seed);
            let key = Key::of(format!("word {number}").as_bytes(), &seed).unwrap();
            table.add(&key, 1, &seed);
            growths += usize::from(table.slots.len() != slots);
        }
        assert!(growths <= 30, "{growths}");
    }

    #[test]
    fn words_of_every_length_come_back_from_their_slots() {
        let seed = Seed::random();
        for length in 1..=SHORT_BYTES_MAX {
            for fill in [1, b'a', 0xFF] {
                let mut word = vec![0; length];
                word[length - 1] = fill;
                let key = Key::of(&word, &seed).unwrap();
                let slot = Slot::new(&[key.low, key.high, key.third], 1);
                assert_eq!(slot.word(), word);
                assert_eq!(slot.key(&seed).hash, key.hash);
            }
            assert!(Key::of(&vec![0; length], &seed).is_none());
        }
        assert!(Key::of(&[b'a'; SHORT_BYTES_MAX + 1], &seed).is_none());
        assert!(Key::of(b"", &seed).is_none());
    }
}
