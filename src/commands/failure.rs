//! What an error of a service means to the user: exit code and hint.
//!
//! Whether a request is repeated was decided before, in `azure::retry`.

use crate::azure::{ErrorKind, ServiceError};
use crate::error::Failure;
use crate::exit::Exit;

/// The failure that `error` ends a command with.
pub(crate) fn from_service(error: ServiceError) -> Failure {
    let code = error.code().unwrap_or_default();
    let (exit, hint) = match (error.status(), code) {
        (Some(401 | 403), "AuthenticationFailed" | "InvalidAuthenticationInfo") => (
            Exit::NotAuthorised,
            Some(
                "check that the key belongs to the account and that this machine's clock is right",
            ),
        ),
        (Some(403), "KeyBasedAuthenticationNotPermitted") => (
            Exit::NotAuthorised,
            Some("the account does not allow keys; allow shared key access for it"),
        ),
        (Some(401 | 403), _) => (Exit::NotAuthorised, None),
        (_, "ActiveJobAndScheduleQuotaReached") => (
            Exit::QuotaReached,
            Some(
                "finished jobs count until they are deleted: fanout gc shows what runs left, and --wait-quota waits for room",
            ),
        ),
        (_, "PoolQuotaReached") => (
            Exit::QuotaReached,
            Some(
                "pools without nodes count too: fanout gc shows what runs left; delete what is not needed, or ask for a higher quota",
            ),
        ),
        _ if error.is_quota() => (Exit::QuotaReached, Some("ask for a higher quota")),
        (Some(404), _) => (Exit::NotFound, None),
        _ => match error.kind() {
            ErrorKind::NotAnswered => (Exit::TimedOut, None),
            ErrorKind::NotSent => (Exit::Other, Some("check the endpoint and the network")),
            ErrorKind::Refused | ErrorKind::Unreadable => (Exit::Other, None),
        },
    };
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
