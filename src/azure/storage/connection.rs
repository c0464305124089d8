//! Connection strings: `Name=value` parts with the account, its key and its Blob endpoint.
//!
//! It does not know which setting holds one.

use thiserror::Error;

use crate::azure::auth::{KeyError, SharedKey};
use crate::azure::endpoint::{Endpoint, EndpointError};
use crate::secret::Secret;

/// The account of the development storage, and its key, which is public and the same everywhere.
const DEVELOPMENT: (&str, &str, &str) = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "http://127.0.0.1:10000/devstoreaccount1",
);

/// Where a storage account is and how to sign for it.
#[derive(Clone, Debug)]
pub struct StorageAccount {
    /// Its Blob endpoint.
    pub endpoint: Endpoint,
    /// Its name and key.
    pub key: SharedKey,
}

/// Why a text is not a usable connection string; it never shows a value that may be secret.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// A part has no `=`.
    #[error("part {index} of the connection string has no `=`")]
    NotAPart {
        /// Which one, from 1.
        index: usize,
    },
    /// A part that is needed is missing.
    #[error("the connection string has no `{name}`")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A part holds another one.
    #[error("no semicolon ends `{name}` of the connection string")]
    RunsOn {
        /// The part's name.
        name: &'static str,
    },
    /// It has a SAS instead of a key, which cannot sign SAS for nodes.
    #[error(
        "the connection string has a `SharedAccessSignature`; fanout needs an `AccountKey` to give nodes access"
    )]
    Sas,
    /// Its key is not one.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its endpoint is not one.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

impl StorageAccount {
    /// Reads a connection string as the portal shows it. Names are read in any letter case; a part that is not needed
    /// is ignored; white space and a semicolon at the end do no harm.
    ///
    /// # Errors
    /// [`ConnectionError`], which shows no key.
    pub fn from_connection_string(text: &Secret) -> Result<Self, ConnectionError> {
        let mut parts: Vec<(String, &str)> = Vec::new();
        for (index, part) in text.expose().trim().split(';').map(str::trim).enumerate() {
            if part.is_empty() {
                continue;
            }
            // A key ends in `=` itself: only the first one separates.
            let (name, value) = part
                .split_once('=')
                .ok_or(ConnectionError::NotAPart { index: index + 1 })?;
            parts.push((name.trim().to_ascii_lowercase(), value.trim()));
        }
        let get = |name: &str| {
            parts
                .iter()
                .find(|(n, v)| n == name && !v.is_empty())
                .map(|(_, v)| *v)
        };
        if get("usedevelopmentstorage").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
            let (account, key, endpoint) = DEVELOPMENT;
            let key = SharedKey::parse(account, &Secret::new(key))?;
            return Ok(Self {
                endpoint: Endpoint::parse(endpoint)?,
                key,
            });
        }
        for name in [
            "BlobEndpoint",
            "AccountName",
            "EndpointSuffix",
            "DefaultEndpointsProtocol",
        ] {
            // What runs on into the next part may hold the key, and must not be shown.
            if get(&name.to_ascii_lowercase()).is_some_and(|value| value.contains('=')) {
                return Err(ConnectionError::RunsOn { name });
            }
        }
        let account = get("accountname");
        let Some(key) = get("accountkey") else {
            let sas = get("sharedaccesssignature").is_some();
            return Err(if sas {
                ConnectionError::Sas
            } else {
                ConnectionError::Missing { name: "AccountKey" }
            });
        };
        let endpoint = match (get("blobendpoint"), account) {
            (Some(endpoint), _) => Endpoint::parse(endpoint)?,
            (None, Some(account)) => {
                let scheme = get("defaultendpointsprotocol").unwrap_or("https");
                let suffix = get("endpointsuffix").unwrap_or("core.windows.net");
                Endpoint::parse(&format!("{scheme}://{account}.blob.{suffix}"))?
            }
            (None, None) => {
                return Err(ConnectionError::Missing {
                    name: "AccountName",
                });
            }
        };
        let account = match account {
            Some(account) => account.to_owned(),
            None => endpoint.account()?.to_owned(),
        };
        Ok(Self {
            key: SharedKey::parse(&account, &Secret::new(key))?,
            endpoint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(String, String), ConnectionError> {
        let account = StorageAccount::from_connection_string(&Secret::new(text))?;
        Ok((
            account.endpoint.to_string(),
            account.key.account().to_owned(),
        ))
    }

    #[test]
    fn the_portals_form_is_read() {
        let text = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=QUJDRA==;EndpointSuffix=core.windows.net";
        let expected = (
            "https://acct.blob.core.windows.net".to_owned(),
            "acct".to_owned(),
        );
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(
            read(" accountname=acct ; ACCOUNTKEY=QUJDRA== ;\n").unwrap(),
            expected
        );
    }

    #[test]
    fn an_endpoint_goes_before_the_name_and_can_stand_for_it() {
        let text = "AccountKey=QUJDRA==;BlobEndpoint=http://127.0.0.1:1/acct;";
        assert_eq!(
            read(text).unwrap(),
            ("http://127.0.0.1:1/acct".to_owned(), "acct".to_owned())
        );
        let development = read("UseDevelopmentStorage=true").unwrap();
        assert_eq!(development.0, "http://127.0.0.1:10000/devstoreaccount1");
    }

    #[test]
    fn what_is_wrong_is_named_without_the_key() {
        assert!(matches!(
            read("AccountName=a;hush"),
            Err(ConnectionError::NotAPart { index: 2 })
        ));
        assert!(matches!(
            read("AccountName=a"),
            Err(ConnectionError::Missing { name: "AccountKey" })
        ));
        assert!(matches!(
            read("AccountKey=QUJDRA=="),
            Err(ConnectionError::Missing {
                name: "AccountName"
            })
        ));
        assert!(matches!(
            read("BlobEndpoint=https://a.b;SharedAccessSignature=sig"),
            Err(ConnectionError::Sas)
        ));
        let plain = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=QUJDRA==";
        assert!(matches!(
            read(plain),
            Err(ConnectionError::Endpoint(EndpointError::NotHttps { .. }))
        ));
        let error = read("AccountName=a;AccountKey=hush!hush").unwrap_err();
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(?s).{0,200}") {
            let _outcome = read(&text).map_err(|e| e.to_string());
        }
    }

    #[test]
    fn a_spoiled_connection_string_is_read_or_refused() {
        let seeds = [
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net",
            "AccountName=dev;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:1/dev;",
        ];
        crate::spoil::spoiled(
            &seeds,
            &["=", ";", "AccountName=", "://", "@", "%", "/"],
            |bytes| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                drop(StorageAccount::from_connection_string(&Secret::new(text)));
            },
        );
    }

    #[test]
    fn a_key_that_a_missing_semicolon_joins_to_another_part_is_not_shown() {
        for text in [
            "AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:1AccountKey=c2VjcmV0",
            "AccountName=aAccountKey=c2VjcmV0;AccountKey=YQ==",
            "AccountName=a;AccountKey=YQ==;EndpointSuffix=xAccountKey=c2VjcmV0",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with("no semicolon ends `"), "{error}");
            assert!(!error.contains("c2Vj"), "{error}");
        }
    }
}
