//! Words and counts in memory.
//!
//! One table belongs to one worker; threads, text and words' rules are no concern of it.

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod aes;
mod hash;
mod long;
mod scatter;
mod short;
mod slots;
mod words;

pub(crate) use hash::Seed;
pub(crate) use scatter::{Counter, PARTS, Part};
pub(crate) use short::{GROUP, Key, SHORT_BYTES_MAX, Waiting};
pub(crate) use words::Table;
