//! Which part of the code may import which: the directions of the house, read from the sources.
//!
//! The border between `kernel` and `fanout` is kept by the compiler; that `kernel` has no network crate is in `packages`.

use crate::tree::{File, Offence, code, each, lines, rust_files};

/// What one folder may import.
struct Border {
    folder: &'static str,
    /// Top-level modules of its own crate that it may name; empty: any.
    own: &'static [&'static str],
    /// Paths that it must not name.
    denied: &'static [&'static str],
}

const BORDERS: &[Border] = &[
    // Pure: time, ids and sizes come in as arguments.
    Border {
        folder: "src/plan/",
        own: &["plan"],
        denied: &[
            "tokio",
            "reqwest",
            "azure_core",
            "azure_storage_blob",
            "hyper",
            "rand",
            "tempfile",
            "std::env",
            "std::fs",
            "std::net",
            "std::process",
            "std::thread",
        ],
    },
    // Blobs, pools, jobs and tasks; no words, no shards.
    Border {
        folder: "src/azure/",
        own: &["azure", "clock", "secret", "spoil"],
        denied: &["kernel"],
    },
    // A second reading of the same REST pages: what it shared with the client would be wrong in both.
    Border {
        folder: "src/emulator/",
        own: &["clock", "emulator", "secret", "spoil"],
        denied: &["kernel", "azure_core", "azure_storage_blob"],
    },
    // Files and bytes.
    Border {
        folder: "kernel/",
        own: &[],
        denied: &["fanout", "tokio", "reqwest", "hyper", "std::net"],
    },
];

fn keeps_to_its_side(file: &File) -> Vec<Offence> {
    let Some(border) = BORDERS
        .iter()
        .find(|border| file.path.starts_with(border.folder))
    else {
        return Vec::new();
    };
    let code = code(&file.text);
    let mut offences = Vec::new();
    for (line, module) in heads(&code, "crate::") {
        if !border.own.is_empty() && !border.own.contains(&module.as_str()) {
            offences.push(Offence::new(
                &file.path,
                line,
                format!("`{}` must not import `crate::{module}`", border.folder),
            ));
        }
    }
    for denied in border.denied {
        for line in lines_with_path(&code, denied) {
            offences.push(Offence::new(
                &file.path,
                line,
                format!("`{}` must not import `{denied}`", border.folder),
            ));
        }
    }
    offences
}

/// The word after each `prefix` in `code`, every member's first word where a group follows, with its line.
fn heads(code: &str, prefix: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices(prefix) {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|char| char.is_alphanumeric() || "_$:".contains(char)) {
            continue;
        }
        let line = 1 + code[..start].matches('\n').count();
        let rest = &code[start + prefix.len()..];
        let names = if let Some(group) = rest.strip_prefix('{') {
            group_heads(group)
        } else {
            vec![first_word(rest)]
        };
        found.extend(
            names
                .into_iter()
                .filter(|name| !name.is_empty())
                .map(|name| (line, name)),
        );
    }
    found
}

/// The first word of each member of a `use` group; `group` starts after its brace.
fn group_heads(group: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let mut heads = vec![String::new()];
    for char in group.chars() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(String::new()),
            _ if depth == 0 => {
                if let Some(head) = heads.last_mut() {
                    head.push(char);
                }
            }
            _ => {}
        }
    }
    heads
        .iter()
        .map(|head| first_word(head.trim_start()))
        .collect()
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|&char| char.is_alphanumeric() || char == '_')
        .collect()
}

/// The lines that name `path`: a crate before `::` or after `use`, an item of a crate after its parent.
fn lines_with_path(code: &str, path: &str) -> Vec<usize> {
    if let Some((parent, item)) = path.rsplit_once("::") {
        let named = heads(code, &format!("{parent}::"));
        return named
            .into_iter()
            .filter(|(_, head)| head == item)
            .map(|(line, _)| line)
            .collect();
    }
    let names = |line: &str| {
        line.match_indices(path).any(|(start, _)| {
            let before = &line[..start];
            let after = &line[start + path.len()..];
            let is_start =
                !before.ends_with(|char: char| char.is_alphanumeric() || "_:.".contains(char));
            let is_used = before.trim_end().ends_with("use") && after.starts_with([';', ' ']);
            is_start && (after.starts_with("::") || is_used)
        })
    };
    (1..)
        .zip(code.lines())
        .filter(|(_, line)| names(line))
        .map(|(number, _)| number)
        .collect()
}

#[test]
fn imports_keep_their_direction() {
    each(&rust_files(), keeps_to_its_side);
}

#[test]
fn an_import_against_the_direction_is_found_in_every_form() {
    let bad = "use crate::plan::Shard;\nuse crate::{\n    azure::Error, commands};\nlet a = crate::record::open();\nuse crate::secret::Secret;\nuse kernel::top;\n// crate::plan\n";
    assert_eq!(
        lines(&keeps_to_its_side(&File::sample("src/azure/a.rs", bad))),
        [1, 2, 4, 6]
    );
    let impure = "use std::fs;\nuse std::{fmt, mem};\nuse tokio::time;\nlet kernel = a.tokio;\nstd::env::var(a)\nuse std::{fs::File, io};\n";
    let mut found = lines(&keeps_to_its_side(&File::sample("src/plan/a.rs", impure)));
    found.sort_unstable();
    assert_eq!(found, [1, 3, 5, 6]);
    assert_eq!(
        keeps_to_its_side(&File::sample(
            "src/commands/a.rs",
            "use crate::azure::Client;\n"
        )),
        []
    );
}
