//! The naive counter: what every other way of counting is compared with.
//!
//! Written for the eye and never optimised; the modes' definitions stand in `words`, their judges in their tests. The words of
//! `unicode` are those of the rule-by-rule reference.

use std::collections::BTreeMap;

use crate::settings::{CountSettings, WordMode};
use crate::top::Row;
use crate::words;

/// Counts the words of `text`, slowly.
#[must_use]
pub fn count(text: &[u8], settings: CountSettings) -> BTreeMap<Vec<u8>, u64> {
    let mut counts = BTreeMap::new();
    let mut count = |word: &[u8]| *counts.entry(word.to_vec()).or_insert(0) += 1;
    if settings.words == WordMode::Unicode {
        for word in words::reference::words(text) {
            let lower = || String::from_utf8_lossy(word).to_lowercase().into_bytes();
            count(&if settings.keep_case {
                word.to_vec()
            } else {
                lower()
            });
        }
    } else {
        words::for_each_counted(settings, text, &mut count);
    }
    counts
}

/// All rows of `counts`, count falling, then bytes rising.
#[must_use]
pub fn rows(counts: &BTreeMap<Vec<u8>, u64>) -> Vec<Row> {
    let mut rows: Vec<Row> = counts
        .iter()
        .map(|(word, &count)| Row {
            word: word.clone(),
            count,
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}
