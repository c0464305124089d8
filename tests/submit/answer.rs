//! The answer of a run is the answer of a count here, byte for byte.

use std::ffi::OsString;
use std::path::PathBuf;

use proptest::prelude::*;

use crate::harness::{Place, Ran, text};

/// Runs `submit --local` and `count` with the same flags over the same inputs.
fn both(place: &Place, flags: &[&str], run_flags: &[&str], inputs: &[PathBuf]) -> (Ran, Ran) {
    let args = |command: &[&str], more: &[&str]| -> Vec<OsString> {
        let words = command.iter().chain(flags).chain(more).map(OsString::from);
        words
            .chain(inputs.iter().map(|path| path.clone().into_os_string()))
            .collect()
    };
    let submitted = place.run(args(&["submit", "--local=2"], run_flags));
    let counted = place.run(args(&["count"], &[]));
    (submitted, counted)
}

fn assert_same(place: &Place, flags: &[&str], run_flags: &[&str], inputs: &[PathBuf]) {
    let (submitted, counted) = both(place, flags, run_flags, inputs);
    assert_eq!(
        (submitted.code, counted.code),
        (0, 0),
        "{}\n{}",
        submitted.stderr,
        counted.stderr
    );
    assert!(!counted.stdout.is_empty());
    assert_eq!(
        String::from_utf8_lossy(&submitted.stdout),
        String::from_utf8_lossy(&counted.stdout),
        "flags {flags:?} {run_flags:?}"
    );
}

#[test]
fn every_format_is_the_same_bytes_as_a_count_here() {
    let place = Place::new();
    place.input("a.txt", text(1, 40_000));
    place.input("b/c.txt", text(2, 5_000));
    place.input("empty.txt", "");
    for format in ["table", "tsv", "csv", "json", "ndjson"] {
        assert_same(
            &place,
            &["-o", format],
            &["--shard-size", "16K"],
            &["in".into()],
        );
    }
}

#[test]
fn every_mode_filter_and_case_rule_is_the_same() {
    let place = Place::new();
    place.input("a.txt", text(3, 30_000));
    place.input("stop", "the\nслово\n");
    let input = ["in/a.txt".into()];
    for flags in [
        &["--words", "whitespace", "-n", "0"][..],
        &["--words", "alpha", "--min-length", "3"],
        &["--words", "tutorial", "-o", "json"],
        &["--keep-case", "-n", "0"],
        &["--stop-words", "in/stop", "-n", "3", "-o", "json"],
    ] {
        assert_same(&place, flags, &["--shard-size", "7K"], &input);
    }
}

#[test]
fn answers_per_file_come_first_and_then_the_whole() {
    let place = Place::new();
    place.input("a.txt", text(4, 20_000));
    place.input("b.txt", text(5, 300));
    place.input("c.txt", "");
    for format in ["tsv", "json", "table"] {
        assert_same(
            &place,
            &["--per-file", "-n", "3", "-o", format],
            &["--shard-size", "6K"],
            &["in".into()],
        );
    }
}

#[test]
fn a_file_named_twice_counts_twice_and_a_pipe_counts_too() {
    let place = Place::new();
    let a = place.input("a.txt", "one two two\n");
    assert_same(&place, &["-o", "json"], &[], &[a.clone(), a]);
    let submitted = place.run_with_stdin(["submit", "--local", "-"], b"pipe pipe dream\n");
    assert_eq!(
        String::from_utf8_lossy(&submitted.stdout),
        "pipe\t2\ndream\t1\n",
        "{}",
        submitted.stderr
    );
}

#[test]
fn bytes_that_are_no_text_are_counted_the_same() {
    let place = Place::new();
    let mut bytes: Vec<u8> = (0..20_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    bytes.extend_from_slice(b"\nlast word without end");
    let input = place.input("noise.bin", bytes);
    for mode in ["unicode", "whitespace", "tutorial"] {
        assert_same(
            &place,
            &["--words", mode, "-n", "0"],
            &["--shard-size", "3K"],
            std::slice::from_ref(&input),
        );
    }
}

#[test]
fn the_nine_steps_are_told_in_order() {
    let place = Place::new();
    place.input("a.txt", "one two\n");
    let ran = place.run(["submit", "--local", "in"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told: Vec<String> = (1..=9)
        .filter(|step| {
            ran.stderr
                .lines()
                .any(|line| line.contains(&format!(" {step}/9 ")))
        })
        .map(|step| step.to_string())
        .collect();
    assert_eq!(told.concat(), "123456789", "{}", ran.stderr);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "one\t1\ntwo\t1\n");
}

#[test]
fn progress_can_be_json_and_silence_is_silent() {
    let place = Place::new();
    place.input("a.txt", "one two\n");
    let ran = place.run(["submit", "--local", "--progress", "json", "in"]);
    let steps: Vec<serde_json::Value> = ran
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(steps.iter().any(|step| step["step"] == 9), "{}", ran.stderr);
    let ran = place.run(["submit", "--local", "-q", "in"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn the_tutorial_gets_its_output_files_from_the_tasks() {
    let place = Place::new();
    place.input(
        "taskdata0.txt",
        "Batch batch \"Batch\" -- pool, pool\nBatch\n",
    );
    place.input("taskdata1.txt", "one\n");
    let ran = place.run([
        "submit",
        "--local=2",
        "--words",
        "tutorial",
        "-n",
        "2",
        "--tutorial-output",
        "out",
        "in",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let made = std::fs::read_to_string(place.path().join("out/taskdata0_OUTPUT.txt")).unwrap();
    let lines: Vec<&str> = made.lines().collect();
    let rule = "-".repeat(30);
    assert_eq!(
        lines[..5],
        [
            "Word\tCount",
            rule.as_str(),
            "Batch:\t3",
            "pool:\t2",
            rule.as_str()
        ],
        "{made}"
    );
    for (line, name) in lines[5..].iter().zip(["Node:", "Task:", "Job:", "Pool:"]) {
        let value = line.strip_prefix(name).unwrap_or_else(|| panic!("{line}"));
        assert!(!value.trim().is_empty(), "{made}");
    }
    assert_eq!(lines.len(), 9);
    assert!(place.path().join("out/taskdata1_OUTPUT.txt").is_file());
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "Batch\t3\npool\t2\n");
}

proptest! {
    // Each case is a whole run: few, but with everything drawn.
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]
    #[test]
    fn any_inputs_and_any_shard_size_give_the_bytes_of_a_count_here(
        files in proptest::collection::vec(
            prop_oneof![
                3 => "[ab \n]{0,400}".prop_map(String::into_bytes),
                2 => any::<u64>().prop_map(|seed| text(seed, 3_000).into_bytes()),
                1 => proptest::collection::vec(any::<u8>().prop_filter("no byte order mark", |b| *b < 0xE0), 0..2_000),
            ], 1..6),
        shard_bytes in 1_u64..3_000,
        mode in proptest::sample::select(vec!["unicode", "whitespace", "alpha", "tutorial"]),
    ) {
        let place = Place::new();
        for (n, content) in files.iter().enumerate() {
            // A first byte that starts no compressed format.
            place.input(&format!("f{n}"), [b" ", content.as_slice()].concat());
        }
        let shard_bytes = shard_bytes.max(files.iter().map(Vec::len).sum::<usize>() as u64 / 12).to_string();
        let (submitted, counted) =
            both(&place, &["--words", mode, "-n", "0", "-o", "json"], &["--shard-size", &shard_bytes], &["in".into()]);
        prop_assert_eq!((submitted.code, counted.code), (0, 0), "{}", submitted.stderr);
        prop_assert_eq!(String::from_utf8_lossy(&submitted.stdout), String::from_utf8_lossy(&counted.stdout));
    }
}
