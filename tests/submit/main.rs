//! End to end: `fanout submit` on the embedded service, as a user runs it, compared with `fanout count`.
//!
//! - `harness`: one program run, and what it left
//! - `answer`: the same bytes as a count here · `failure`: everything that can go wrong, and what is left then
//! - `faults`: of the services · `hostile`: what is no answer · `diagnosis`: what is said of them · `resume`: clients that are killed
//! - `deadline`: what ends without a client · `clients`: runs that are left, followed and shared · `account`: a service in another process, by endpoints and keys, with its own blobs or on Azurite
//! - `bad_answers`: of servers that are not the services (`between` puts them there)
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod account;
mod answer;
#[path = "../common/azurite.rs"]
mod azurite;
mod bad_answers;
mod between;
mod clients;
mod deadline;
mod diagnosis;
mod failure;
mod faults;
mod harness;
mod hostile;
mod resume;
