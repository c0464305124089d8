//! The counting kernel of fanout: exact top-N word counts of bytes of any kind.
//!
//! It knows files and bytes. It knows no network, no URL, no Azure.
//!
//! # Words
//!
//! | mode | a word is | case |
//! |---|---|---|
//! | `unicode` | a UAX #29 (Unicode 17) word segment that holds at least one character with Alphabetic or of general category N | lower |
//! | `whitespace` | a maximal run of anything but white space | lower |
//! | `alpha` | a maximal run of `A`-`Z` `a`-`z` | lower |
//! | `tutorial` | Python's `str.split()`, then `strip(string.punctuation)`, less the empty strings | kept |
//!
//! White space is Python's `str.isspace`: Unicode `White_Space` and U+001C to U+001F. Lower is Unicode full lowercase of each
//! word after the cut, as `str::to_lowercase`; nothing is folded or normalised. Input is bytes: in `unicode` each maximal
//! ill-formed part acts as a line feed, in `whitespace` and `tutorial` it is part of the word. Words never join across files.
//!
//! # Guarantees
//!
//! - Counts are exact, or there is an error; never an estimate, never a part of the data.
//! - The answer depends on the bytes and the settings alone: not on threads, chunks, the way of reading, the seed of a hash,
//!   the instruction set, or the number of shards.
//!
//! # Map
//!
//! `input` finds files and reaches their bytes, [`chunk`] cuts them, [`words`] holds the rules, `table` the counts of a
//! worker; [`count`] joins them into [`counts`]. [`top`] takes the N most frequent, [`render`] shows them, [`partial`] keeps
//! all of them in a file. [`cli`] is the command line that `topn` and `fanout count` share.

#[cfg(test)]
mod alike;
mod apart;
pub mod chunk;
pub mod cli;
pub mod count;
pub mod counts;
pub mod error;
pub mod exit;
mod group;
pub mod input;
mod marks;
pub mod oracle;
pub mod partial;
mod parts;
mod pass;
pub mod progress;
pub mod render;
mod scan;
mod segments;
pub mod settings;
mod table;
mod tile;
pub mod top;
pub mod words;
