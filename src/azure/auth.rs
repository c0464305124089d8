//! Shared Key: how a request is signed for Batch and for Storage.
//!
//! It does not sign SAS (`storage::sas`) and does not know where a key comes from.

use std::fmt;

use azure_core::credentials::Secret as CoreSecret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;
use time::OffsetDateTime;
use url::Url;

use crate::azure::http_date;
use crate::secret::Secret;

/// The two services that know Shared Key, each with its own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Azure Batch: dated by `ocp-date`, `ocp-*` headers signed, an empty body signed as `0`.
    Batch,
    /// Azure Storage: dated by `x-ms-date`, `x-ms-*` headers signed, an empty body signed as nothing.
    Storage,
}

impl Dialect {
    fn prefix(self) -> &'static str {
        match self {
            Self::Batch => "ocp-",
            Self::Storage => "x-ms-",
        }
    }

    fn date_header(self) -> HeaderName {
        match self {
            Self::Batch => HeaderName::from_static("ocp-date"),
            Self::Storage => HeaderName::from_static("x-ms-date"),
        }
    }
}

/// An account and its key. `Debug` shows the account alone.
#[derive(Clone)]
pub struct SharedKey {
    account: String,
    key: CoreSecret,
}

/// Why a text is not an account's key; it never shows the text.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// There is nothing in it.
    #[error("the key of account `{account}` is empty")]
    Empty {
        /// The account.
        account: String,
    },
    /// It is not Base64.
    #[error(
        "the key of account `{account}` is not Base64: {length} characters, wrong at character {position} \
         (a key has 88, of A-Z a-z 0-9 + / and = at its end)"
    )]
    NotBase64 {
        /// The account.
        account: String,
        /// How many characters the text has.
        length: usize,
        /// Where the first wrong one stands, from 1; past the end if the text is cut.
        position: usize,
    },
    /// The account's name cannot be one.
    #[error("`{account}` is not an account name (letters, digits and - only)")]
    Account {
        /// What was given.
        account: String,
    },
}

impl SharedKey {
    /// Reads the key of `account`; white space around it is dropped.
    ///
    /// # Errors
    /// [`KeyError`] when the key is empty or not Base64, or the account's name cannot be one.
    pub fn parse(account: &str, key: &Secret) -> Result<Self, KeyError> {
        let account = account.trim().to_owned();
        if account.is_empty()
            || !account
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return Err(KeyError::Account { account });
        }
        let text = key.expose().trim();
        if text.is_empty() {
            return Err(KeyError::Empty { account });
        }
        if let Err(error) = STANDARD.decode(text) {
            let position = match error {
                base64::DecodeError::InvalidByte(at, _) => at + 1,
                _ => text.len() + 1,
            };
            return Err(KeyError::NotBase64 {
                account,
                length: text.chars().count(),
                position,
            });
        }
        Ok(Self {
            account,
            key: CoreSecret::new(text.to_owned()),
        })
    }

    /// The account's name.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The Base64 HMAC-SHA256 of `text` under the key.
    #[must_use]
    pub fn sign(&self, text: &str) -> Secret {
        // The key was decoded in `parse`, and an HMAC takes keys of any length.
        Secret::new(azure_core::hmac::hmac_sha256(text, &self.key).unwrap_or_default())
    }

    /// Dates and signs a request: sets the service's date header and `Authorization`.
    ///
    /// - `headers`: everything that will be sent, `Content-Length` included where there is one.
    /// - `url`: as it goes on the wire.
    ///
    /// Source: Batch "Authenticate via Shared Key", Storage "Authorize with Shared Key" (2009-09-19 and later).
    pub fn authorize(
        &self,
        dialect: Dialect,
        method: &Method,
        url: &Url,
        headers: &mut HeaderMap,
        now: OffsetDateTime,
    ) {
        if let Ok(date) = HeaderValue::from_str(&http_date::to_http(now)) {
            headers.insert(dialect.date_header(), date);
        }
        let text = string_to_sign(dialect, &self.account, method, url, headers);
        let value = format!("SharedKey {}:{}", self.account, self.sign(&text).expose());
        // Account and Base64 are ASCII, so this is always a header.
        if let Ok(mut value) = HeaderValue::from_str(&value) {
            value.set_sensitive(true);
            headers.insert(reqwest::header::AUTHORIZATION, value);
        }
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKey")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// The text whose HMAC is the signature.
///
/// Method, eleven standard headers, the service's own headers sorted by name, then the account, the path as on the wire
/// and the decoded query sorted by name.
fn string_to_sign(
    dialect: Dialect,
    account: &str,
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
) -> String {
    const SIGNED: [&str; 11] = [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ];
    let value = |name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    };
    let dated = headers.contains_key(dialect.date_header());
    let mut text = format!("{method}\n");
    for name in SIGNED {
        text.push_str(match (name, dialect) {
            ("date", _) if dated => "",
            ("content-length", Dialect::Storage) if value(name) == "0" => "",
            _ => value(name),
        });
        text.push('\n');
    }
    let mut own: Vec<(&str, &str)> = headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| name.starts_with(dialect.prefix()))
        .map(|name| (name, value(name)))
        .collect();
    own.sort_unstable();
    for (name, value) in own {
        text.extend([name, ":", value.trim(), "\n"]);
    }
    text.extend(["/", account, url.path()]);
    for (name, values) in canonical_query(dialect, url) {
        text.extend(["\n", name.as_str(), ":", values.as_str()]);
    }
    text
}

/// The query, decoded, sorted by lower-case name; values of one name are sorted and joined by commas. Storage signs
/// names in lower case, Batch as they are.
fn canonical_query(dialect: Dialect, url: &Url) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String, String)> = raw_pairs(url)
        .map(|(name, value)| (name.to_lowercase(), name, value))
        .collect();
    pairs.sort_unstable();
    let mut joined: Vec<(String, String, String)> = Vec::with_capacity(pairs.len());
    for (lower, name, value) in pairs {
        match joined.last_mut() {
            Some((last, _, values)) if *last == lower => {
                values.push(',');
                values.push_str(&value);
            }
            _ => joined.push((lower, name, value)),
        }
    }
    joined
        .into_iter()
        .map(|(lower, name, values)| match dialect {
            Dialect::Batch => (name, values),
            Dialect::Storage => (lower, values),
        })
        .collect()
}

/// Names and values of the query with `%XX` decoded and `+` kept, as the services do.
fn raw_pairs(url: &Url) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    url.query()
        .unwrap_or_default()
        .split('&')
        .filter(|part| !part.is_empty())
        .map(move |part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        })
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
