//! Which account, endpoint and key a command uses: flags first, then the environment.
//!
//! The only place that reads the environment. It talks to nobody: whether a key is right is found out by `azure`.

use std::path::PathBuf;

use crate::azure::storage::{ConnectionError, StorageAccount};
use crate::azure::{Endpoint, EndpointError, KeyError, SharedKey};
use crate::record::{RunSpec, StateDirectory};
use crate::secret::Secret;

/// Reads one variable of the environment; `None` when it is not set or empty.
pub type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

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

/// The file to which an embedded service adds what goes over the wire, if `FANOUT_EXCHANGES` names one.
#[cfg(feature = "emulator")]
#[must_use]
pub fn exchanges() -> Option<PathBuf> {
    process_environment("FANOUT_EXCHANGES").map(PathBuf::from)
}

/// One service: where it is, and whose key signs.
#[derive(Debug, Clone)]
pub struct Account {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The account and its shared key.
    pub key: SharedKey,
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
        self.batch.endpoint.is_loopback()
    }
}

impl Account {
    /// The account `name` with `key` at `endpoint`.
    ///
    /// # Errors
    /// [`SettingsError::Endpoint`] or [`SettingsError::Key`].
    pub fn named(endpoint: &str, name: &str, key: &Secret) -> Result<Self, SettingsError> {
        Ok(Self {
            endpoint: Endpoint::parse(endpoint)?,
            key: SharedKey::parse(name, key)?,
        })
    }

    /// The same, with the name that the endpoint carries unless `name` says it.
    fn new(endpoint: &str, name: Option<&str>, key: &str) -> Result<Self, SettingsError> {
        let endpoint = Endpoint::parse(endpoint)?;
        let key = SharedKey::parse(
            name.map_or_else(|| endpoint.account(), Ok)?,
            &Secret::new(key),
        )?;
        Ok(Self { endpoint, key })
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
#[derive(Debug, thiserror::Error)]
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
    /// A run is in another account than the one that is set.
    #[error(
        "{service} of run {run} is `{recorded}`; flags or environment say `{given}`, or another account"
    )]
    Elsewhere {
        /// The run's id.
        run: String,
        /// Batch or Storage.
        service: &'static str,
        /// Where its record says that it is.
        recorded: String,
        /// What is set.
        given: String,
    },
    /// An endpoint is no URL of an accepted kind, or names no account.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A key is not one; it is not shown.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A connection string cannot be read; its text may hold a key and is not shown.
    #[error("AZURE_STORAGE_CONNECTION_STRING: {0}")]
    Connection(#[from] ConnectionError),
}

impl ServiceArgs {
    /// Whether no flag was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            batch_endpoint,
            batch_account,
            storage_endpoint,
            storage_account,
        } = self;
        [
            batch_endpoint,
            batch_account,
            storage_endpoint,
            storage_account,
        ]
        .iter()
        .all(|flag| flag.is_none())
    }

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

    /// The services of a recorded run: these flags, then `environment`, then what the record says; keys are never in a
    /// record.
    ///
    /// # Errors
    /// [`SettingsError`] as [`resolve`](Self::resolve).
    pub fn resolve_for(
        &self,
        spec: &RunSpec,
        environment: Environment<'_>,
    ) -> Result<Services, SettingsError> {
        let unset = |names: &[&str]| names.iter().all(|name| environment(name).is_none());
        let mut args = self.clone();
        if args.batch_endpoint.is_none()
            && unset(&["AZURE_BATCH_ENDPOINT", "AZURE_BATCH_ACCOUNT_ENDPOINT"])
        {
            args.batch_endpoint = Some(spec.batch.endpoint.clone());
            args.batch_account
                .get_or_insert_with(|| spec.batch.account.clone());
        }
        let named = [
            "AZURE_STORAGE_ACCOUNT",
            "AZURE_STORAGE_ACCOUNT_NAME",
            "AZURE_STORAGE_CONNECTION_STRING",
        ];
        if args.storage_endpoint.is_none() && args.storage_account.is_none() && unset(&named) {
            args.storage_endpoint = Some(spec.storage.endpoint.clone());
            args.storage_account = Some(spec.storage.account.clone());
        }
        let services = args.resolve(environment)?;
        let parts = [
            ("Batch", &services.batch, &spec.batch),
            ("Storage", &services.storage, &spec.storage),
        ];
        for (service, given, recorded) in parts {
            if given.endpoint.to_string() != recorded.endpoint
                || given.key.account() != recorded.account
            {
                return Err(SettingsError::Elsewhere {
                    run: spec.run.clone(),
                    service,
                    recorded: recorded.endpoint.clone(),
                    given: given.endpoint.to_string(),
                });
            }
        }
        Ok(services)
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
        let name = match &self.batch_account {
            Some(name) => Some(name.clone()),
            None => one_of(
                environment,
                &["AZURE_BATCH_ACCOUNT", "AZURE_BATCH_ACCOUNT_NAME"],
            )?,
        };
        let key = one_of(
            environment,
            &["AZURE_BATCH_ACCESS_KEY", "AZURE_BATCH_ACCOUNT_KEY"],
        )?
        .ok_or(SettingsError::Missing {
            what: "Batch key",
            how: "AZURE_BATCH_ACCESS_KEY in the environment",
        })?;
        Account::new(&endpoint, name.as_deref(), &key)
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
        let key = key.ok_or(SettingsError::Missing {
            what: "storage key",
            how: "AZURE_STORAGE_KEY or AZURE_STORAGE_CONNECTION_STRING in the environment",
        })?;
        let endpoint = match (&self.storage_endpoint, &named) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(name)) => format!("https://{name}.blob.core.windows.net"),
            (None, None) => {
                let how = "--storage-account or AZURE_STORAGE_ACCOUNT";
                return Err(SettingsError::Missing {
                    what: "storage account name",
                    how,
                });
            }
        };
        Account::new(&endpoint, named.as_deref(), &key)
    }

    fn read_connection_string(
        &self,
        text: &str,
        named: Option<String>,
    ) -> Result<Account, SettingsError> {
        let StorageAccount { mut endpoint, key } =
            StorageAccount::from_connection_string(&Secret::new(text))?;
        if named.is_some_and(|named| named != key.account()) {
            return Err(SettingsError::Disagree {
                first: "AZURE_STORAGE_CONNECTION_STRING",
                second: "the name of the storage account",
            });
        }
        if let Some(flag) = &self.storage_endpoint {
            endpoint = Endpoint::parse(flag)?;
        }
        Ok(Account { endpoint, key })
    }
}

/// Where runs keep their records: `$XDG_STATE_HOME/fanout`, or `~/.local/state/fanout`.
///
/// # Errors
/// [`SettingsError::Missing`] when neither is known.
pub fn state_directory(environment: Environment<'_>) -> Result<StateDirectory, SettingsError> {
    let state = environment("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || environment("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = state.or_else(home).ok_or(SettingsError::Missing {
        what: "directory for the records of runs",
        how: "XDG_STATE_HOME or HOME in the environment",
    })?;
    Ok(StateDirectory::new(state.join("fanout")))
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
            services.batch.endpoint.to_string(),
            "https://words.westeurope.batch.azure.com"
        );
        assert_eq!(services.batch.key.account(), "words");
        assert_eq!(
            services.storage.endpoint.to_string(),
            "http://127.0.0.1:10000/devstoreaccount1"
        );
        assert_eq!(services.storage.key.account(), "devstoreaccount1");
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
        assert_eq!(
            services.batch.endpoint.to_string(),
            "https://b.west.batch.azure.com"
        );
        assert_eq!(
            services.storage.endpoint.to_string(),
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
        for endpoint in [
            "http://words.batch.azure.com",
            "https://user:pw@words.batch.azure.com",
            "https://words.batch.azure.com?sig=abc",
            "ftp://words",
            "https://",
        ] {
            let args = ServiceArgs {
                batch_endpoint: Some(endpoint.to_owned()),
                ..ServiceArgs::default()
            };
            let error = resolve(&args, &KEYS).unwrap_err().to_string();
            assert!(error.starts_with("endpoint `"), "{endpoint}: {error}");
            assert!(!error.contains("abc") && !error.contains("pw@"), "{error}");
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
            "DefaultEndpointsProtocol=http;AccountName=dev;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:1/dev;",
        )
        .unwrap();
        assert_eq!(
            services.storage.endpoint.to_string(),
            "http://127.0.0.1:1/dev"
        );
        let services =
            with("AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.chinacloudapi.cn").unwrap();
        assert_eq!(
            services.storage.endpoint.to_string(),
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
