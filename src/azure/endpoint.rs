//! Where a service is: its URL, whether that is this machine, and the account that it names.
//!
//! It opens no connection and reads no setting.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;
use url::{Host, Url};

/// The base URL of a service, checked: https, or http on loopback only; no query, fragment or user; no slash at
/// the end.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
}

/// Why a text is not an [`Endpoint`].
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// It is not a URL.
    #[error("endpoint `{shown}` is not a URL")]
    NotAUrl {
        /// What was given, without any query.
        shown: String,
    },
    /// Neither https nor http on loopback.
    #[error("endpoint `{shown}` must use https (plain http is accepted for loopback only)")]
    NotHttps {
        /// What was given, without any query.
        shown: String,
    },
    /// It holds a query, a fragment or a user, so perhaps a secret.
    #[error("endpoint `{shown}` must hold no query, fragment or user")]
    Extra {
        /// What was given, without any query.
        shown: String,
    },
    /// Its path has more parts than a service can have.
    #[error(
        "endpoint `{shown}` has a path of {count} parts; at most one, the account, is possible"
    )]
    Path {
        /// What was given, without any query.
        shown: String,
        /// The number of parts.
        count: usize,
    },
    /// No account is named in it and none was given.
    #[error("endpoint `{shown}` names no account; name one")]
    NoAccount {
        /// What was given.
        shown: String,
    },
}

impl Endpoint {
    /// Reads an endpoint.
    ///
    /// - `text`: a URL with or without `https://` and trailing slashes; on loopback its path may hold one part, the
    ///   account (`http://127.0.0.1:10000/acct`).
    ///
    /// # Errors
    /// [`EndpointError`], which never shows a query or a password.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let trimmed = text.trim();
        let full = if trimmed.contains("://") {
            trimmed.to_owned()
        } else {
            format!("https://{trimmed}")
        };
        let mut url = Url::parse(&full)
            .ok()
            .filter(Url::has_host)
            .ok_or_else(|| EndpointError::NotAUrl {
                // What cannot be parsed may hold anything: show only what stands before a query or a user.
                shown: trimmed
                    .split(['?', '#', '@'])
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            })?;
        let shown = crate::azure::error::shown_url(&url);
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(EndpointError::Extra { shown });
        }
        let path = url.path().trim_matches('/').to_owned();
        url.set_path(&path);
        let endpoint = Self { url };
        match endpoint.url.scheme() {
            "https" => {}
            "http" if endpoint.is_loopback() => {}
            _ => return Err(EndpointError::NotHttps { shown }),
        }
        let count = if path.is_empty() {
            0
        } else {
            path.split('/').count()
        };
        if count > 1 {
            return Err(EndpointError::Path { shown, count });
        }
        Ok(endpoint)
    }

    /// Whether the service is on this machine: `localhost`, 127.0.0.0/8 or `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => {
                name.eq_ignore_ascii_case("localhost")
                    || name.to_ascii_lowercase().ends_with(".localhost")
            }
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            None => false,
        }
    }

    /// The account that the endpoint names: the part of its path, else the first label of its host.
    ///
    /// # Errors
    /// [`EndpointError::NoAccount`] for an address or a host of one label without a path.
    pub fn account(&self) -> Result<&str, EndpointError> {
        let path = self.path_account();
        let host = match self.url.host() {
            Some(Host::Domain(name)) if name.contains('.') && !self.is_loopback() => {
                name.split('.').next()
            }
            _ => None,
        };
        path.or(host)
            .filter(|a| !a.is_empty())
            .ok_or_else(|| EndpointError::NoAccount {
                shown: self.to_string(),
            })
    }

    /// The account in the path, where the endpoint has path style.
    #[must_use]
    pub fn path_account(&self) -> Option<&str> {
        Some(self.url.path().trim_matches('/')).filter(|p| !p.is_empty())
    }

    /// The same endpoint with `account` as its path, unless its host already names the account or it has a path:
    /// an address and a loopback name cannot carry the account in the host.
    #[must_use]
    pub fn with_account(&self, account: &str) -> Self {
        let by_address = !matches!(self.url.host(), Some(Host::Domain(_))) || self.is_loopback();
        let mut url = self.url.clone();
        if by_address && self.path_account().is_none() {
            url.set_path(account);
        }
        Self { url }
    }

    /// The URL; its path has no slash at the end, except that an empty path is `/`.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn endpoints_are_trimmed_and_completed() {
        let shown = |text| Endpoint::parse(text).unwrap().to_string();
        assert_eq!(
            shown(" https://a.westeurope.batch.azure.com/ "),
            "https://a.westeurope.batch.azure.com"
        );
        assert_eq!(
            shown("a.westeurope.batch.azure.com"),
            "https://a.westeurope.batch.azure.com"
        );
        assert_eq!(
            shown("http://127.0.0.1:10000/acct//"),
            "http://127.0.0.1:10000/acct"
        );
        assert_eq!(shown("http://localhost:1"), "http://localhost:1");
        assert_eq!(shown("http://[::1]:1"), "http://[::1]:1");
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for text in [
            "http://a.blob.core.windows.net",
            "http://10.0.0.1",
            "ftp://a.b",
            "http://localhost.example.com",
        ] {
            assert!(
                matches!(Endpoint::parse(text), Err(EndpointError::NotHttps { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn an_endpoint_with_more_than_a_place_is_refused_without_showing_it() {
        for text in [
            "https://a.b/?sig=hush",
            "https://u:hush@a.b",
            "https://a.b/#hush",
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(matches!(error, EndpointError::Extra { .. }), "{text}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        assert!(matches!(
            Endpoint::parse(""),
            Err(EndpointError::NotAUrl { .. })
        ));
        assert!(matches!(
            Endpoint::parse("https://"),
            Err(EndpointError::NotAUrl { .. })
        ));
        assert!(matches!(
            Endpoint::parse("https://a.b/c/d"),
            Err(EndpointError::Path { count: 2, .. })
        ));
    }

    #[test]
    fn the_account_is_in_the_path_or_first_in_the_host() {
        let account = |text| Endpoint::parse(text).unwrap().account().map(str::to_owned);
        assert_eq!(
            account("https://acct.blob.core.windows.net").as_deref(),
            Ok("acct")
        );
        assert_eq!(account("http://127.0.0.1:1/acct").as_deref(), Ok("acct"));
        assert!(account("http://127.0.0.1:1").is_err());
        assert!(account("http://localhost:1").is_err());
    }

    #[test]
    fn an_address_gets_the_account_as_its_path_and_a_host_does_not() {
        let with = |text| {
            Endpoint::parse(text)
                .unwrap()
                .with_account("acct")
                .to_string()
        };
        assert_eq!(with("http://127.0.0.1:1"), "http://127.0.0.1:1/acct");
        assert_eq!(with("http://127.0.0.1:1/acct"), "http://127.0.0.1:1/acct");
        assert_eq!(with("http://localhost:1"), "http://localhost:1/acct");
        assert_eq!(
            with("https://acct.blob.core.windows.net"),
            "https://acct.blob.core.windows.net"
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic_or_shows_a_query(text in "(https?://)?[a-z0-9.:@/\\[\\]-]{0,30}([?#]hush)?") {
            match Endpoint::parse(&text) {
                Ok(endpoint) => {
                    prop_assert!(!endpoint.to_string().ends_with('/'));
                    prop_assert!(endpoint.url().scheme() == "https" || endpoint.is_loopback());
                    let again = Endpoint::parse(&endpoint.to_string());
                    prop_assert_eq!(again, Ok(endpoint));
                }
                Err(error) => prop_assert!(!error.to_string().contains("hush")),
            }
        }
    }
}
