//! The embedded Batch and Blob service from outside: raw HTTP, signed here, real processes.
//!
//! Nothing of `azure` is used, so that a mistake that both sides share would show.

#![cfg(feature = "emulator")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

mod blobs;
mod client;
mod conduct;
mod faults;
mod life;
mod requests;
mod rules;
mod scaling;
mod simulated;
mod tasks;
