//! Crates put together as a careful program would do it: words by unicode-segmentation, `to_lowercase`, hash maps with ahash,
//! threads by rayon.
//!
//! The text is in memory already; mapping it is the caller's.

use std::collections::HashMap;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use unicode_segmentation::UnicodeSegmentation;

/// Words and counts.
pub type Words = HashMap<String, u64, ahash::RandomState>;

/// Parts for each thread: enough that no thread waits long for the last one.
const PARTS_PER_THREAD: usize = 8;

/// Counts the words of `text` by UAX #29, lower-cased, on the threads of the current pool.
pub fn count(text: &str) -> Words {
    parts(text, PARTS_PER_THREAD * rayon::current_num_threads())
        .into_par_iter()
        .fold(Words::default, |mut counts, part| {
            for word in part.unicode_words() {
                let word = word.to_lowercase();
                if let Some(count) = counts.get_mut(&word) {
                    *count += 1;
                } else {
                    counts.insert(word, 1);
                }
            }
            counts
        })
        .reduce(Words::default, |mut one, mut other| {
            if one.len() < other.len() {
                std::mem::swap(&mut one, &mut other);
            }
            for (word, count) in other {
                *one.entry(word).or_default() += count;
            }
            one
        })
}

/// At most `count` parts of `text` of about the same length, each to the end of a line.
fn parts(text: &str, count: usize) -> Vec<&str> {
    let length = text.len() / count + 1;
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (_, behind) = rest.split_at(rest.floor_char_boundary(length));
        let end = rest.len() - behind.find('\n').map_or(0, |at| behind.len() - at - 1);
        let (part, left) = rest.split_at(end);
        parts.push(part);
        rest = left;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_text_and_end_with_lines() {
        let text = "eins\nzwei drei\nünf\n\nsechs und ein Rest";
        for count in 1..50 {
            let parts = parts(text, count);
            assert_eq!(parts.concat(), text);
            assert!(parts.len() <= count);
            let (_, before) = parts.split_last().expect("there is text");
            assert!(before.iter().all(|part| part.ends_with('\n')), "{parts:?}");
        }
        assert!(parts("", 3).is_empty());
    }

    #[test]
    fn parts_are_counted_together() {
        let text = "Ein Wort.\nein Wort mehr\n".repeat(100);
        let counts = count(&text);
        assert_eq!(
            (counts["ein"], counts["wort"], counts["mehr"]),
            (200, 200, 100)
        );
        assert_eq!(counts.len(), 3);
    }
}
