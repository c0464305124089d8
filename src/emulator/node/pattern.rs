//! File patterns of output files: `*`, `**`, `?`, `[abc]`, `[a-c]`, `[!abc]`, and `$VARIABLES`.
//!
//! It matches names; walking directories and uploading is up to `upload`. Files whose name starts with a dot match only
//! a pattern that spells the dot.

/// `pattern` with `$NAME` and `${NAME}` replaced by the task's variables; unknown ones by nothing.
pub(super) fn expand_variables(pattern: &str, environment: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, tail) = match after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
        {
            Some((name, tail)) => (name, tail),
            None => {
                let end = after
                    .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                    .unwrap_or(after.len());
                after.split_at(end)
            }
        };
        if name.is_empty() {
            out.push('$');
        } else if let Some((_, value)) = environment.iter().rev().find(|(known, _)| known == name) {
            out.push_str(value);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Whether `pattern` holds a wildcard.
pub(super) fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// Whether the path `names` matches the pattern `segments`; `**` stands for any number of directories.
pub(super) fn matches(segments: &[&str], names: &[&str]) -> bool {
    match (segments.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((&"**", [])), _) => {
            !names.is_empty() && names.iter().all(|name| !name.starts_with('.'))
        }
        (Some((&"**", rest)), _) => {
            matches(rest, names)
                || names
                    .split_first()
                    .is_some_and(|(name, names)| !name.starts_with('.') && matches(segments, names))
        }
        (Some((segment, segments)), Some((name, names))) => {
            matches_name(segment, name) && matches(segments, names)
        }
        _ => false,
    }
}

fn matches_name(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    matches_characters(&pattern, &name)
}

fn matches_characters(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return name.is_empty();
    };
    match first {
        // A star takes as much as it can; trying every length keeps it simple, and names are short.
        '*' => (0..=name.len()).any(|taken| matches_characters(rest, &name[taken..])),
        '?' => name
            .split_first()
            .is_some_and(|(_, name)| matches_characters(rest, name)),
        '[' => match (read_class(rest), name.split_first()) {
            (Some((class, rest)), Some((character, name))) => {
                class.holds(*character) && matches_characters(rest, name)
            }
            (None, Some(('[', name))) => matches_characters(rest, name),
            _ => false,
        },
        plain => name
            .split_first()
            .is_some_and(|(character, name)| character == plain && matches_characters(rest, name)),
    }
}

struct Class {
    ranges: Vec<(char, char)>,
    is_negated: bool,
}

impl Class {
    fn holds(&self, character: char) -> bool {
        let is_in = self
            .ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&character));
        is_in != self.is_negated
    }
}

/// Reads what follows `[` up to `]`; `None` if it does not end.
fn read_class(pattern: &[char]) -> Option<(Class, &[char])> {
    let (is_negated, body) = match pattern {
        ['!', body @ ..] => (true, body),
        body => (false, body),
    };
    // A bracket right after the opening stands for itself.
    let end = body
        .iter()
        .skip(1)
        .position(|character| *character == ']')?
        + 1;
    let (mut inner, rest) = (body.get(..end)?, body.get(end + 1..)?);
    let mut ranges = Vec::new();
    while let Some((low, more)) = inner.split_first() {
        if let ['-', high, more @ ..] = more {
            ranges.push((*low, *high));
            inner = more;
        } else {
            ranges.push((*low, *low));
            inner = more;
        }
    }
    Some((Class { ranges, is_negated }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(pattern: &str, path: &str) -> bool {
        let pattern: Vec<&str> = pattern.split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        matches(&pattern, &path)
    }

    #[test]
    fn wildcards_match_as_the_service_describes_them() {
        for (pattern, path) in [
            ("abc*", "abc"),
            ("abc*", "abcdef"),
            ("std*.txt", "stdout.txt"),
            ("**/*.txt", "a.txt"),
            ("**/*.txt", "b/c/a.txt"),
            ("out/**/*.png", "out/1/2/x.png"),
            ("out/**", "out/1/2/x.png"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("abc[*]", "abc*"),
            (".*.gif", ".a.gif"),
            ("[]]", "]"),
        ] {
            assert!(is_match(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn what_does_not_match_does_not() {
        for (pattern, path) in [
            ("*.gif", ".a.gif"),
            ("*.txt", "a/b.txt"),
            ("**/*.txt", ".hidden/a.txt"),
            ("[!a-c]x", "ax"),
            ("a?c", "ac"),
            ("abc[*]", "abcd"),
            ("out/**", "out"),
            ("a", "a/b"),
        ] {
            assert!(!is_match(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn variables_of_the_task_are_put_in() {
        let environment = [("AZ_BATCH_TASK_DIR".to_owned(), "/n/t".to_owned())];
        assert_eq!(
            expand_variables("$AZ_BATCH_TASK_DIR/wd/*", &environment),
            "/n/t/wd/*"
        );
        assert_eq!(
            expand_variables("${AZ_BATCH_TASK_DIR}x/$NONE$", &environment),
            "/n/tx/$"
        );
    }
}
