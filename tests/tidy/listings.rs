//! Rules for shipped data: every file of `data/` and `tests/fixtures/` has a row that tells its source and true checksum.
//!
//! Whether a text may be shipped is for people to decide; the row makes them say why.

use std::fs;

use sha2::{Digest, Sha256};

use crate::tree::{File, Offence, files, has_extension, lines, none, paths, root};

/// Folders whose files are listed in a table of their own README.
const LISTED: &[&str] = &["data/", "tests/fixtures/"];

/// A listed file with the checksum of its bytes.
struct Shipped {
    /// Relative to the listed folder.
    name: String,
    sha256: String,
}

fn shipped(folder: &str) -> Vec<Shipped> {
    let names = paths()
        .into_iter()
        .filter_map(|path| path.strip_prefix(folder).map(str::to_owned));
    let described = |name: &String| !name.ends_with("README.md");
    let read = |name: String| {
        let bytes = fs::read(root().join(folder).join(&name)).expect("a listed file is readable");
        let sha256 = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Shipped { name, sha256 }
    };
    names.filter(described).map(read).collect()
}

/// Rows are `| `NAME` | … | `SHA-256` |`, the checksum in any column.
fn has_true_rows(readme: &File, shipped: &[Shipped]) -> Vec<Offence> {
    let rows: Vec<(usize, Vec<&str>)> = (1..)
        .zip(readme.text.lines())
        .filter_map(|(line, text)| row(line, text))
        .collect();
    let mut offences = Vec::new();
    for file in shipped {
        match rows.iter().find(|(_, cells)| cells[0] == file.name) {
            None => offences.push(Offence::new(
                &readme.path,
                0,
                format!("no row for `{}`", file.name),
            )),
            Some((line, cells)) if !cells.contains(&file.sha256.as_str()) => {
                let what = format!("`{}` has the SHA-256 {}", file.name, file.sha256);
                offences.push(Offence::new(&readme.path, *line, what));
            }
            Some(_) => {}
        }
    }
    for (line, cells) in &rows {
        if !shipped.iter().any(|file| file.name == cells[0]) {
            offences.push(Offence::new(
                &readme.path,
                *line,
                format!("`{}` does not exist", cells[0]),
            ));
        }
    }
    offences
}

/// The cells of a table row whose first cell is code, without their backticks.
fn row(line: usize, text: &str) -> Option<(usize, Vec<&str>)> {
    let inner = text.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
    let first = cells.first()?;
    (first.len() > 2 && first.starts_with('`') && first.ends_with('`')).then(|| {
        (
            line,
            cells.iter().map(|cell| cell.trim_matches('`')).collect(),
        )
    })
}

fn is_used(fixture: &str, sources: &[File]) -> bool {
    let file_name = fixture.rsplit('/').next().unwrap_or(fixture);
    let folder = fixture
        .rsplit_once('/')
        .map(|(folder, _)| format!("fixtures/{folder}"));
    let names = |source: &File| {
        source.text.contains(file_name)
            || folder
                .as_ref()
                .is_some_and(|folder| source.text.contains(folder))
    };
    sources.iter().any(names)
}

#[test]
fn every_shipped_file_has_a_row_with_its_checksum() {
    for folder in LISTED {
        let readme = files(|path| path == format!("{folder}README.md"));
        let shipped = shipped(folder);
        assert!(!shipped.is_empty(), "{folder} is empty");
        assert_eq!(readme.len(), 1, "{folder} has no README.md");
        none(&has_true_rows(&readme[0], &shipped));
    }
}

#[test]
fn a_missing_a_false_and_a_stale_row_are_found() {
    let readme = File::sample(
        "data/README.md",
        "| file | SHA-256 |\n|---|---|\n| `a` | `11` |\n| `b` | `22` |\n| `c` | `33` |\n",
    );
    let file = |name: &str, sha256: &str| Shipped {
        name: name.to_owned(),
        sha256: sha256.to_owned(),
    };
    let offences = has_true_rows(
        &readme,
        &[file("a", "11"), file("b", "ff"), file("d", "44")],
    );
    assert_eq!(lines(&offences), [4, 0, 5]);
}

#[test]
fn every_fixture_is_used() {
    let sources = files(|path| {
        ["rs", "py", "mjs", "toml"]
            .into_iter()
            .any(|extension| has_extension(path, extension))
            || path == "tests/run"
            || path == ".ci/run"
    });
    let unused: Vec<Offence> = shipped("tests/fixtures/")
        .iter()
        .filter(|file| !is_used(&file.name, &sources))
        .map(|file| {
            Offence::new(
                &format!("tests/fixtures/{}", file.name),
                0,
                "no test names it",
            )
        })
        .collect();
    none(&unused);
}

#[test]
fn a_fixture_that_nobody_names_is_found() {
    let sources = [File::sample(
        "src/a.rs",
        "include_str!(\"../tests/fixtures/words/a.txt\")",
    )];
    assert!(is_used("words/a.txt", &sources));
    assert!(is_used("words/b.txt", &sources), "its folder is named");
    assert!(!is_used("b.txt", &sources));
}
