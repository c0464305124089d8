//! A table of short words: the whole word and its count in a quarter of a cache line, or in half of one.
//!
//! ```text
//! slot, N = 1, 16 bytes:  word (zeros after the end) | count (0: empty)
//! slot, N = 3, 32 bytes:  word 0..8 | 8..16 | 16..24 | count
//! slots:  the first by the upper half of the hash as a fraction of 2^32, then the next until the word or an empty one is met
//! ```

use super::growth::{self, Entry, SOME_SLOTS, used};
use super::hash::{Seed, fraction};
use super::key::{Key, length};
use super::prefetch::prefetch;
use super::slots::Slots;

/// A word that waits while its slot is on the way.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Waiting<const N: usize> {
    words: [u64; N],
    /// The first slot to look at.
    slot: usize,
}

impl<const N: usize> Waiting<N> {
    /// A word and the first slot to look at.
    #[inline(always)]
    pub(crate) fn new(words: [u64; N], slot: usize) -> Self {
        Self { words, slot }
    }

    /// Its bytes, as little-endian words filled up with zeros.
    #[inline(always)]
    pub(crate) fn words(&self) -> &[u64; N] {
        &self.words
    }

    /// The first slot to look at.
    #[inline(always)]
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }
}

impl<const N: usize> Default for Waiting<N> {
    fn default() -> Self {
        Self::new([0; N], 0)
    }
}

/// A word and its count.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Slot<const N: usize> {
    word: [[u8; 8]; N],
    count: u64,
}

impl<const N: usize> Slot<N> {
    #[inline(always)]
    fn has(&self, words: &[u64; N]) -> bool {
        if N == 1 {
            return u64::from_le_bytes(self.word[0]) == words[0];
        }
        // Two words in one register, and no look at the count: a load that covers it waits until it was written.
        let words = words.map(u64::to_le_bytes);
        let two = N.min(2);
        self.word[..two] == words[..two] && self.word[two..] == words[two..]
    }

    fn new(words: &[u64; N], count: u64) -> Self {
        let word = words.map(u64::to_le_bytes);
        Self { word, count }
    }

    #[inline(always)]
    fn words(&self) -> [u64; N] {
        self.word.map(u64::from_le_bytes)
    }

    fn word(&self) -> &[u8] {
        &self.word.as_flattened()[..length(&self.words())]
    }

    /// The key again: growth needs no more than the slot.
    fn key(&self, seed: &Seed) -> Key<N> {
        Key::of_words(self.words(), &seed.short())
    }
}

impl<const N: usize> Default for Slot<N> {
    fn default() -> Self {
        Self::new(&[0; N], 0)
    }
}

impl<const N: usize> Entry for Slot<N> {
    #[inline(always)]
    fn count(&self) -> u64 {
        self.count
    }
}

/// 1024 slots, 16 or 32 KiB: what a text of a kilobyte fills to a tenth.
const SLOTS_MIN: usize = 1024;

/// Short words and their counts.
#[derive(Debug)]
pub(crate) struct ShortTable<const N: usize> {
    slots: Slots<Slot<N>>,
    len: usize,
    /// One more word makes the table grow.
    len_max: usize,
    /// Whether a word was so far from its first slot that its hash is no good.
    flooded: bool,
}

/// 2048 slots: with good hashes even 10^9 words have none so far from its first slot; words made to collide have. From here
/// on one more costs about as much as a growth for every thousand. An interpreter cannot walk so far.
const STEPS_MAX: usize = if cfg!(miri) { 256 } else { 2048 };

/// 32768 slots, 512 KiB or 1 MiB: tables of less, which fit the second-level cache, are filled to a quarter.
const ROOMY_SLOTS: usize = 1 << 15;

/// 262144 slots, 4 or 8 MiB: tables of more are filled to three quarters, since pages have to be cleared, less to a half.
const LARGE_SLOTS: usize = 1 << 18;

/// How many words `slots` hold at most. A word that is not in its first slot is a branch mispredicted, which costs more than all else
/// that is done for it.
const fn len_max(slots: usize) -> usize {
    if slots < ROOMY_SLOTS {
        slots / 4
    } else if slots < LARGE_SLOTS {
        slots / 2
    } else {
        slots / 4 * 3
    }
}

/// How many slots hold `len` words.
const fn slots_for(len: usize) -> usize {
    if len < ROOMY_SLOTS / 4 {
        4 * len + 4
    } else if len < ROOMY_SLOTS / 2 {
        ROOMY_SLOTS
    } else if len < LARGE_SLOTS / 2 {
        2 * len + 2
    } else if len < LARGE_SLOTS / 4 * 3 {
        LARGE_SLOTS
    } else {
        len / 3 * 4 + 8
    }
}

impl<const N: usize> ShortTable<N> {
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
    pub(super) fn first_slot(&self, hash: u64) -> usize {
        fraction(hash, self.slots_count())
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
            if slots < ROOMY_SLOTS {
                slots * 4
            } else {
                slots / 2 * 3
            },
            seed,
        );
    }

    /// Brings the slot of `key` near. It is counted by [`add_at`](Self::add_at) before the table may grow.
    #[inline(always)]
    pub(crate) fn fetch(&self, key: &Key<N>) -> Waiting<N> {
        let slot = self.first_slot(key.hash);
        self.prefetch_slot(slot);
        Waiting::new(key.words, slot)
    }

    /// Counts words, each with its first slot, once each. There is room for them.
    #[inline(always)]
    pub(crate) fn add_all<'a>(&mut self, words: impl Iterator<Item = (&'a [u64; N], usize)>) {
        // What changes only with new words stays in registers.
        let slots = &mut self.slots[..];
        for (words, first) in words {
            let slot = &mut slots[first];
            if slot.has(words) {
                slot.count += 1;
            } else {
                let steps = add_further(slots, first, words, 1);
                self.len += usize::from(steps.is_new);
                self.flooded |= steps.too_many;
            }
        }
    }

    /// Counts a word whose first slot is the `first`th `count` more times. There is room for it.
    #[inline(always)]
    pub(crate) fn add_at(&mut self, words: &[u64; N], first: usize, count: u64) {
        let slot = &mut self.slots[first];
        if slot.has(words) {
            slot.count += count;
        } else {
            let steps = add_further(&mut self.slots, first, words, count);
            self.len += usize::from(steps.is_new);
            self.flooded |= steps.too_many;
        }
    }

    /// Counts a word that waited once more if it is here; whether it is.
    #[inline(always)]
    pub(crate) fn add_known(&mut self, words: &[u64; N], first: usize) -> bool {
        let mut at = first;
        loop {
            let slot = &mut self.slots[at];
            if slot.has(words) {
                slot.count += 1;
                return true;
            }
            if slot.count == 0 {
                return false;
            }
            at = self.next(at);
        }
    }

    /// How many slots there are.
    #[inline(always)]
    pub(crate) fn slots_count(&self) -> u32 {
        self.slots.count()
    }

    /// Whether `more` words make it grow.
    #[inline(always)]
    pub(crate) fn lacks(&self, more: usize) -> bool {
        self.len + more > self.len_max
    }

    /// Brings the slot of `key` near.
    #[inline(always)]
    pub(crate) fn prefetch(&self, key: &Key<N>) {
        self.prefetch_slot(self.first_slot(key.hash));
    }

    /// Brings a slot near.
    #[inline(always)]
    pub(crate) fn prefetch_slot(&self, slot: usize) {
        prefetch(&self.slots, slot);
    }

    /// Counts `key` `count` more times.
    #[inline(always)]
    pub(crate) fn add(&mut self, key: &Key<N>, count: u64, seed: &Seed) {
        self.make_room(1, seed);
        self.add_at(&key.words, self.first_slot(key.hash), count);
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
        let slots = slots_for(self.len + more);
        if slots > self.slots.len() {
            // At least by an eighth: many small tables, added one after another, would each move every word otherwise.
            self.grow(slots.max(self.slots.len() / 8 * 9), seed);
        }
    }

    /// Grows to `slots` where it is.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, slots: usize, seed: &Seed) {
        let short = seed.short();
        short.hashing(
            #[inline(always)]
            || growth::grow(&mut self.slots, slots, |slot| short.hash(slot.words())),
        );
        self.len_max = len_max(slots);
    }

    /// Every key with its count whose hash is in the `index`th of `parts` equal parts of all hashes, in about the order of
    /// hashes.
    pub(crate) fn keys_of_part(
        &self,
        index: usize,
        parts: u32,
        seed: &Seed,
    ) -> impl Iterator<Item = (Key<N>, u64)> {
        let slots = self.slots.len();
        let all = parts as usize;
        // The slots of the first and of the last hash of the part, and then, round the end, those that words went on to.
        let first = index * slots / all;
        let last = ((index + 1) * slots).div_ceil(all).min(slots);
        let beyond = (last..slots).chain(0..first);
        let beyond = beyond.take_while(|&at| self.slots[at].count != 0);
        (first..last).chain(beyond).filter_map(move |at| {
            let slot = &self.slots[at];
            let key = slot.key(seed);
            (slot.count != 0 && fraction(key.hash, parts) == index).then_some((key, slot.count))
        })
    }

    /// How many of the words of `sample` there are here.
    pub(crate) fn known(&self, sample: impl Iterator<Item = Key<N>>) -> usize {
        sample.filter(|key| self.count(key) != 0).count()
    }

    /// How often the word of `key` was counted.
    pub(crate) fn count(&self, key: &Key<N>) -> u64 {
        let mut at = self.first_slot(key.hash);
        loop {
            let slot = &self.slots[at];
            if slot.count == 0 || slot.has(&key.words) {
                return slot.count;
            }
            at = self.next(at);
        }
    }

    /// How many different words there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The slots that are not empty.
    fn used(&self) -> impl Iterator<Item = &Slot<N>> {
        let blocks = self.slots.chunks(SOME_SLOTS);
        blocks.flat_map(|slots| used(slots).map(|at| &slots[at]))
    }

    /// Every word with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.used().map(|slot| (slot.word(), slot.count))
    }

    /// Takes all words out, in no order, each as the words of its key with its count; the slots stay.
    pub(crate) fn take_all(&mut self, mut taken: impl FnMut(&[u64; N], u64)) {
        for slots in self.slots.chunks_mut(SOME_SLOTS) {
            for at in used(slots) {
                let slot = std::mem::take(&mut slots[at]);
                taken(&slot.words(), slot.count);
            }
        }
        self.len = 0;
        self.flooded = false;
    }

    /// Every key with its count, in no order.
    pub(crate) fn keys(&self, seed: &Seed) -> impl Iterator<Item = (Key<N>, u64)> {
        self.used().map(|slot| (slot.key(seed), slot.count))
    }
}

/// What came of a word that is not in its first slot.
struct Steps {
    is_new: bool,
    too_many: bool,
}

/// Counts a word that is not in its first slot `count` more times.
#[inline(never)]
fn add_further<const N: usize>(
    slots: &mut [Slot<N>],
    first: usize,
    words: &[u64; N],
    count: u64,
) -> Steps {
    let (before, after) = slots.split_at_mut(first);
    for (steps, slot) in after.iter_mut().chain(before).enumerate() {
        let is_new = slot.count == 0;
        if is_new {
            *slot = Slot::new(words, 0);
        }
        if is_new || slot.has(words) {
            slot.count += count;
            let too_many = steps > STEPS_MAX;
            return Steps { is_new, too_many };
        }
    }
    unreachable!("a quarter of the slots are empty")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn growth_loses_and_doubles_nothing() {
        let seed = Seed::random();
        let mut table = ShortTable::<3>::new();
        let mut expected = BTreeMap::new();
        let words = if cfg!(miri) { 1800 } else { 300_000 };
        for number in 0..words {
            let word = format!("{:x}", number * 7919 % (words / 2) * 0x1_0000_0001_u64);
            *expected.entry(word.clone().into_bytes()).or_insert(0) += 2;
            table.add(&Key::<3>::of(word.as_bytes(), &seed).unwrap(), 2, &seed);
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
        let sizes = [4097, 5000, 6001, 16_384, 140_001];
        for slots in &sizes[..if cfg!(miri) { 1 } else { sizes.len() }] {
            let seed = Seed::random();
            let mut table = ShortTable::<3>::new();
            let keys: Vec<Key<3>> = (0..700)
                .map(|number| Key::<3>::of(format!("word {number}").as_bytes(), &seed).unwrap())
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
    fn used_slots_are_those_with_a_count_from_either_end() {
        for length in [0, 1, 2, 63, 64] {
            for pattern in [
                0,
                1,
                1 << 63,
                0x8000_0000_0000_0001,
                0x0F0F_1248_8421_AAAA,
                !0_u64,
            ] {
                let slot = |at: u64| Slot::new(&[at], pattern >> at & 1);
                let slots: Vec<Slot<1>> = (0..length).map(slot).collect();
                let expected = (0..slots.len()).filter(|at| slots[*at].count != 0);
                assert!(used(&slots).eq(expected.clone()), "{pattern:x}");
                assert!(used(&slots).rev().eq(expected.rev()), "{pattern:x}");
            }
        }
    }

    #[test]
    fn slots_for_words_hold_them() {
        for len in (0..500_000).step_by(7) {
            assert!(len_max(slots_for(len)) >= len, "{len}");
        }
    }

    #[test]
    fn room_for_few_words_at_a_time_is_made_for_many() {
        let seed = Seed::random();
        let mut table = ShortTable::<3>::new();
        let words = if cfg!(miri) { 1000 } else { 20_000 };
        let mut growths = 0;
        for number in 0..words {
            let slots = table.slots.len();
            table.reserve(1, &seed);
            let key = Key::<3>::of(format!("word {number}").as_bytes(), &seed).unwrap();
            table.add(&key, 1, &seed);
            growths += usize::from(table.slots.len() != slots);
        }
        assert!(growths <= 40, "{growths}");
    }
}
