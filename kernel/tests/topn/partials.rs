//! Partials: written, merged, refused.

use std::fs;

use crate::program::Place;

fn place() -> Place {
    let place = Place::with(&[("a", b"x y x"), ("b", b"y z"), ("bom", b"\xEF\xBB\xBFx")]);
    place.answer("--partial pa a");
    place.answer("--partial pb --shard second b");
    place
}

#[test]
fn merged_partials_are_the_answer_of_the_whole() {
    let place = place();
    for args in ["-n0", "-n1 -o json", "-o table", "-n0 --min-length 2"] {
        assert_eq!(
            place.answer(&format!("{args} --merge pa pb")),
            place.answer(&format!("{args} a b")),
            "{args}"
        );
    }
    assert_eq!(place.answer("-n0 --merge pa pb --partial both"), "");
    assert_eq!(place.answer("-n0 --merge both"), "x\t2\ny\t2\nz\t1\n");
}

#[test]
fn a_partial_of_slices_counts_the_file_once() {
    let place = place();
    place.answer("--slice --partial pc b");
    let answer = place.answer("-o json --merge pa pc");
    assert!(answer.contains("\"bytes\":8,\"inputs\":1"), "{answer}");
}

#[test]
fn equal_counts_give_equal_bytes() {
    let place = place();
    place.answer("--partial again --shard pa -j3 --io read a");
    assert_eq!(
        fs::read(place.path("again")).unwrap(),
        fs::read(place.path("pa")).unwrap()
    );
}

#[test]
fn partials_that_do_not_belong_together_are_refused() {
    let place = place();
    place.answer("--words alpha --partial other a");
    fs::copy(place.path("pa"), place.path("copy")).unwrap();
    let whole = fs::read(place.path("pa")).unwrap();
    fs::write(place.path("short"), &whole[..whole.len() - 1]).unwrap();
    fs::write(place.path("text"), b"no partial").unwrap();
    for (args, code, message) in [
        (
            "--merge pa none",
            3,
            "open partial `none`: No such file or directory (os error 2)",
        ),
        (
            "--merge pa copy",
            5,
            "merge partial `copy`: shard `pa` came before",
        ),
        (
            "--merge pa other",
            5,
            "merge partial `other`: it has alpha words, lower case, the others have unicode words, lower case",
        ),
        (
            "--merge pb short",
            5,
            "merge partial `short`: read it: it ends early, in its footer",
        ),
        (
            "--merge text",
            5,
            "merge partial `text`: recognise it: it is no partial",
        ),
        (
            "--words alpha --merge pa",
            2,
            "merge partials of unicode words, lower case as alpha words, lower case",
        ),
    ] {
        let ran = place.run(args);
        assert_eq!((ran.code, &*ran.stdout), (Some(code), ""), "{args}");
        assert_eq!(ran.stderr, format!("error: failed to {message}\n"));
    }
}
