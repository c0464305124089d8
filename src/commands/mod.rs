//! One module a command: the only place that joins plan, azure, kernel and output.

#[cfg(feature = "emulator")]
pub mod emulate;
