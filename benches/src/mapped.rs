//! A file as memory, for the rivals that are measured with it.
#![expect(unsafe_code, reason = "mapping a file needs the system's interface")]

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// Maps all of the file at `path`, which nothing changes meanwhile.
///
/// # Errors
/// What the system says.
pub fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the texts of the measurements are written once, before anything is measured.
    unsafe { Mmap::map(&file) }
}
