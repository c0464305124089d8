//! One module a command: the only place that joins plan, azure, kernel and output.
//!
//! `dispatch` picks the command; `clients`, `copy`, `failure`, `interrupt`, `program`, `restore` and `scratch` are
//! what several of them need.

mod answer;
mod clean;
mod clients;
mod copy;
mod dispatch;
#[cfg(feature = "emulator")]
mod emulate;
mod failure;
mod gc;
mod interrupt;
mod logs;
mod ls;
mod plan;
mod program;
mod restore;
mod resume;
mod scratch;
mod status;
mod submit;
mod watch;

pub use dispatch::run;
#[cfg(feature = "emulator")]
pub use emulate::EmulateArgs;
