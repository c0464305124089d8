//! Owns the masks that 64 bytes are turned into, and the trait of what makes them.
//!
//! Does not know which instruction set makes them, nor what is done with them.

/// Bytes a window.
pub(crate) const WINDOW: usize = 64;

/// What a [`Classifier`] says of the ASCII bytes of a window, bit `i` for byte `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AsciiMasks {
    /// `A-Z a-z`
    pub(crate) letters: u64,
    /// `0-9`
    pub(crate) digits: u64,
    /// `_`
    pub(crate) connectors: u64,
    /// `' . :`
    pub(crate) joins_letters: u64,
    /// `' . , ;`
    pub(crate) joins_digits: u64,
    /// All other ASCII but `"`.
    pub(crate) hard: u64,
    /// 0x80 and up.
    pub(crate) non_ascii: u64,
}

/// What a [`Classifier`] says of the other bytes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WideMasks {
    /// First bytes of well-formed sequences of two bytes: 0xC2 to 0xDF.
    pub(crate) leads2: u64,
    /// 0xE0 to 0xEF.
    pub(crate) leads3: u64,
    /// 0xF0 to 0xF4.
    pub(crate) leads4: u64,
    /// 0x80 to 0xBF.
    pub(crate) continuations: u64,
}

/// Makes the masks of a window. Each instruction set has one; all give the same masks.
pub(crate) trait Classifier: Copy {
    /// The masks of the ASCII bytes.
    fn ascii(self, window: &[u8; WINDOW]) -> AsciiMasks;

    /// The masks of the other bytes.
    fn wide(self, window: &[u8; WINDOW]) -> WideMasks;

    /// The bytes from the first to the last of `ends`, both at most 0x7F or both above; none if the
    /// last is one below the first.
    fn between(self, window: &[u8; WINDOW], ends: (u8, u8)) -> u64;
}
