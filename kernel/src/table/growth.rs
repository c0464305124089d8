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
    for at in (0..before).rev() {
        let mut entry = slots[at];
        if entry.count() == 0 {
            continue;
        }
        slots[at] = E::default();
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
    for mut entry in astray {
        let mut to = fraction(hash(&entry), of);
        while slots[to].count() != 0 {
            let_first(&mut slots[to], &mut entry);
            to = if to + 1 == count { 0 } else { to + 1 };
        }
        slots[to] = entry;
    }
}
