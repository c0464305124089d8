//! Texts in which nearly every word is new: counts that are written down before they are added up.
//!
//! Smaller sizes of the same have their tests in the library.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::program::Place;

/// Words by number: `new` that come once, with `often` words between them, then the first `again` of them again.
fn text(new: u64, again: u64) -> (String, BTreeMap<String, u64>) {
    let word = |number: u64| format!("{:x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8);
    let (mut text, mut counts) = (String::new(), BTreeMap::new());
    let mut add = |word: String| {
        writeln!(text, "{word}").unwrap();
        *counts.entry(word).or_insert(0) += 1;
    };
    for number in 0..new {
        add(word(number));
        if number % 3 == 0 {
            add(format!("often-{}", number % 100));
        }
        if number % 1000 == 0 {
            add(format!("{number} is too long for a slot").replace(' ', "-"));
        }
    }
    (0..again).for_each(|number| add(word(number)));
    (text, counts)
}

#[test]
fn words_that_are_nearly_all_new_are_counted_as_any() {
    let (text, counts) = text(600_000, 250_000);
    let place = Place::with(&[("text", text.as_bytes())]);
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let expected: String = rows.iter().fold(String::new(), |text, (word, count)| {
        text + word + "\t" + &count.to_string() + "\n"
    });
    for args in ["-j1", "-j2", "-j3 --io read"] {
        let answer = place.answer(&format!("-n0 --words whitespace {args} text"));
        assert!(answer == expected, "{args}: another answer");
    }
    place.answer("--partial part --words whitespace -j2 text");
    let answer = place.answer("-n0 --words whitespace --merge part");
    assert!(answer == expected, "the partial: another answer");
}
