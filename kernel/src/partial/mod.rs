//! The partial: the file that holds all counts of one shard, and the exact merge of partials.
//!
//! The format is specified in `kernel/PARTIAL.md`. What a shard is, and which shards a run has, is decided elsewhere.

mod format;
mod merge;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use format::{PartialError, Totals, VERSION};
pub use merge::{MergeError, MergeOptions, MergeSink, merge, merge_into, settings_of};
pub use read::PartialReader;
pub use write::PartialWriter;
