//! `$filter` expressions: reading one, and asking whether a resource matches.
//!
//! Which properties a list can be filtered by is said by the lists; any other is refused.
//!
//! Source: "`OData` filter clauses" of the Batch documentation.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::error::BatchError;
use crate::emulator::stamp::parse_iso;

/// The value of a property, to be compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Time(OffsetDateTime),
    /// The resource has no such value now; no comparison with it holds but `ne`.
    Absent,
}

impl<'a> Cell<'a> {
    /// The text `value`.
    pub(super) fn text(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }

    /// A time that may not be there.
    pub(super) fn time(value: Option<OffsetDateTime>) -> Self {
        value.map_or(Self::Absent, Self::Time)
    }
}

/// What can be filtered.
pub(super) trait Fields {
    /// The value of the property at `path`, one of those that the list names.
    fn field(&self, path: &str) -> Cell<'_>;
}

/// A filter that was read.
#[derive(Debug)]
pub(super) enum Filter {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    StartsWith(String, String),
    Compare(String, Relation, Literal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Debug)]
pub(super) enum Literal {
    Text(String),
    Number(i64),
    Time(OffsetDateTime),
}

impl Filter {
    /// Reads `text`, which may name the properties `known`.
    ///
    /// # Errors
    /// `InvalidQueryParameterValue` that says what was expected where.
    pub(super) fn read(text: &str, known: &[&str]) -> Result<Self, BatchError> {
        let invalid = |reason: String| BatchError::query("$filter", text, reason);
        let tokens = tokenize(text).map_err(invalid)?;
        if tokens.len() > TOKENS_MAX {
            return Err(invalid(format!("it has more than {TOKENS_MAX} parts")));
        }
        let mut reader = Tokens {
            tokens: &tokens,
            known,
            depth: 0,
        };
        let filter = reader.any().map_err(invalid)?;
        match reader.tokens.first() {
            None => Ok(filter),
            Some(token) => Err(invalid(format!("unexpected {token:?}"))),
        }
    }

    /// Whether `resource` matches.
    pub(super) fn matches(&self, resource: &impl Fields) -> bool {
        match self {
            Self::And(left, right) => left.matches(resource) && right.matches(resource),
            Self::Or(left, right) => left.matches(resource) || right.matches(resource),
            Self::StartsWith(path, prefix) => match resource.field(path) {
                Cell::Text(value) => value
                    .get(..prefix.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
                _ => false,
            },
            Self::Compare(path, relation, literal) => {
                relation.holds(&resource.field(path), literal)
            }
        }
    }
}

impl Relation {
    fn holds(self, cell: &Cell<'_>, literal: &Literal) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (cell, literal) {
            // Ids and enumerations do not depend on case.
            (Cell::Text(value), Literal::Text(wanted)) => {
                Some(value.to_lowercase().cmp(&wanted.to_lowercase()))
            }
            (Cell::Number(value), Literal::Number(wanted)) => Some(value.cmp(wanted)),
            (Cell::Time(value), Literal::Time(wanted)) => Some(value.cmp(wanted)),
            (Cell::Time(value), Literal::Text(wanted)) => {
                parse_iso(wanted).map(|wanted| value.cmp(&wanted))
            }
            _ => None,
        };
        match self {
            Self::Eq => order == Some(Equal),
            Self::Ne => order != Some(Equal),
            Self::Gt => order == Some(Greater),
            Self::Ge => matches!(order, Some(Greater | Equal)),
            Self::Lt => order == Some(Less),
            Self::Le => matches!(order, Some(Less | Equal)),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Time(OffsetDateTime),
    Open,
    Close,
    Comma,
}

fn tokenize(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '(' | ')' | ',' => {
                tokens.push(match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
                &rest[1..]
            }
            '\'' => {
                let (value, tail) = read_text(rest)?;
                tokens.push(Token::Text(value));
                tail
            }
            _ => {
                let end = rest
                    .find(|character: char| character.is_whitespace() || "(),'".contains(character))
                    .unwrap_or(rest.len());
                let (word, tail) = rest.split_at(end);
                if tail.starts_with('\'') && word.eq_ignore_ascii_case("datetime") {
                    let (value, tail) = read_text(tail)?;
                    let time =
                        parse_iso(&value).ok_or_else(|| format!("`{value}` is not a time"))?;
                    tokens.push(Token::Time(time));
                    tail
                } else {
                    tokens.push(Token::Word(word.to_owned()));
                    tail
                }
            }
        }
        .trim_start();
    }
    Ok(tokens)
}

/// Reads a text in single quotes, in which two stand for one.
fn read_text(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = text.strip_prefix('\'').unwrap_or(text);
    loop {
        let at = rest.find('\'').ok_or("a text does not end")?;
        value.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('\'') {
            Some(tail) => {
                value.push('\'');
                rest = tail;
            }
            None => return Ok((value, rest)),
        }
    }
}

/// How deep parentheses may be nested, and of how many parts a filter may be: reading and matching go one call deeper for each.
const DEPTH_MAX: u32 = 32;
const TOKENS_MAX: usize = 4_000;

struct Tokens<'a> {
    tokens: &'a [Token],
    known: &'a [&'a str],
    depth: u32,
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let is_next = matches!(self.tokens.first(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn expect(&mut self, token: &Token) -> Result<(), String> {
        match self.next() {
            Some(next) if next == *token => Ok(()),
            other => Err(format!("expected {token:?}, found {other:?}")),
        }
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut left = self.all()?;
        while self.take_word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut left = self.one()?;
        while self.take_word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Filter, String> {
        match self.next() {
            Some(Token::Open) => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(format!("more than {DEPTH_MAX} parentheses are nested"));
                }
                let inner = self.any()?;
                self.expect(&Token::Close)?;
                self.depth -= 1;
                Ok(inner)
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("startswith") => {
                self.expect(&Token::Open)?;
                let path = self.path()?;
                self.expect(&Token::Comma)?;
                let Some(Token::Text(prefix)) = self.next() else {
                    return Err("expected a text in single quotes".to_owned());
                };
                self.expect(&Token::Close)?;
                Ok(Filter::StartsWith(path, prefix))
            }
            Some(Token::Word(word)) => {
                let path = self.known_path(&word)?;
                let relation = self.relation()?;
                Ok(Filter::Compare(path, relation, self.literal()?))
            }
            other => Err(format!("expected a property, found {other:?}")),
        }
    }

    fn path(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(word)) => self.known_path(&word),
            other => Err(format!("expected a property, found {other:?}")),
        }
    }

    fn known_path(&self, word: &str) -> Result<String, String> {
        self.known
            .iter()
            .find(|known| **known == word)
            .map(|known| (*known).to_owned())
            .ok_or_else(|| {
                format!(
                    "`{word}` cannot be filtered by; {} can",
                    self.known.join(", ")
                )
            })
    }

    fn relation(&mut self) -> Result<Relation, String> {
        for (word, relation) in [
            ("eq", Relation::Eq),
            ("ne", Relation::Ne),
            ("gt", Relation::Gt),
            ("ge", Relation::Ge),
            ("lt", Relation::Lt),
            ("le", Relation::Le),
        ] {
            if self.take_word(word) {
                return Ok(relation);
            }
        }
        Err(format!(
            "expected eq, ne, gt, ge, lt or le, found {:?}",
            self.tokens.first()
        ))
    }

    fn literal(&mut self) -> Result<Literal, String> {
        match self.next() {
            Some(Token::Text(text)) => Ok(Literal::Text(text)),
            Some(Token::Time(time)) => Ok(Literal::Time(time)),
            Some(Token::Word(word)) => word
                .parse()
                .map(Literal::Number)
                .map_err(|_no_number| format!("`{word}` is neither a number nor a text in quotes")),
            other => Err(format!("expected a value, found {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    struct Task;

    impl Fields for Task {
        fn field(&self, path: &str) -> Cell<'_> {
            match path {
                "state" => Cell::text("completed"),
                "id" => Cell::text("it's-1"),
                "executionInfo/exitCode" => Cell::Number(-3),
                "stateTransitionTime" => Cell::Time(datetime!(2026-11-20 10:00 UTC)),
                _ => Cell::Absent,
            }
        }
    }

    const KNOWN: &[&str] = &[
        "state",
        "id",
        "executionInfo/exitCode",
        "stateTransitionTime",
        "executionInfo/result",
    ];

    fn is_match(text: &str) -> bool {
        Filter::read(text, KNOWN).expect(text).matches(&Task)
    }

    #[test]
    fn filters_of_the_documentation_are_understood() {
        for text in [
            "state eq 'completed'",
            "state eq 'Completed' and executionInfo/exitCode lt 0",
            "(state eq 'active' or state ne 'running') and id eq 'it''s-1'",
            "startswith(id,'IT''S')",
            "stateTransitionTime gt DateTime'2026-11-20T09:59:59Z'",
            "stateTransitionTime le datetime'2026-11-20T10:00:00.0000000Z'",
            "executionInfo/result ne 'failure'",
            "state eq 'active' or state eq 'completed' and executionInfo/exitCode eq -3",
        ] {
            assert!(is_match(text), "{text}");
        }
        for text in [
            "state eq 'active'",
            "executionInfo/result eq 'failure'",
            "executionInfo/exitCode ge 0",
        ] {
            assert!(!is_match(text), "{text}");
        }
    }

    #[test]
    fn a_broken_filter_is_refused() {
        for text in [
            "",
            "state",
            "state eq",
            "state eq completed",
            "colour eq 'red'",
            "state eq 'a' and",
            "(state eq 'a'",
            "state eq 'a",
            "state eq 'a' b",
            "stateTransitionTime gt DateTime'x'",
        ] {
            let error = Filter::read(text, KNOWN).expect_err(text);
            assert_eq!(error.code, "InvalidQueryParameterValue");
        }
    }

    #[test]
    fn a_spoiled_filter_is_read_or_refused() {
        let seeds = [
            "state eq 'completed' and (executionInfo/exitCode lt 0 or not startswith(id,'it''s'))",
            "stateTransitionTime ge DateTime'2026-11-20T10:00:00Z' and id ne 'a'",
        ];
        let tokens = [
            "(",
            ")",
            "'",
            "not ",
            " and ",
            " or ",
            "eq",
            "DateTime'",
            "startswith(",
        ];
        crate::spoil::spoiled(&seeds, &tokens, |bytes| {
            if let Ok(filter) = Filter::read(&String::from_utf8_lossy(bytes), KNOWN) {
                filter.matches(&Task);
            }
        });
    }
}
