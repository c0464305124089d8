//! The forms of an answer, for one input and for each file.

use crate::program::Place;

fn place() -> Place {
    Place::with(&[
        ("in/b.txt", b"b b a"),
        ("in/a/c.txt", b"a \"q\"\xFF a"),
        ("in/.hidden", b"b"),
    ])
}

#[test]
fn every_form_shows_the_same_top() {
    let place = place();
    let run = |format: &str| place.answer(&format!("--words whitespace -o {format} in"));
    let raw = place
        .command("--words whitespace in")
        .output()
        .unwrap()
        .stdout;
    assert_eq!(raw, b"a\t3\nb\t3\n\"q\"\xFF\t1\n");
    assert_eq!(
        run("csv"),
        "word,count\na,3\nb,3\n\"\"\"q\"\"\u{FFFD}\",1\n"
    );
    assert_eq!(
        run("ndjson"),
        "{\"word\":\"a\",\"count\":3}\n{\"word\":\"b\",\"count\":3}\n{\"word\":\"\\\"q\\\"\u{FFFD}\",\"count\":1}\n"
    );
    assert_eq!(
        run("table"),
        "rank  word  count    share\n   \
         1  a         3   42.86%  ████████████████████████████████████████\n   \
         2  b         3   42.86%  ████████████████████████████████████████\n   \
         3  \"q\"\u{FFFD}      1   14.29%  █████████████▍\n\
         words: 7  distinct: 3  inputs: 3  bytes: 14\n"
    );
}

#[test]
fn per_file_gives_each_file_in_byte_order_and_then_the_whole() {
    let place = place();
    assert_eq!(
        place.answer("--words alpha -n1 --per-file in"),
        "in/.hidden\tb\t1\nin/a/c.txt\ta\t2\nin/b.txt\tb\t2\n\ta\t3\n"
    );
    assert_eq!(
        place.answer("--words alpha -n1 --per-file -o csv in"),
        "file,word,count\nin/.hidden,b,1\nin/a/c.txt,a,2\nin/b.txt,b,2\n,a,3\n"
    );
    assert_eq!(
        place.answer("--words alpha -n1 --per-file -o ndjson in/b.txt"),
        "{\"file\":\"in/b.txt\",\"word\":\"b\",\"count\":2}\n{\"file\":\"\",\"word\":\"b\",\"count\":2}\n"
    );
}

#[test]
fn an_empty_answer_is_a_success() {
    let place = Place::with(&[("empty", b"")]);
    assert_eq!(place.answer("empty"), "");
    assert_eq!(place.answer("-o csv empty"), "word,count\n");
    assert_eq!(
        place.answer("-o json empty"),
        "{\"words\":[],\n\"total\":0,\"distinct\":0,\"bytes\":0,\"inputs\":1,\n\
         \"settings\":{\"words\":\"unicode\",\"case\":\"lower\",\"unicode\":\"17.0.0\",\"top\":10,\"min_length\":0,\"stop_words\":0}}\n"
    );
}

#[test]
fn the_tutorial_text_has_the_layout_of_the_sample() {
    let place = Place::with(&[("text", b"One two; two -- One. three\n")]);
    let args = "-n2 --words tutorial --tutorial-output out text";
    assert_eq!(place.answer(args), "One\t2\ntwo\t2\n");
    assert_eq!(
        place.read("out"),
        "Word\tCount\n------------------------------\nOne:\t2\ntwo:\t2\n------------------------------\n\
         Node: \nTask: \nJob:  \nPool: \n"
    );
    let ran = place
        .command(args)
        .envs([
            ("AZ_BATCH_NODE_ID", "tvm-1"),
            ("AZ_BATCH_TASK_ID", "7"),
            ("AZ_BATCH_JOB_ID", "job"),
            ("AZ_BATCH_POOL_ID", "pool"),
        ])
        .status();
    assert!(ran.unwrap().success());
    assert!(
        place
            .read("out")
            .ends_with("Node: tvm-1\nTask: 7\nJob:  job\nPool: pool\n")
    );
}
