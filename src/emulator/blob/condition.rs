//! The four conditional headers of Blob requests.
//!
//! Tag conditions and leases are not here.

use super::error::BlobError;
use super::store::Entry;
use crate::emulator::call::Call;
use crate::emulator::stamp::{Stamp, parse_http_date};

/// Whether the request reads or writes: a read whose copy is fresh answers 304 instead of 412.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Checks the conditions of `call` against `blob`, which may not exist.
///
/// # Errors
/// `ConditionNotMet` with 304 or 412; `BlobAlreadyExists` for a write that must create.
pub(super) fn check_blob(
    call: &Call,
    blob: Option<&Entry>,
    access: Access,
) -> Result<(), BlobError> {
    if call.header("x-ms-if-tags").is_some() {
        return Err(BlobError::missing("conditions on blob tags"));
    }
    if call.header("x-ms-lease-id").is_some() {
        return Err(BlobError::missing("leases"));
    }
    if access == Access::Write && blob.is_some() && call.header("if-none-match") == Some("*") {
        return Err(BlobError::of("BlobAlreadyExists"));
    }
    check(call, blob.map(|blob| &blob.stamp), access)
}

/// Checks the conditions of `call` against a resource, `None` if it does not exist.
///
/// # Errors
/// `ConditionNotMet` with 304 or 412.
pub(super) fn check(call: &Call, stamp: Option<&Stamp>, access: Access) -> Result<(), BlobError> {
    let matches = |list: &str| {
        list.split(',').any(|tag| {
            let tag = tag.trim();
            match stamp {
                Some(stamp) => tag == "*" || tag.trim_matches('"') == stamp.etag(),
                None => false,
            }
        })
    };
    let failed = || BlobError::of("ConditionNotMet");
    let fresh = || match access {
        Access::Read => BlobError::new(304, "ConditionNotMet", ""),
        Access::Write => BlobError::of("ConditionNotMet"),
    };
    let date = |name: &str| {
        call.header(name).map_or(Ok(None), |text| {
            parse_http_date(text)
                .map(Some)
                .ok_or_else(|| BlobError::header(name, text))
        })
    };
    // Conditions see whole seconds, as the dates they are written in.
    let modified = stamp.map(|stamp| stamp.modified.unix_timestamp());
    if call.header("if-match").is_some_and(|list| !matches(list)) {
        return Err(failed());
    }
    if call.header("if-none-match").is_some_and(matches) {
        return Err(fresh());
    }
    if let (Some(since), Some(modified)) = (date("if-modified-since")?, modified)
        && modified <= since.unix_timestamp()
    {
        return Err(fresh());
    }
    if let (Some(since), Some(modified)) = (date("if-unmodified-since")?, modified)
        && modified > since.unix_timestamp()
    {
        return Err(failed());
    }
    Ok(())
}
