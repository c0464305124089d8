//! The options: modes, filters, help, usage errors.

use std::io::Read;

use crate::program::Place;

const TEXT: &[u8] =
    "The caf\u{e9}'s cat, the Cat; \"can't\" re-do 3.14 \u{39f}\u{394}\u{39f}\u{3a3} x_1!\n"
        .as_bytes();

#[test]
fn each_mode_counts_its_own_words() {
    let place = Place::with(&[("text", TEXT)]);
    for (args, answer) in [
        (
            "",
            "cat\t2\nthe\t2\n3.14\t1\ncafé's\t1\ncan't\t1\ndo\t1\nre\t1\nx_1\t1\nοδος\t1\n",
        ),
        (
            "--keep-case",
            "3.14\t1\nCat\t1\nThe\t1\ncafé's\t1\ncan't\t1\ncat\t1\ndo\t1\nre\t1\nthe\t1\nx_1\t1\nΟΔΟΣ\t1\n",
        ),
        (
            "--words whitespace",
            "the\t2\n\"can't\"\t1\n3.14\t1\ncafé's\t1\ncat,\t1\ncat;\t1\nre-do\t1\nx_1!\t1\nοδος\t1\n",
        ),
        (
            "--words alpha",
            "cat\t2\nthe\t2\ncaf\t1\ncan\t1\ndo\t1\nre\t1\ns\t1\nt\t1\nx\t1\n",
        ),
        (
            "--words tutorial",
            "3.14\t1\nCat\t1\nThe\t1\ncafé's\t1\ncan't\t1\ncat\t1\nre-do\t1\nthe\t1\nx_1\t1\nΟΔΟΣ\t1\n",
        ),
    ] {
        assert_eq!(place.answer(&format!("-n0 {args} text")), answer, "{args}");
    }
}

#[test]
fn filters_change_the_top_and_not_the_totals() {
    let place = Place::with(&[("text", TEXT), ("stop", b"THE\r\ncan't\n")]);
    let answer = place.answer("-n2 --min-length 4 --stop-words stop -o json text");
    assert_eq!(
        answer,
        "{\"words\":[\n\
         {\"rank\":1,\"word\":\"3.14\",\"count\":1,\"share\":0.090909},\n\
         {\"rank\":2,\"word\":\"café's\",\"count\":1,\"share\":0.090909}],\n\
         \"total\":11,\"distinct\":9,\"bytes\":59,\"inputs\":1,\n\
         \"settings\":{\"words\":\"unicode\",\"case\":\"lower\",\"unicode\":\"17.0.0\",\"top\":2,\"min_length\":4,\"stop_words\":2}}\n"
    );
}

#[test]
fn threads_and_ways_of_reading_never_change_the_answer() {
    let words: Vec<String> = (0..200_000).map(|i| format!("w{}", i % 977)).collect();
    let text = words.join(" ");
    let place = Place::with(&[("text", text.as_bytes())]);
    let expected = place.answer("-n0 -j1 text");
    assert_eq!(expected.lines().count(), 977);
    for args in ["-j2 --io mmap", "-j3 --io read", "-j8 --io auto"] {
        assert_eq!(
            place.answer(&format!("-n0 {args} text")),
            expected,
            "{args}"
        );
    }
    let piped = place.pipe("-n0 -j2", text.as_bytes());
    assert_eq!(piped.stdout, expected);
    assert_eq!(place.pipe("-n0 -", text.as_bytes()), piped);
}

#[test]
fn help_lists_every_exit_code() {
    let help = Place::with(&[]).answer("--help");
    for exit in kernel::exit::Exit::ALL {
        let line = format!("{:>4}  {}", exit.number(), exit.meaning());
        assert!(help.lines().any(|found| found == line), "{line}\n{help}");
    }
}

#[test]
fn wrong_usage_is_exit_2() {
    let place = Place::with(&[("text", TEXT), ("nothing/empty/.keep", b"")]);
    for args in [
        "--words klingon text",
        "-n -1 text",
        "-j0 text",
        "--shard a text",
        "--shard= --partial p text",
        "--partial p --per-file text",
        "--merge p --slice",
        "--merge p --allow-partial",
        "- -",
        "--no-such-flag",
    ] {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(2), "{args}: {ran:?}");
        assert_eq!(ran.stdout, "");
        assert!(!ran.stderr.is_empty());
    }
    std::fs::remove_file(place.path("nothing/empty/.keep")).unwrap();
    let ran = place.run("nothing");
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.stderr,
        "error: failed to find any input file in `nothing`\n"
    );
}

#[test]
fn progress_goes_to_standard_error() {
    let place = Place::with(&[("text", b"a b")]);
    let ran = place.run("--progress plain text");
    assert_eq!(ran.stdout, "a\t1\nb\t1\n");
    assert_eq!(ran.stderr, "counted 3 of 3 bytes\n");
    let ran = place.run("--progress json text");
    assert_eq!(
        ran.stderr,
        "{\"event\":\"count\",\"bytes\":3,\"total_bytes\":3}\n"
    );
}

#[test]
fn a_reader_that_stops_is_no_failure() {
    let text: String = (0..200_000).map(|i| format!("w{i} ")).collect();
    let place = Place::with(&[("text", text.as_bytes())]);
    let mut child = place.command("-n0 text").spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_answer_that_cannot_be_written_is_exit_9() {
    let place = Place::with(&[("text", b"a")]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let child = place.command("text").stdout(full.unwrap()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(9));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: failed to write the answer: No space left on device (os error 28)\n"
    );
}

#[test]
fn no_more_threads_are_made_than_asked_for() {
    // Enough different words to be merged and sorted by many threads.
    let text: String = (0..400_000).map(|i| format!("w{i} ")).collect();
    let place = Place::with(&[("text", text.as_bytes())]);
    for (threads, made) in [(1, 0), (3, 3)] {
        place.fifo(&format!("{threads}"));
        let args = format!("-j{threads} text --partial {threads}");
        let mut child = place.command(&args).spawn().unwrap();
        let mut partial = std::fs::File::open(place.path(&format!("{threads}"))).unwrap();
        // With the first byte all words are sorted; the pipe is full before they are written.
        partial.read_exact(&mut [0]).unwrap();
        let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
        assert_eq!(tasks.count(), 1 + made);
        std::io::copy(&mut partial, &mut std::io::sink()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}
