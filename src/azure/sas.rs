//! Service SAS: a URL that lets its holder read or write one blob or one container for a while.
//!
//! It makes the URL and keeps it from being printed; it does not decide who gets which rights, nor send requests.
//! User-delegation SAS is not made here.

use std::cell::Cell;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::azure::auth::SharedKey;
use crate::azure::endpoint::Endpoint;
use crate::azure::http_date::to_iso;
use crate::secret::{Secret, redact};

/// The version whose rules sign: 16 fields, unchanged since 2020-12-06.
const VERSION: &str = "2022-11-02";
/// What stays as it is in a URL; everything else is percent-encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

thread_local! {
    /// Whether [`SasUrl`] is being written into a body for the service.
    static EXPOSED: Cell<bool> = const { Cell::new(false) };
}

/// A URL that may hold a signature. `Debug` and `Serialize` write it with the signature redacted; only
/// [`expose`](Self::expose) and [`encode_body`] give it whole.
#[derive(Clone, PartialEq, Eq)]
pub struct SasUrl(Secret);

impl SasUrl {
    /// Takes `url` as it is.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(Secret::new(url))
    }

    /// The whole URL: for a request or a body that goes to the service; never for output.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for SasUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(self.expose()))
    }
}

impl Serialize for SasUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if EXPOSED.get() {
            serializer.serialize_str(self.expose())
        } else {
            serializer.serialize_str(&redact(self.expose()))
        }
    }
}

/// `body` as the JSON that goes to the service, signatures included. Any other way to serialize it redacts them.
///
/// # Errors
/// When a value cannot be JSON; no body type of this crate has one.
pub fn encode_body(body: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    struct Hide;
    impl Drop for Hide {
        fn drop(&mut self) {
            EXPOSED.set(false);
        }
    }
    EXPOSED.set(true);
    let hide = Hide;
    let bytes = serde_json::to_vec(body);
    drop(hide);
    bytes
}

/// What a SAS allows. The letters stand in the order that the service demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Read a blob.
    Read,
    /// Read and list the blobs of a container.
    ReadList,
    /// Make and overwrite blobs, without reading or listing them.
    CreateWrite,
    /// Read, append, make, overwrite and list.
    ReadAddCreateWriteList,
}

impl Rights {
    /// The letters of `sp`.
    #[must_use]
    pub fn letters(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::ReadList => "rl",
            Self::CreateWrite => "cw",
            Self::ReadAddCreateWriteList => "racwl",
        }
    }
}

/// How far and how long a SAS reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Said in the SAS itself: it cannot be changed or revoked but by changing the key.
    Fixed {
        /// What it allows.
        rights: Rights,
        /// From when; take the service's time less 15 minutes, so that no clock is ahead of it.
        start: OffsetDateTime,
        /// Until when.
        expiry: OffsetDateTime,
    },
    /// Said in the container's stored access policy of this name, which can be changed and removed.
    Policy(
        /// The policy's id.
        String,
    ),
}

/// What a SAS is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// One blob: container and name, not encoded.
    Blob(&'a str, &'a str),
    /// Everything in a container.
    Container(&'a str),
}

/// Makes the SAS URL of `target`.
///
/// - `endpoint`: path style or not; the account that signs is the key's.
/// - The URL keeps the slashes of a blob's name, its other characters are percent-encoded; the name is signed as it is.
/// - https alone is allowed, except on loopback endpoints.
///
/// Source: "Create a service SAS", version 2020-12-06 and later.
#[must_use]
pub fn service_sas(
    endpoint: &Endpoint,
    key: &SharedKey,
    target: Target<'_>,
    terms: &Terms,
) -> SasUrl {
    let (container, blob, resource) = match target {
        Target::Blob(container, blob) => (container, Some(blob), "b"),
        Target::Container(container) => (container, None, "c"),
    };
    let (rights, start, expiry, policy) = match terms {
        Terms::Fixed {
            rights,
            start,
            expiry,
        } => (rights.letters(), to_iso(*start), to_iso(*expiry), ""),
        Terms::Policy(id) => ("", String::new(), String::new(), id.as_str()),
    };
    let protocol = if endpoint.is_loopback() {
        "https,http"
    } else {
        "https"
    };
    let named = std::iter::once(container)
        .chain(blob)
        .collect::<Vec<_>>()
        .join("/");
    let canonical = format!("/blob/{}/{named}", key.account());
    let text = [
        rights, &start, &expiry, &canonical, policy, "", protocol, VERSION, resource, "", "", "",
        "", "", "", "",
    ]
    .join("\n");
    let signature = key.sign(&text);

    let path: Vec<String> = named.split('/').map(encoded).collect();
    let mut url = format!("{endpoint}/{}?sv={VERSION}&sr={resource}", path.join("/"));
    let fields = [
        ("si", policy),
        ("sp", rights),
        ("st", &start),
        ("se", &expiry),
        ("spr", protocol),
        ("sig", signature.expose()),
    ];
    for (name, value) in fields {
        if !value.is_empty() {
            url.extend(["&", name, "=", &encoded(value)]);
        }
    }
    SasUrl::new(url)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::answers::KEY;
    use time::macros::datetime;

    fn key() -> SharedKey {
        SharedKey::parse("testaccount", &Secret::new(KEY)).unwrap()
    }

    fn fixed(rights: Rights) -> Terms {
        Terms::Fixed {
            rights,
            start: datetime!(2026-11-20 10:00 UTC),
            expiry: datetime!(2026-11-20 13:00 UTC),
        }
    }

    #[test]
    fn a_blob_sas_signs_the_decoded_name_and_keeps_slashes() {
        let endpoint = Endpoint::parse("https://testaccount.blob.core.windows.net").unwrap();
        let sas = service_sas(
            &endpoint,
            &key(),
            Target::Blob("in", "d/a b+ü.txt"),
            &fixed(Rights::Read),
        );
        let (url, signature) = sas.expose().split_once("&sig=").unwrap();
        assert_eq!(
            url,
            "https://testaccount.blob.core.windows.net/in/d/a%20b%2B%C3%BC.txt?sv=2022-11-02&sr=b&sp=r\
             &st=2026-11-20T10%3A00%3A00Z&se=2026-11-20T13%3A00%3A00Z&spr=https"
        );
        let text = "r\n2026-11-20T10:00:00Z\n2026-11-20T13:00:00Z\n/blob/testaccount/in/d/a b+ü.txt\n\n\nhttps\n\
                    2022-11-02\nb\n\n\n\n\n\n\n";
        assert_eq!(signature, encoded(key().sign(text).expose()));
    }

    #[derive(serde::Deserialize)]
    struct Fixture {
        shared_access: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        container: String,
        blob: Option<String>,
        permissions: Option<String>,
        policy: Option<String>,
        protocol: String,
        signature: String,
    }

    #[test]
    fn signatures_equal_those_of_the_official_client() {
        let text = include_str!("../../tests/fixtures/signatures/storage.json");
        let fixture: Fixture = serde_json::from_str(text).unwrap();
        let all = [
            Rights::Read,
            Rights::ReadList,
            Rights::CreateWrite,
            Rights::ReadAddCreateWriteList,
        ];
        for vector in fixture.shared_access {
            let rights = all
                .into_iter()
                .find(|r| Some(r.letters()) == vector.permissions.as_deref());
            let terms = match (rights, &vector.policy) {
                (Some(rights), _) => fixed(rights),
                (None, policy) => Terms::Policy(policy.clone().unwrap()),
            };
            let target = match &vector.blob {
                Some(blob) => Target::Blob(&vector.container, blob),
                None => Target::Container(&vector.container),
            };
            let place = if vector.protocol == "https" {
                "https://testaccount.b.net"
            } else {
                "http://127.0.0.1:1/testaccount"
            };
            let sas = service_sas(&Endpoint::parse(place).unwrap(), &key(), target, &terms);
            let expected = format!("&sig={}", encoded(&vector.signature));
            assert!(
                sas.expose().ends_with(&expected),
                "{}: {}",
                vector.name,
                sas.expose()
            );
        }
    }

    #[test]
    fn a_container_sas_on_loopback_has_path_style_and_allows_http() {
        let endpoint = Endpoint::parse("http://127.0.0.1:1/testaccount").unwrap();
        let sas = service_sas(
            &endpoint,
            &key(),
            Target::Container("out"),
            &fixed(Rights::CreateWrite),
        );
        assert!(
            sas.expose()
                .starts_with("http://127.0.0.1:1/testaccount/out?sv=2022-11-02&sr=c&sp=cw&")
        );
        assert!(sas.expose().contains("&spr=https%2Chttp&sig="));
    }

    #[test]
    fn a_sas_by_policy_names_the_policy_alone() {
        let endpoint = Endpoint::parse("https://testaccount.blob.core.windows.net").unwrap();
        let sas = service_sas(
            &endpoint,
            &key(),
            Target::Container("out"),
            &Terms::Policy("write".to_owned()),
        );
        let (url, _) = sas.expose().split_once("&sig=").unwrap();
        let expected =
            "https://testaccount.blob.core.windows.net/out?sv=2022-11-02&sr=c&si=write&spr=https";
        assert_eq!(url, expected);
    }

    #[test]
    fn a_sas_shows_only_in_the_body_for_the_service() {
        let sas = SasUrl::new("http://h/c?sr=c&sig=hush");
        assert_eq!(format!("{sas:?}"), "http://h/c?sr=c&sig=REDACTED");
        assert_eq!(
            serde_json::to_string(&sas).unwrap(),
            r#""http://h/c?sr=c&sig=REDACTED""#
        );
        assert_eq!(encode_body(&sas).unwrap(), br#""http://h/c?sr=c&sig=hush""#);
        assert_eq!(
            serde_json::to_string(&sas).unwrap(),
            r#""http://h/c?sr=c&sig=REDACTED""#
        );
    }
}
