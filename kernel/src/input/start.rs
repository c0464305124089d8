//! The first bytes of a file: byte order marks and signatures.
//!
//! Only the start of a file is judged so, never a later slice of it.

use crate::error::InputError;

/// How many first bytes [`check_start`] needs, or all of a shorter file.
pub const START_BYTES: usize = 10;

/// Judges the first bytes of a file.
///
/// - `first`: the first [`START_BYTES`] bytes of the file, or all of a shorter one.
/// - Result: how many bytes to skip: 3 for a UTF-8 byte order mark, else 0.
///
/// # Errors
/// [`InputError::Encoding`] for UTF-16 and UTF-32 by byte order mark, [`InputError::Compressed`] for gzip, zstd, bzip2 and xz.
pub fn check_start(first: &[u8]) -> Result<usize, InputError> {
    if first.starts_with(b"\xEF\xBB\xBF") {
        return Ok(3);
    }
    // The mark of UTF-32 little-endian begins with that of UTF-16.
    for (mark, name) in [
        (&b"\xFF\xFE\0\0"[..], "UTF-32LE"),
        (b"\0\0\xFE\xFF", "UTF-32BE"),
        (b"\xFF\xFE", "UTF-16LE"),
        (b"\xFE\xFF", "UTF-16BE"),
    ] {
        if first.starts_with(mark) {
            return Err(InputError::Encoding(name));
        }
    }
    let compressed = |format, command| Err(InputError::Compressed { format, command });
    if first.starts_with(b"\x1F\x8B\x08") {
        return compressed("gzip", "gzip -dc");
    }
    if first.starts_with(b"\x28\xB5\x2F\xFD") {
        return compressed("zstd", "zstd -dc");
    }
    if first.starts_with(b"\xFD7zXZ\0") {
        return compressed("xz", "xz -dc");
    }
    // Text may begin with `BZh9`; the block mark, or that of the end, must follow.
    if first.len() >= 10
        && first.starts_with(b"BZh")
        && (b'1'..=b'9').contains(&first[3])
        && (first[4..10] == *b"1AY&SY" || first[4..10] == *b"\x17\x72\x45\x38\x50\x90")
    {
        return compressed("bzip2", "bzip2 -dc");
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_signatures_are_told_from_text() {
        for (first, skip) in [
            (&b""[..], 0),
            (b"a", 0),
            (b"\xEF\xBB\xBFa", 3),
            (b"\xEF\xBB", 0),
            (b"BZh9 is a", 0),
            (b"\0\0\0\0", 0),
        ] {
            assert_eq!(check_start(first).unwrap(), skip, "{first:?}");
        }
        for (first, name) in [
            (&b"\xFF\xFEa\0"[..], "UTF-16LE"),
            (b"\xFF\xFE\0\0", "UTF-32LE"),
            (b"\xFE\xFF\0a", "UTF-16BE"),
            (b"\0\0\xFE\xFF", "UTF-32BE"),
            (b"\x1F\x8B\x08\0", "gzip"),
            (b"BZh91AY&SY", "bzip2"),
            (b"\xFD7zXZ\0", "xz"),
            (b"\x28\xB5\x2F\xFD", "zstd"),
        ] {
            let message = check_start(first).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}
