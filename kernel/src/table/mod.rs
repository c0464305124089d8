//! Words and counts in memory.
//!
//! One table belongs to one worker; threads, text and words' rules are no concern of it.

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod aes;
mod chunks;
mod counted;
mod entries;
mod growth;
mod hash;
mod key;
mod long;
mod prefetch;
mod records;
mod scatter;
mod short;
mod slots;
mod words;

pub(crate) use hash::{Seed, fraction};
pub(crate) use key::Key;
pub(crate) use records::Records;
pub(crate) use scatter::{Counter, Sum, by_part};
pub(crate) use short::Waiting;
pub(crate) use words::Table;
