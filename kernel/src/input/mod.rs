//! Inputs: which files are named, how their first bytes are judged, and how bytes are reached.
//!
//! It cuts nothing and counts nothing.

mod bytes;
mod find;
mod map;
mod start;

pub use bytes::IoMode;
pub(crate) use bytes::{Opened, Reach, Small, lock_stream, read_small};
pub use find::{Found, InputFile, InputKind, find_inputs};
pub use start::{START_BYTES, check_start};
