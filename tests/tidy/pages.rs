//! Rules for what people read: pages with one title, links that lead somewhere, a map that fits, nothing of this machine.
//!
//! The tables of `data/` and `tests/fixtures/` are in `listings`.

use std::collections::BTreeSet;
use std::process::Command;

use fanout::exit::Exit;

use crate::tree::{File, Offence, each, files, has_extension, lines, none, paths};

/// The page that maps the repository, in fenced blocks with the info string `tree`: one path a line, a folder with a final `/`,
/// a remark after two spaces.
const MAP: &str = "ARCHITECTURE.md";

/// A line of a page; `fence` is the info string of the fenced block that it is in.
struct Line<'a> {
    number: usize,
    fence: Option<&'a str>,
    text: &'a str,
}

/// Every line but the fences themselves.
fn page_lines(page: &str) -> Vec<Line<'_>> {
    let mut fence = None;
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(page.lines()) {
        match (fence, text.trim_start().strip_prefix("```")) {
            (None, Some(info)) => fence = Some(info.trim()),
            (Some(_), Some(_)) => fence = None,
            (_, None) => lines.push(Line {
                number,
                fence,
                text,
            }),
        }
    }
    lines
}

/// The lines of a page outside its fenced blocks.
fn prose(page: &str) -> Vec<Line<'_>> {
    page_lines(page)
        .into_iter()
        .filter(|line| line.fence.is_none())
        .collect()
}

fn has_one_title(page: &File) -> Vec<Offence> {
    let titles: Vec<usize> = prose(&page.text)
        .iter()
        .filter(|line| line.text.starts_with("# "))
        .map(|line| line.number)
        .collect();
    match titles.as_slice() {
        [1] => Vec::new(),
        [] => vec![Offence::new(&page.path, 1, "no `# ` title")],
        [first] => vec![Offence::new(
            &page.path,
            *first,
            "the title is not the first line",
        )],
        [_, more @ ..] => more
            .iter()
            .map(|line| Offence::new(&page.path, *line, "a second `# ` title"))
            .collect(),
    }
}

/// Links to files of the repository, relative to the page or from its root by a leading `/`.
fn links_lead_somewhere(page: &File, known: &BTreeSet<String>) -> Vec<Offence> {
    let mut offences = Vec::new();
    for Line {
        number, text: line, ..
    } in prose(&page.text)
    {
        for (start, _) in line.match_indices("](") {
            let target = line[start + 2..].split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            if !known.contains(&resolved(&page.path, path)) {
                offences.push(Offence::new(
                    &page.path,
                    number,
                    format!("the link to `{path}` leads nowhere"),
                ));
            }
        }
    }
    offences
}

fn resolved(page: &str, link: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    if link.starts_with('/') {
        parts.clear();
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Every path with each folder above it, folders without their final `/`.
fn with_folders(paths: &[String]) -> BTreeSet<String> {
    let above = |path: &String| {
        let cuts: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
        cuts.into_iter()
            .map(|at| path[..at].to_owned())
            .chain([path.clone()])
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(above).collect()
}

/// The map names only what exists, every folder that holds Rust files, and every folder of the top level that is not hidden.
fn map_fits(map: &File, paths: &[String]) -> Vec<Offence> {
    let mapped: Vec<(usize, &str)> = page_lines(&map.text)
        .iter()
        .filter(|line| line.fence == Some("tree") && !line.text.trim().is_empty())
        .map(|line| {
            (
                line.number,
                line.text.trim().split("  ").next().unwrap_or_default(),
            )
        })
        .collect();
    let known = with_folders(paths);
    let mut offences: Vec<Offence> = mapped
        .iter()
        .filter(|(_, path)| !known.contains(path.trim_end_matches('/')))
        .map(|(number, path)| Offence::new(&map.path, *number, format!("`{path}` does not exist")))
        .collect();
    let folders = paths
        .iter()
        .filter(|path| has_extension(path, "rs"))
        .filter_map(|path| path.rsplit_once('/'));
    let tops = paths
        .iter()
        .filter_map(|path| path.split_once('/'))
        .map(|(top, _)| top);
    let holders = folders.map(|(folder, _)| folder);
    let wanted: BTreeSet<&str> = holders
        .chain(tops)
        .filter(|folder| !folder.starts_with('.'))
        .collect();
    for path in wanted {
        if !mapped
            .iter()
            .any(|(_, mapped)| mapped.trim_end_matches('/') == path)
        {
            offences.push(Offence::new(
                &map.path,
                0,
                format!("`{path}` is not on the map"),
            ));
        }
    }
    offences
}

/// Paths of a developer's machine and hosts of package registries, which are that machine's settings.
fn is_free_of_this_machine(file: &File) -> Vec<Offence> {
    let foreign = [
        concat!("/", "root/"),
        concat!("/", "work/"),
        concat!("/home/", "runner"),
        concat!("pypi.", "org"),
        concat!("files.python", "hosted.org"),
        concat!("registry.", "npmjs.org"),
        concat!("deb.", "debian.org"),
        concat!("static.", "crates.io"),
        concat!("index.", "crates.io"),
    ];
    let holds = |line: &str| foreign.iter().find(|name| line.contains(**name)).copied();
    let found = (1..)
        .zip(file.text.lines())
        .filter_map(|(number, line)| holds(line).map(|name| (number, name)));
    found
        .map(|(number, name)| {
            Offence::new(
                &file.path,
                number,
                format!("`{name}` belongs to a machine, not to the project"),
            )
        })
        .collect()
}

fn pages() -> Vec<File> {
    files(|path| has_extension(path, "md"))
}

#[test]
fn pages_have_one_title() {
    each(&pages(), has_one_title);
    let bad = "# A\n\n```\n# a comment\n```\n# B\n";
    assert_eq!(lines(&has_one_title(&File::sample("a.md", bad))), [6]);
    assert_eq!(lines(&has_one_title(&File::sample("a.md", "## A\n"))), [1]);
    assert_eq!(lines(&has_one_title(&File::sample("a.md", "\n# A\n"))), [2]);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let known = with_folders(&paths());
    each(&pages(), |page| links_lead_somewhere(page, &known));
    let bad = "[a](../src/gone.rs)\n[b](../src/lib.rs#x) [c](https://a.b/c)\n[d](/src/gone.rs)\n";
    assert_eq!(
        lines(&links_lead_somewhere(
            &File::sample("deploy/a.md", bad),
            &known
        )),
        [1, 3]
    );
}

#[test]
fn the_map_of_the_repository_fits() {
    let map = files(|path| path == MAP);
    if let [map] = map.as_slice() {
        none(&map_fits(map, &paths()));
    }
}

#[test]
fn a_map_that_does_not_fit_is_found() {
    let paths = ["Cargo.toml", "src/a/b.rs", "src/lib.rs"].map(str::to_owned);
    let map = File::sample(
        MAP,
        "# Map\n\n```tree\nCargo.toml\nsrc/  all\nsrc/gone/  nothing\n```\n",
    );
    let offences = map_fits(&map, &paths);
    assert_eq!(lines(&offences), [6, 0]);
    assert!(offences[1].what.contains("`src/a`"), "{}", offences[1]);
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    each(&files(|path| path != "Cargo.lock"), is_free_of_this_machine);
    let bad = format!("a\nopen(\"{}a\")\n", concat!("/", "root/"));
    assert_eq!(
        lines(&is_free_of_this_machine(&File::sample("a.py", &bad))),
        [2]
    );
}

#[test]
fn the_help_of_fanout_lists_every_exit_code() {
    let output = Command::new(env!("CARGO_BIN_EXE_fanout"))
        .arg("--help")
        .output()
        .expect("fanout runs");
    let help = String::from_utf8(output.stdout).expect("the help is UTF-8");
    let missing: Vec<u8> = Exit::ALL
        .iter()
        .filter(|exit| {
            !help
                .lines()
                .any(|line| line.trim() == format!("{}  {}", exit.code(), exit.meaning()))
        })
        .map(|exit| exit.code())
        .collect();
    assert!(
        missing.is_empty(),
        "the help does not list {missing:?}:\n{help}"
    );
}
