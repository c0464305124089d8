//! Owns the lines of the Unicode Consortium's word break test and of ICU's random one, as the tests
//! read them.
//!
//! Judges nothing: each implementation's own tests do.

/// The official lines, then ICU's.
const FILES: [&str; 2] = [
    include_str!("../../../tests/fixtures/word_break_test_17.txt"),
    include_str!("../../../tests/fixtures/word_break_random_17.txt"),
];

/// Calls `f(number, text, boundaries)` for each line: its number in its file, the text, and the
/// byte offsets of the boundaries after the first one. Fewer lines under miri.
pub(crate) fn for_each_line(mut f: impl FnMut(usize, &str, &[usize])) {
    for (file, lines_min) in FILES.iter().zip([1_900, 1_000]) {
        let mut lines_count = 0;
        let lines = file
            .lines()
            .enumerate()
            .filter(|(_, line)| line.starts_with('÷'));
        for (index, line) in lines.take(if cfg!(miri) { 20 } else { usize::MAX }) {
            let (mut text, mut boundaries) = (String::new(), Vec::new());
            for part in line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
            {
                match part {
                    "÷" => boundaries.push(text.len()),
                    "×" => {}
                    hex => text.extend(u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)),
                }
            }
            f(index + 1, &text, &boundaries[1..]);
            lines_count += 1;
        }
        assert!(
            cfg!(miri) || lines_count >= lines_min,
            "{lines_count} lines"
        );
    }
}
