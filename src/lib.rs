//! fanout: exact top-N word counts of text, on one machine or on a thousand Azure Batch nodes.
//!
//! The orchestrator as a library, for its own binary and tests. Words are counted by the crate `kernel`.

pub mod azure;
pub mod cli;
pub mod clock;
pub mod commands;
#[cfg(feature = "emulator")]
pub mod emulator;
pub mod error;
pub mod exit;
pub mod plan;
pub mod progress;
pub mod quantity;
pub mod record;
pub mod secret;
pub mod settings;
#[cfg(test)]
mod spoil;
