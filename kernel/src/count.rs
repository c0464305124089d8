//! Counting files: chunks handed out to workers, one table each, exact totals.
//!
//! What a word is, how bytes are reached and how counts are kept is decided elsewhere; so is what is done with failures.

use crate::counts::Counts;
use crate::error::{CountError, InputFailure};
use crate::input::{InputFile, IoMode};
use crate::pass::Pass;
use crate::segments::count_segments;
use crate::settings::{CountSettings, WordMode};
use crate::table::{Seed, Table};
use crate::tile::count_runs;

/// How to count.
#[derive(Clone, Copy, Debug)]
pub struct CountOptions {
    /// What is counted.
    pub settings: CountSettings,
    /// How many threads count; at least 1.
    pub threads: usize,
    /// How files are reached.
    pub io: IoMode,
    /// Whether every input is a later slice of a file: no byte order mark, no signature is looked for.
    pub slice: bool,
    /// The size of a chunk; `None` is the default, 16 the least. The answer does not depend on it.
    pub chunk_bytes: Option<u64>,
}

impl CountOptions {
    /// Counts by `settings` with one thread for each core that this process may use.
    #[must_use]
    pub fn new(settings: CountSettings) -> Self {
        Self {
            settings,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            io: IoMode::Auto,
            slice: false,
            chunk_bytes: None,
        }
    }
}

/// Counts the words of `text`, on this thread.
///
/// - `text`: any bytes; a byte order mark is text here, files lose theirs when they are opened.
/// - Result: every different word with its count; the counts add up to the words of `text`.
#[must_use]
pub fn count_bytes(text: &[u8], settings: CountSettings) -> Counts {
    let mut table = Table::new(Seed::random());
    count_text(text, settings, &mut table);
    Counts::merge(settings, vec![table], None, text.len() as u64, 1)
}

/// Counts the words of `text`, which begins and ends at safe cuts, into `table`.
pub(crate) fn count_text(text: &[u8], settings: CountSettings, table: &mut Table) {
    if settings.words == WordMode::Unicode {
        count_segments(text, settings, table);
    } else {
        count_runs(text, settings, table);
    }
}

/// Counts the words of `files`.
///
/// - Result: the counts of all files that could be read, and each file that could not with the reason. A file that failed
///   adds nothing to the counts.
/// - `progress` is called from any thread with the bytes that were counted since its last call.
/// - The same result for every number of threads, way of reading and size of chunks.
/// - Cost: O(bytes) time; memory by different words, for each thread; mapped files besides.
///
/// # Errors
/// [`CountError::Shrunk`] when a file became smaller meanwhile; [`CountError::Threads`]; [`CountError::Inputs`] when a
/// file failed after a part of it was counted and a pipe or a device is among the others, which cannot be read again.
pub fn count_files(
    files: &[InputFile],
    options: &CountOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Counts, Vec<InputFailure>), CountError> {
    let mut failures = Vec::new();
    let mut files: Vec<&InputFile> = files.iter().collect();
    loop {
        let inputs = files.len();
        let done = Pass::new(&files, options, progress).run()?;
        let failed: Vec<usize> = done.failed.iter().map(|(index, _)| *index).collect();
        failures.extend(done.failed.into_iter().map(|(_, failure)| failure));
        if !done.failed_was_counted {
            let inputs = if options.slice {
                0
            } else {
                inputs - failed.len()
            };
            let counts = Counts::merge(
                options.settings,
                done.tables,
                done.pool,
                done.bytes,
                inputs as u64,
            );
            return Ok((counts, failures));
        }
        // Tables hold no trace of which file a word came from: count again without the files that failed.
        if done.used_up {
            return Err(CountError::Inputs { failures, inputs });
        }
        let mut index = 0;
        files.retain(|_| {
            index += 1;
            !failed.contains(&(index - 1))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::InputError;
    use crate::input::find_inputs;
    use crate::oracle;
    use crate::settings::Filters;
    use proptest::prelude::*;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Texts of every kind of byte: words of all lengths around the limits of a table, marks, spaces, ill-formed parts.
    pub(crate) fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "a",
            "B",
            "the",
            "The",
            "7",
            "_",
            "'",
            "\"",
            ".",
            ":",
            ",",
            " ",
            "  ",
            "\t",
            "\n",
            "\r\n",
            "-",
            "é",
            "É",
            "\u{301}",
            "\u{200D}",
            "\u{FEFF}",
            "\u{3000}",
            "א",
            "カ",
            "一",
            "\u{85}",
            "\0",
            "\u{2019}",
            "Σ",
            "İ",
            "internationalisation",
            "ab1_cd2_ef3_gh4_",
        ]);
        let bytes = prop_oneof![
            12 => piece.prop_map(|piece| piece.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 1..4),
            1 => (1_usize..80).prop_map(|length| vec![b'w'; length]),
        ];
        prop::collection::vec(bytes, 0..120).prop_map(|pieces| pieces.concat())
    }

    fn settings() -> impl Strategy<Value = CountSettings> {
        (prop::sample::select(&WordMode::ALL[..]), any::<bool>())
            .prop_map(|(words, keep_case)| CountSettings::new(words, keep_case))
    }

    fn check(text: &[u8], settings: CountSettings, split: usize, options: &CountOptions) {
        let expected = oracle::count(text, settings);
        // A cut at a line feed is a cut between files too.
        let split = text[..split.min(text.len())]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("1"), &text[..split]).unwrap();
        std::fs::write(root.path().join("2"), &text[split..]).unwrap();
        let found = find_inputs(&[root.path().to_owned()], 1).unwrap();
        let (counts, failures) = count_files(&found.files, options, &|_| ()).unwrap();
        assert!(failures.is_empty());
        // Few are taken while tables are apart, all when they are added up.
        let rows = oracle::rows(&expected);
        for n in [5_u8, 1] {
            let some = counts.top(n.into(), &Filters::default());
            assert_eq!(some, rows[..rows.len().min(n.into())]);
        }
        assert_eq!(counts.top(0, &Filters::default()), rows);
        let totals = counts.totals();
        assert_eq!(totals.bytes, text.len() as u64);
        assert_eq!(totals.words, expected.values().sum::<u64>());
        assert_eq!(totals.distinct, expected.len() as u64);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 400 }))]

        #[test]
        fn any_chunks_threads_files_and_ways_of_reading_give_the_answer_of_the_oracle(
            text in text(),
            settings in settings(),
            split in 0_usize..400,
            threads in 1_usize..=8,
            chunk_bytes in prop_oneof![1_u64..70, Just(1 << 20)],
            io in prop::sample::select(vec![IoMode::Mmap, IoMode::Read, IoMode::Auto]),
        ) {
            let options = CountOptions {
                settings,
                threads,
                io,
                slice: true,
                chunk_bytes: Some(chunk_bytes),
            };
            check(&text, settings, split, &options);
        }

        #[test]
        fn bytes_in_memory_are_counted_as_files_are(text in text(), settings in settings()) {
            let counts = count_bytes(&text, settings);
            prop_assert_eq!(
                counts.top(0, &Filters::default()),
                oracle::rows(&oracle::count(&text, settings))
            );
        }
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_counted_is_an_error() {
        for io in [IoMode::Mmap, IoMode::Read] {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("text");
            std::fs::write(&path, b"some words\n".repeat(10_000)).unwrap();
            let found = find_inputs(std::slice::from_ref(&path), 1).unwrap();
            let options = CountOptions {
                threads: 1,
                io,
                chunk_bytes: Some(4096),
                ..CountOptions::new(CountSettings::default())
            };
            let result = count_files(&found.files, &options, &|_| {
                let file = std::fs::OpenOptions::new().write(true).open(&path);
                file.unwrap().set_len(20).unwrap();
            });
            match result {
                Err(CountError::Shrunk {
                    bytes_opened,
                    bytes_now,
                    ..
                }) => {
                    assert_eq!((bytes_opened, bytes_now), (110_000, 20));
                }
                other => panic!("{io:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_file_that_shrinks_and_grows_again_fails_when_mapped() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("text");
        std::fs::write(&path, b"some words\n".repeat(10_000)).unwrap();
        let found = find_inputs(std::slice::from_ref(&path), 1).unwrap();
        let options = CountOptions {
            threads: 1,
            io: IoMode::Mmap,
            chunk_bytes: Some(4096),
            ..CountOptions::new(CountSettings::default())
        };
        let first = AtomicBool::new(true);
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let result = count_files(&found.files, &options, &|_| {
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            if first.swap(false, Ordering::Relaxed) {
                file.set_len(20).unwrap();
            } else if calls.fetch_add(1, Ordering::Relaxed) == 3 {
                file.set_len(200_000).unwrap();
            }
        });
        let (counts, failures) = result.unwrap();
        assert_eq!(counts.totals().words, 0);
        let [InputFailure { source, .. }] = &failures[..] else {
            panic!("{failures:?}");
        };
        let InputError::Read(source) = source else {
            panic!("{source:?}");
        };
        assert!(source.to_string().starts_with("a mapped page could not"));
    }

    #[test]
    fn a_file_that_grows_is_counted_as_it_was_opened() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("text");
        std::fs::write(&path, b"some words\n".repeat(1000)).unwrap();
        let found = find_inputs(std::slice::from_ref(&path), 1).unwrap();
        let options = CountOptions {
            threads: 1,
            chunk_bytes: Some(4096),
            ..CountOptions::new(CountSettings::default())
        };
        let (counts, _) = count_files(&found.files, &options, &|_| {
            std::fs::write(&path, b"some words\n".repeat(2000)).unwrap();
        })
        .unwrap();
        assert_eq!(counts.totals().words, 2000);
    }

    #[test]
    fn small_files_that_changed_since_they_were_found_are_counted_as_they_are() {
        let root = tempfile::tempdir().unwrap();
        let paths = [
            "as-found",
            "directory",
            "gone",
            "larger",
            "marked",
            "smaller",
        ]
        .map(|name| root.path().join(name));
        for path in &paths {
            std::fs::write(path, "\u{FEFF}some words\n".repeat(3)).unwrap();
        }
        let found = find_inputs(&[root.path().to_owned()], 1).unwrap();
        std::fs::remove_file(&paths[1]).unwrap();
        std::fs::create_dir(&paths[1]).unwrap();
        std::fs::remove_file(&paths[2]).unwrap();
        std::fs::write(&paths[3], "a b c d ".repeat(100_000)).unwrap();
        std::fs::write(&paths[4], b"\xFF\xFEa\0".repeat(10)).unwrap();
        std::fs::write(&paths[5], "\u{FEFF}one").unwrap();
        for slice in [false, true] {
            let options = CountOptions {
                slice,
                ..CountOptions::new(CountSettings::new(WordMode::Whitespace, false))
            };
            let (counts, failures) = count_files(&found.files, &options, &|_| ()).unwrap();
            let failed: Vec<&PathBuf> = failures.iter().map(|failure| &failure.path).collect();
            assert_eq!(failed.len(), if slice { 2 } else { 3 });
            assert!(failed.contains(&&paths[1]) && failed.contains(&&paths[2]));
            let count = |word: &str| {
                let mut counts = counts.iter();
                counts
                    .find(|(found, _)| *found == word.as_bytes())
                    .map_or(0, |(_, count)| count)
            };
            let marked = u64::from(slice);
            assert_eq!((count("a"), count("words")), (100_000, 3));
            assert_eq!(count("one"), 1 - marked);
            assert_eq!(
                (count("some"), count("\u{FEFF}some")),
                (1 - marked, 2 + marked)
            );
        }
    }

    #[test]
    fn the_smallest_chunks_leave_a_byte_order_mark_out() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("text");
        std::fs::write(&path, "\u{FEFF} a b").unwrap();
        let found = find_inputs(std::slice::from_ref(&path), 1).unwrap();
        for io in [IoMode::Mmap, IoMode::Read] {
            let options = CountOptions {
                threads: 1,
                io,
                chunk_bytes: Some(1),
                ..CountOptions::new(CountSettings::new(WordMode::Whitespace, true))
            };
            let (counts, _) = count_files(&found.files, &options, &|_| ()).unwrap();
            assert_eq!(counts.totals().words, 2);
        }
    }

    #[test]
    fn files_that_fail_add_nothing() {
        let root = tempfile::tempdir().unwrap();
        let text = root.path().join("text");
        std::fs::write(&text, b"a b\n".repeat(5000)).unwrap();
        let utf16 = root.path().join("utf16");
        std::fs::write(&utf16, b"\xFF\xFEa\0".repeat(5000)).unwrap();
        let named = [utf16.clone(), text, PathBuf::from("/proc/self/mem")];
        let found = find_inputs(&named, 1).unwrap();
        let options = CountOptions {
            threads: 2,
            chunk_bytes: Some(4096),
            ..CountOptions::new(CountSettings::default())
        };
        let (counts, failures) = count_files(&found.files, &options, &|_| ()).unwrap();
        assert_eq!(failures.len(), 2);
        assert_eq!(failures[0].path, utf16);
        let totals = counts.totals();
        assert_eq!(
            (totals.words, totals.bytes, totals.inputs),
            (10_000, 20_000, 1)
        );
    }
}
