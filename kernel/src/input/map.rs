//! Files as memory: the mapping, and what happens when a mapped file shrinks.
//!
//! It decides neither which files are mapped nor what a shrunk file means for the answer.
#![expect(
    unsafe_code,
    reason = "mapping a file and catching SIGBUS need the system's interface"
)]

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A regular file mapped for reading.
///
/// If the file shrinks meanwhile, the pages past its new end read as zeros and [`was_hit`](Self::was_hit) says so: the count
/// goes on to its end and is then thrown away with an error, instead of the process dying of SIGBUS.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: memmap2::Mmap,
    slot: &'static Slot,
}

/// The range of one live mapping, for the signal handler. `end` 0: the slot is free; 1: it is being filled.
#[derive(Debug)]
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    hit: AtomicBool,
}

/// 256: every worker holds one or two mappings at a time. When all are taken, files are read instead.
const SLOTS: usize = 256;

static LIVE: [Slot; SLOTS] = [const {
    Slot {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        hit: AtomicBool::new(false),
    }
}; SLOTS];

/// What handled SIGBUS before, and the page size.
static BEFORE: OnceLock<Option<(libc::sigaction, usize)>> = OnceLock::new();

impl Mapping {
    /// Maps all of `file`, which must be regular and have `bytes` bytes, more than 0.
    ///
    /// # Errors
    /// What the system says; also when too many mappings are live, or SIGBUS cannot be handled. Reading is the way out.
    pub(crate) fn new(file: &File, bytes: usize) -> io::Result<Self> {
        if BEFORE.get_or_init(install).is_none() {
            return Err(io::Error::other("SIGBUS cannot be handled"));
        }
        let slot = LIVE
            .iter()
            .find(|slot| {
                slot.end
                    .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            })
            .ok_or_else(|| io::Error::other("too many files are mapped"))?;
        // SAFETY: the bytes are only ever read. A file that changes under the map can change what is counted, not what is
        // valid: no reader relies on two reads of a byte being equal, `&[u8]` has no invalid values, and a page that
        // vanishes is replaced by the handler of SIGBUS below. Files are counted where nobody is expected to write them.
        let mapped = unsafe { memmap2::MmapOptions::new().len(bytes).map(file) };
        match mapped {
            Ok(map) => {
                slot.hit.store(false, Ordering::Relaxed);
                // Whoever sees this start sees that the slot is being filled.
                slot.start.store(map.as_ptr().addr(), Ordering::Release);
                slot.end
                    .store(map.as_ptr().addr() + bytes, Ordering::Release);
                Ok(Self { map, slot })
            }
            Err(error) => {
                slot.end.store(0, Ordering::Release);
                Err(error)
            }
        }
    }

    /// Lets the pages of `range` go; whoever reads them again has them mapped again.
    pub(crate) fn let_go(&self, range: Range<usize>) {
        // SAFETY: what is only read is the same afterwards: bytes of the file, or the zeros that the handler of SIGBUS put there.
        let done = unsafe {
            self.map.unchecked_advise_range(
                memmap2::UncheckedAdvice::DontNeed,
                range.start,
                range.len(),
            )
        };
        // They go with the mapping otherwise.
        drop(done);
    }

    /// Whether a read met a page that the file no longer has.
    pub(crate) fn was_hit(&self) -> bool {
        self.slot.hit.load(Ordering::Acquire)
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.slot.end.store(0, Ordering::Release);
    }
}

/// Installs the handler; `None` when the system refuses.
fn install() -> Option<(libc::sigaction, usize)> {
    // SAFETY: `sysconf` has no conditions.
    let page_bytes = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    // SAFETY: a zeroed `sigaction` is a valid one: default action, empty mask, no flags.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: as above.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: both point to `sigaction` values that outlive the call, and the handler has the signature of `SA_SIGINFO`.
    let result = unsafe { libc::sigaction(libc::SIGBUS, &raw const action, &raw mut before) };
    (result == 0).then_some((before, page_bytes))
}

/// Puts zero pages under a mapping whose file shrank; any other fault goes to whoever handled it before; a SIGBUS
/// that a process sent ends this one.
///
/// Only what a signal handler may do: atomic loads and stores, and system calls.
extern "C" fn on_sigbus(
    _signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the system passes a valid `siginfo_t`, which lives until the handler returns.
    let info = unsafe { &*info };
    // Sent by a process, not raised by a fault: there is no address, and it will not happen again by itself.
    if info.si_code <= 0 {
        // SAFETY: it has no conditions, and a handler may call it.
        unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
        // SAFETY: as above; the signal waits until this handler returns.
        unsafe { libc::raise(libc::SIGBUS) };
        return;
    }
    // SAFETY: the address is set for a SIGBUS that a fault raised.
    let address = unsafe { info.si_addr() }.addr();
    let before = BEFORE.get().and_then(Option::as_ref);
    let page_bytes = before.map_or(4096, |(_, page_bytes)| *page_bytes);
    for slot in &LIVE {
        let end = slot.end.load(Ordering::Acquire);
        let start = slot.start.load(Ordering::Acquire);
        // The end again: a slot that was filled anew meanwhile has a start and an end of two mappings.
        if end > 1 && (start..end).contains(&address) && slot.end.load(Ordering::Acquire) == end {
            slot.hit.store(true, Ordering::Release);
            let page = address & !(page_bytes - 1);
            // SAFETY: the range from this page to the end of the mapping belongs to the mapping of `slot`, which is live
            // because a thread is reading it, and whose start and end are of one mapping; it is replaced by memory of the
            // same size that reads as zeros.
            let zeros = unsafe {
                libc::mmap(
                    std::ptr::without_provenance_mut(page),
                    end - page,
                    libc::PROT_READ,
                    libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                    -1,
                    0,
                )
            };
            if zeros != libc::MAP_FAILED {
                return;
            }
        }
    }
    if let Some((before, _)) = before {
        // SAFETY: `before` is what `sigaction` returned for this signal; the fault happens again and goes there.
        unsafe { libc::sigaction(libc::SIGBUS, before, std::ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    /// Whether the page of a byte is in the tables of this process.
    fn is_mapped(byte: &u8) -> bool {
        let page = std::ptr::from_ref(byte).addr() / 4096;
        let mut entry = [0; 8];
        let pages = File::open("/proc/self/pagemap").unwrap();
        pages.read_exact_at(&mut entry, page as u64 * 8).unwrap();
        u64::from_le_bytes(entry) >> 63 == 1
    }

    #[test]
    fn a_file_that_shrinks_while_mapped_reads_as_zeros_and_is_reported() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[b'x'; 300_000]).unwrap();
        let mapping = Mapping::new(&file, 300_000).unwrap();
        assert_eq!(mapping[299_999], b'x');
        assert_eq!(mapping[200_000], b'x');
        // The pages are of 4 KiB there, and the system tells which there are.
        let is_told = cfg!(all(target_os = "linux", target_arch = "x86_64"));
        assert!(!is_told || is_mapped(&mapping[200_000]));
        mapping.let_go(4096..280_000);
        assert!(!is_told || !is_mapped(&mapping[200_000]));
        assert!(!is_told || is_mapped(&mapping[299_999]));
        assert_eq!(mapping[200_000], b'x');
        assert!(!mapping.was_hit());
        file.set_len(10).unwrap();
        assert_eq!(mapping[200_000], 0);
        assert_eq!(mapping[299_999], 0);
        assert!(mapping.was_hit());
        mapping.let_go(0..300_000);
        assert_eq!((mapping[0], mapping[299_999]), (b'x', 0));
        assert_eq!(mapping.len(), 300_000);
    }
}
