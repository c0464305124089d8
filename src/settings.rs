//! Which account, endpoint and key a command uses: flags first, then the environment.
//!
//! The only place that reads the environment. It talks to nobody: whether a key is right is found out by `azure`.

use std::path::PathBuf;

use url::Url;

use crate::secret::Secret;

/// Reads one variable of the environment; `None` when it is not set or empty.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process.
///
/// A variable that is not UTF-8 counts as not set: no name, endpoint or key can be.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// One service: where it is, whose it is, and its key.
#[derive(Debug, Clone)]
pub struct Account {
    /// `https://…`, or `http://…` on loopback; without a trailing slash.
    pub endpoint: String,
    /// The account's name.
    pub name: String,
    /// The account's shared key, in Base64.
    pub key: Secret,
}

/// Batch and Storage of a run.
#[derive(Debug, Clone)]
pub struct Services {
    /// Azure Batch.
    pub batch: Account,
    /// Blob Storage.
    pub storage: Account,
}

impl Services {
    /// Whether the nodes are on this machine: only then may any program be staged.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.batch.endpoint)
    }
}

/// Flags that say where a run takes place.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServiceArgs {
    /// Endpoint of the Batch account.
    #[arg(
        long,
        value_name = "URL",
        help = "Endpoint of the Batch account [env: AZURE_BATCH_ENDPOINT]; its key comes from AZURE_BATCH_ACCESS_KEY"
    )]
    pub batch_endpoint: Option<String>,
    /// Name of the Batch account.
    #[arg(
        long,
        value_name = "NAME",
        help = "Name of the Batch account [env: AZURE_BATCH_ACCOUNT] [default: first label of the endpoint's host]"
    )]
    pub batch_account: Option<String>,
    /// Endpoint of Blob Storage.
    #[arg(
        long,
        value_name = "URL",
        help = "Endpoint of Blob Storage [default: https://ACCOUNT.blob.core.windows.net]; its key comes from AZURE_STORAGE_KEY"
    )]
    pub storage_endpoint: Option<String>,
    /// Name of the storage account.
    #[arg(
        long,
        value_name = "NAME",
        help = "Name of the storage account [env: AZURE_STORAGE_ACCOUNT]; AZURE_STORAGE_CONNECTION_STRING says it all"
    )]
    pub storage_account: Option<String>,
}

/// Why the settings do not say where a run takes place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Two variables of the same rank have different values.
    #[error("{first} and {second} are both set and differ")]
    Disagree {
        /// The first name.
        first: &'static str,
        /// The second name.
        second: &'static str,
    },
    /// Something is given nowhere.
    #[error("no {what}: set {how}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// Where it can be set.
        how: &'static str,
    },
    /// An endpoint is no URL of an accepted kind.
    #[error("endpoint `{endpoint}`: {why}")]
    Endpoint {
        /// As it was given, without its query.
        endpoint: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A connection string cannot be read; its text may hold a key and is not shown.
    #[error("AZURE_STORAGE_CONNECTION_STRING: {why}")]
    ConnectionString {
        /// What is wrong with it.
        why: &'static str,
    },
}

impl ServiceArgs {
    /// Resolves the services from these flags and `environment`.
    ///
    /// # Errors
    /// [`SettingsError`] when something is missing, wrong, or said twice differently.
    pub fn resolve(&self, environment: Environment<'_>) -> Result<Services, SettingsError> {
        Ok(Services {
            batch: self.batch(environment)?,
            storage: self.storage(environment)?,
        })
    }

    fn batch(&self, environment: Environment<'_>) -> Result<Account, SettingsError> {
        let endpoint = match &self.batch_endpoint {
            Some(endpoint) => endpoint.clone(),
            None => one_of(environment, &["AZURE_BATCH_ENDPOINT", "AZURE_BATCH_ACCOUNT_ENDPOINT"])?.ok_or(
                SettingsError::Missing {
                    what: "Batch endpoint",
                    how: "--batch-endpoint or AZURE_BATCH_ENDPOINT, or use --local to run without an account",
                },
            )?,
        };
        let endpoint = checked_endpoint(&endpoint)?;
        let name = match &self.batch_account {
            Some(name) => Some(name.clone()),
            None => one_of(
                environment,
                &["AZURE_BATCH_ACCOUNT", "AZURE_BATCH_ACCOUNT_NAME"],
            )?,
        };
        let name = name
            .or_else(|| first_label(&endpoint))
            .ok_or(SettingsError::Missing {
                what: "Batch account name",
                how: "--batch-account or AZURE_BATCH_ACCOUNT",
            })?;
        let key = one_of(
            environment,
            &["AZURE_BATCH_ACCESS_KEY", "AZURE_BATCH_ACCOUNT_KEY"],
        )?
        .ok_or(SettingsError::Missing {
            what: "Batch key",
            how: "AZURE_BATCH_ACCESS_KEY in the environment",
        })?;
        Ok(Account {
            endpoint,
            name,
            key: Secret::new(key),
        })
    }

    fn storage(&self, environment: Environment<'_>) -> Result<Account, SettingsError> {
        let named = match &self.storage_account {
            Some(name) => Some(name.clone()),
            None => one_of(
                environment,
                &["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"],
            )?,
        };
        let key = one_of(
            environment,
            &["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"],
        )?;
        // As in `az`: the connection string is read only when no key is given.
        if key.is_none()
            && let Some(text) = environment("AZURE_STORAGE_CONNECTION_STRING")
        {
            return self.read_connection_string(&text, named);
        }
        let endpoint = self.storage_endpoint.clone();
        let name = named.or_else(|| endpoint.as_deref().and_then(account_in_storage_endpoint));
        let name = name.ok_or(SettingsError::Missing {
            what: "storage account name",
            how: "--storage-account or AZURE_STORAGE_ACCOUNT",
        })?;
        let endpoint = endpoint.unwrap_or_else(|| format!("https://{name}.blob.core.windows.net"));
        let key = key.ok_or(SettingsError::Missing {
            what: "storage key",
            how: "AZURE_STORAGE_KEY or AZURE_STORAGE_CONNECTION_STRING in the environment",
        })?;
        Ok(Account {
            endpoint: checked_endpoint(&endpoint)?,
            name,
            key: Secret::new(key),
        })
    }

    fn read_connection_string(
        &self,
        text: &str,
        named: Option<String>,
    ) -> Result<Account, SettingsError> {
        let fail = |why| Err(SettingsError::ConnectionString { why });
        let mut parts = std::collections::BTreeMap::new();
        for part in text.split(';').filter(|part| !part.trim().is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return fail("a part has no `=`");
            };
            parts.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
        let Some(name) = parts.get("accountname").cloned() else {
            return fail("it has no AccountName");
        };
        let Some(key) = parts.get("accountkey").cloned() else {
            return fail("it has no AccountKey");
        };
        if named.is_some_and(|named| named != name) {
            return fail(
                "its AccountName differs from the storage account that is named otherwise",
            );
        }
        let endpoint = match (&self.storage_endpoint, parts.get("blobendpoint")) {
            (Some(flag), _) => flag.clone(),
            (None, Some(endpoint)) => endpoint.clone(),
            (None, None) => {
                let protocol = parts
                    .get("defaultendpointsprotocol")
                    .map_or("https", String::as_str);
                let suffix = parts
                    .get("endpointsuffix")
                    .map_or("core.windows.net", String::as_str);
                format!("{protocol}://{name}.blob.{suffix}")
            }
        };
        Ok(Account {
            endpoint: checked_endpoint(&endpoint)?,
            name,
            key: Secret::new(key),
        })
    }
}

/// The value of the first of `names` that is set; others that are set must have the same value.
fn one_of(
    environment: Environment<'_>,
    names: &[&'static str],
) -> Result<Option<String>, SettingsError> {
    let mut found: Option<(&'static str, String)> = None;
    for name in names {
        let Some(value) = environment(name) else {
            continue;
        };
        match &found {
            Some((first, earlier)) if *earlier != value => {
                return Err(SettingsError::Disagree {
                    first,
                    second: name,
                });
            }
            Some(_) => {}
            None => found = Some((name, value)),
        }
    }
    Ok(found.map(|(_, value)| value))
}

/// Adds a missing scheme, takes away trailing slashes, and refuses plain http away from loopback.
fn checked_endpoint(text: &str) -> Result<String, SettingsError> {
    let shown = text.split('?').next().unwrap_or_default().to_owned();
    let fail = |why| {
        Err(SettingsError::Endpoint {
            endpoint: shown.clone(),
            why,
        })
    };
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let Ok(url) = Url::parse(&text) else {
        return fail("not a URL");
    };
    if url.host_str().is_none_or(str::is_empty) {
        return fail("no host");
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return fail(
            "only scheme, host, port and path are allowed; secrets come from the environment",
        );
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&text) => {}
        "http" => return fail("plain http is accepted for loopback only"),
        _ => return fail("neither https nor http"),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether `endpoint` is a URL whose host is a loopback address or `localhost`.
#[must_use]
pub fn is_loopback(endpoint: &str) -> bool {
    match Url::parse(endpoint).ok().as_ref().and_then(Url::host) {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The first label of a host name: the account's name in `https://ACCOUNT.REGION.batch.azure.com`.
fn first_label(endpoint: &str) -> Option<String> {
    let url = Url::parse(endpoint).ok()?;
    match url.host()? {
        url::Host::Domain(name) => name.split_once('.').map(|(label, _)| label.to_owned()),
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
    }
}

/// The account in a Blob endpoint: the first label of its host, or the path on loopback.
fn account_in_storage_endpoint(endpoint: &str) -> Option<String> {
    let url = Url::parse(endpoint).ok()?;
    let in_path = url.path().trim_matches('/');
    if in_path.is_empty() {
        first_label(endpoint)
    } else {
        Some(in_path.to_owned())
    }
}

/// The directory below which runs keep their records: `$XDG_STATE_HOME/fanout` or `~/.local/state/fanout`.
#[must_use]
pub fn state_directory(environment: Environment<'_>) -> Option<PathBuf> {
    let state = environment("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || environment("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).map(|state| state.join("fanout"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(args: &ServiceArgs, set: &[(&str, &str)]) -> Result<Services, SettingsError> {
        let environment = |name: &str| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        args.resolve(&environment)
    }

    const KEYS: [(&str, &str); 2] = [
        ("AZURE_BATCH_ACCESS_KEY", "YmF0Y2g="),
        ("AZURE_STORAGE_KEY", "YmxvYg=="),
    ];

    fn with_keys<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        KEYS.into_iter().chain(more.iter().copied()).collect()
    }

    #[test]
    fn account_names_come_from_the_endpoints() {
        let args = ServiceArgs {
            batch_endpoint: Some("words.westeurope.batch.azure.com/".to_owned()),
            storage_endpoint: Some("http://127.0.0.1:10000/devstoreaccount1/".to_owned()),
            ..ServiceArgs::default()
        };
        let services = resolve(&args, &KEYS).unwrap();
        assert_eq!(
            services.batch.endpoint,
            "https://words.westeurope.batch.azure.com"
        );
        assert_eq!(services.batch.name, "words");
        assert_eq!(
            services.storage.endpoint,
            "http://127.0.0.1:10000/devstoreaccount1"
        );
        assert_eq!(services.storage.name, "devstoreaccount1");
        assert!(!services.is_loopback());
    }

    #[test]
    fn flags_come_before_the_environment() {
        let args = ServiceArgs {
            batch_endpoint: Some("https://b.west.batch.azure.com".to_owned()),
            storage_account: Some("fromflag".to_owned()),
            ..ServiceArgs::default()
        };
        let set = with_keys(&[
            ("AZURE_BATCH_ENDPOINT", "https://other.batch.azure.com"),
            ("AZURE_STORAGE_ACCOUNT", "fromenv"),
        ]);
        let services = resolve(&args, &set).unwrap();
        assert_eq!(services.batch.endpoint, "https://b.west.batch.azure.com");
        assert_eq!(
            services.storage.endpoint,
            "https://fromflag.blob.core.windows.net"
        );
    }

    #[test]
    fn two_names_that_disagree_are_named() {
        let set = with_keys(&[
            ("AZURE_BATCH_ENDPOINT", "https://b.west.batch.azure.com"),
            ("AZURE_BATCH_ACCOUNT", "one"),
            ("AZURE_BATCH_ACCOUNT_NAME", "two"),
        ]);
        let error = resolve(&ServiceArgs::default(), &set).unwrap_err();
        assert_eq!(
            error.to_string(),
            "AZURE_BATCH_ACCOUNT and AZURE_BATCH_ACCOUNT_NAME are both set and differ"
        );
    }

    #[test]
    fn what_is_missing_is_named_with_where_to_set_it() {
        let error = resolve(&ServiceArgs::default(), &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("--batch-endpoint") && error.contains("--local"),
            "{error}"
        );
        let endpoint = [("AZURE_BATCH_ENDPOINT", "https://b.west.batch.azure.com")];
        let error = resolve(&ServiceArgs::default(), &endpoint)
            .unwrap_err()
            .to_string();
        assert!(error.contains("AZURE_BATCH_ACCESS_KEY"), "{error}");
    }

    #[test]
    fn plain_http_is_for_loopback_only_and_no_secret_is_taken_from_a_url() {
        for (endpoint, why) in [
            ("http://words.batch.azure.com", "loopback only"),
            (
                "https://user:pw@words.batch.azure.com",
                "secrets come from the environment",
            ),
            (
                "https://words.batch.azure.com?sig=abc",
                "secrets come from the environment",
            ),
            ("ftp://words", "neither https nor http"),
            ("https://", "not a URL"),
        ] {
            let args = ServiceArgs {
                batch_endpoint: Some(endpoint.to_owned()),
                ..ServiceArgs::default()
            };
            let error = resolve(&args, &KEYS).unwrap_err().to_string();
            assert!(error.contains(why), "{endpoint}: {error}");
            assert!(!error.contains("abc"), "{error}");
        }
        for endpoint in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
            assert_eq!(checked_endpoint(endpoint).as_deref(), Ok(endpoint));
        }
    }

    #[test]
    fn a_connection_string_says_it_all_and_is_never_shown() {
        let batch = [
            ("AZURE_BATCH_ENDPOINT", "https://b.west.batch.azure.com"),
            ("AZURE_BATCH_ACCESS_KEY", "YmF0Y2g="),
        ];
        let with = |text: &'static str| {
            let mut set = batch.to_vec();
            set.push(("AZURE_STORAGE_CONNECTION_STRING", text));
            resolve(&ServiceArgs::default(), &set)
        };
        let services = with(
            "DefaultEndpointsProtocol=http;AccountName=dev;AccountKey=c2VjcmV0==;BlobEndpoint=http://127.0.0.1:1/dev;",
        )
        .unwrap();
        assert_eq!(services.storage.endpoint, "http://127.0.0.1:1/dev");
        assert_eq!(services.storage.key.expose(), "c2VjcmV0==");
        let services =
            with("AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.chinacloudapi.cn").unwrap();
        assert_eq!(
            services.storage.endpoint,
            "https://a.blob.core.chinacloudapi.cn"
        );
        for bad in [
            "AccountName=a;AccountKey",
            "AccountKey=c2VjcmV0",
            "AccountName=a",
        ] {
            let error = with(bad).unwrap_err().to_string();
            assert!(
                error.starts_with("AZURE_STORAGE_CONNECTION_STRING: ") && !error.contains("c2Vj"),
                "{error}"
            );
        }
    }
}
