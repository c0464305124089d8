//! The bytes of a partial that reader and writer share: constants, varints, totals, errors.
//!
//! It reads and writes no file.

use std::io;

use crate::settings::CountSettings;

/// The first bytes of every partial: a byte that is no ASCII, a name, and line ends that a text transfer would spoil.
pub(super) const MAGIC: [u8; 8] = *b"\x89topn\r\n\x1A";

/// The version of the format that this build writes; it reads 1 to this.
pub const VERSION: u8 = 1;

/// The byte before a block of words.
pub(super) const TAG_BLOCK: u8 = 1;

/// The byte before the footer.
pub(super) const TAG_FOOTER: u8 = 0;

/// 64 KiB: a block is closed once its entries reach this; large enough that its 12 bytes of frame do not count, small
/// enough that a merge of hundreds of partials holds all their blocks in the cache or near it.
pub(super) const BLOCK_BYTES: usize = 64 * 1024;

/// 1 KiB: the longest shard id.
pub(super) const SHARD_ID_BYTES_MAX: usize = 1024;

/// What a count or a merge adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All bytes of text that were read, byte order marks included.
    pub bytes: u64,
    /// All words that were counted: the sum of all counts.
    pub words: u64,
    /// Different words.
    pub distinct: u64,
    /// Files that start in this shard: a later slice of a file adds none.
    pub inputs: u64,
}

/// Why the bytes of a partial cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PartialError {
    /// Reading or writing failed.
    #[error("access it")]
    Io(#[from] io::Error),
    /// The first bytes are not those of a partial.
    #[error("recognise it: it is no partial")]
    Magic,
    /// The format is newer than this build.
    #[error("read it: version {found}, this build reads 1 to {VERSION}")]
    Version {
        /// The version of the file.
        found: u8,
    },
    /// The words were counted by another version of the Unicode database.
    #[error("read it: counted by Unicode {}.{}.{}, this build by {}.{}.{}", found[0], found[1], found[2], ours[0], ours[1], ours[2])]
    Unicode {
        /// The version of the file.
        found: [u8; 3],
        /// The version of this build.
        ours: [u8; 3],
    },
    /// The data end before the footer does.
    #[error("read it: it ends early, in its {part}")]
    Short {
        /// What was being read.
        part: &'static str,
    },
    /// A checksum does not match.
    #[error("read it: the checksum of its {part} is {found:08x}, computed {computed:08x}")]
    Checksum {
        /// What the checksum covers.
        part: &'static str,
        /// The checksum in the file.
        found: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// Words are not strictly rising.
    #[error("read it: word {index} does not follow the one before in byte order")]
    Unsorted {
        /// The number of the word, from 0.
        index: u64,
    },
    /// The footer does not say what the words add up to.
    #[error("read it: {what} are {found} in the footer, {counted} by the words")]
    Totals {
        /// Which total.
        what: &'static str,
        /// The total in the footer.
        found: u64,
        /// The total of what was read.
        counted: u64,
    },
    /// Bytes that no writer makes.
    #[error("read it: {0}")]
    Malformed(&'static str),
    /// A sum of counts passes 2^64 - 1.
    #[error("add up its counts: the sum passes 2^64 - 1")]
    Overflow,
    /// The shard id is longer than the format allows.
    #[error("write it: shard id of {bytes} bytes, at most {SHARD_ID_BYTES_MAX}")]
    ShardId {
        /// The length of the id.
        bytes: usize,
    },
}

/// The settings and the shard id of a partial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) settings: CountSettings,
    pub(super) shard: String,
}

/// Appends `value` as a varint: seven bits a byte, low bits first, the top bit set on all but the last.
pub(super) fn encode_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// Takes a varint off the front of `bytes`.
///
/// Only the shortest form is taken, so that equal counts have equal bytes.
pub(super) fn decode_varint(bytes: &mut &[u8]) -> Result<u64, PartialError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Err(PartialError::Malformed("a number ends early"));
        };
        *bytes = rest;
        let bits = u64::from(byte & 0x7F);
        if shift == 63 && bits > 1 {
            break;
        }
        value |= bits << shift;
        if byte < 0x80 {
            if byte == 0 && shift > 0 {
                return Err(PartialError::Malformed(
                    "a number is not in its shortest form",
                ));
            }
            return Ok(value);
        }
    }
    Err(PartialError::Malformed("a number passes 2^64 - 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                encode_varint(value, &mut bytes);
                let mut rest = &bytes[..];
                assert_eq!(decode_varint(&mut rest).unwrap(), value);
                assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn long_and_endless_varints_are_refused() {
        assert!(decode_varint(&mut &[0x80, 0x00][..]).is_err());
        assert!(decode_varint(&mut &[0x80][..]).is_err());
        assert!(decode_varint(&mut &[0xFF; 11][..]).is_err());
        let over = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02];
        assert!(decode_varint(&mut &over[..]).is_err());
    }
}
