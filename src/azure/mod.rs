//! The services of Azure that a run needs: Blob Storage ([`storage`]) and Batch ([`batch`]).
//!
//! It knows blobs, pools, jobs and tasks; it knows no words, shards, plans or commands. Every request goes
//! through [`transport`], is signed by [`auth`], repeated by the table in [`retry`], and fails as one
//! [`ServiceError`].

#[cfg(test)]
mod answers;
pub mod auth;
pub mod batch;
pub mod endpoint;
pub mod error;
pub mod http_date;
pub mod message;
pub mod observer;
pub mod refusal;
pub mod retry;
pub mod sas;
pub mod storage;
pub mod transport;
mod trouble;

pub use auth::{KeyError, SharedKey};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Creation, ErrorKind, Result, ServiceError};
pub use observer::{Observer, Tried};
pub use retry::RetryPolicy;
