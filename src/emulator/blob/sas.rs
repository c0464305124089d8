//! Shared access signatures: service SAS of a blob or a container, and account SAS.
//!
//! It says what a signature grants; whether an operation needs it is up to `access`. User-delegation SAS, directories,
//! snapshots and strings to sign older than 2020-12-06 are refused with 501.
//!
//! Source: "Create a service SAS" and "Create an account SAS" of the storage REST reference, version 2020-12-06 and later.

use time::OffsetDateTime;

use super::error::BlobError;
use super::policy::Policy;
use crate::emulator::call::Call;
use crate::emulator::signature::Key;
use crate::emulator::stamp::{iso, parse_iso};

/// Oldest version whose string to sign is known here.
const OLDEST_VERSION: &str = "2020-12-06";

/// What a valid SAS allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// Permission letters.
    pub(super) permissions: String,
    pub(super) scope: Scope,
    /// Headers of the answer that the SAS overrides: name and value.
    pub(super) overrides: Vec<(&'static str, String)>,
}

/// What a SAS is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// One blob.
    Blob,
    /// A container with its blobs.
    Container,
    /// An account; with its resource types (`s`, `c`, `o`).
    Account(String),
}

/// Verifies the SAS in the query of `call`, which names `container` and perhaps `blob` (decoded) in `account`.
///
/// # Errors
/// `AuthenticationFailed` for a signature that is wrong, not yet or no longer valid; `Authorization…Mismatch` for a wrong
/// protocol or address; 501 for kinds that are not offered.
pub(super) fn verify(
    call: &Call,
    now: OffsetDateTime,
    key: &Key,
    account: &str,
    container: Option<&str>,
    blob: Option<&str>,
    policies: &[Policy],
) -> Result<Grant, BlobError> {
    let version = field(call, "sv");
    if version.is_empty() {
        return Err(BlobError::unauthenticated(
            "sv is mandatory. Cannot be empty",
        ));
    }
    if version < OLDEST_VERSION {
        return Err(BlobError::missing(format!(
            "SAS versions before {OLDEST_VERSION} (sv={version})"
        )));
    }
    if !field(call, "skoid").is_empty() {
        return Err(BlobError::missing("user-delegation SAS"));
    }
    let text = if field(call, "ss").is_empty() {
        service_text(call, account, container, blob)?
    } else {
        account_text(call, account)
    };
    if !key.verifies(&text, field(call, "sig")) {
        return Err(BlobError::unauthenticated(format!(
            "Signature did not match. String to sign used was {text}"
        )));
    }
    let policy = stored_policy(call, policies)?;
    let one_of = |name: &str, stored: Option<&String>| match (field(call, name), stored) {
        ("", Some(stored)) => stored.clone(),
        (given, _) => given.to_owned(),
    };
    check_times(call, now, policy)?;
    check_network(call)?;
    let permissions = one_of("sp", policy.and_then(|policy| policy.permissions.as_ref()));
    if permissions.is_empty() {
        return Err(BlobError::unauthenticated(
            "sp is mandatory. Cannot be empty",
        ));
    }
    let scope = match (field(call, "ss"), field(call, "sr")) {
        ("", "b") => Scope::Blob,
        ("", _) => Scope::Container,
        (services, _) if services.contains('b') => Scope::Account(field(call, "srt").to_owned()),
        _ => return Err(BlobError::of("AuthorizationServiceMismatch")),
    };
    let overrides = [
        ("cache-control", "rscc"),
        ("content-disposition", "rscd"),
        ("content-encoding", "rsce"),
        ("content-language", "rscl"),
        ("content-type", "rsct"),
    ]
    .into_iter()
    .map(|(header, name)| (header, field(call, name).to_owned()))
    .filter(|(_, value)| !value.is_empty())
    .collect();
    Ok(Grant {
        permissions,
        scope,
        overrides,
    })
}

fn field<'a>(call: &'a Call, name: &str) -> &'a str {
    call.query(name).unwrap_or_default()
}

/// The 16 fields of a service SAS.
fn service_text(
    call: &Call,
    account: &str,
    container: Option<&str>,
    blob: Option<&str>,
) -> Result<String, BlobError> {
    let container = container.ok_or_else(|| BlobError::of("AuthorizationResourceTypeMismatch"))?;
    let resource = match (field(call, "sr"), blob) {
        ("c", _) => format!("/blob/{account}/{container}"),
        ("b", Some(blob)) => format!("/blob/{account}/{container}/{blob}"),
        ("b", None) => return Err(BlobError::of("AuthorizationResourceTypeMismatch")),
        (other @ ("bs" | "bv" | "d"), _) => {
            return Err(BlobError::missing(format!("SAS of the kind sr={other}")));
        }
        _ => {
            return Err(BlobError::unauthenticated(
                "sr is mandatory. Cannot be empty",
            ));
        }
    };
    Ok([
        field(call, "sp"),
        field(call, "st"),
        field(call, "se"),
        &resource,
        field(call, "si"),
        field(call, "sip"),
        field(call, "spr"),
        field(call, "sv"),
        field(call, "sr"),
        field(call, "snapshot"),
        field(call, "ses"),
        field(call, "rscc"),
        field(call, "rscd"),
        field(call, "rsce"),
        field(call, "rscl"),
        field(call, "rsct"),
    ]
    .join("\n"))
}

fn account_text(call: &Call, account: &str) -> String {
    let mut text = account.to_owned();
    for name in ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses"] {
        text.push('\n');
        text.push_str(field(call, name));
    }
    text.push('\n');
    text
}

fn stored_policy<'a>(call: &Call, policies: &'a [Policy]) -> Result<Option<&'a Policy>, BlobError> {
    let id = field(call, "si");
    if id.is_empty() {
        return Ok(None);
    }
    let policy = policies
        .iter()
        .find(|policy| policy.id == id)
        .ok_or_else(|| {
            BlobError::unauthenticated(format!("Access policy `{id}` of the SAS does not exist"))
        })?;
    let twice = [
        ("st", policy.start.is_some()),
        ("se", policy.expiry.is_some()),
        ("sp", policy.permissions.is_some()),
    ];
    match twice
        .iter()
        .find(|(name, stored)| *stored && !field(call, name).is_empty())
    {
        Some((name, _)) => Err(BlobError::unauthenticated(format!(
            "{name} is given by both the SAS and its access policy `{id}`"
        ))),
        None => Ok(Some(policy)),
    }
}

fn check_times(call: &Call, now: OffsetDateTime, policy: Option<&Policy>) -> Result<(), BlobError> {
    let time = |name: &str, stored: Option<OffsetDateTime>| match field(call, name) {
        "" => Ok(stored),
        text => parse_iso(text).map(Some).ok_or_else(|| {
            BlobError::unauthenticated(format!("{name} is not a valid time: {text}"))
        }),
    };
    let start = time("st", policy.and_then(|policy| policy.start))?;
    let expiry = time("se", policy.and_then(|policy| policy.expiry))?
        .ok_or_else(|| BlobError::unauthenticated("se is mandatory. Cannot be empty"))?;
    if start.is_some_and(|start| now < start) || now > expiry {
        return Err(BlobError::unauthenticated(format!(
            "Signature not valid in the specified time frame: Start [{}] - Expiry [{}] - Current [{}]",
            start.map(iso).unwrap_or_default(),
            iso(expiry),
            iso(now),
        )));
    }
    Ok(())
}

fn check_network(call: &Call) -> Result<(), BlobError> {
    match field(call, "spr") {
        "" | "https,http" | "http,https" => {}
        "https" => return Err(BlobError::of("AuthorizationProtocolMismatch")),
        other => return Err(BlobError::query("spr", other)),
    }
    let range = field(call, "sip");
    let (low, high) = range.split_once('-').unwrap_or((range, range));
    if range.is_empty() {
        return Ok(());
    }
    let address = |text: &str| {
        text.parse::<std::net::Ipv4Addr>()
            .map_err(|_malformed| BlobError::query("sip", range))
    };
    if (address(low)?..=address(high)?).contains(&std::net::Ipv4Addr::LOCALHOST) {
        Ok(())
    } else {
        Err(BlobError::of("AuthorizationSourceIPMismatch"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use base64::Engine as _;

    fn key() -> Key {
        let bytes = base64::engine::general_purpose::STANDARD.encode([7_u8; 64]);
        Key::decode(&Secret::new(bytes)).expect("base64")
    }

    fn call(query: &str) -> Call {
        let uri = format!("/acct/c/d/a%20b?{query}");
        Call::new(
            &hyper::Request::builder()
                .uri(uri)
                .body(())
                .expect("valid request"),
        )
    }

    fn signed(query: &str, resource: &str) -> String {
        let unsigned = call(query);
        let text = service_text(&unsigned, "acct", Some("c"), Some("d/a b")).expect("service SAS");
        assert_eq!(text.split('\n').nth(3), Some(resource));
        let signature = key()
            .sign(&text)
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        format!("{query}&sig={signature}")
    }

    fn verified(query: &str) -> Result<Grant, &'static str> {
        verify(
            &call(query),
            crate::clock::now(),
            &key(),
            "acct",
            Some("c"),
            Some("d/a b"),
            &[],
        )
        .map_err(|error| error.code)
    }

    const VALID: &str = "sv=2021-12-02&sp=r&se=2199-01-01T00%3A00%3A00Z&sr=b";

    #[test]
    fn a_blob_sas_signs_the_decoded_name() {
        let grant = verified(&signed(VALID, "/blob/acct/c/d/a b")).expect("valid");
        assert_eq!(grant.permissions, "r");
        assert_eq!(grant.scope, Scope::Blob);
    }

    #[test]
    fn a_spoiled_sas_grants_what_was_signed_or_nothing() {
        let good = signed(VALID, "/blob/acct/c/d/a b");
        let tokens = [
            "&", "=", "%", "%2B", "sp=rw", "se=", "sip=", "spr=http", "si=p", "+",
        ];
        let is_address = |query: &str| format!("/acct/c?{query}").parse::<hyper::Uri>().is_ok();
        crate::spoil::spoiled(&[&good], &tokens, |bytes| {
            let query = String::from_utf8_lossy(bytes);
            if is_address(&query)
                && let Ok(grant) = verified(&query)
            {
                assert_eq!(
                    (&grant.permissions[..], grant.scope),
                    ("r", Scope::Blob),
                    "{query}"
                );
            }
        });
        // With a good signature dates, addresses and protocols are read too.
        let seed = format!("{VALID}&st=2020-01-01&sip=127.0.0.1-127.0.0.9&spr=https,http");
        crate::spoil::spoiled(&[&seed], &tokens, |bytes| {
            let query = String::from_utf8_lossy(bytes);
            if is_address(&query)
                && let Ok(text) = service_text(&call(&query), "acct", Some("c"), Some("d/a b"))
            {
                let signature = key().sign(&text).replace('+', "%2B");
                drop(verified(&format!("sig={signature}&{query}")));
            }
        });
    }

    #[test]
    fn a_tampered_or_expired_sas_is_refused() {
        let good = signed(VALID, "/blob/acct/c/d/a b");
        assert_eq!(
            verified(&good.replace("sp=r", "sp=rw")),
            Err("AuthenticationFailed")
        );
        let expired = VALID.replace("2199", "2019");
        assert_eq!(
            verified(&signed(&expired, "/blob/acct/c/d/a b")),
            Err("AuthenticationFailed")
        );
        let early = format!("{VALID}&st=2198-01-01T00:00Z");
        assert_eq!(
            verified(&signed(&early, "/blob/acct/c/d/a b")),
            Err("AuthenticationFailed")
        );
    }

    #[test]
    fn protocol_address_and_version_are_held_to() {
        let with = |more: &str| verified(&signed(&format!("{VALID}&{more}"), "/blob/acct/c/d/a b"));
        assert_eq!(
            with("spr=https").map(|_| ()),
            Err("AuthorizationProtocolMismatch")
        );
        assert_eq!(
            with("sip=10.0.0.1").map(|_| ()),
            Err("AuthorizationSourceIPMismatch")
        );
        assert_eq!(with("sip=127.0.0.0-127.0.0.9").map(|_| ()), Ok(()));
        let old = VALID.replace("2021", "2019");
        assert_eq!(
            verified(&signed(&old, "/blob/acct/c/d/a b")).map(|_| ()),
            Err("NotImplemented")
        );
    }
}
