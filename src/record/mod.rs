//! The record of a run: what it is to do and how far it came, on this machine's disk before it happens.
//!
//! - `spec`: everything that defines a run, to take it up again · `journal`: the file, event by event
//! - `state`: the directory in which runs keep record and merged partial
//!
//! A record holds no key and no signature. Nothing is ever deleted by a name that is read from one: names are derived
//! from the run's id.

mod journal;
mod spec;
mod state;

pub use journal::{Event, Journal, RecordError, Recorded, Step, VERSION};
pub use spec::{ByteText, FileSpec, RunSpec, ServiceSpec};
pub use state::StateDirectory;
