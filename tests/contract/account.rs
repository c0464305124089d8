//! The storage accounts that the checks run on, each on ports of its own.
//!
//! It knows no checks.

use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use fanout::azure::storage::{Storage, StorageAccount};
use fanout::azure::{Endpoint, RetryPolicy, SharedKey};
use fanout::secret::Secret;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A key for tests: the Base64 of bytes 0 to 63.
const KEY: &str =
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

/// A storage account, and names that no other check uses.
pub(crate) struct Account {
    pub(crate) endpoint: Endpoint,
    pub(crate) key: SharedKey,
    pub(crate) storage: Storage,
}

impl Account {
    fn new(endpoint: Endpoint, key: SharedKey) -> Self {
        let storage = Storage::new(&endpoint, key.clone(), RetryPolicy::default()).unwrap();
        Self {
            endpoint,
            key,
            storage,
        }
    }

    /// A name for a container that is new in every process and call.
    pub(crate) fn fresh_name(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        format!(
            "fo-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// A new container.
    pub(crate) async fn fresh_container(&self) -> String {
        let name = self.fresh_name();
        self.storage
            .create_container(&name, &[].into())
            .await
            .unwrap();
        name
    }
}

/// The embedded service.
#[cfg(feature = "emulator")]
pub(crate) struct Embedded(fanout::emulator::Service);

/// Starts an embedded service.
#[cfg(feature = "emulator")]
pub(crate) async fn embedded() -> Embedded {
    let options = fanout::emulator::Options::default();
    Embedded(fanout::emulator::Service::start(options).await.unwrap())
}

#[cfg(feature = "emulator")]
impl Embedded {
    pub(crate) fn account(&self) -> Account {
        let blob = &self.0.ready().blob;
        let endpoint = Endpoint::parse(&blob.endpoint).unwrap();
        Account::new(
            endpoint,
            SharedKey::parse(&blob.account, &blob.key).unwrap(),
        )
    }

    pub(crate) async fn stop(self) {
        self.0.shutdown().await.unwrap();
    }
}

/// Azurite, a process that ends with this value.
pub(crate) struct Azurite {
    url: String,
    _process: Child,
    _directory: tempfile::TempDir,
}

impl Azurite {
    /// Starts the Azurite that `FANOUT_TEST_AZURITE` names; nothing if it names none.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests find the judges that `tests/run` installed by environment"
    )]
    pub(crate) async fn start() -> Option<Self> {
        let main = std::env::var("FANOUT_TEST_AZURITE").ok()?;
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new("node")
            .arg(main)
            .args([
                "--inMemoryPersistence",
                "--disableTelemetry",
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                "0",
            ])
            .current_dir(directory.path())
            .env("AZURITE_ACCOUNTS", format!("testaccount:{KEY}"))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next_line().await.unwrap();
            let line = line.expect("Azurite ended before it listened");
            if let Some((_, url)) = line.split_once("successfully listens on ") {
                break url.trim().to_owned();
            }
        };
        // Its log is read to the end, so that the pipe never fills.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self {
            url,
            _process: process,
            _directory: directory,
        })
    }

    pub(crate) fn account(&self) -> Account {
        let key = SharedKey::parse("testaccount", &Secret::new(KEY)).unwrap();
        Account::new(Endpoint::parse(&self.url).unwrap(), key)
    }
}

/// The real account of the connection string in `FANOUT_TEST_REAL`; nothing if there is none.
#[expect(
    clippy::disallowed_methods,
    reason = "tests find a real account by environment"
)]
pub(crate) fn real() -> Option<Account> {
    let text = Secret::new(std::env::var("FANOUT_TEST_REAL").ok()?);
    let account = StorageAccount::from_connection_string(&text).unwrap();
    Some(Account::new(account.endpoint, account.key))
}
