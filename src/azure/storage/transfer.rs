//! Why bytes did not get from here to there: the service's side or this machine's.
//!
//! Requests without a file fail as `ServiceError` alone.

use crate::azure::error::ServiceError;

/// Why bytes did not get from here to there.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The service's side.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// This machine's side.
    #[error("{action}")]
    Local {
        /// What was being done with which file.
        action: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
