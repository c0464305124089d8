//! Where a large file is really cut: near the plan's nominal offsets, where no word is split.
//!
//! It reads a few bytes at each nominal offset; where text may be cut is the kernel's knowledge.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use kernel::chunk::{LINE_SEARCH_BYTES, cut_after, first_safe_cut};
use kernel::settings::WordMode;

/// First read at a nominal offset: a line of text is rarely longer.
const WINDOW_BYTES_MIN: usize = 64 << 10;

/// Bytes read at a time when neither a line feed nor a safe cut was found in the kernel's search.
const STEP_BYTES: usize = 1 << 20;

/// The offsets at which `file` is cut, rising and inside it: for each of `nominal` the next cut of `mode`, those that
/// fall together once.
///
/// - `file_bytes`: the size of the file when it was planned.
/// - The cuts depend on the file's bytes alone.
/// - Cost: a read of 64 KiB a cut in text that has lines; the whole rest of the file in text without any safe cut.
///
/// # Errors
/// What reading returns; `UnexpectedEof` when the file is shorter than `file_bytes`.
pub(crate) fn find_cuts(
    file: &File,
    file_bytes: u64,
    nominal: &[u64],
    mode: WordMode,
) -> io::Result<Vec<u64>> {
    let mut cuts: Vec<u64> = Vec::with_capacity(nominal.len());
    for &offset in nominal {
        if cuts.last().is_some_and(|&last| offset <= last) {
            continue;
        }
        let cut = find_cut(file, file_bytes, offset, mode)?;
        if cut >= file_bytes {
            break;
        }
        cuts.push(cut);
    }
    Ok(cuts)
}

/// The first cut at or past `offset` (> 0); `file_bytes` when there is none.
fn find_cut(file: &File, file_bytes: u64, offset: u64, mode: WordMode) -> io::Result<u64> {
    // The byte before the offset tells whether the offset itself is a safe cut.
    let start = offset - 1;
    let mut window_bytes = WINDOW_BYTES_MIN;
    loop {
        let window = read_window(file, file_bytes, start, window_bytes)?;
        let at_end = start + window.len() as u64 == file_bytes;
        if let Some(cut) = cut_after(mode, &window, 1, at_end) {
            return Ok(start + cut as u64);
        }
        if window_bytes > LINE_SEARCH_BYTES {
            return find_safe_cut(file, file_bytes, start + window.len() as u64 - 1, mode);
        }
        window_bytes = (window_bytes * 4).min(LINE_SEARCH_BYTES + 1);
    }
}

/// The first safe cut past `start`, step by step to the end of the file.
fn find_safe_cut(file: &File, file_bytes: u64, mut start: u64, mode: WordMode) -> io::Result<u64> {
    loop {
        let window = read_window(file, file_bytes, start, STEP_BYTES)?;
        if let Some(cut) = first_safe_cut(mode, &window, 1, window.len()) {
            return Ok(start + cut as u64);
        }
        let end = start + window.len() as u64;
        if end >= file_bytes {
            return Ok(file_bytes);
        }
        // The last byte again, for the cut between it and the next.
        start = end - 1;
    }
}

fn read_window(
    file: &File,
    file_bytes: u64,
    start: u64,
    wanted_bytes: usize,
) -> io::Result<Vec<u8>> {
    let rest = usize::try_from(file_bytes - start).unwrap_or(usize::MAX);
    let mut window = vec![0; wanted_bytes.min(rest)];
    file.read_exact_at(&mut window, start)?;
    Ok(window)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn cuts_of(text: &[u8], nominal: &[u64], mode: WordMode) -> Vec<u64> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        find_cuts(&file, text.len() as u64, nominal, mode).unwrap()
    }

    #[test]
    fn a_cut_is_after_the_next_line_feed_and_cuts_that_meet_are_one() {
        let text = b"one two\nthree four five six\nseven\n";
        assert_eq!(cuts_of(text, &[4, 9, 12, 29], WordMode::Unicode), [8, 28]);
    }

    #[test]
    fn lines_longer_than_a_window_are_followed() {
        let mut text = vec![b'x'; 3 * WINDOW_BYTES_MIN];
        text.extend_from_slice(b"\nrest");
        let end = text.len() as u64 - 4;
        assert_eq!(cuts_of(&text, &[10], WordMode::Whitespace), [end]);
    }

    #[test]
    fn text_without_lines_is_cut_between_words_and_text_without_words_is_not_cut() {
        let mut text = vec![b'x'; LINE_SEARCH_BYTES + 2 * STEP_BYTES];
        assert_eq!(cuts_of(&text, &[1000], WordMode::Alpha), [0_u64; 0]);
        let space = LINE_SEARCH_BYTES + STEP_BYTES + 12_345;
        text[space] = b' ';
        assert_eq!(
            cuts_of(&text, &[1000, 2000], WordMode::Alpha),
            [space as u64 + 1]
        );
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        let error = find_cuts(&file, 1000, &[500], WordMode::Alpha).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn cuts_rise_inside_the_file_and_follow_line_feeds(
            text in "[ab \n]{0,300}", shard_bytes in 1_usize..50
        ) {
            let nominal: Vec<u64> = (1..text.len().div_ceil(shard_bytes)).map(|k| (k * shard_bytes) as u64).collect();
            let cuts = cuts_of(text.as_bytes(), &nominal, WordMode::Unicode);
            prop_assert!(cuts.is_sorted_by(|a, b| a < b));
            for cut in cuts {
                prop_assert!(cut > 0 && cut < text.len() as u64);
                prop_assert_eq!(text.as_bytes()[usize::try_from(cut).unwrap() - 1], b'\n');
            }
        }
    }
}
