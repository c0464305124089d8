//! Other ways to count the same words: the naive one, and crates put together as most programs do.
//!
//! They give whole counts; what is measured and compared is decided by the bench.

use std::collections::HashMap;

use kernel::settings::WordMode;
use kernel::top::Row;
use unicode_segmentation::UnicodeSegmentation;

use crate::buffer::{self, Lower};

/// Words and counts.
pub type Counts = HashMap<Vec<u8>, u64, ahash::RandomState>;

/// A rival and its name.
pub type Rival = (&'static str, fn(&[u8]) -> Counts);

/// The rivals that count the words of `mode`.
pub fn of(mode: WordMode) -> Vec<Rival> {
    match mode {
        WordMode::Unicode => vec![("segmentation", segmentation)],
        WordMode::Whitespace => vec![
            ("naive", whitespace_naive),
            ("ahash", whitespace),
            ("buffer", buffer),
        ],
        WordMode::Alpha => vec![("naive", alpha_naive), ("ahash", alpha)],
        WordMode::Tutorial => vec![("ahash", tutorial)],
    }
}

/// The first `n` rows in the order of an answer.
pub fn top(counts: &Counts, n: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = counts
        .iter()
        .map(|(word, &count)| Row {
            word: word.clone(),
            count,
        })
        .collect();
    rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.word.cmp(&b.word)));
    rows.truncate(n);
    rows
}

/// Counts `word` once more.
pub(crate) fn add(counts: &mut Counts, word: &[u8]) {
    if let Some(count) = counts.get_mut(word) {
        *count += 1;
    } else {
        counts.insert(word.to_vec(), 1);
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("made texts are UTF-8")
}

/// unicode-segmentation, `to_lowercase`, a hash map with ahash.
pub fn segmentation(bytes: &[u8]) -> Counts {
    let mut counts = Counts::default();
    for word in text(bytes).unicode_words() {
        add(&mut counts, word.to_lowercase().as_bytes());
    }
    counts
}

fn whitespace(bytes: &[u8]) -> Counts {
    let mut counts = Counts::default();
    for word in text(bytes).split_whitespace() {
        add(&mut counts, word.to_lowercase().as_bytes());
    }
    counts
}

/// [`buffer::count`] where it is right, [`whitespace`] for texts that are not ASCII.
fn buffer(bytes: &[u8]) -> Counts {
    if bytes.is_ascii() {
        buffer::count(bytes, Lower::EachByte).expect("memory can be read")
    } else {
        whitespace(bytes)
    }
}

fn alpha(bytes: &[u8]) -> Counts {
    let mut counts = Counts::default();
    for word in bytes.split(|byte| !byte.is_ascii_alphabetic()) {
        if !word.is_empty() {
            add(&mut counts, &word.to_ascii_lowercase());
        }
    }
    counts
}

fn tutorial(bytes: &[u8]) -> Counts {
    let mut counts = Counts::default();
    for word in text(bytes).split_whitespace() {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        if !word.is_empty() {
            add(&mut counts, word.as_bytes());
        }
    }
    counts
}

/// A map of the standard library, its hash, and an owned word at every step.
fn naive(words: impl Iterator<Item = String>) -> Counts {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for word in words {
        *counts.entry(word).or_insert(0) += 1;
    }
    counts
        .into_iter()
        .map(|(word, count)| (word.into_bytes(), count))
        .collect()
}

fn whitespace_naive(bytes: &[u8]) -> Counts {
    naive(text(bytes).split_whitespace().map(str::to_lowercase))
}

fn alpha_naive(bytes: &[u8]) -> Counts {
    let runs = text(bytes).split(|c: char| !c.is_ascii_alphabetic());
    naive(
        runs.filter(|run| !run.is_empty())
            .map(str::to_ascii_lowercase),
    )
}
