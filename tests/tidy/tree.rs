//! The files of the repository as the rules see them, and source text with comments and strings blanked.
//!
//! Holds no rule of its own.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file that git knows or would add.
pub(crate) struct File {
    /// Relative to the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn sample(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// A broken rule; `line` counts from 1, 0 is the file as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offence {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Offence {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the work tree that is tracked or not ignored, in byte order.
pub(crate) fn paths() -> Vec<String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .expect("git lists the files of the work tree");
    assert!(
        output.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let listed = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let mut paths: Vec<String> = listed
        .split_terminator('\0')
        .filter(|path| root().join(path).is_file())
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The files whose path passes `wanted`, as text.
pub(crate) fn files(wanted: impl Fn(&str) -> bool) -> Vec<File> {
    let read = |path: String| {
        let bytes = fs::read(root().join(&path)).expect("a listed file is readable");
        File {
            path,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    };
    paths()
        .into_iter()
        .filter(|path| wanted(path))
        .map(read)
        .collect()
}

pub(crate) fn rust_files() -> Vec<File> {
    files(|path| has_extension(path, "rs"))
}

pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

/// Runs `rule` on each file and fails with the whole list.
pub(crate) fn each(files: &[File], rule: impl Fn(&File) -> Vec<Offence>) {
    assert!(!files.is_empty(), "the rule sees no file");
    none(&files.iter().flat_map(rule).collect::<Vec<_>>());
}

pub(crate) fn none(offences: &[Offence]) {
    let list: Vec<String> = offences.iter().map(ToString::to_string).collect();
    assert!(
        list.is_empty(),
        "{} offence(s):\n{}",
        list.len(),
        list.join("\n")
    );
}

/// The lines on which a rule fires, for the tests on samples.
pub(crate) fn lines(offences: &[Offence]) -> Vec<usize> {
    offences.iter().map(|offence| offence.line).collect()
}

/// `text` with the insides of comments, strings and character literals as spaces; lines stay where they are.
pub(crate) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut blanked = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = at + literal_length(&chars, at);
        if end == at {
            blanked.push(chars[at]);
            at += 1;
            continue;
        }
        blanked.extend(
            chars[at..end]
                .iter()
                .map(|&char| if char == '\n' { '\n' } else { ' ' }),
        );
        at = end;
    }
    blanked
}

/// How many characters of comment or literal start at `at`; 0 if none does.
fn literal_length(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let in_word = at > 0 && is_word(chars[at - 1]);
    match rest {
        ['/', '/', ..] => rest
            .iter()
            .position(|&char| char == '\n')
            .unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment_length(rest),
        ['"', ..] => string_length(rest),
        ['r', '"' | '#', ..] if !in_word => raw_string_length(rest),
        ['b', 'r', '"' | '#', ..] if !in_word => raw_string_length(&rest[1..])
            .checked_add(1)
            .filter(|&n| n > 1)
            .unwrap_or(0),
        ['\'', '\\', ..] => rest[3..]
            .iter()
            .position(|&char| char == '\'')
            .map_or(0, |end| end + 4),
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

fn block_comment_length(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string_length(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&char| char == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0; // a raw identifier
    }
    let is_end = |&at: &usize| {
        rest[at] == '"'
            && rest[at + 1..]
                .iter()
                .take(hashes)
                .filter(|&&char| char == '#')
                .count()
                == hashes
    };
    (2 + hashes..rest.len())
        .find(is_end)
        .map_or(rest.len(), |at| at + 1 + hashes)
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// The lines of `text` that hold `word` standing alone, counted from 1.
pub(crate) fn lines_with_word(text: &str, word: &str) -> Vec<usize> {
    let holds = |line: &str| {
        line.match_indices(word).any(|(start, _)| {
            let before = line[..start].chars().next_back();
            let after = line[start + word.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    };
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| holds(line))
        .map(|(number, _)| number)
        .collect()
}

#[test]
fn comments_and_literals_are_blanked_and_code_is_not() {
    let text = "let a = \"unsafe \\\" x\"; // unsafe\n/* un /* sa */ fe */ b('\"', '\\'', 'x');\nr#\"unsafe\"#; br\"unsafe\"; r#type; f::<'a>(unsafe)";
    let blanked = code(text);
    assert_eq!(blanked.lines().count(), 3);
    assert_eq!(lines_with_word(&blanked, "unsafe"), [3]);
    assert!(
        blanked.contains("let a =")
            && blanked.contains("r#type")
            && blanked.contains("f::<'a>(unsafe)"),
        "{blanked}"
    );
}

#[test]
fn a_word_stands_alone() {
    assert_eq!(
        lines_with_word("unsafe_code\nis unsafe\n(unsafe)\nunsafer", "unsafe"),
        [2, 3]
    );
}
