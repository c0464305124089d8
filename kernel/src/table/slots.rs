//! Memory for slots: zeroed, in huge pages once it is large and where they are worth it, extended where it is.
//!
//! It knows nothing of what a slot holds but that zeros are an empty one.
#![expect(unsafe_code, reason = "slots in memory that the system maps")]

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;

use super::long::LongSlot;
use super::short::Slot;

/// 2 MiB, a huge page: from here on slots have memory of their own from the system. A table of that size does not fit the
/// second-level TLB in small pages, and a miss there stops a prefetch on some processors.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// 32 GiB of addresses, not of memory: what a table may grow to without being moved. Addresses cost nothing until they are
/// touched, and 500 threads have room for the four tables of each; where there is none, slots are moved when they grow.
const RESERVED_BYTES: usize = 32 << 30;

/// A cache line: no slot is in two of them.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// What may be a slot.
///
/// # Safety
/// It is made of integers without padding: any bytes are one. All zeros are an empty one.
pub(super) unsafe trait Plain: Copy + Send + Sync {
    /// Whether they are reached in no order, and so often that huge pages are worth what they cost.
    const IN_HUGE_PAGES: bool = true;
}

// SAFETY: words of eight bytes and a count.
unsafe impl<const N: usize> Plain for Slot<N> {}

// SAFETY: one integer; 0 is an empty one.
unsafe impl Plain for LongSlot {}

// SAFETY: bytes; zeros are none of a word.
unsafe impl<const N: usize> Plain for [u8; N] {
    const IN_HUGE_PAGES: bool = false;
}

/// A number of slots.
///
/// # Panics
/// From 2^32 slots on: 64 GiB or more in one table. Short words that are so many are written down long before, so only counts that are
/// added to others come to it; long words come to it with 64 GiB of different ones.
fn checked(count: usize) -> u32 {
    let counted = u32::try_from(count);
    assert!(
        counted.is_ok(),
        "too many different words: a table would have {count} slots, less than 2^32 are supported; \
         count parts of the input by --partial and add them up by --merge"
    );
    counted.unwrap_or_default()
}

/// Slots, all empty at first; less than 2^32.
pub(super) struct Slots<T> {
    first: NonNull<T>,
    count: u32,
    /// How many there can be without being moved.
    room: usize,
    /// What `first` points into; it never moves.
    memory: Memory,
}

enum Memory {
    Heap {
        _lines: Vec<Line>,
    },
    /// There is never a reference to all of it: `first` points into it.
    Mapped(memmap2::MmapRaw),
}

// SAFETY: the slots are integers that only `self` points to.
unsafe impl<T: Plain> Send for Slots<T> {}

// SAFETY: a shared reference only reads them.
unsafe impl<T: Plain> Sync for Slots<T> {}

impl<T: Plain> Slots<T> {
    /// `count` empty slots, less than 2^32.
    pub(super) fn new(count: usize) -> Self {
        // No slot is in two cache lines.
        const { assert!(size_of::<Line>().is_multiple_of(size_of::<T>())) };
        let bytes = count * size_of::<T>();
        if bytes >= HUGE_PAGE_BYTES {
            let reserved = Self::map(RESERVED_BYTES.max(bytes), count);
            if let Some(slots) = reserved.or_else(|| Self::map(bytes, count)) {
                return slots;
            }
        }
        let mut lines = vec![Line([0; 8]); bytes.div_ceil(size_of::<Line>())];
        let first = NonNull::from(lines.as_mut_slice()).cast();
        Self {
            first,
            count: checked(count),
            room: count,
            memory: Memory::Heap { _lines: lines },
        }
    }

    /// `count` slots with room for `bytes` of them, at the start of a huge page; none when the system refuses.
    fn map(bytes: usize, count: usize) -> Option<Self> {
        // Room to begin where a huge page does; what is left over is never touched.
        let mapped = memmap2::MmapOptions::new()
            .len(bytes + HUGE_PAGE_BYTES)
            .no_reserve_swap()
            .map_anon()
            .ok()?;
        let mapped = memmap2::MmapRaw::from(mapped);
        let address = mapped.as_ptr().addr();
        let start = address.next_multiple_of(HUGE_PAGE_BYTES) - address;
        #[cfg(target_os = "linux")]
        if T::IN_HUGE_PAGES {
            // Small pages do as well, only slower.
            drop(mapped.advise_range(memmap2::Advice::HugePage, start, bytes));
        }
        let first = NonNull::new(mapped.as_mut_ptr().wrapping_add(start))?;
        Some(Self {
            first: first.cast(),
            count: checked(count),
            room: bytes / size_of::<T>(),
            memory: Memory::Mapped(mapped),
        })
    }

    /// Makes them `count`, more than they are: the slots that there are stay first, the others are empty.
    pub(super) fn extend(&mut self, count: usize) {
        assert!(count >= self.len(), "slots are never taken away");
        if count > self.room {
            let mut larger = Self::new(count);
            larger[..self.len()].copy_from_slice(self);
            *self = larger;
        }
        // Within the room nothing was ever written.
        self.count = checked(count);
    }

    /// Brings pages to `slots`, all at once: a fault for each costs as much as the page.
    pub(super) fn populate(&self, slots: Range<usize>) {
        #[cfg(all(target_os = "linux", not(miri)))]
        if let Memory::Mapped(mapped) = &self.memory {
            let start = self.first.as_ptr().addr() - mapped.as_ptr().addr();
            let [from, to] = [slots.start, slots.end].map(|slot| start + slot * size_of::<T>());
            let populate = memmap2::Advice::PopulateWrite;
            // Pages come when they are written to otherwise.
            drop(mapped.advise_range(populate, from, to - from));
        }
        #[cfg(not(all(target_os = "linux", not(miri))))]
        let _ = (slots, &self.memory);
    }

    /// How many there are.
    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.count
    }
}

impl<T: Plain> Deref for Slots<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `first` points to `count` slots: a vector of lines that has room for them, or as many zeroed bytes from a
        // multiple of 2 MiB on; any bytes are a slot, since it is made of integers without padding. They live and stay while `self` does.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count as usize) }
    }
}

impl<T: Plain> DerefMut for Slots<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; nothing else points to them while `self` is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.count as usize) }
    }
}

impl<T: Plain> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} slots", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_four_bytes_name_and_no_more() {
        assert_eq!(checked(0xFFFF_FFFF), u32::MAX);
        let refused = std::panic::catch_unwind(|| checked(1 << 32)).unwrap_err();
        let told = refused.downcast::<String>().unwrap();
        assert!(
            told.contains("4294967296 slots") && told.contains("--merge"),
            "{told}"
        );
    }
}
