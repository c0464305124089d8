//! Test: every instruction set and every hash count alike, at every length and place.

use crate::oracle;
use crate::scan::{Means, Work, by_all_means};
use crate::settings::{CountSettings, WordMode};
use crate::table::{Seed, Table};
use crate::{segments, tile};

/// Counts by the means it is given, with both kinds of hashes.
struct Counting<'a> {
    text: &'a [u8],
    settings: CountSettings,
}

impl Work for Counting<'_> {
    type Output = (&'static str, Vec<Vec<(Vec<u8>, u64)>>);

    #[inline(always)]
    fn run<M: Means>(self, means: M) -> Self::Output {
        let seeds = [Seed::random(), Seed::random().by_products()];
        let counts = seeds.map(|seed| {
            let mut table = Table::new(seed);
            let Self { text, settings } = self;
            if settings.words == WordMode::Unicode {
                segments::count_by(means, text, settings, &mut table);
            } else {
                tile::count_by(means, text, settings, &mut table);
            }
            let mut counts: Vec<_> = table
                .iter()
                .map(|(word, count)| (word.to_vec(), count))
                .collect();
            counts.sort_unstable();
            counts
        });
        (M::NAME, counts.to_vec())
    }
}

fn assert_alike(text: &[u8]) {
    for words in WordMode::ALL {
        for keep_case in [false, true] {
            let settings = CountSettings::new(words, keep_case);
            let expected: Vec<_> = oracle::count(text, settings).into_iter().collect();
            for (name, found) in by_all_means(|| Counting { text, settings }) {
                for counts in found {
                    assert!(
                        counts == expected,
                        "{name}, {settings}: {text:02X?}: {counts:02X?}"
                    );
                }
            }
        }
    }
}

/// Pieces that meet every rule, shorter and longer than slots.
const PIECES: [&str; 14] = [
    "The",
    " ",
    "can't",
    ", ",
    "1,000.5",
    "\u{3000}",
    "_x_\n",
    "Stra\u{df}e",
    "\t\u{201c}",
    "internationalisation's",
    "\0",
    "\u{391}\u{3a3} ",
    "(\u{6771}\u{4eac})",
    "a-word-that-is-longer-than-a-slot-of-the-table ",
];

#[test]
fn a_word_of_every_length_is_counted_at_every_place() {
    for length in (0..=70).step_by(if cfg!(miri) { 23 } else { 1 }) {
        for place in (0..=130).step_by(if cfg!(miri) { 61 } else { 7 }) {
            let text = format!("{} {}", "Ab ".repeat(place), "X".repeat(length));
            assert_alike(&text.as_bytes()[..text.len() - length / 2]);
            assert_alike(text.as_bytes());
        }
    }
}

#[test]
fn every_beginning_of_a_mixed_text_is_counted() {
    let mut text = String::new();
    let mut number = 1_usize;
    while text.len() < if cfg!(miri) { 150 } else { 700 } {
        number = number * 5 % 977;
        text.push_str(PIECES[number % PIECES.len()]);
    }
    for end in (0..text.len()).step_by(if cfg!(miri) { 41 } else { 1 }) {
        // Also where it cuts a code point.
        assert_alike(&text.as_bytes()[..end]);
    }
    let far = [
        text.as_bytes(),
        &b"tail ".repeat(if cfg!(miri) { 1 } else { 2500 }),
        text.as_bytes(),
    ]
    .concat();
    for end in 0..if cfg!(miri) { 1 } else { 200 } {
        assert_alike(&far[..far.len() - end]);
    }
}
