//! Words of a tile sorted by how they are counted: a loop for each kind then has no branch that depends on the text.
//!
//! What becomes of them is decided elsewhere.

use super::masks::WINDOW;

/// The longest word of the first kind.
pub(crate) const NARROW_MAX: u8 = 8;

/// The longest word of the second.
pub(crate) const WIDE_MAX: u8 = 24;

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

/// A word: where it starts, in the lower half, and how many bytes it has.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub(crate) struct Place(u32);

impl Place {
    #[inline(always)]
    pub(crate) fn new([start, end]: [u16; 2]) -> Self {
        let both = u32::from(start) | u32::from(end) << 16;
        Self(both.wrapping_sub(both << 16))
    }

    /// Where it starts.
    #[inline(always)]
    pub(crate) fn start(self) -> usize {
        (self.0 & 0xFFFF) as usize
    }

    /// How many bytes it has.
    #[inline(always)]
    pub(crate) fn length(self) -> usize {
        (self.0 >> 16) as usize
    }

    #[inline(always)]
    fn is_at_most(self, bytes: u8) -> bool {
        self.0 >> 16 <= u32::from(bytes)
    }

    /// Its bytes, which are all in the tile.
    #[inline(always)]
    pub(crate) fn of(self, bytes: &TileBytes) -> &[u8] {
        &bytes[self.start()..self.start() + self.length()]
    }
}

/// Words of one kind.
#[derive(Clone, Debug)]
pub(crate) struct List {
    places: [Place; LIST_WORDS],
    pub(super) count: usize,
}

impl List {
    const EMPTY: Self = Self {
        places: [Place(0); LIST_WORDS],
        count: 0,
    };

    /// Room for sixteen words from the `at`th on.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[inline(always)]
    pub(super) fn room(&mut self, at: usize) -> Option<&mut [Place; 16]> {
        self.places.get_mut(at..)?.first_chunk_mut()
    }

    /// How many there are.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// All of them.
    #[inline(always)]
    pub(crate) fn words(&self) -> &[Place] {
        self.places.get(..self.count).unwrap_or(&self.places)
    }

    /// Adds a word.
    #[inline(always)]
    pub(crate) fn push(&mut self, word: [u16; 2]) {
        debug_assert!(self.count < SPLIT_WORDS);
        self.places[self.count % LIST_WORDS] = Place::new(word);
        self.count += 1;
    }

    /// Words from the `at`th on; past the last they are of no meaning.
    #[inline(always)]
    pub(crate) fn some(&self, at: usize) -> Option<&[Place; SOME]> {
        self.places.get(at..)?.first_chunk()
    }
}

/// The words of a tile.
#[derive(Clone, Debug)]
pub(crate) struct Split {
    /// Words of at most 8 bytes.
    pub(crate) narrow: List,
    /// Words of 9 to 24 bytes.
    pub(crate) wide: List,
    /// All others.
    pub(crate) others: List,
}

impl Split {
    pub(crate) const EMPTY: Self = Self {
        narrow: List::EMPTY,
        wide: List::EMPTY,
        others: List::EMPTY,
    };

    /// Takes all words out.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.narrow.count = 0;
        self.wide.count = 0;
        self.others.count = 0;
    }

    /// Adds words, `[start, end]` each. No branch depends on lengths.
    #[inline(always)]
    pub(crate) fn push(&mut self, words: &[[u16; 2]]) {
        // Counts in memory would make each word wait for the one before.
        let mut counts = [&self.narrow, &self.wide, &self.others].map(|list| list.count);
        debug_assert!(counts.iter().sum::<usize>() + words.len() <= SPLIT_WORDS);
        for &word in words {
            let place = Place::new(word);
            let (is_narrow, is_short) = (place.is_at_most(NARROW_MAX), place.is_at_most(WIDE_MAX));
            self.narrow.places[counts[0] % LIST_WORDS] = place;
            self.wide.places[counts[1] % LIST_WORDS] = place;
            self.others.places[counts[2] % LIST_WORDS] = place;
            counts[0] += usize::from(is_narrow);
            counts[1] += usize::from(is_short) - usize::from(is_narrow);
            counts[2] += usize::from(!is_short);
        }
        [self.narrow.count, self.wide.count, self.others.count] = counts;
    }
}
