//! The loop that fast word counters are mostly made of: one thread, a buffer of 64 KiB, a hash map with owned keys.
//!
//! It is right for ASCII only: letters beyond are not lower-cased, blanks beyond do not separate, and every control character
//! does.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::rivals::{Counts, add};

/// What is read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// When a part is lower-cased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lower {
    /// Each byte as the loop comes to it, as such loops are usually written.
    EachByte,
    /// The whole part before the loop: the compiler makes vectors of it.
    WholePart,
}

/// Counts the words of `text` between blanks, lower-cased.
///
/// Each part is lower-cased and cut at blanks; the beginning of a word that goes on is carried to the front. A word that fills
/// the buffer makes it larger.
///
/// # Errors
/// What reading says.
pub fn count(mut text: impl Read, lower: Lower) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut kept = 0;
    loop {
        let read = text.read(&mut buffer[kept..])?;
        let filled = kept + read;
        if lower == Lower::WholePart {
            buffer[kept..filled].make_ascii_lowercase();
        }
        let mut start = 0;
        for at in kept..filled {
            let byte = buffer[at];
            if lower == Lower::EachByte && byte.is_ascii_uppercase() {
                buffer[at] = byte | 0x20;
            }
            if byte <= b' ' {
                if start < at {
                    add(&mut counts, &buffer[start..at]);
                }
                start = at + 1;
            }
        }
        if read == 0 {
            if start < filled {
                add(&mut counts, &buffer[start..filled]);
            }
            return Ok(counts);
        }
        buffer.copy_within(start..filled, 0);
        kept = filled - start;
        if kept == buffer.len() {
            buffer.resize(2 * kept, 0);
        }
    }
}

/// [`count`] of a file that is UTF-8, with the lower case of letters beyond ASCII put right afterwards: that costs once a
/// different word, so it takes little from the loop.
///
/// # Errors
/// What opening and reading say.
pub fn count_file(path: &Path, lower: Lower) -> io::Result<Counts> {
    let mut counts = count(File::open(path)?, lower)?;
    let high: Vec<Vec<u8>> = counts
        .keys()
        .filter(|word| !word.is_ascii())
        .cloned()
        .collect();
    for word in high {
        let lower = String::from_utf8_lossy(&word).to_lowercase().into_bytes();
        if lower != word {
            let count = counts.remove(&word).unwrap_or_default();
            *counts.entry(lower).or_default() += count;
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(text: &[u8]) -> Counts {
        let mut counts = Counts::default();
        for word in text.split(|byte| *byte <= b' ') {
            if !word.is_empty() {
                add(&mut counts, &word.to_ascii_lowercase());
            }
        }
        counts
    }

    #[test]
    fn words_across_buffers_and_longer_than_one_are_counted() {
        let long = "X".repeat(3 * BUFFER_BYTES);
        for lead in [0, 1, BUFFER_BYTES - 3, BUFFER_BYTES - 1, BUFFER_BYTES] {
            let text = format!("{} The the\t{long}\n {long} end", "a".repeat(lead));
            for lower in [Lower::EachByte, Lower::WholePart] {
                let counted = count(text.as_bytes(), lower).expect("memory can be read");
                assert_eq!(counted, naive(text.as_bytes()), "{lead}");
                assert_eq!(counted[long.to_lowercase().as_bytes()], 2);
            }
        }
    }

    #[test]
    fn the_last_word_needs_no_blank_after_it_and_no_text_has_no_word() {
        for (text, words) in [("one two", 2), (" \n", 0), ("", 0)] {
            let counted = count(text.as_bytes(), Lower::EachByte).expect("readable");
            assert_eq!(counted.len(), words, "{text}");
        }
    }
}
