//! Checks of blobs: names, lengths, versions, lists, damage.
//!
//! Access by SAS is checked in `shared_access`.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fanout::azure::storage::{DownloadOptions, UploadOptions};
use futures::TryStreamExt as _;

use fanout::azure::Creation;

use crate::account::Account;
use crate::shared_access::{send, shared};
use fanout::azure::sas::{Rights, Target};

pub(crate) const NAMES: [&str; 6] = [
    "a",
    "d/e/f.txt",
    "a b+c%20d",
    "ünï/漢字",
    "x&y=z;w?v#u",
    "it's (1) [2] {3} @ $4!",
];

pub(crate) async fn small_blobs_of_any_name_come_back_as_they_were_put(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    for name in NAMES {
        for content in [Bytes::new(), Bytes::from(name)] {
            storage
                .put_blob(&container, name, content.clone())
                .await
                .unwrap();
            let found = storage.get_blob(&container, name, 1000).await.unwrap();
            assert_eq!(found, Some(content), "{name}");
        }
    }
    let mut listed: Vec<_> = storage
        .list_blobs(&container, "")
        .await
        .unwrap()
        .into_iter()
        .map(|b| b.name)
        .collect();
    listed.sort_unstable();
    let mut expected: Vec<_> = NAMES.iter().map(|n| (*n).to_owned()).collect();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    let error = storage
        .get_blob(&container, "d/e/f.txt", 3)
        .await
        .unwrap_err();
    assert!(
        error.message().contains("has 9 bytes, at most 3"),
        "{error}"
    );
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn a_blob_that_is_not_there_is_none(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    assert_eq!(storage.get_blob(&container, "no", 1).await.unwrap(), None);
    assert_eq!(storage.get_blob_info(&container, "no").await.unwrap(), None);
    let error = storage
        .download_to(&container, "no", &mut Vec::new(), &|_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no such blob"), "{error}");
    storage.delete_container(&container).await.unwrap();
    let error = storage
        .put_blob(&account.fresh_name(), "b", Bytes::from("x"))
        .await
        .unwrap_err();
    assert!(
        error.is_not_found() && error.is_code("ContainerNotFound"),
        "{error}"
    );
}

pub(crate) async fn parts_of_files_of_every_length_come_back_as_they_were_uploaded(
    account: &Account,
) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let content: Vec<u8> = (0..40_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    std::fs::write(&path, &content).unwrap();
    let file = Arc::new(File::open(&path).unwrap());
    let upload = UploadOptions {
        block_bytes: 10_000,
        parallel: 3,
    };
    let download = DownloadOptions {
        part_bytes: 7_000,
        parallel: 3,
    };
    for (start, end) in [
        (0, 0),
        (0, 1),
        (5, 10_004),
        (5, 10_005),
        (5, 10_006),
        (1_000, 31_007),
        (0, 160_000),
    ] {
        let name = format!("{start}-{end}");
        let (up, down) = (AtomicU64::new(0), AtomicU64::new(0));
        let count = |sum: &AtomicU64, bytes| {
            sum.fetch_add(bytes, Ordering::Relaxed);
        };
        let progress = |bytes| count(&up, bytes);
        storage
            .upload(
                &container,
                &name,
                Arc::clone(&file),
                start..end,
                upload,
                &progress,
            )
            .await
            .unwrap();
        let back = directory.path().join("back");
        let progress = |bytes| count(&down, bytes);
        let done = storage
            .download(&container, &name, &back, download, &progress)
            .await
            .unwrap();
        let expected = &content[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
        assert!(std::fs::read(&back).unwrap() == expected, "{name}");
        assert_eq!(
            (done.bytes, up.into_inner(), down.into_inner()),
            (end - start, end - start, end - start),
            "{name}"
        );
        let mut streamed = Vec::new();
        storage
            .download_to(&container, &name, &mut streamed, &|_| {})
            .await
            .unwrap();
        assert!(streamed == expected, "{name}");
    }
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn an_upload_replaces_what_was_there_and_changes_its_version(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    storage
        .put_blob(&container, "b", Bytes::from("first"))
        .await
        .unwrap();
    let first = storage
        .get_blob_info(&container, "b")
        .await
        .unwrap()
        .unwrap();
    storage
        .put_blob(&container, "b", Bytes::from("then"))
        .await
        .unwrap();
    let then = storage
        .get_blob_info(&container, "b")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((first.bytes, then.bytes), (5, 4));
    assert_ne!(first.etag, then.etag);
    assert!(then.content_md5.is_some());
    storage.delete_blob(&container, "b").await.unwrap();
    storage.delete_blob(&container, "b").await.unwrap();
    assert_eq!(storage.get_blob_info(&container, "b").await.unwrap(), None);
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn two_clients_do_not_overwrite_each_other(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    let (mine, yours) = (Bytes::from("mine"), Bytes::from("yours"));
    assert_eq!(
        storage
            .create_blob(&container, "lock", mine.clone())
            .await
            .unwrap(),
        Creation::New
    );
    assert_eq!(
        storage
            .create_blob(&container, "lock", mine.clone())
            .await
            .unwrap(),
        Creation::Existed
    );
    let error = storage
        .create_blob(&container, "lock", yours.clone())
        .await
        .unwrap_err();
    assert!(error.is_conflict("BlobAlreadyExists"), "{error}");
    let etag = storage
        .get_blob_info(&container, "lock")
        .await
        .unwrap()
        .unwrap()
        .etag;
    let then = storage
        .replace_blob(&container, "lock", yours.clone(), &etag)
        .await
        .unwrap()
        .unwrap();
    assert_ne!(then, etag);
    assert_eq!(
        storage
            .replace_blob(&container, "lock", mine, &etag)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        storage.get_blob(&container, "lock", 10).await.unwrap(),
        Some(yours.clone())
    );
    storage.delete_blob(&container, "lock").await.unwrap();
    assert_eq!(
        storage
            .replace_blob(&container, "lock", yours, &then)
            .await
            .unwrap(),
        None
    );
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn an_interrupted_upload_goes_on_with_the_blocks_that_are_there(
    account: &Account,
) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, "aaaabbbbcc").unwrap();
    let options = UploadOptions {
        block_bytes: 4,
        parallel: 1,
    };
    let cut_short = Arc::new(File::open(&path).unwrap());
    // Two blocks arrive, then the file ends.
    let outcome = storage
        .upload(&container, "b", cut_short, 0..11, options, &|_| {})
        .await;
    assert!(outcome.is_err());
    assert_eq!(storage.get_blob_info(&container, "b").await.unwrap(), None);
    std::fs::write(&path, "aaaaBBBBcc!").unwrap();
    let whole = Arc::new(File::open(&path).unwrap());
    let uploaded = storage
        .upload(&container, "b", whole, 0..11, options, &|_| {})
        .await
        .unwrap();
    assert_eq!((uploaded.block_count, uploaded.found_count), (3, 1));
    assert_eq!(
        storage.get_blob(&container, "b", 100).await.unwrap(),
        Some(Bytes::from("aaaaBBBBcc!"))
    );
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn blobs_are_listed_by_prefix_over_pages(account: &Account) {
    let (storage, container) = (&account.storage, account.fresh_container().await);
    for index in 0..7 {
        storage
            .put_blob(
                &container,
                &format!("p/{index}"),
                Bytes::from(vec![b'x'; index]),
            )
            .await
            .unwrap();
    }
    storage
        .put_blob(&container, "q", Bytes::new())
        .await
        .unwrap();
    let pages: Vec<_> = storage
        .list_blob_pages(&container, "p/", Some(3))
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert!(pages.len() > 1, "one page of {}", pages[0].len());
    let found: Vec<_> = pages
        .concat()
        .into_iter()
        .map(|b| (b.name, b.bytes))
        .collect();
    let expected: Vec<_> = (0..7).map(|index| (format!("p/{index}"), index)).collect();
    assert_eq!(found, expected);
    assert_eq!(storage.list_blobs(&container, "p/").await.unwrap().len(), 7);
    storage.delete_container(&container).await.unwrap();
}

pub(crate) async fn a_body_that_does_not_match_its_md5_is_refused(account: &Account) {
    let container = account.fresh_container().await;
    let url = shared(
        account,
        Target::Container(&container),
        Rights::CreateWrite,
        "b",
    );
    let headers = [
        ("x-ms-blob-type", "BlockBlob"),
        ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    let (status, body) = send("PUT", &url, &headers, "content").await;
    assert!(
        status == 400 && body.contains("Md5Mismatch"),
        "{status} {body}"
    );
    assert_eq!(
        account
            .storage
            .get_blob_info(&container, "b")
            .await
            .unwrap(),
        None
    );
    account.storage.delete_container(&container).await.unwrap();
}
