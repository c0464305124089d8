//! Words and counts in memory.
//!
//! One table belongs to one worker; threads, text and words' rules are no concern of it.

mod hash;
mod long;
mod short;
mod slots;
mod words;

pub(crate) use hash::Seed;
pub(crate) use short::{Key, SHORT_BYTES_MAX};
pub(crate) use words::Table;
