//! The modes: what a word is in each, and the lower-casing of one.
//!
//! Counting words is not done here; nor is cutting text into chunks.

mod alpha;
pub mod case;
#[cfg(test)]
pub(crate) mod conformance;
pub(crate) mod lower_wide;
mod mode;
pub(crate) mod plain;
mod property;
mod quality;
pub mod reference;
pub(crate) mod segment;
pub mod unicode;
mod whitespace;
pub(crate) mod window;

pub use mode::{for_each_counted, for_each_word};
pub use property::UNICODE_VERSION;
#[cfg(test)]
pub(crate) use property::{Class, property};
pub(crate) use whitespace::{space_len, strip_punctuation};
