//! Memory for what is written down: chunks of large regions, which are used again.
//!
//! An allocator would ask the system for each chunk and give it back, and every page of it would be cleared once more.
#![expect(unsafe_code, reason = "chunks share the memory of a region")]

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

/// 64 MiB, of which only what is used takes memory.
const REGION_BYTES: usize = if cfg!(miri) {
    1 << 12
} else if cfg!(test) {
    1 << 16
} else {
    1 << 26
};

/// 1 MiB: the pages that the system is asked for at a time, since a fault for each would double what they cost. Small ones: what is
/// written from its start to its end gains little from huge ones, and those cost more than all else where a virtual machine has
/// to get them from its host.
const PAGES_BYTES: usize = if cfg!(miri) {
    1 << 10
} else if cfg!(test) {
    1 << 13
} else {
    1 << 20
};

/// Memory that chunks are cut out of. Each byte of it belongs to one chunk, so there is no reference to all of them.
enum Region {
    Mapped(memmap2::MmapRaw),
    Heap { _bytes: Vec<u8> },
}

impl Region {
    /// Brings pages to `range`.
    fn populate(&self, range: Range<usize>) {
        #[cfg(all(target_os = "linux", not(miri)))]
        if let Self::Mapped(bytes) = self {
            let populate = memmap2::Advice::PopulateWrite;
            // Pages come when they are written to otherwise.
            drop(bytes.advise_range(populate, range.start, range.len()));
        }
        #[cfg(not(all(target_os = "linux", not(miri))))]
        let _ = range;
    }
}

/// Bytes that nobody else has, zeros at first.
pub(crate) struct Chunk {
    first: NonNull<u8>,
    len: usize,
    /// What `first` points into; none for no bytes.
    region: Option<Arc<Region>>,
}

// SAFETY: the bytes belong to this chunk alone, on whatever thread it is.
unsafe impl Send for Chunk {}

// SAFETY: a shared reference only reads them.
unsafe impl Sync for Chunk {}

impl Default for Chunk {
    /// No bytes.
    fn default() -> Self {
        Self {
            first: NonNull::dangling(),
            len: 0,
            region: None,
        }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        // SAFETY: `len` initialised bytes of a region that lives as long as `self`, in no other chunk; or none.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl DerefMut for Chunk {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; whoever writes them has borrowed the only chunk that they are in.
        unsafe { slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len)
    }
}

/// Where chunks come from.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    /// Those that are not in use.
    spare: Vec<Chunk>,
    /// What is left of the region that chunks are cut out of.
    rest: Chunk,
    /// The bytes of that region, and how many of them, its last, have no pages yet.
    region_bytes: usize,
    unpopulated: usize,
}

impl Chunks {
    /// One that is not in use, of any size; or a new one of `bytes` bytes, all zeros.
    pub(super) fn take(&mut self, bytes: usize) -> Chunk {
        if let Some(chunk) = self.spare.pop() {
            return chunk;
        }
        if self.rest.len < bytes {
            self.rest = region(bytes);
            self.region_bytes = self.rest.len;
            self.unpopulated = self.rest.len;
        }
        let Chunk { first, len, region } = &self.rest;
        // SAFETY: the region goes on for `len` bytes, which are no less.
        let rest = unsafe { first.add(bytes) };
        let chunk = Chunk {
            first: *first,
            len: bytes,
            region: region.clone(),
        };
        (self.rest.first, self.rest.len) = (rest, len - bytes);
        self.populate();
        chunk
    }

    /// Brings pages to the chunk that was taken last.
    fn populate(&mut self) {
        let missing = self.unpopulated.saturating_sub(self.rest.len);
        if missing > 0
            && let Some(region) = &self.rest.region
        {
            let start = self.region_bytes - self.unpopulated;
            let more = missing.next_multiple_of(PAGES_BYTES).min(self.unpopulated);
            region.populate(start..start + more);
            self.unpopulated -= more;
        }
    }

    /// Keeps a chunk that is not in use any more.
    pub(super) fn keep(&mut self, chunk: Chunk) {
        if chunk.len > 0 {
            self.spare.push(chunk);
        }
    }
}

#[cfg(test)]
impl Chunks {
    /// How many are not in use.
    pub(super) fn spare(&self) -> usize {
        self.spare.len()
    }
}

/// A new region as one chunk; of `least` bytes alone where the system has no more addresses.
fn region(least: usize) -> Chunk {
    let mapped = memmap2::MmapMut::map_anon(least.max(REGION_BYTES));
    let mapped = mapped.map(memmap2::MmapRaw::from).ok();
    let of_map = mapped.and_then(|bytes| Some((NonNull::new(bytes.as_mut_ptr())?, bytes)));
    let (first, len, region) = match of_map {
        Some((first, bytes)) => (first, bytes.len(), Region::Mapped(bytes)),
        None => {
            let mut bytes = vec![0; least];
            let first = NonNull::from(bytes.as_mut_slice()).cast();
            (first, least, Region::Heap { _bytes: bytes })
        }
    };
    Chunk {
        first,
        len,
        region: Some(Arc::new(region)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_share_no_byte_begin_as_zeros_and_are_used_again() {
        let mut chunks = Chunks::default();
        let (count, bytes) = if cfg!(miri) { (20, 256) } else { (300, 1024) };
        let mut taken: Vec<Chunk> = (0..count).map(|_| chunks.take(bytes)).collect();
        taken.push(chunks.take(2 * REGION_BYTES));
        for (index, chunk) in taken.iter_mut().enumerate() {
            assert!(chunk.iter().all(|byte| *byte == 0));
            chunk.fill(index.to_le_bytes()[0]);
            // One more, while there are others of the same region.
            let mut more = chunks.take(bytes);
            more.fill(0xEE);
            assert!(chunks.unpopulated <= chunks.rest.len);
            assert!(chunks.unpopulated + PAGES_BYTES > chunks.rest.len);
        }
        // Another thread has those that are left when the others, and where they came from, are gone.
        drop(chunks);
        let last = taken.split_off(count / 2);
        let thread = std::thread::spawn(move || {
            for (index, chunk) in last.iter().enumerate() {
                let written = (count / 2 + index).to_le_bytes()[0];
                assert!(chunk.iter().all(|byte| *byte == written));
            }
        });
        drop(taken);
        thread.join().unwrap();

        let mut chunks = Chunks::default();
        let mut one = chunks.take(64);
        one.fill(7);
        let place = one.as_ptr();
        chunks.keep(one);
        chunks.keep(Chunk::default());
        assert_eq!(chunks.take(128).as_ptr(), place);
        assert_eq!(chunks.take(128).len(), 128);
    }
}
