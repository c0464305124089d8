//! Checks of SAS: what nodes can do with the URLs that they are given, and what they cannot.
//!
//! Requests here carry no key, only the URL.

use bytes::Bytes;
use fanout::azure::sas::{Rights, SasUrl, Target, Terms};
use fanout::azure::storage::AccessPolicy;
use fanout::clock;
use time::Duration;

use crate::account::Account;
use crate::blobs::NAMES;

fn terms(rights: Rights, start: Duration, expiry: Duration) -> Terms {
    let now = clock::now();
    Terms::Fixed {
        rights,
        start: now + start,
        expiry: now + expiry,
    }
}

/// The URL of blob `name` in the target, or of the target itself for `""`.
pub(crate) fn shared(account: &Account, target: Target<'_>, rights: Rights, name: &str) -> String {
    let terms = terms(rights, Duration::minutes(-15), Duration::hours(1));
    below(&account.storage.sas(target, &terms), name)
}

/// A container's URL with a blob's name in its path.
fn below(sas: &SasUrl, name: &str) -> String {
    let mut url = url::Url::parse(sas.expose()).unwrap();
    if !name.is_empty() {
        url.path_segments_mut().unwrap().extend(name.split('/'));
    }
    url.into()
}

pub(crate) async fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = client
        .request(method, url)
        .body(body.to_owned())
        .header("x-ms-version", "2022-11-02");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn get(url: &str) -> (u16, String) {
    send("GET", url, &[], "").await
}

async fn put(url: &str) -> u16 {
    send("PUT", url, &[("x-ms-blob-type", "BlockBlob")], "new")
        .await
        .0
}

pub(crate) async fn a_blob_can_be_read_and_nothing_else(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    for name in NAMES {
        storage
            .put_blob(&container, name, Bytes::from("content"))
            .await
            .unwrap();
        let url = shared(account, Target::Blob(&container, name), Rights::Read, "");
        assert_eq!(get(&url).await, (200, "content".to_owned()), "{name}");
        assert_eq!(put(&url).await, 403, "{name}");
        assert_eq!(send("DELETE", &url, &[], "").await.0, 403, "{name}");
    }
    storage
        .put_blob(&container, "other", Bytes::from("hidden"))
        .await
        .unwrap();
    let url =
        shared(account, Target::Blob(&container, "a"), Rights::Read, "").replace("/a?", "/other?");
    assert_eq!(get(&url).await.0, 403);
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn inputs_can_be_read_and_listed_and_not_written(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    storage
        .put_blob(&container, "7/0", Bytes::from("content"))
        .await
        .unwrap();
    let blob = shared(
        account,
        Target::Container(&container),
        Rights::ReadList,
        "7/0",
    );
    assert_eq!(get(&blob).await, (200, "content".to_owned()));
    assert_eq!(put(&blob).await, 403);
    let list = shared(account, Target::Container(&container), Rights::ReadList, "")
        + "&restype=container&comp=list&prefix=7/";
    let (status, body) = get(&list).await;
    assert!(
        status == 200 && body.contains("<Name>7/0</Name>"),
        "{status} {body}"
    );
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn outputs_can_be_written_and_not_read(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    let blob = shared(
        account,
        Target::Container(&container),
        Rights::CreateWrite,
        "7/partial",
    );
    assert_eq!(put(&blob).await, 201);
    assert_eq!(put(&blob).await, 201);
    assert_eq!(get(&blob).await.0, 403);
    assert_eq!(send("DELETE", &blob, &[], "").await.0, 403);
    let list = shared(
        account,
        Target::Container(&container),
        Rights::CreateWrite,
        "",
    ) + "&restype=container&comp=list";
    assert_eq!(get(&list).await.0, 403);
    let found = storage
        .get_blob(&container, "7/partial", 100)
        .await
        .unwrap();
    assert_eq!(found, Some(Bytes::from("new")));
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn time_and_tampering_end_access(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    storage
        .put_blob(&container, "b", Bytes::from("content"))
        .await
        .unwrap();
    let target = Target::Blob(&container, "b");
    let expired = storage.sas(
        target,
        &terms(Rights::Read, Duration::hours(-2), Duration::hours(-1)),
    );
    assert_eq!(get(expired.expose()).await.0, 403);
    let early = storage.sas(
        target,
        &terms(Rights::Read, Duration::hours(1), Duration::hours(2)),
    );
    assert_eq!(get(early.expose()).await.0, 403);
    let good = shared(account, target, Rights::Read, "");
    assert_eq!(get(&good).await.0, 200);
    assert_eq!(get(&good.replace("sp=r", "sp=rw")).await.0, 403);
    let bare = get(good.split('?').next().unwrap()).await;
    assert!(!bare.1.contains("content"), "{bare:?}");
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn a_range_is_read_by_shared_access(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    storage
        .put_blob(&container, "b", Bytes::from("0123456789"))
        .await
        .unwrap();
    let url = shared(account, Target::Blob(&container, "b"), Rights::Read, "");
    assert_eq!(
        send("GET", &url, &[("range", "bytes=2-4")], "").await,
        (206, "234".to_owned())
    );
    assert_eq!(
        send("GET", &url, &[("range", "bytes=50-60")], "").await.0,
        416
    );
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn a_stored_policy_gives_access_until_it_is_removed(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    storage
        .put_blob(&container, "b", Bytes::from("content"))
        .await
        .unwrap();
    let now = clock::now();
    let (start, expiry) = (now - Duration::minutes(15), now + Duration::hours(1));
    let policy = AccessPolicy {
        id: "inputs".to_owned(),
        rights: Rights::ReadList,
        start,
        expiry,
    };
    let url = below(
        &storage.sas(
            Target::Container(&container),
            &Terms::Policy("inputs".to_owned()),
        ),
        "b",
    );
    assert_eq!(get(&url).await.0, 403);
    storage
        .set_access_policies(&container, std::slice::from_ref(&policy))
        .await
        .unwrap();
    assert_eq!(get(&url).await, (200, "content".to_owned()));
    assert_eq!(put(&url).await, 403);
    let ended = AccessPolicy {
        expiry: now - Duration::minutes(5),
        ..policy
    };
    storage
        .set_access_policies(&container, &[ended])
        .await
        .unwrap();
    assert_eq!(get(&url).await.0, 403);
    let extended = AccessPolicy {
        id: "inputs".to_owned(),
        rights: Rights::ReadList,
        start,
        expiry: now + Duration::hours(2),
    };
    storage
        .set_access_policies(&container, &[extended])
        .await
        .unwrap();
    assert_eq!(get(&url).await, (200, "content".to_owned()));
    storage.set_access_policies(&container, &[]).await.unwrap();
    assert_eq!(get(&url).await.0, 403);
    storage.delete_container(&container).await.unwrap();
}
