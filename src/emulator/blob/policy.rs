//! Stored access policies of a container: reading, writing, and their document.
//!
//! How a policy completes a SAS is up to `sas`.

use time::OffsetDateTime;

use super::error::BlobError;
use super::xml::{Xml, leaves};
use crate::emulator::stamp::{iso, parse_iso};

/// A stored access policy; what it leaves out, the SAS must name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) id: String,
    pub(super) start: Option<OffsetDateTime>,
    pub(super) expiry: Option<OffsetDateTime>,
    pub(super) permissions: Option<String>,
}

/// Reads a `SignedIdentifiers` document; an empty body means none.
///
/// # Errors
/// `InvalidXmlDocument` for anything malformed, an id of more than 64 characters, or more than 5 policies.
pub(super) fn read(body: &[u8]) -> Result<Vec<Policy>, BlobError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let invalid = || BlobError::of("InvalidXmlDocument");
    let mut policies: Vec<Policy> = Vec::new();
    for (path, text) in leaves(body)? {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let time = || match text.as_str() {
            "" => Ok(None),
            text => parse_iso(text).map(Some).ok_or_else(invalid),
        };
        match path.as_slice() {
            ["SignedIdentifiers"] | ["SignedIdentifiers", "SignedIdentifier", "AccessPolicy"] => {}
            ["SignedIdentifiers", "SignedIdentifier", "Id"] => policies.push(Policy {
                id: text.clone(),
                ..Policy::default()
            }),
            [
                "SignedIdentifiers",
                "SignedIdentifier",
                "AccessPolicy",
                field,
            ] => {
                let policy = policies.last_mut().ok_or_else(invalid)?;
                match *field {
                    "Start" => policy.start = time()?,
                    "Expiry" => policy.expiry = time()?,
                    "Permission" => policy.permissions = (!text.is_empty()).then_some(text),
                    _ => return Err(invalid()),
                }
            }
            _ => return Err(invalid()),
        }
    }
    let valid = policies.len() <= 5
        && policies
            .iter()
            .all(|policy| (1..=64).contains(&policy.id.chars().count()));
    if valid { Ok(policies) } else { Err(invalid()) }
}

/// The `SignedIdentifiers` document of `policies`.
pub(super) fn write(policies: &[Policy]) -> String {
    let mut xml = Xml::new();
    xml.open("SignedIdentifiers");
    for policy in policies {
        xml.open("SignedIdentifier")
            .element("Id", &policy.id)
            .open("AccessPolicy");
        if let Some(start) = policy.start {
            xml.element("Start", &iso(start));
        }
        if let Some(expiry) = policy.expiry {
            xml.element("Expiry", &iso(expiry));
        }
        if let Some(permissions) = &policy.permissions {
            xml.element("Permission", permissions);
        }
        xml.close("AccessPolicy").close("SignedIdentifier");
    }
    xml.close("SignedIdentifiers");
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_survive_writing_and_reading() {
        let body = "<SignedIdentifiers><SignedIdentifier><Id>in</Id><AccessPolicy><Expiry>2026-12-01T00:00:00.0000000Z</Expiry><Permission>rl</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>";
        let policies = read(body.as_bytes()).expect("well-formed");
        assert_eq!(policies.len(), 1);
        assert_eq!(policies[0].permissions.as_deref(), Some("rl"));
        assert_eq!(
            read(write(&policies).as_bytes()).expect("own document"),
            policies
        );
        assert_eq!(read(b"").expect("empty means none"), []);
    }

    #[test]
    fn a_sixth_policy_is_refused() {
        let policies: Vec<Policy> = (0..6)
            .map(|number| Policy {
                id: number.to_string(),
                ..Policy::default()
            })
            .collect();
        assert!(read(write(&policies[..5]).as_bytes()).is_ok());
        assert!(read(write(&policies).as_bytes()).is_err());
    }
}
