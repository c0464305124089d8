//! The embedded Batch and Blob service: real HTTP, real processes, on loopback.
//!
//! A second, independent reading of the REST pages: it shares no code with `azure`, `plan` or the kernel, only the
//! clock and the type of secrets. What it does not do answers 501 with the name of what is missing.
//!
//! - `service`: starts and stops everything; `root`: the one directory that holds all files; `orphan`: what a killed service left
//! - `control`, `faults`, `harm`: faults on demand; `formula`: the language of autoscaling
//! - `server`: HTTP connections; `call`: one request in parts; `signature`: the two Shared Key schemes
//! - `batch`: pools, nodes, jobs, tasks; `node`: what a node does with a task; `blob`: containers and blobs

mod batch;
mod blob;
mod call;
mod control;
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

pub use faults::{Effect, Fault, Target};
pub use log::Log;
pub use root::RootError;
pub use service::{Control, Endpoint, Options, Ready, Service, StartError};
