//! Words of a tile sorted by how they are counted: a loop for each kind then has no branch that depends on the text.
//!
//! What becomes of them is decided elsewhere.

use super::masks::WINDOW;

/// The longest word of the first kind.
pub(super) const NARROW_MAX: u16 = 8;

/// The longest word of the second.
pub(super) const WIDE_MAX: u16 = 24;

/// 4 KiB: with its places, 8 KiB at most, it fits the first cache beside a group; places fit 16 bits.
pub(crate) const TILE_BYTES: usize = 4096;

/// The bytes of a tile, and room to read a word and to write a window past its end.
pub(crate) type TileBytes = [u8; TILE_BYTES + 2 * WINDOW];

/// How many words are hashed together: while the first slot of the last is asked for, that of the first has come from any memory.
pub(crate) const SOME: usize = 64;

/// Words of at most 8 bytes as numbers, and where their hashes lead.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Hashed {
    /// Little-endian, filled up with zeros.
    pub(crate) words: [u64; SOME],
    /// Which part of all hashes the hash of each is in.
    pub(crate) parts: [usize; SOME],
}

impl Hashed {
    pub(crate) const EMPTY: Self = Self {
        words: [0; SOME],
        parts: [0; SOME],
    };
}

/// Room for [`SPLIT_WORDS`], and for what is read or written too far.
const LIST_WORDS: usize = 1024;

/// How many words are split at most: more than most tiles have.
pub(crate) const SPLIT_WORDS: usize = LIST_WORDS - 64;

/// Words of one kind.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// Where they start.
    starts: [u16; LIST_WORDS],
    /// How many bytes they have.
    lengths: [u8; LIST_WORDS],
    pub(super) count: usize,
}

impl List {
    const EMPTY: Self = Self {
        starts: [0; LIST_WORDS],
        lengths: [0; LIST_WORDS],
        count: 0,
    };

    /// Adds a word if `is_one`; without a branch.
    #[inline(always)]
    fn push_if(&mut self, is_one: bool, start: u16, length: u16) {
        let at = self.count % LIST_WORDS;
        self.starts[at] = start;
        self.lengths[at] = length.to_le_bytes()[0];
        self.count += usize::from(is_one);
    }

    /// Room for sixteen words from the `at`th on.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[inline(always)]
    pub(super) fn room(&mut self, at: usize) -> Option<(&mut [u16; 16], &mut [u8; 16])> {
        let starts = self.starts.get_mut(at..)?.first_chunk_mut()?;
        let lengths = self.lengths.get_mut(at..)?.first_chunk_mut()?;
        Some((starts, lengths))
    }

    /// How many there are.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Where words start from the `at`th on, and how many bytes they have; past the last they are of no meaning.
    #[inline(always)]
    pub(crate) fn some(&self, at: usize) -> Option<(&[u16; SOME], &[u8; SOME])> {
        let starts = self.starts.get(at..)?.first_chunk()?;
        let lengths = self.lengths.get(at..)?.first_chunk()?;
        Some((starts, lengths))
    }
}

/// The words of a tile.
#[derive(Clone, Debug)]
pub(crate) struct Split {
    /// Words of at most 8 bytes.
    pub(crate) narrow: List,
    /// Words of 9 to 24 bytes.
    pub(crate) wide: List,
    /// All others, where they start and end.
    pub(crate) others: Vec<[u16; 2]>,
}

impl Split {
    pub(crate) const EMPTY: Self = Self {
        narrow: List::EMPTY,
        wide: List::EMPTY,
        others: Vec::new(),
    };

    /// Takes all words out.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.narrow.count = 0;
        self.wide.count = 0;
        self.others.clear();
    }

    /// Adds a word.
    #[inline(always)]
    pub(crate) fn push(&mut self, start: u16, end: u16) {
        let length = end.wrapping_sub(start);
        let (narrow, short) = (length <= NARROW_MAX, length <= WIDE_MAX);
        self.narrow.push_if(narrow, start, length);
        self.wide.push_if(short & !narrow, start, length);
        if !short {
            self.others.push([start, end]);
        }
    }
}
