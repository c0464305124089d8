//! Owns the masks that 64 bytes are turned into.
//!
//! Does not know what makes them, nor what is done with them.

/// Bytes a window.
pub(crate) const WINDOW: usize = 64;

/// What the ASCII bytes of a window are to the rules of `unicode` mode, bit `i` for byte `i`.
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

/// What the other bytes of a window are to UTF-8.
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

/// What is white space in a window, bit `i` for byte `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blanks {
    /// White space that is ASCII: 0x09 to 0x0D, 0x1C to 0x20.
    pub(crate) spaces: u64,
    /// 0x80 and up.
    pub(crate) non_ascii: u64,
    /// First bytes of white space that is not ASCII; at the end of the window also of what may be.
    pub(crate) suspects: u64,
    /// 0x00.
    pub(crate) nuls: u64,
}
