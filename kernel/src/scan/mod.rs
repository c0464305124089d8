//! Instruction sets: 64 bytes to bit masks, and which means this CPU has for it.
//!
//! To add one: implement [`Means`] in a file of its own, choose it in `by_best_means`, and judge it
//! by `assert_right_masks`.

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod avx512;
mod masks;
mod means;
#[cfg(all(target_arch = "aarch64", target_endian = "little", not(miri)))]
mod neon;
mod places;
#[cfg(any(test, miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod portable;
mod seconds;
mod split;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod sse2;

pub(crate) use masks::{AsciiMasks, WINDOW};
#[cfg(test)]
pub(crate) use means::by_all_means;
pub(crate) use means::{Means, Work, best_means, by_best_means};
pub(crate) use places::PLACES_ROOM;
#[cfg(test)]
pub(crate) use portable::Portable;
pub(crate) use seconds::Seconds;
pub(crate) use split::{
    Hashed, List, NARROW_MAX, Place, SOME, SPLIT_WORDS, Split, TILE_BYTES, TileBytes, WIDE_MAX,
};
