//! Who may do what: Shared Key and SAS of every Blob request.
//!
//! It does not carry out operations. Anonymous and Entra ID requests are refused.

use time::OffsetDateTime;

use super::error::BlobError;
use super::policy::Policy;
use super::sas::{self, Grant, Scope};
use crate::emulator::call::Call;
use crate::emulator::clock::Clock;
use crate::emulator::signature::{Key, blob_text};
use crate::emulator::stamp::parse_http_date;

/// How far the date of a request may be from now, in seconds.
pub(super) const CLOCK_WINDOW_SECONDS: i64 = 15 * 60;

/// The two times of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// With which its date is compared.
    dated: OffsetDateTime,
    /// At which its SAS is judged.
    judging: OffsetDateTime,
}

impl Times {
    /// The times at which `call` came.
    pub(super) fn of(clock: &Clock, call: &Call) -> Self {
        Self {
            dated: clock.dated() + call.skew,
            judging: clock.judging() + call.skew,
        }
    }
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// The holder of the account key: may do everything.
    Owner,
    /// The holder of a SAS.
    Guest(Grant),
}

/// What an operation works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Service,
    Container,
    Blob,
}

impl Caller {
    /// Verifies `call` against the account key.
    ///
    /// # Errors
    /// `NoAuthenticationInformation`, `AuthenticationFailed`, or what [`sas::verify`] says.
    pub(super) fn of(
        call: &Call,
        times: Times,
        key: &Key,
        account: &str,
        container: Option<&str>,
        blob: Option<&str>,
        policies: &[Policy],
    ) -> Result<Self, BlobError> {
        let Some(authorization) = call.header("authorization") else {
            if call.query("sig").is_some() {
                return sas::verify(call, times.judging, key, account, container, blob, policies)
                    .map(Self::Guest);
            }
            return Err(BlobError::of("NoAuthenticationInformation"));
        };
        let Some(credential) = authorization.strip_prefix("SharedKey ") else {
            let scheme = authorization.split(' ').next().unwrap_or_default();
            return Err(BlobError::missing(format!("authentication by `{scheme}`")));
        };
        check_date(call, times.dated)?;
        let (name, signature) = credential.split_once(':').unwrap_or_default();
        let text = blob_text(call, account);
        if name == account && key.verifies(&text, signature) {
            return Ok(Self::Owner);
        }
        let shown = text.replace('\n', "\\n");
        Err(BlobError::unauthenticated(format!(
            "The MAC signature found in the HTTP request is not the same as any computed signature. Server used following string to sign: '{shown}'."
        )))
    }

    /// Whether the caller may do something at `level` for which any of the permission letters `any_of` is enough.
    ///
    /// # Errors
    /// `AuthorizationPermissionMismatch` or `AuthorizationResourceTypeMismatch`.
    pub(super) fn require(&self, level: Level, any_of: &str) -> Result<(), BlobError> {
        let Self::Guest(grant) = self else {
            return Ok(());
        };
        let fits = match (&grant.scope, level) {
            (Scope::Blob, Level::Blob) => true,
            // Of a container itself a service SAS can only list.
            (Scope::Container, Level::Container) => any_of == "l",
            (Scope::Container, Level::Blob) => true,
            (Scope::Account(types), Level::Service) => types.contains('s'),
            (Scope::Account(types), Level::Container) => types.contains('c'),
            (Scope::Account(types), Level::Blob) => types.contains('o'),
            _ => false,
        };
        if !fits {
            return Err(BlobError::of("AuthorizationResourceTypeMismatch"));
        }
        if any_of
            .chars()
            .any(|letter| grant.permissions.contains(letter))
        {
            Ok(())
        } else {
            Err(BlobError::of("AuthorizationPermissionMismatch"))
        }
    }

    /// Whether the caller may write over a blob that `exists`; `c` alone only creates.
    ///
    /// # Errors
    /// `UnauthorizedBlobOverwrite`.
    pub(super) fn require_overwrite(&self, exists: bool) -> Result<(), BlobError> {
        match self {
            Self::Guest(grant) if exists && !grant.permissions.contains('w') => {
                Err(BlobError::of("UnauthorizedBlobOverwrite"))
            }
            _ => Ok(()),
        }
    }
}

fn check_date(call: &Call, now: OffsetDateTime) -> Result<(), BlobError> {
    let text = call
        .header("x-ms-date")
        .or_else(|| call.header("date"))
        .ok_or_else(|| BlobError::unauthenticated("Request date header not specified"))?;
    let date = parse_http_date(text)
        .ok_or_else(|| BlobError::unauthenticated(format!("Request date is not valid: {text}")))?;
    let off = (now - date).whole_seconds().abs();
    if off > CLOCK_WINDOW_SECONDS {
        return Err(BlobError::unauthenticated(format!(
            "Request date header too old or too new: '{text}'"
        )));
    }
    Ok(())
}
