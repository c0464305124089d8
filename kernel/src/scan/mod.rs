//! Instruction sets: 64 bytes to bit masks, and which way to do it on this CPU.

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod avx2;
mod masks;
mod runs;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod runs_avx2;
#[cfg(test)]
mod scalar;

pub(crate) use masks::{AsciiMasks, Classifier, WINDOW};
pub(crate) use runs::{Means, Runs, Work, by_best_means};
#[cfg(test)]
pub(crate) use scalar::Scalar;
