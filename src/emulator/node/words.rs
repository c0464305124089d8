//! Splitting a command line into words, as a POSIX shell would, without expanding anything.
//!
//! Variables, globs, pipes and redirections are plain text: whoever wants them names a shell.

/// The words of `line`; `None` if a quotation does not end or nothing is there.
pub(super) fn split_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '\'' => break,
                        quoted => word.push(quoted),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => match characters.next()? {
                            '\n' => {}
                            escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                            plain => word.extend(['\\', plain]),
                        },
                        quoted => word.push(quoted),
                    }
                }
            }
            '\\' => match characters.next()? {
                '\n' => {}
                escaped => word.get_or_insert_default().push(escaped),
            },
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let split = |line| split_words(line).expect("complete");
        assert_eq!(
            split("/bin/sh -c 'echo \"$A\" && b'"),
            ["/bin/sh", "-c", "echo \"$A\" && b"]
        );
        assert_eq!(
            split(r#"a "b \"c\" \n $d" e\ f"#),
            ["a", r#"b "c" \n $d"#, "e f"]
        );
        assert_eq!(split("a''b \"\" c"), ["ab", "", "c"]);
        assert_eq!(split("  a\t\n b  "), ["a", "b"]);
    }

    #[test]
    fn an_open_quotation_or_nothing_is_no_command() {
        for line in ["", "  ", "a 'b", "a \"b", "a\\"] {
            assert_eq!(split_words(line), None, "{line}");
        }
    }

    #[test]
    fn a_spoiled_command_line_is_split_or_refused() {
        let seeds = ["/bin/sh -c 'a \"b\" $c' \\  \"d \\\" e\""];
        crate::spoil::spoiled(&seeds, &["'", "\"", "\\", " ", "$"], |bytes| {
            drop(split_words(&String::from_utf8_lossy(bytes)));
        });
    }
}
