//! The storage accounts that the checks run on, each on ports of its own.
//!
//! It knows no checks.

use std::sync::atomic::{AtomicU32, Ordering};

use fanout::azure::storage::{Storage, StorageAccount};
use fanout::azure::{Endpoint, RetryPolicy, SharedKey};
use fanout::secret::Secret;

use crate::azurite::{ACCOUNT, Azurite, KEY};

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

impl Azurite {
    pub(crate) fn account(&self) -> Account {
        let key = SharedKey::parse(ACCOUNT, &Secret::new(KEY)).unwrap();
        Account::new(Endpoint::parse(self.url()).unwrap(), key)
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
