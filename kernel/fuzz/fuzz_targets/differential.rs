//! Counts any text in any mode in every way there is, and compares with the naive counter.
//!
//! The first byte picks mode and case, the rest is the text.
#![no_main]

use fanout_kernel_fuzz::settings;
use kernel::count::count_bytes;
use kernel::oracle;
use kernel::words::{reference, unicode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else {
        return;
    };
    let settings = settings(choice);
    let counts = count_bytes(text, settings);
    let mut found: Vec<(Vec<u8>, u64)> = counts
        .iter()
        .map(|(word, count)| (word.to_vec(), count))
        .collect();
    found.sort();
    let expected: Vec<(Vec<u8>, u64)> = oracle::count(text, settings).into_iter().collect();
    assert_eq!(found, expected);

    let mut spans = Vec::new();
    unicode::for_each_span(text, &mut |start, end, _| spans.push(start..end));
    spans.sort_by_key(|span| span.start);
    let words: Vec<&[u8]> = spans.into_iter().map(|span| &text[span]).collect();
    assert_eq!(words, reference::words(text));
});
