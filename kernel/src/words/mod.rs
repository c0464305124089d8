//! The modes: what a word is in each, and the lower-casing of one.

pub mod case;
#[cfg(test)]
mod conformance;
mod property;
pub mod reference;
mod segment;
pub mod unicode;

pub use property::UNICODE_VERSION;
