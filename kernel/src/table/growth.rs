//! Growth of slots where they are: no second table, no page touched that the larger one does not need.
//!
//! When a table grows, and by how much, is decided by each.

use super::hash::fraction;
use super::slots::{Plain, Slots};

/// What a slot holds.
pub(super) trait Entry: Plain + Default {
    /// How often it was counted; 0 when the slot is empty.
    fn count(&self) -> u64;
}

/// How many slots [`used`] looks at.
pub(super) const SOME_SLOTS: usize = 64;

/// Which of at most [`SOME_SLOTS`] slots are not empty, from the first on. No branch depends on each: nothing foretells it.
#[inline(always)]
pub(super) fn used<E: Entry>(slots: &[E]) -> Used {
    let slots = slots.iter().enumerate();
    Used(slots.fold(0, |used, (at, slot)| {
        used | u64::from(slot.count() != 0) << at
    }))
}

/// Bits of a number, as the places of those that are set.
pub(super) struct Used(u64);

impl Iterator for Used {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let at = self.0.trailing_zeros() as usize;
        let before = self.0;
        self.0 &= before.wrapping_sub(1);
        (before != 0).then_some(at)
    }
}

impl DoubleEndedIterator for Used {
    #[inline(always)]
    fn next_back(&mut self) -> Option<usize> {
        let at = self.0.checked_ilog2()?;
        self.0 ^= 1 << at;
        Some(at as usize)
    }
}

/// Changes places with a less frequent entry: frequent words are then met first. Without it growth would put late and rare words
/// first, and the branch that expects a word in its first slot would fail more often.
#[inline(always)]
fn let_first<E: Entry>(there: &mut E, entry: &mut E) {
    if entry.count() > there.count() {
        std::mem::swap(there, entry);
    }
}

/// Makes slots, in the order of `hash`, `count`, which is more than they are.
///
/// The slots of a larger table are in the same order, so each entry moves to its new place from the last to the first, and never
/// onto one that has not moved yet.
#[inline(always)]
pub(super) fn grow<E: Entry>(slots: &mut Slots<E>, count: usize, hash: impl Fn(&E) -> u64) {
    let before = slots.len();
    slots.extend(count);
    let of = slots.count();
    // Entries that would move towards the start, or past the end: those of the first slots, mostly.
    let mut astray = Vec::new();
    for start in (0..before).step_by(SOME_SLOTS).rev() {
        let end = before.min(start + SOME_SLOTS);
        for at in used(&slots[start..end]).rev() {
            let at = start + at;
            let mut entry = std::mem::take(&mut slots[at]);
            let mut to = fraction(hash(&entry), of);
            if to >= at {
                while to < count && slots[to].count() != 0 {
                    let_first(&mut slots[to], &mut entry);
                    to += 1;
                }
                if to < count {
                    slots[to] = entry;
                    continue;
                }
            }
            astray.push(entry);
        }
    }
    for mut entry in astray {
        let mut to = fraction(hash(&entry), of);
        while slots[to].count() != 0 {
            let_first(&mut slots[to], &mut entry);
            to = if to + 1 == count { 0 } else { to + 1 };
        }
        slots[to] = entry;
    }
}
