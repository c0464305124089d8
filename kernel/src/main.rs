//! `topn`: the command line of the kernel.
//!
//! Everything is in the library. The allocator is that of the C library, also of musl, which is slow when threads allocate:
//! no word that was seen before allocates, tables get their memory from the system, and the bytes of long words come by the
//! megabyte. What allocates for each word is an answer of all words (`-n 0`), on one thread.

use std::process::ExitCode;

fn main() -> ExitCode {
    kernel::cli::topn(std::env::args_os())
}
