//! Cuts any text at every place that is said to be safe: the counts of the parts add up to those of the whole.
//!
//! The first byte picks mode and case, the rest is the text.
#![no_main]

use fanout_kernel_fuzz::settings;
use kernel::chunk::is_safe_cut;
use kernel::count::count_bytes;
use kernel::oracle;
use libfuzzer_sys::fuzz_target;

/// Longer texts have no more to tell, and every cut counts them anew.
const TEXT_MAX: usize = 300;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else {
        return;
    };
    let text = &text[..text.len().min(TEXT_MAX)];
    let settings = settings(choice);
    let whole: Vec<(Vec<u8>, u64)> = oracle::count(text, settings).into_iter().collect();
    for at in 1..text.len() {
        if is_safe_cut(settings.words, text, at) {
            let mut parts = count_bytes(&text[..at], settings);
            parts.absorb(&count_bytes(&text[at..], settings));
            let mut found: Vec<(Vec<u8>, u64)> = parts
                .iter()
                .map(|(word, count)| (word.to_vec(), count))
                .collect();
            found.sort();
            assert_eq!(found, whole, "cut at {at}");
        } else {
            assert_ne!(text[at - 1], b'\n', "after a line feed a cut is safe");
        }
    }
});
