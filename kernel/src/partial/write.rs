//! Writing a partial: words in byte order, front-coded in blocks with checksums.
//!
//! It does not sort, and does not name or replace files.

use std::io::Write;

use super::format::{
    BLOCK_BYTES, MAGIC, PartialError, SHARD_ID_BYTES_MAX, TAG_BLOCK, TAG_FOOTER, Totals, VERSION,
    encode_varint,
};
use crate::settings::{CountSettings, UNICODE_VERSION};

/// Writes one partial to `W`, which should be buffered by blocks of its own or not at all: writes are about 64 KiB.
#[derive(Debug)]
pub struct PartialWriter<W> {
    out: W,
    entries: Vec<u8>,
    entries_count: u64,
    last: Vec<u8>,
    words: u64,
    distinct: u64,
    blocks: u64,
}

impl<W: Write> PartialWriter<W> {
    /// Begins a partial of `shard`, an id of at most 1024 bytes, whose words `settings` define.
    ///
    /// # Errors
    /// [`PartialError::ShardId`] when the id is longer, [`PartialError::Io`] when writing fails.
    pub fn new(mut out: W, settings: CountSettings, shard: &str) -> Result<Self, PartialError> {
        if shard.len() > SHARD_ID_BYTES_MAX {
            return Err(PartialError::ShardId { bytes: shard.len() });
        }
        let mut header = MAGIC.to_vec();
        header.push(VERSION);
        header.push(settings.words.code());
        header.push(u8::from(settings.keep_case));
        header.extend_from_slice(&UNICODE_VERSION);
        encode_varint(shard.len() as u64, &mut header);
        header.extend_from_slice(shard.as_bytes());
        let checksum = crc32fast::hash(&header);
        header.extend_from_slice(&checksum.to_le_bytes());
        out.write_all(&header)?;
        Ok(Self {
            out,
            entries: Vec::new(),
            entries_count: 0,
            last: Vec::new(),
            words: 0,
            distinct: 0,
            blocks: 0,
        })
    }

    /// Adds `word`, which must be greater in byte order than the word before and not empty, with its `count`, not 0.
    ///
    /// # Errors
    /// [`PartialError::Unsorted`] or [`PartialError::Malformed`] when it is not; [`PartialError::Overflow`] when the counts
    /// add up to more than 2^64 - 1; [`PartialError::Io`] when writing fails.
    pub fn push(&mut self, word: &[u8], count: u64) -> Result<(), PartialError> {
        if count == 0 || word.is_empty() {
            return Err(PartialError::Malformed(
                "a word is empty or counted 0 times",
            ));
        }
        if self.distinct > 0 && word <= &self.last[..] {
            return Err(PartialError::Unsorted {
                index: self.distinct,
            });
        }
        self.words = self
            .words
            .checked_add(count)
            .ok_or(PartialError::Overflow)?;
        let shared = if self.entries.is_empty() {
            0
        } else {
            shared_prefix(&self.last, word)
        };
        let rest = &word[shared..];
        encode_varint(shared as u64, &mut self.entries);
        encode_varint(rest.len() as u64, &mut self.entries);
        self.entries.extend_from_slice(rest);
        encode_varint(count, &mut self.entries);
        self.last.truncate(shared);
        self.last.extend_from_slice(rest);
        self.entries_count += 1;
        self.distinct += 1;
        if self.entries.len() >= BLOCK_BYTES {
            self.write_block()?;
        }
        Ok(())
    }

    fn write_block(&mut self) -> Result<(), PartialError> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let mut frame = vec![TAG_BLOCK];
        encode_varint(self.entries_count, &mut frame);
        encode_varint(self.entries.len() as u64, &mut frame);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&frame);
        checksum.update(&self.entries);
        self.out.write_all(&frame)?;
        self.out.write_all(&self.entries)?;
        self.out.write_all(&checksum.finalize().to_le_bytes())?;
        self.entries.clear();
        self.entries_count = 0;
        self.blocks += 1;
        Ok(())
    }

    /// Ends the partial with its footer and flushes.
    ///
    /// - `bytes`, `inputs`: as in [`Totals`]; words and distinct words are counted here.
    /// - Result: what was written into, and the totals.
    ///
    /// # Errors
    /// [`PartialError::Io`] when writing fails.
    pub fn finish(mut self, bytes: u64, inputs: u64) -> Result<(W, Totals), PartialError> {
        self.write_block()?;
        let mut footer = vec![TAG_FOOTER];
        for total in [bytes, self.words, self.distinct, inputs, self.blocks] {
            footer.extend_from_slice(&total.to_le_bytes());
        }
        let checksum = crc32fast::hash(&footer);
        footer.extend_from_slice(&checksum.to_le_bytes());
        self.out.write_all(&footer)?;
        self.out.flush()?;
        let totals = Totals {
            bytes,
            words: self.words,
            distinct: self.distinct,
            inputs,
        };
        Ok((self.out, totals))
    }
}

fn shared_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(a, b)| a == b).count()
}
