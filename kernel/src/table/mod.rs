//! Words and counts in memory.
//!
//! One table belongs to one worker; threads, text and words' rules are no concern of it.

mod words;

pub(crate) use words::{Seed, Table};
