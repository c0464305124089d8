//! Rules for Rust files: the first line, the length, where `unsafe` may stand, what must not be left behind.
//!
//! Which module may import which is in `borders`.

use crate::tree::{File, Offence, code, each, lines, lines_with_word, rust_files};

const FILE_LINES_MAX: usize = 600;

/// The files that may hold `unsafe`, each opened by `#![expect(unsafe_code, reason)]`; `ARCHITECTURE.md` tells why.
const UNSAFE_FILES: &[&str] = &[
    "benches/src/mapped.rs",
    "benches/src/yardstick.rs",
    "kernel/src/input/map.rs",
    "kernel/src/scan/avx2.rs",
    "kernel/src/scan/avx512.rs",
    "kernel/src/scan/neon.rs",
    "kernel/src/scan/sse2.rs",
    "kernel/src/table/aes.rs",
    "kernel/src/table/chunks.rs",
    "kernel/src/table/prefetch.rs",
    "kernel/src/table/slots.rs",
];

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];

fn says_what_it_owns(file: &File) -> Vec<Offence> {
    if file.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![Offence::new(
        &file.path,
        1,
        "the first line does not say, after `//!`, what the file owns",
    )]
}

fn is_short(file: &File) -> Vec<Offence> {
    let count = file.text.lines().count();
    if count <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![Offence::new(
        &file.path,
        count,
        format!("{count} lines, the limit is {FILE_LINES_MAX}"),
    )]
}

fn is_safe(file: &File) -> Vec<Offence> {
    if UNSAFE_FILES.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let found = lines_with_word(&code(&file.text), "unsafe");
    found
        .into_iter()
        .map(|line| {
            Offence::new(
                &file.path,
                line,
                "`unsafe` outside the files that may hold it",
            )
        })
        .collect()
}

fn is_finished(file: &File) -> Vec<Offence> {
    let words = [
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X"),
    ];
    let code = code(&file.text);
    let mut offences = Vec::new();
    for word in words {
        let found = lines_with_word(&file.text, word);
        offences.extend(
            found
                .into_iter()
                .map(|line| Offence::new(&file.path, line, format!("`{word}` was left behind"))),
        );
    }
    for left in [
        concat!("d", "bg!"),
        concat!("to", "do!"),
        concat!("unimple", "mented!"),
        concat!("#[ig", "nore"),
    ] {
        let found = (1..)
            .zip(code.lines())
            .filter(|(_, text)| text.contains(left));
        offences.extend(
            found.map(|(line, _)| {
                Offence::new(&file.path, line, format!("`{left}` was left behind"))
            }),
        );
    }
    offences
}

/// Production code must not know whether a service is real or emulated.
fn treats_all_services_alike(file: &File) -> Vec<Offence> {
    let found = lines_with_word(&code(&file.text), "is_emulator");
    found
        .into_iter()
        .map(|line| {
            Offence::new(
                &file.path,
                line,
                "code that asks whether the service is emulated",
            )
        })
        .collect()
}

fn has_a_telling_name(file: &File) -> Vec<Offence> {
    let free = file.path.starts_with("tests/")
        || file.path.starts_with("benches/")
        || file.path.contains("/tests/");
    let empty = |part: &str| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"));
    if free || !file.path.split('/').any(empty) {
        return Vec::new();
    }
    vec![Offence::new(
        &file.path,
        0,
        "a name that does not say what the file holds",
    )]
}

/// A `mod.rs` is a map of its folder.
fn mod_file_holds_no_logic(file: &File) -> Vec<Offence> {
    if !file.path.ends_with("/mod.rs") {
        return Vec::new();
    }
    let code = code(&file.text);
    let logic = ["fn", "impl", "struct", "enum", "trait", "static"];
    let found = logic.into_iter().flat_map(|word| {
        lines_with_word(&code, word)
            .into_iter()
            .map(move |line| (line, word))
    });
    found
        .map(|(line, word)| {
            Offence::new(
                &file.path,
                line,
                format!("`{word}` in a mod.rs, which holds docs, `mod` and `pub use`"),
            )
        })
        .collect()
}

#[test]
fn the_first_line_says_what_the_file_owns() {
    each(&rust_files(), says_what_it_owns);
    assert_eq!(
        lines(&says_what_it_owns(&File::sample(
            "src/a.rs",
            "// A file.\nuse std::fs;\n"
        ))),
        [1]
    );
}

#[test]
fn files_are_short() {
    each(&rust_files(), is_short);
    assert_eq!(
        lines(&is_short(&File::sample("src/a.rs", &"\n".repeat(601)))),
        [601]
    );
    assert_eq!(is_short(&File::sample("src/a.rs", &"\n".repeat(600))), []);
}

#[test]
fn unsafe_stands_only_in_the_files_that_may_hold_it() {
    each(&rust_files(), is_safe);
    assert_eq!(
        lines(&is_safe(&File::sample(
            "src/a.rs",
            "// unsafe\nlet a = unsafe { b() };\n"
        ))),
        [2]
    );
    assert_eq!(is_safe(&File::sample(UNSAFE_FILES[0], "unsafe {}")), []);
}

#[test]
fn nothing_was_left_behind() {
    each(&rust_files(), is_finished);
    let sample = format!(
        "{}: later\n{debug}(a);\n// {debug} is banned\n{}]\nfn b() {{ {}() }}\n",
        concat!("// FIX", "ME"),
        concat!("#[ig", "nore"),
        concat!("to", "do!"),
        debug = concat!("d", "bg!"),
    );
    assert_eq!(
        lines(&is_finished(&File::sample("src/a.rs", &sample))),
        [1, 2, 5, 4]
    );
}

#[test]
fn no_code_asks_whether_the_service_is_emulated() {
    each(&rust_files(), treats_all_services_alike);
    assert_eq!(
        lines(&treats_all_services_alike(&File::sample(
            "src/a.rs",
            "if is_emulator {}"
        ))),
        [1]
    );
}

#[test]
fn names_tell_what_a_file_holds() {
    each(&rust_files(), has_a_telling_name);
    for bad in [
        "src/utils.rs",
        "src/azure/common/mod.rs",
        "kernel/src/misc.rs",
    ] {
        assert_eq!(
            lines(&has_a_telling_name(&File::sample(bad, ""))),
            [0],
            "{bad}"
        );
    }
    assert_eq!(
        has_a_telling_name(&File::sample("tests/common/mod.rs", "")),
        []
    );
}

#[test]
fn mod_files_are_maps() {
    each(&rust_files(), mod_file_holds_no_logic);
    let bad = "//! A folder.\n\nmod a;\npub use a::A;\n\nfn b() {}\n";
    assert_eq!(
        lines(&mod_file_holds_no_logic(&File::sample("src/a/mod.rs", bad))),
        [6]
    );
}
