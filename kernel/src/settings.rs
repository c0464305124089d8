//! What defines the counts and what filters them: word mode, case rule, minimum length, stop words.
//!
//! The environment is read here and nowhere else in the kernel. How fast a count runs (threads, input/output)
//! is no setting of this file: it never changes an answer.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place of the kernel that reads the environment"
)]

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use crate::words::{self, case};

/// The version of the Unicode database that decides what a word is.
pub const UNICODE_VERSION: [u8; 3] = {
    let (major, minor, patch) = words::UNICODE_VERSION;
    [major, minor, patch]
};

/// What a word is; the rules stand in the [crate docs](crate#words).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum WordMode {
    /// UAX #29 word segments that hold a letter or a number, lower-cased
    #[default]
    Unicode,
    /// runs of anything but whitespace, lower-cased
    Whitespace,
    /// runs of A-Z and a-z, lower-cased
    Alpha,
    /// the Batch tutorial's task: split at white space, ASCII punctuation stripped, case kept
    Tutorial,
}

impl WordMode {
    /// Every mode, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Unicode, Self::Whitespace, Self::Alpha, Self::Tutorial];

    /// The name on a command line and in an answer.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unicode => "unicode",
            Self::Whitespace => "whitespace",
            Self::Alpha => "alpha",
            Self::Tutorial => "tutorial",
        }
    }

    /// The number in a partial.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Unicode => 0,
            Self::Whitespace => 1,
            Self::Alpha => 2,
            Self::Tutorial => 3,
        }
    }

    /// The mode of a number in a partial.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.code() == code)
    }
}

impl fmt::Display for WordMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no word mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("understand word mode `{0}`: it is none of unicode, whitespace, alpha, tutorial")]
pub struct UnknownWordMode(String);

impl FromStr for WordMode {
    type Err = UnknownWordMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == name)
            .ok_or_else(|| UnknownWordMode(name.to_owned()))
    }
}

/// Everything that defines the counts of given bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CountSettings {
    /// What a word is.
    pub words: WordMode,
    /// Whether words stay as written; otherwise they are lower-cased.
    pub keep_case: bool,
}

impl CountSettings {
    /// The settings of `words` with that mode's case rule, or with case kept in any mode if `keep_case`.
    #[must_use]
    pub fn new(words: WordMode, keep_case: bool) -> Self {
        Self {
            words,
            keep_case: keep_case || words == WordMode::Tutorial,
        }
    }

    /// `lower` or `keep`: the case rule as answers name it.
    #[must_use]
    pub fn case_name(self) -> &'static str {
        if self.keep_case { "keep" } else { "lower" }
    }
}

impl Default for CountSettings {
    fn default() -> Self {
        Self::new(WordMode::default(), false)
    }
}

impl fmt::Display for CountSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} words, {} case", self.words, self.case_name())
    }
}

/// Words that no top shows, cased as the words of the count are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopWords(HashSet<Vec<u8>, ahash::RandomState>);

impl StopWords {
    /// Reads `text`, one word a line; a CR before the line feed and empty lines are dropped.
    ///
    /// Words are lower-cased as `settings` says, so that they meet the words of the count.
    #[must_use]
    pub fn parse(text: &[u8], settings: CountSettings) -> Self {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let mut words = HashSet::default();
        for line in text.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let mut word = Vec::new();
            if settings.keep_case {
                word.extend_from_slice(line);
            } else {
                case::lower(line, &mut word);
            }
            words.insert(word);
        }
        Self(words)
    }

    /// The words, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// How many different words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `word` is one of them.
    #[must_use]
    pub fn contains(&self, word: &[u8]) -> bool {
        self.0.contains(word)
    }
}

/// Which words a top shows; totals and shares are before filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// The least length of a word in scalar values, an ill-formed byte being one.
    pub min_length: u64,
    /// Words that are left out.
    pub stop_words: StopWords,
}

impl Filters {
    /// Whether a top may show `word`.
    #[must_use]
    pub fn admit(&self, word: &[u8]) -> bool {
        (self.min_length <= 1 || length(word) >= self.min_length)
            && (self.stop_words.is_empty() || !self.stop_words.contains(word))
    }
}

/// The length of `word` in scalar values, an ill-formed byte being one.
fn length(word: &[u8]) -> u64 {
    word.utf8_chunks()
        .map(|part| part.valid().chars().count() + part.invalid().len())
        .sum::<usize>() as u64
}

/// Who runs this task, by the `AZ_BATCH_*` variables of its node; empty off a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchIds {
    /// `AZ_BATCH_NODE_ID`.
    pub node: String,
    /// `AZ_BATCH_TASK_ID`.
    pub task: String,
    /// `AZ_BATCH_JOB_ID`.
    pub job: String,
    /// `AZ_BATCH_POOL_ID`.
    pub pool: String,
}

impl BatchIds {
    /// Reads them from the environment.
    #[must_use]
    pub fn from_environment() -> Self {
        let read = |name| std::env::var(name).unwrap_or_default();
        Self {
            node: read("AZ_BATCH_NODE_ID"),
            task: read("AZ_BATCH_TASK_ID"),
            job: read("AZ_BATCH_JOB_ID"),
            pool: read("AZ_BATCH_POOL_ID"),
        }
    }
}

/// Whether the environment asks for plain text: `NO_COLOR` or `CI` set, or `TERM=dumb`.
#[must_use]
pub fn plain_text_wanted() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("NO_COLOR") || set("CI") || std::env::var("TERM").is_ok_and(|term| term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_come_back() {
        for mode in WordMode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode));
            assert_eq!(WordMode::from_code(mode.code()), Some(mode));
        }
        assert!("words".parse::<WordMode>().is_err());
        assert_eq!(WordMode::from_code(4), None);
    }

    #[test]
    fn only_the_tutorial_keeps_case_by_default() {
        for mode in WordMode::ALL {
            assert_eq!(
                CountSettings::new(mode, false).keep_case,
                mode == WordMode::Tutorial
            );
            assert!(CountSettings::new(mode, true).keep_case);
        }
    }

    #[test]
    fn length_counts_scalar_values_and_ill_formed_bytes() {
        assert_eq!(length("naïve".as_bytes()), 5);
        assert_eq!(length(b"a\xFF\xE2\x80b"), 5);
        assert_eq!(length(b""), 0);
    }

    #[test]
    fn stop_words_are_cased_as_the_words_are() {
        let lower = StopWords::parse(b"The\r\n\nOf", CountSettings::default());
        assert_eq!(lower.len(), 2);
        assert!(lower.contains(b"the") && lower.contains(b"of"));
        let kept = StopWords::parse(b"The\n", CountSettings::new(WordMode::Unicode, true));
        assert!(kept.contains(b"The") && !kept.contains(b"the"));
    }
}
