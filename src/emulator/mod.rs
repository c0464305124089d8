//! The embedded Batch and Blob service: real HTTP, real processes, on loopback.
//!
//! A second, independent reading of the REST pages: it shares no code with `azure`, `plan` or the kernel, only the
//! clock and the type of secrets. What it does not do answers 501 with the name of what is missing.
//!
//! - `service`: starts and stops everything; `root`: the one directory that holds all files; `orphan`: what a killed service left
//! - `control`, `faults`, `effect`, `catalogue`, `harm`: faults on demand; `formula`: the language of autoscaling
//! - `behaviour`: how long things take and how many there may be; `clock`, `work`: time, which a caller may advance, and who has something to do
//! - `server`: HTTP connections; `call`: one request in parts; `exchange`: a log of them with their answers; `signature`: the two Shared Key schemes
//! - `batch`: pools, nodes, jobs, tasks; `node`: what a node does with a task; `blob`: containers and blobs

mod batch;
mod behaviour;
mod blob;
mod call;
mod catalogue;
mod clock;
mod control;
mod effect;
mod exchange;
mod faults;
mod formula;
mod harm;
mod log;
mod node;
mod orphan;
mod root;
mod server;
mod service;
mod signature;
mod stamp;
mod work;

pub use behaviour::{Behaviour, Span};
pub use catalogue::{Named, catalogue};
pub use effect::{Effect, OUTPUT_CODES, RESIZE_CODES, RESOURCE_CODES, Victim};
pub use faults::{Fault, FaultError, Target};
#[cfg(test)]
pub(crate) use formula::try_formula;
pub use log::Log;
pub use root::RootError;
pub use service::{Control, Endpoint, Options, Ready, Service, StartError};
