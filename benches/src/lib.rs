//! What the kernel is measured with: texts from seeds, other ways to count the same words, a fixed yardstick.
//!
//! Nothing is timed here. Each rival gives a whole answer, so that it can be compared before it is measured.

pub mod buffer;
pub mod corpora;
pub mod crates;
pub mod mapped;
pub mod rivals;
#[cfg(target_arch = "x86_64")]
pub mod yardstick;
