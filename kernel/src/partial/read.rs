//! Reading a partial: streaming, every checksum and total verified, no trust in the bytes.
//!
//! It holds one block at a time. Which partials belong together is the merge's affair.

use std::io::{BufRead, BufReader, Read};

use super::format::{
    Header, MAGIC, PartialError, SHARD_ID_BYTES_MAX, TAG_BLOCK, TAG_FOOTER, Totals, VERSION,
    decode_varint,
};
use crate::settings::{CountSettings, UNICODE_VERSION, WordMode};

/// Reads the words of one partial in byte order.
///
/// - Each word is delivered after the checksum of its block was verified; totals after the last word.
/// - Memory: one block, which is 64 KiB or its longest word, and never more than what the data hold.
/// - Hostile bytes give errors, never panics.
pub struct PartialReader<R> {
    input: BufReader<R>,
    header: Header,
    block: Vec<u8>,
    block_offset: usize,
    block_words: u64,
    word: Vec<u8>,
    count: u64,
    words: u64,
    distinct: u64,
    blocks: u64,
    totals: Option<Totals>,
}

impl<R> std::fmt::Debug for PartialReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartialReader")
            .field("header", &self.header)
            .field("distinct", &self.distinct)
            .finish_non_exhaustive()
    }
}

impl<R: Read> PartialReader<R> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// [`PartialError`]: no partial, a newer version, another version of Unicode, short or damaged data.
    pub fn new(input: R) -> Result<Self, PartialError> {
        // Small: a merge opens hundreds, and blocks are read past this buffer.
        let mut input = BufReader::with_capacity(4096, input);
        let header = read_header(&mut input)?;
        Ok(Self {
            input,
            header,
            block: Vec::new(),
            block_offset: 0,
            block_words: 0,
            word: Vec::new(),
            count: 0,
            words: 0,
            distinct: 0,
            blocks: 0,
            totals: None,
        })
    }

    /// What defines the counts.
    #[must_use]
    pub fn settings(&self) -> CountSettings {
        self.header.settings
    }

    /// The id of the shard.
    #[must_use]
    pub fn shard(&self) -> &str {
        &self.header.shard
    }

    /// Goes to the next word; false past the last, when the footer was read and every total verified.
    ///
    /// # Errors
    /// [`PartialError`]: short, damaged or unsorted data, totals that do not match, bytes after the footer.
    pub fn advance(&mut self) -> Result<bool, PartialError> {
        while self.block_words == 0 {
            if self.block_offset < self.block.len() {
                return Err(PartialError::Malformed("a block is longer than its words"));
            }
            if self.totals.is_some() || !self.read_block()? {
                return Ok(false);
            }
        }
        self.block_words -= 1;
        self.read_entry()?;
        Ok(true)
    }

    /// The word that [`advance`](Self::advance) went to.
    #[must_use]
    pub fn word(&self) -> &[u8] {
        &self.word
    }

    /// Its count, at least 1.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The totals, once every word was read.
    #[must_use]
    pub fn totals(&self) -> Option<Totals> {
        self.totals
    }

    fn read_entry(&mut self) -> Result<(), PartialError> {
        let before = self.block.len() - self.block_offset;
        let mut bytes = &self.block[self.block_offset..];
        let first = self.block_offset == 0;
        let shared = decode_varint(&mut bytes)?;
        let rest_bytes = decode_varint(&mut bytes)?;
        let shared = usize::try_from(shared).unwrap_or(usize::MAX);
        if shared > self.word.len() || (first && shared != 0) {
            return Err(PartialError::Malformed(
                "a word shares more than the one before has",
            ));
        }
        let rest_bytes = usize::try_from(rest_bytes).unwrap_or(usize::MAX);
        let Some((rest, mut bytes)) = bytes.split_at_checked(rest_bytes) else {
            return Err(PartialError::Malformed(
                "a word passes the end of its block",
            ));
        };
        if self.distinct == 0 {
            if rest.is_empty() {
                return Err(PartialError::Malformed("a word is empty"));
            }
        } else if rest <= &self.word[shared..] {
            return Err(PartialError::Unsorted {
                index: self.distinct,
            });
        }
        self.count = decode_varint(&mut bytes)?;
        if self.count == 0 {
            return Err(PartialError::Malformed("a word is counted 0 times"));
        }
        self.word.truncate(shared);
        self.word.extend_from_slice(rest);
        self.words = self
            .words
            .checked_add(self.count)
            .ok_or(PartialError::Overflow)?;
        self.distinct += 1;
        self.block_offset += before - bytes.len();
        Ok(())
    }

    /// Reads the next block, or the footer: then the result is false.
    fn read_block(&mut self) -> Result<bool, PartialError> {
        let tag = read_byte(&mut self.input, "blocks")?;
        let mut frame = vec![tag];
        match tag {
            TAG_BLOCK => {}
            TAG_FOOTER => {
                self.read_footer(frame)?;
                return Ok(false);
            }
            _ => {
                return Err(PartialError::Malformed(
                    "neither a block nor the footer follows",
                ));
            }
        }
        let words = read_varint(&mut self.input, &mut frame)?;
        let bytes = read_varint(&mut self.input, &mut frame)?;
        if words == 0 {
            return Err(PartialError::Malformed("a block holds no word"));
        }
        self.block.clear();
        self.block_offset = 0;
        // Grows with the data that are there, whatever length the frame claims.
        let read = (&mut self.input).take(bytes).read_to_end(&mut self.block)?;
        if read as u64 != bytes {
            return Err(PartialError::Short { part: "blocks" });
        }
        let mut computed = crc32fast::Hasher::new();
        computed.update(&frame);
        computed.update(&self.block);
        check(&mut self.input, "blocks", computed.finalize())?;
        self.block_words = words;
        self.blocks += 1;
        Ok(true)
    }

    fn read_footer(&mut self, mut footer: Vec<u8>) -> Result<(), PartialError> {
        let mut numbers = [0_u64; 5];
        for number in &mut numbers {
            let mut bytes = [0; 8];
            read_exact(&mut self.input, &mut bytes, "footer")?;
            footer.extend_from_slice(&bytes);
            *number = u64::from_le_bytes(bytes);
        }
        check(&mut self.input, "footer", crc32fast::hash(&footer))?;
        if !self.input.fill_buf()?.is_empty() {
            return Err(PartialError::Malformed("bytes follow the footer"));
        }
        let [bytes, words, distinct, inputs, blocks] = numbers;
        for (what, found, counted) in [
            ("words", words, self.words),
            ("distinct words", distinct, self.distinct),
            ("blocks", blocks, self.blocks),
        ] {
            if found != counted {
                return Err(PartialError::Totals {
                    what,
                    found,
                    counted,
                });
            }
        }
        self.totals = Some(Totals {
            bytes,
            words,
            distinct,
            inputs,
        });
        Ok(())
    }
}

fn read_header(input: &mut impl Read) -> Result<Header, PartialError> {
    let mut header = vec![0; MAGIC.len()];
    if let Err(error) = read_exact(input, &mut header, "header") {
        return Err(match error {
            PartialError::Short { .. } => PartialError::Magic,
            other => other,
        });
    }
    if header != MAGIC {
        return Err(PartialError::Magic);
    }
    let version = read_byte(input, "header")?;
    if version == 0 || version > VERSION {
        return Err(PartialError::Version { found: version });
    }
    let mut fixed = [0; 5];
    read_exact(input, &mut fixed, "header")?;
    header.push(version);
    header.extend_from_slice(&fixed);
    let shard_bytes = read_varint(input, &mut header)?;
    let shard_bytes = usize::try_from(shard_bytes).unwrap_or(usize::MAX);
    if shard_bytes > SHARD_ID_BYTES_MAX {
        return Err(PartialError::Malformed(
            "the shard id is longer than 1024 bytes",
        ));
    }
    let mut shard = vec![0; shard_bytes];
    read_exact(input, &mut shard, "header")?;
    header.extend_from_slice(&shard);
    check(input, "header", crc32fast::hash(&header))?;
    let [mode, keep_case, unicode @ ..] = fixed;
    if unicode != UNICODE_VERSION {
        return Err(PartialError::Unicode {
            found: unicode,
            ours: UNICODE_VERSION,
        });
    }
    let (Some(words), true) = (WordMode::from_code(mode), keep_case < 2) else {
        return Err(PartialError::Malformed(
            "its settings are unknown to this build",
        ));
    };
    let Ok(shard) = String::from_utf8(shard) else {
        return Err(PartialError::Malformed("the shard id is not UTF-8"));
    };
    let settings = CountSettings {
        words,
        keep_case: keep_case == 1,
    };
    Ok(Header { settings, shard })
}

fn read_exact(
    input: &mut impl Read,
    bytes: &mut [u8],
    part: &'static str,
) -> Result<(), PartialError> {
    input.read_exact(bytes).map_err(|error| {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            PartialError::Short { part }
        } else {
            PartialError::Io(error)
        }
    })
}

fn read_byte(input: &mut impl Read, part: &'static str) -> Result<u8, PartialError> {
    let mut byte = [0];
    read_exact(input, &mut byte, part)?;
    Ok(byte[0])
}

/// Reads a varint and appends its bytes to `seen`, for the checksum.
fn read_varint(input: &mut impl Read, seen: &mut Vec<u8>) -> Result<u64, PartialError> {
    let start = seen.len();
    loop {
        let byte = read_byte(input, "frame")?;
        seen.push(byte);
        if byte < 0x80 || seen.len() - start == 10 {
            return decode_varint(&mut &seen[start..]);
        }
    }
}

fn check(input: &mut impl Read, part: &'static str, computed: u32) -> Result<(), PartialError> {
    let mut found = [0; 4];
    read_exact(input, &mut found, part)?;
    let found = u32::from_le_bytes(found);
    if found == computed {
        Ok(())
    } else {
        Err(PartialError::Checksum {
            part,
            found,
            computed,
        })
    }
}
