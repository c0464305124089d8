//! `whitespace` words: maximal runs of anything but white space, as Python's `str.split()` cuts.
//!
//! White space is Python's `str.isspace`: Unicode `White_Space` and U+001C to U+001F. Stripping punctuation, which makes
//! `tutorial` words of them, is here too; case is not.

/// The length of the white space character at the start of `text`, 0 when there is none.
///
/// The lead byte of a character never stands inside another, well-formed or not; so a search for these bytes finds
/// characters only.
#[inline]
pub(crate) fn space_len(text: &[u8]) -> usize {
    match *text {
        [b'\t'..=b'\r' | 0x1C..=0x20, ..] => 1,
        // U+0085, U+00A0.
        [0xC2, 0x85 | 0xA0, ..] => 2,
        // U+1680; U+2000 to U+200A, U+2028, U+2029, U+202F; U+205F; U+3000.
        [0xE1, 0x9A, 0x80, ..]
        | [0xE2, 0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF, ..]
        | [0xE2, 0x81, 0x9F, ..]
        | [0xE3, 0x80, 0x80, ..] => 3,
        _ => 0,
    }
}

/// Calls `f` with each run of `text` between white space.
pub(crate) fn for_each_run(text: &[u8], f: &mut impl FnMut(&[u8])) {
    let mut start = 0;
    let mut at = 0;
    while at < text.len() {
        let space = space_len(&text[at..]);
        if space == 0 {
            at += 1;
            continue;
        }
        if start < at {
            f(&text[start..at]);
        }
        at += space;
        start = at;
    }
    if start < at {
        f(&text[start..]);
    }
}

/// `run` without the characters of Python's `string.punctuation` at its ends.
#[inline]
pub(crate) fn strip_punctuation(mut run: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = run
        && first.is_ascii_punctuation()
    {
        run = rest;
    }
    while let [rest @ .., last] = run
        && last.is_ascii_punctuation()
    {
        run = rest;
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `str.isspace` of Python 3.11 for every scalar value, written out.
    const SPACES: &[(u32, u32)] = &[
        (0x09, 0x0D),
        (0x1C, 0x20),
        (0x85, 0x85),
        (0xA0, 0xA0),
        (0x1680, 0x1680),
        (0x2000, 0x200A),
        (0x2028, 0x2029),
        (0x202F, 0x202F),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
    ];

    #[test]
    fn white_space_is_what_python_says_for_every_scalar_value() {
        for c in ('\0'..=char::MAX).step_by(if cfg!(miri) { 997 } else { 1 }) {
            let space = SPACES
                .iter()
                .any(|&(first, last)| (first..=last).contains(&u32::from(c)));
            assert_eq!(
                space,
                c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c)
            );
            let mut bytes = [0; 4];
            let text = c.encode_utf8(&mut bytes).as_bytes();
            assert_eq!(space_len(text), if space { text.len() } else { 0 }, "{c:?}");
        }
    }

    fn runs(text: &[u8]) -> Vec<&[u8]> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        let base = text.as_ptr().addr();
        for_each_run(text, &mut |run| {
            let start = run.as_ptr().addr() - base;
            runs.push(start..start + run.len());
        });
        runs.into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn ill_formed_bytes_are_part_of_the_run() {
        assert_eq!(
            runs(b"a\xC2 b\xE2\x80\xE2\x80\x80c\xFF\x85"),
            [&b"a\xC2"[..], b"b\xE2\x80", b"c\xFF\x85"]
        );
        assert!(runs(b" \t\n").is_empty());
        assert_eq!(runs(b"\0\0"), [b"\0\0"]);
    }

    #[test]
    fn punctuation_goes_from_the_ends_only() {
        assert_eq!(strip_punctuation(b"\"don't!\""), b"don't");
        assert_eq!(strip_punctuation(b"--"), b"");
        assert_eq!(strip_punctuation("«a»".as_bytes()), "«a»".as_bytes());
    }
}
