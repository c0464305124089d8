//! Inputs that are no ordinary text file: each is counted exactly, or refused with a clear message and the right code.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::program::{Place, Ran, exists};

fn ran(code: i32, stdout: &str, stderr: &str) -> Ran {
    Ran {
        code: Some(code),
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    }
}

#[test]
fn a_missing_path_is_exit_3_before_anything_is_read() {
    let place = Place::with(&[("text", b"a")]);
    let error = "error: failed to find `none`: no such file or directory\n";
    assert_eq!(place.run("text none"), ran(3, "", error));
    assert_eq!(place.run("text text/none").code, Some(3));
}

#[test]
fn a_file_that_vanishes_is_exit_5_and_can_be_left_out() {
    for (args, stdout, last) in [
        (
            "-j1 fifo gone text",
            "",
            "error: failed to count 1 of 3 inputs\nhint: --allow-partial prints an answer without them\n",
        ),
        (
            "-j1 --allow-partial fifo gone text",
            "b\t1\nx\t1\n",
            "the answer lacks 1 input that could not be counted\n",
        ),
    ] {
        let place = Place::with(&[("gone", b"a"), ("text", b"b")]);
        place.fifo("fifo");
        let child = place.command(args).spawn().unwrap();
        // Opens when `topn` reads the pipe, and by then it has found all files.
        let mut fifo = fs::OpenOptions::new()
            .write(true)
            .open(place.path("fifo"))
            .unwrap();
        fs::remove_file(place.path("gone")).unwrap();
        fifo.write_all(b"x").unwrap();
        drop(fifo);
        let output = child.wait_with_output().unwrap();
        let error = format!(
            "error: failed to count `gone`: read it: No such file or directory (os error 2)\n{last}"
        );
        assert_eq!(Ran::of(&output), ran(5, stdout, &error));
    }
}

#[test]
fn a_file_that_shrinks_under_its_mapping_is_exit_9_and_no_crash() {
    let text = b"word ".repeat(1 << 20);
    let place = Place::with(&[("text", &text)]);
    let path = place.path("text");
    // A full pipe: the first line of progress waits until it is emptied.
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[b'\n'; 65_536]).unwrap();
    let mut child = place
        .command("-j1 --io mmap --progress plain text")
        .stderr(writer)
        .spawn()
        .unwrap();
    let maps = format!("/proc/{}/maps", child.id());
    let name = path.to_str().unwrap();
    while !fs::read_to_string(&maps).unwrap_or_default().contains(name) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended without mapping");
        std::thread::yield_now();
    }
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(4096).unwrap();
    let mut stderr = String::new();
    reader.read_to_string(&mut stderr).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(9), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(
        stderr.ends_with("error: failed to count `text`: it had 5242880 bytes when it was opened and 4096 after\n"),
        "{stderr}"
    );
}

#[test]
fn pipes_and_devices_are_read_when_named_and_skipped_when_found() {
    let place = Place::with(&[("in/text", b"a")]);
    place.fifo("in/fifo");
    symlink("/dev/null", place.path("in/link")).unwrap();
    assert_eq!(place.answer("in /dev/null"), "a\t1\n");
    let child = place.command("in/fifo").spawn().unwrap();
    fs::write(place.path("in/fifo"), b"x x").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(Ran::of(&output), ran(0, "x\t2\n", ""));
}

#[test]
fn files_that_claim_size_0_are_read() {
    let place = Place::with(&[]);
    assert!(place.answer("/proc/self/status").lines().count() == 10);
}

#[test]
fn files_that_claim_more_than_they_have_are_read() {
    let place = Place::with(&[]);
    let claims = "/sys/devices/system/cpu/online";
    let content = fs::read(claims).unwrap();
    assert!((content.len() as u64) < fs::metadata(claims).unwrap().len());
    fs::write(place.path("content"), content).unwrap();
    for io in ["mmap", "read"] {
        assert_eq!(
            place.answer(&format!("--io {io} -o json {claims}")),
            place.answer("-o json content")
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_is_exit_5() {
    // Reading address 0 of a process fails for every user.
    let place = Place::with(&[("text", b"a")]);
    let error =
        "error: failed to count `/proc/self/mem`: read it: Input/output error (os error 5)\n";
    let refused = place.run("text /proc/self/mem");
    assert_eq!(refused.code, Some(5));
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.starts_with(error), "{}", refused.stderr);
    let partial = place.run("--allow-partial text /proc/self/mem");
    assert_eq!((partial.code, &*partial.stdout), (Some(5), "a\t1\n"));
}

#[test]
fn other_encodings_and_compressed_data_are_refused() {
    let place = Place::with(&[
        ("utf16", b"\xFF\xFEa\0"),
        ("utf32", b"\xFF\xFE\0\0a\0\0\0"),
        ("gz", b"\x1F\x8B\x08\0"),
        ("text", b"a"),
    ]);
    for (name, error) in [
        (
            "utf16",
            "read it as text: it is UTF-16LE by its byte order mark; convert it first: iconv -f UTF-16LE -t UTF-8",
        ),
        (
            "utf32",
            "read it as text: it is UTF-32LE by its byte order mark; convert it first: iconv -f UTF-32LE -t UTF-8",
        ),
        (
            "gz",
            "read it as text: it is gzip data by its signature; decompress it first: gzip -dc",
        ),
    ] {
        let first = format!("error: failed to count `{name}`: {error}\n");
        let found = place.run(&format!("{name} text"));
        assert_eq!((found.code, &*found.stdout), (Some(5), ""));
        assert!(found.stderr.starts_with(&first), "{}", found.stderr);
        // A later slice of a file may begin with any bytes.
        assert_eq!(place.run(&format!("--slice {name}")).code, Some(0));
    }
    let piped = place.pipe("", b"\xFE\xFF\0a");
    assert_eq!((piped.code, &*piped.stdout), (Some(5), ""));
}

#[test]
fn a_byte_order_mark_is_no_text_but_counts_as_bytes() {
    let place = Place::with(&[("text", b"\xEF\xBB\xBFa a")]);
    for args in ["--io mmap", "--io read", "--io auto"] {
        let answer = place.answer(&format!("--words whitespace -o json {args} text"));
        assert!(answer.contains("\"word\":\"a\",\"count\":2"), "{answer}");
        assert!(answer.contains("\"bytes\":6"), "{answer}");
    }
    assert_eq!(
        place.pipe("--words whitespace", b"\xEF\xBB\xBFa").stdout,
        "a\t1\n"
    );
    assert_eq!(place.pipe("--words whitespace", b"\xEF\xBB\xBF").stdout, "");
    let slice = place.answer("--words whitespace --slice text");
    assert_eq!(slice, "a\t1\n\u{FEFF}a\t1\n");
}

#[test]
fn small_and_empty_texts() {
    for (text, whitespace, unicode) in [
        (&b""[..], "", ""),
        (b"a", "a\t1\n", "a\t1\n"),
        (b"\n", "", ""),
        (b" \t\r\n  ", "", ""),
        (b"a b", "a\t1\nb\t1\n", "a\t1\nb\t1\n"),
        (b"a\r\nb\r\na", "a\t2\nb\t1\n", "a\t2\nb\t1\n"),
        (b"\0\0\0", "\0\0\0\t1\n", ""),
        (b"\0a\0 a\0 a", "\0a\0\t1\na\t1\na\0\t1\n", "a\t3\n"),
        (b"a\xFF b", "a\u{FFFD}\t1\nb\t1\n", "a\t1\nb\t1\n"),
    ] {
        let place = Place::with(&[("text", text)]);
        for io in ["mmap", "read"] {
            let run = |words| place.answer(&format!("--words {words} --io {io} text"));
            assert_eq!(run("whitespace"), whitespace, "{text:?}");
            assert_eq!(run("unicode"), unicode, "{text:?}");
        }
    }
}

#[test]
fn a_word_of_100_mb_is_one_word() {
    let mut text = vec![b'x'; 100_000_000];
    text.extend_from_slice(b" end");
    let place = Place::with(&[("text", &text)]);
    for args in ["--io mmap -j2", "--io read -j2"] {
        let answer = place.answer(&format!("--words alpha {args} text"));
        assert_eq!(answer.len(), "end\t1\n".len() + 100_000_003);
        assert!(answer.starts_with("end\t1\nxxx") && answer.ends_with("xxx\t1\n"));
    }
}

#[test]
fn separators_alone_are_no_words() {
    let place = Place::with(&[
        ("text", &b" \n\t\r".repeat(1 << 20)),
        ("nuls", &[0; 1 << 20]),
    ]);
    for words in ["unicode", "whitespace", "alpha", "tutorial"] {
        assert_eq!(place.answer(&format!("--words {words} text")), "");
    }
    assert_eq!(place.answer("--words alpha nuls"), "");
    assert_eq!(place.answer("nuls"), "");
    let one = place.answer("--words whitespace nuls");
    assert_eq!(one.len(), (1 << 20) + 3);
}

#[test]
fn nothing_is_left_beside_a_result() {
    let place = Place::with(&[("text", b"a")]);
    place.answer("--partial p text");
    let mut names: Vec<_> = fs::read_dir(place.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["p", "text"]);
    let failed = place.run("--partial none/p text");
    let error = "error: failed to write `none/p`: entity not found\n";
    assert_eq!(failed, ran(9, "", error));
    assert!(!exists(&place.path("none")));
}

#[test]
fn a_result_goes_into_a_pipe_and_through_a_link_and_replaces_neither() {
    let place = Place::with(&[("text", b"a"), ("file", b"before")]);
    place.fifo("fifo");
    symlink("file", place.path("link")).unwrap();
    // Without waiting for a writer, and later for its bytes.
    let mut fifo = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(place.path("fifo"))
        .unwrap();
    place.answer("--tutorial-output fifo --partial link text");
    let mut written = String::new();
    fifo.read_to_string(&mut written).unwrap();
    assert!(written.starts_with("Word\tCount\n"), "{written:?}");
    assert!(place.path("link").is_symlink());
    assert_eq!(place.answer("--merge file"), "a\t1\n");
}

#[test]
fn a_stream_that_is_refused_leaves_the_answer_of_the_others() {
    let utf16 = b"\xFF\xFEa\0 \0b\0".repeat(200_000);
    for args in ["-j1", "-j3"] {
        let place = Place::with(&[("text", b"a"), ("empty", b"")]);
        let refused = place.pipe(
            &format!("{args} --allow-partial text - empty /dev/null"),
            &utf16,
        );
        assert_eq!((refused.code, &*refused.stdout), (Some(5), "a\t1\n"));
        let refused = place.pipe(&format!("{args} text -"), &utf16);
        assert_eq!((refused.code, &*refused.stdout), (Some(5), ""));
        assert!(refused.stderr.contains("hint: --allow-partial"));
        let per_file = place.pipe(
            &format!("{args} --allow-partial --per-file text - empty"),
            &utf16,
        );
        assert_eq!(
            (per_file.code, &*per_file.stdout),
            (Some(5), "text\ta\t1\n\ta\t1\n")
        );
    }
}

#[test]
fn a_sigbus_that_another_process_sends_ends_it() {
    let place = Place::with(&[("text", b"a")]);
    place.fifo("fifo");
    let mut child = place.command("-j1 --io mmap text fifo").spawn().unwrap();
    // Opens when `topn` has mapped the text, and with it taken over the signal.
    let fifo = fs::OpenOptions::new()
        .write(true)
        .open(place.path("fifo"))
        .unwrap();
    let sent = Command::new("kill")
        .args(["-BUS", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    drop(fifo);
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGBUS));
}
