//! The services of Azure that a run needs: Blob Storage ([`storage`]) and Batch ([`batch`]).
//!
//! It knows blobs, pools, jobs and tasks; it knows no words, shards, plans or commands. Every request goes
//! through [`transport`], is signed by [`auth`], repeated by the table in [`retry`], and fails as one
//! [`ServiceError`].
//!
//! What a repeat can do is harmless by construction:
//!
//! | operation | when it is repeated, or done before |
//! |---|---|
//! | reads, lists, replacing puts, patches | the same result |
//! | create pool, job, container | read again: ours by its metadata, or a conflict |
//! | add tasks | `TaskExists` counts as added; each task's result is checked |
//! | delete, terminate | gone, going or ended counts as done |
//! | resize, reactivate | the conflict that the first try caused counts as done, after a repeat only |
//! | upload | blocks are named by content, the blob appears with the commit |
//! | download | resumed at the byte, under one `ETag` |

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
