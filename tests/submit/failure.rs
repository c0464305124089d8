//! What goes wrong is named, gets its exit code, and leaves nothing.
//!
//! That nothing stays is checked by the harness after every run.

use std::process::Command;

use crate::harness::{Place, text};

#[test]
fn a_missing_input_is_not_found_before_anything_is_made() {
    let place = Place::new();
    let ran = place.run(["submit", "--local", "in/none.txt"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("in/none.txt") && !ran.stderr.contains("1/9"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.is_empty());
}

#[test]
fn an_empty_directory_is_a_wrong_usage() {
    let place = Place::new();
    let ran = place.run(["submit", "--local", "in"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn text_that_cannot_be_counted_is_named_and_left_out_only_on_request() {
    let place = Place::new();
    place.input("good.txt", "good good\n");
    place.input("wide.txt", b"\xFF\xFEg\0o\0");
    let ran = place.run(["submit", "--local", "in"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("in/wide.txt") && ran.stderr.contains("UTF-16"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.is_empty());
    let ran = place.run(["submit", "--local", "--allow-partial", "-o", "json", "in"]);
    let counted = place.run(["count", "--allow-partial", "-o", "json", "in"]);
    assert_eq!((ran.code, counted.code), (5, 5), "{}", ran.stderr);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&counted.stdout)
    );
}

#[test]
fn a_start_task_that_fails_is_shown_with_its_output() {
    let place = Place::new();
    place.input("a.txt", "one\n");
    let program = place.script("echo 'no such library' >&2; exit 7");
    let ran = place.run(["submit", "--local=2", "--topn", &program, "in"]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    for part in ["start task", "exit code 7", "no such library"] {
        assert!(ran.stderr.contains(part), "no `{part}` in:\n{}", ran.stderr);
    }
}

#[test]
fn a_task_that_fails_is_tried_again_and_then_shown_with_its_output() {
    let place = Place::new();
    place.input("a.txt", "one\n");
    let tries = place.path().join("tries");
    let program = place.script(&format!(
        "[ \"$1\" = --version ] && exit 0; echo x >> {}; echo 'disk on fire' >&2; exit 5",
        tries.display()
    ));
    let ran = place.run([
        "submit",
        "--local",
        "--retries",
        "1",
        "--topn",
        &program,
        "in",
    ]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    for part in [
        "1 of 1 tasks failed",
        "task 1",
        "exit code 5",
        "disk on fire",
    ] {
        assert!(ran.stderr.contains(part), "no `{part}` in:\n{}", ran.stderr);
    }
    assert!(ran.stdout.is_empty());
    assert_eq!(std::fs::read_to_string(tries).unwrap().lines().count(), 2);
}

#[test]
fn tasks_that_fail_leave_an_answer_of_the_others_only_on_request() {
    let place = Place::new();
    place.input("a.txt", "good good\n".repeat(100));
    place.input("b.txt", "bad bad bad\n".repeat(100));
    let program = place.script(&format!(
        "case \"$*\" in *in/2) exit 9;; esac; exec -a topn {} \"$@\"",
        env!("CARGO_BIN_EXE_fanout")
    ));
    let bash = std::fs::read_to_string(&program)
        .unwrap()
        .replacen("/bin/sh", "/bin/bash", 1);
    std::fs::write(&program, bash).unwrap();
    let args = [
        "submit",
        "--local",
        "--shard-size",
        "1200",
        "--retries",
        "0",
        "--topn",
        &program,
    ];
    let ran = place.run(args.iter().chain(&["in"]));
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stdout.is_empty());
    let ran = place.run(args.iter().chain(&["--allow-partial", "in"]));
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "good\t200\n");
}

#[test]
fn a_partial_that_is_not_the_shards_own_is_an_error_never_an_answer() {
    let place = Place::new();
    place.input("a.txt", text(1, 3_000));
    let honest = format!(
        "bash -c 'exec -a topn {} \"$@\"' topn",
        env!("CARGO_BIN_EXE_fanout")
    );
    for (lie, says) in [
        // No partial at all: the upload of the result fails or the blob is missing.
        ("true".to_owned(), "partial"),
        ("echo rubbish > partial".to_owned(), "partial"),
        // Another shard's.
        (
            format!("{honest} --words unicode --partial partial --shard other in"),
            "other",
        ),
        // Fewer bytes than were staged.
        (
            format!(
                "for s; do case $s in fo-*) id=$s;; esac; done; echo one > x; {honest} --words unicode --partial partial --shard $id x"
            ),
            "bytes",
        ),
        // Cut short after it was written.
        (
            format!("{honest} \"$@\" && head -c 40 partial > p && mv p partial"),
            "partial",
        ),
    ] {
        let program = place.script(&format!("[ \"$1\" = --version ] && exit 0\n{lie}"));
        let ran = place.run([
            "submit",
            "--local",
            "--retries",
            "0",
            "--topn",
            &program,
            "in",
        ]);
        assert_eq!(ran.code, 5, "{lie}:\n{}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{lie}");
        assert!(ran.stderr.contains(says), "{lie}:\n{}", ran.stderr);
    }
}

#[test]
fn a_run_whose_time_is_over_ends_with_its_own_code() {
    let place = Place::new();
    place.input("a.txt", "one\n");
    let program = place.script("[ \"$1\" = --version ] && exit 0\nexec sleep 600");
    let ran = place.run(["submit", "--local", "--ttl", "2s", "--topn", &program, "in"]);
    assert_eq!(ran.code, 8, "{}", ran.stderr);
    assert!(ran.stdout.is_empty());
}

#[test]
fn an_interrupted_run_ends_in_order() {
    for signal in ["INT", "TERM"] {
        let place = Place::new();
        place.input("a.txt", "one\n");
        let started = place.path().join("started");
        let program = place.script(&format!(
            "[ \"$1\" = --version ] && exit 0\ntouch {}; exec sleep 600",
            started.display()
        ));
        let child = place
            .command(["submit", "--local", "--topn", &program, "in"])
            .spawn()
            .unwrap();
        while !started.exists() {
            std::thread::yield_now();
        }
        let sent = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let ran = place.wait(child);
        assert_eq!(ran.code, 130, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("interrupted") && ran.stderr.contains("9/9"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn what_cannot_be_told_apart_is_refused_before_anything_is_made() {
    let place = Place::new();
    place.input("a/x.txt", "one\n");
    place.input("b/x.txt", "two\n");
    let ran = place.run(["submit", "--local", "--tutorial-output", "out", "in"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("x_OUTPUT.txt"), "{}", ran.stderr);
    assert!(!place.path().join("out").exists());
}

#[test]
fn without_an_account_the_way_to_name_one_is_told() {
    let place = Place::new();
    place.input("a.txt", "one\n");
    let ran = place.run(["submit", "in"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("AZURE_BATCH_ENDPOINT") && ran.stderr.contains("--local"),
        "{}",
        ran.stderr
    );
}
