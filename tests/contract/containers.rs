//! Checks of containers and of the account itself.
//!
//! What is in containers is checked in `blobs`.

use std::collections::BTreeMap;

use fanout::azure::storage::Storage;
use fanout::azure::{Creation, RetryPolicy, SharedKey};
use fanout::secret::Secret;

use crate::account::Account;

fn run(name: &str) -> BTreeMap<String, String> {
    [
        ("fanout_run".to_owned(), name.to_owned()),
        (
            "fanout_deadline".to_owned(),
            "2026-11-20T10:15:30Z".to_owned(),
        ),
    ]
    .into()
}

pub(crate) async fn a_container_is_made_once_and_known_by_its_metadata(account: &Account) {
    let (storage, name) = (&account.storage, account.fresh_name());
    assert_eq!(
        storage.create_container(&name, &run("a")).await.unwrap(),
        Creation::New
    );
    assert_eq!(
        storage.create_container(&name, &run("a")).await.unwrap(),
        Creation::Existed
    );
    assert_eq!(
        storage.get_container_metadata(&name).await.unwrap(),
        Some(run("a"))
    );
    storage.delete_container(&name).await.unwrap();
}

pub(crate) async fn a_container_of_another_run_is_a_conflict(account: &Account) {
    let (storage, name) = (&account.storage, account.fresh_name());
    storage.create_container(&name, &run("a")).await.unwrap();
    let error = storage
        .create_container(&name, &run("b"))
        .await
        .unwrap_err();
    assert!(error.is_conflict("ContainerAlreadyExists"), "{error}");
    storage.delete_container(&name).await.unwrap();
}

pub(crate) async fn containers_are_listed_by_prefix_with_their_metadata(account: &Account) {
    let (storage, prefix) = (&account.storage, account.fresh_name());
    for suffix in ["in", "out"] {
        storage
            .create_container(&format!("{prefix}-{suffix}"), &run(suffix))
            .await
            .unwrap();
    }
    let found = storage
        .list_containers(&format!("{prefix}-"))
        .await
        .unwrap();
    let names: Vec<_> = found.iter().map(|c| c.name.clone()).collect();
    assert_eq!(names, [format!("{prefix}-in"), format!("{prefix}-out")]);
    assert_eq!(found[1].get("fanout_run"), Some("out"));
    assert!(
        storage
            .list_containers("fo-none-of-this-name")
            .await
            .unwrap()
            .is_empty()
    );
    for name in names {
        storage.delete_container(&name).await.unwrap();
    }
}

pub(crate) async fn metadata_can_be_replaced(account: &Account) {
    let (storage, name) = (&account.storage, account.fresh_name());
    storage.create_container(&name, &run("a")).await.unwrap();
    storage
        .set_container_metadata(&name, &run("b"))
        .await
        .unwrap();
    assert_eq!(
        storage.get_container_metadata(&name).await.unwrap(),
        Some(run("b"))
    );
    storage.delete_container(&name).await.unwrap();
}

pub(crate) async fn what_is_gone_is_deleted(account: &Account) {
    let (storage, name) = (&account.storage, account.fresh_container().await);
    storage.delete_blob(&name, "never-there").await.unwrap();
    storage.delete_container(&name).await.unwrap();
    storage.delete_container(&name).await.unwrap();
    storage
        .delete_blob(&name, "in-a-container-that-is-gone")
        .await
        .unwrap();
    assert_eq!(
        storage
            .get_container_metadata(&account.fresh_name())
            .await
            .unwrap(),
        None
    );
}

pub(crate) async fn a_wrong_key_is_refused_as_such(account: &Account) {
    let key =
        SharedKey::parse(account.key.account(), &Secret::new("c29tZSBvdGhlciBrZXk=")).unwrap();
    let storage = Storage::new(&account.endpoint, key, RetryPolicy::once()).unwrap();
    let error = storage.list_containers("").await.unwrap_err();
    assert!(error.is_auth() && error.status() == Some(403), "{error}");
    assert!(
        !format!("{error} {error:?}").contains("Signature="),
        "{error}"
    );
}

pub(crate) async fn the_service_tells_its_time(account: &Account) {
    let told = account.storage.get_server_time().await.unwrap();
    let apart = (told - fanout::clock::now()).abs();
    assert!(
        apart < std::time::Duration::from_secs(300),
        "{told} is {apart} from here"
    );
}
