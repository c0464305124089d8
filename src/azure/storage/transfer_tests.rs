//! Tests of Blob operations against prepared answers: cuts, damage, conflicts, lies.
//!
//! What a real service does is tested by `tests/contract`.

use super::*;
use crate::azure::answers::{Answers, KEY, Step, answer, quick};
use crate::azure::auth::SharedKey;
use crate::azure::error::Creation;
use crate::azure::storage::UploadOptions;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::sync::Mutex;

fn storage(server: &Answers) -> Storage {
    let key = SharedKey::parse("testaccount", &Secret::new(KEY)).unwrap();
    Storage::new(&server.endpoint, key, quick()).unwrap()
}

/// The answer to HEAD of a blob.
fn head(bytes: usize, extra: &str) -> Step {
    let text = format!(
        "HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: {bytes}\r\nETag: \"0x1\"\r\n{extra}\
         x-ms-blob-type: BlockBlob\r\n\r\n"
    );
    Step::Bytes(text.into_bytes())
}

/// The answer to a range of `all`, of which only `sent` bytes come.
fn part(all: &str, range: Range<usize>, sent: usize) -> Step {
    let text = format!(
        "HTTP/1.1 206 X\r\nConnection: close\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n\
         ETag: \"0x1\"\r\n\r\n{}",
        range.len(),
        range.start,
        range.end - 1,
        all.len(),
        &all[range.start..range.start + sent]
    );
    Step::Bytes(text.into_bytes())
}

fn refused(status: u16, code: &str) -> Step {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    answer(
        status,
        &[
            ("x-ms-error-code", code),
            ("Content-Type", "application/xml"),
            ("x-ms-request-id", "r"),
        ],
        &body,
    )
}

async fn download(server: &Answers) -> Transfer<Vec<u8>> {
    let mut out = Vec::new();
    storage(server)
        .download_to("out", "d/b", &mut out, &|_| {})
        .await?;
    Ok(out)
}

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_was_cut_under_the_same_version() {
    let all = "0123456789";
    let steps = vec![
        head(10, ""),
        part(all, 0..10, 3),
        Step::Cut,
        part(all, 3..10, 1),
        part(all, 4..10, 6),
    ];
    let server = Answers::serve(steps).await;
    assert_eq!(download(&server).await.unwrap(), all.as_bytes());
    let seen = server.seen();
    let ranges: Vec<_> = seen[1..]
        .iter()
        .map(|s| s.header("range").or(s.header("x-ms-range")).unwrap())
        .collect();
    assert_eq!(ranges, ["bytes=0-9", "bytes=3-9", "bytes=3-9", "bytes=4-9"]);
    assert!(
        seen[1..]
            .iter()
            .all(|s| s.header("if-match") == Some("\"0x1\""))
    );
    assert!(
        seen.iter()
            .all(|s| s.line().contains(" /testaccount/out/d/b")),
        "{:?}",
        server.lines()
    );
}

#[tokio::test]
async fn a_download_that_brings_nothing_more_ends() {
    let all = "0123456789";
    let mut steps = vec![head(10, ""), part(all, 0..10, 3)];
    steps.extend(vec![part(all, 3..10, 0); 9]);
    let server = Answers::serve(steps).await;
    let error = download(&server).await.unwrap_err().to_string();
    assert!(error.contains("cut at byte 3 of 10"), "{error}");
}

#[tokio::test]
async fn a_blob_that_changes_or_lies_about_its_length_is_an_error() {
    let server = Answers::serve(vec![head(10, ""), refused(412, "ConditionNotMet")]).await;
    assert!(
        download(&server)
            .await
            .unwrap_err()
            .to_string()
            .contains("412 ConditionNotMet")
    );
    let server = Answers::serve(vec![
        head(3, ""),
        answer(206, &[("Content-Range", "bytes 0-2/3")], "0123456789"),
    ])
    .await;
    assert!(
        download(&server)
            .await
            .unwrap_err()
            .to_string()
            .contains("more than the 3 bytes")
    );
    let server = Answers::serve(vec![head(10, ""), part("0123456789", 2..10, 8)]).await;
    let error = download(&server).await.unwrap_err().to_string();
    assert!(
        error.contains("holds `bytes 2-9/10`, not what was asked for from 0 on"),
        "{error}"
    );
    let wrong_md5 = "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let server = Answers::serve(vec![head(3, wrong_md5), part("abc", 0..3, 3)]).await;
    assert!(
        download(&server)
            .await
            .unwrap_err()
            .to_string()
            .contains("do not match the blob's MD5")
    );
}

#[tokio::test]
async fn a_failed_download_leaves_no_file_and_an_empty_blob_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("b");
    let options = DownloadOptions {
        part_bytes: 4,
        parallel: 2,
    };
    let server = Answers::serve(vec![
        head(10, ""),
        refused(403, "AuthenticationFailed"),
        refused(403, "X"),
    ])
    .await;
    let outcome = storage(&server)
        .download("out", "b", &path, options, &|_| {})
        .await;
    assert!(matches!(outcome, Err(TransferError::Service(e)) if e.is_auth()));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);

    let server = Answers::serve(vec![head(0, "")]).await;
    storage(&server)
        .download("out", "b", &path, options, &|_| {})
        .await
        .unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"");

    let server = Answers::serve(vec![answer(
        404,
        &[("x-ms-error-code", "BlobNotFound")],
        "",
    )])
    .await;
    let outcome = storage(&server)
        .download("out", "b", &path, options, &|_| {})
        .await;
    assert!(matches!(outcome, Err(TransferError::Service(e)) if e.is_not_found()));
}

#[tokio::test]
async fn a_block_that_arrives_damaged_is_sent_again_and_each_has_its_md5() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    std::fs::write(&path, "xx0123456789").unwrap();
    let done = || {
        answer(
            201,
            &[
                ("ETag", "\"0x1\""),
                ("Last-Modified", "Fri, 20 Nov 2026 10:15:30 GMT"),
            ],
            "",
        )
    };
    let none = refused(404, "BlobNotFound");
    let steps = vec![
        none,
        done(),
        refused(400, "Md5Mismatch"),
        done(),
        done(),
        done(),
    ];
    let server = Answers::serve(steps).await;
    let file = Arc::new(File::open(&path).unwrap());
    let sum = Mutex::new(0);
    let options = UploadOptions {
        block_bytes: 4,
        parallel: 1,
    };
    let progress = |bytes| *sum.lock().unwrap() += bytes;
    let uploaded = storage(&server)
        .upload("run-in", "b", file, 2..12, options, &progress)
        .await
        .unwrap();
    assert_eq!(
        (uploaded.bytes, uploaded.block_count, *sum.lock().unwrap()),
        (10, 3, 10)
    );
    let seen = server.seen().split_off(1);
    let bodies: Vec<_> = seen[..4]
        .iter()
        .map(|s| String::from_utf8_lossy(&s.body).into_owned())
        .collect();
    assert_eq!(bodies, ["0123", "4567", "4567", "89"]);
    assert!(seen.iter().all(|s| s.header("content-md5").is_some()));
    assert!(
        seen[4].line().contains("comp=blocklist"),
        "{:?}",
        server.lines()
    );
}

#[tokio::test]
async fn a_file_that_ends_early_is_our_error_and_nothing_is_committed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    std::fs::write(&path, "0123").unwrap();
    let server = Answers::serve(vec![]).await;
    let file = Arc::new(File::open(&path).unwrap());
    let outcome = storage(&server)
        .upload(
            "run-in",
            "b",
            file,
            0..12,
            UploadOptions::default(),
            &|_| {},
        )
        .await;
    assert!(
        matches!(outcome, Err(TransferError::Local { .. })),
        "{outcome:?}"
    );
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_container_that_is_there_is_ours_only_with_our_metadata() {
    let found = || {
        answer(
            200,
            &[("x-ms-meta-fanout_run", "r"), ("ETag", "\"0x1\"")],
            "",
        )
    };
    let outcome = async |value: &str, first: Vec<Step>| {
        let mut steps = first;
        steps.push(found());
        let server = Answers::serve(steps).await;
        let metadata = BTreeMap::from([("fanout_run".to_owned(), value.to_owned())]);
        storage(&server)
            .create_container("fo-1-in", &metadata)
            .await
    };
    let exists = || refused(409, "ContainerAlreadyExists");
    assert_eq!(
        outcome("r", vec![answer(201, &[], "")]).await.unwrap(),
        Creation::New
    );
    assert_eq!(
        outcome("r", vec![Step::Cut, exists()]).await.unwrap(),
        Creation::Existed
    );
    assert!(
        outcome("other", vec![exists()])
            .await
            .unwrap_err()
            .is_conflict("ContainerAlreadyExists")
    );
}

#[tokio::test]
async fn names_that_would_lead_elsewhere_are_refused_before_anything_is_sent() {
    let server = Answers::serve(vec![]).await;
    let storage = storage(&server);
    for name in ["", "..", "a/../b", "a//b", "./a", "a/"] {
        let error = storage.delete_blob("run-in", name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSent, "{name}");
    }
    for name in ["", "ab", "Upper", "-ab", "a--b", "a/b", "$root"] {
        assert_eq!(
            storage.delete_container(name).await.unwrap_err().kind(),
            ErrorKind::NotSent,
            "{name}"
        );
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_list_that_is_not_xml_is_an_error() {
    let page = answer(
        200,
        &[("Content-Type", "text/html")],
        "<html><title>Log in</title>",
    );
    let server = Answers::serve(vec![page]).await;
    let error = storage(&server).list_containers("fo-").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable, "{error}");
}

#[tokio::test]
async fn lists_are_read_over_pages_with_metadata() {
    let page = |name: &str, next: &str| {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"http://h/\"><Containers>\
             <Container><Name>{name}</Name><Properties><Last-Modified>Fri, 20 Nov 2026 10:15:30 GMT</Last-Modified>\
             <Etag>\"0x1\"</Etag></Properties><Metadata><Fanout_Run>r</Fanout_Run></Metadata></Container></Containers>\
             <NextMarker>{next}</NextMarker></EnumerationResults>"
        );
        answer(200, &[("Content-Type", "application/xml")], &body)
    };
    let server = Answers::serve(vec![page("fo-1", "m/1"), page("fo-2", "")]).await;
    let found = storage(&server).list_containers("fo-").await.unwrap();
    assert_eq!(
        found.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
        ["fo-1", "fo-2"]
    );
    assert_eq!(found[0].get("fanout_run"), Some("r"));
    assert!(
        server.lines()[1].contains("marker=m%2F1"),
        "{:?}",
        server.lines()
    );
}

#[test]
fn transfers_can_be_spawned() {
    fn spawnable<F: Future + Send>(_: impl FnOnce(Storage, Arc<File>) -> F) {}
    spawnable(|storage: Storage, file| async move {
        storage
            .upload("c", "b", file, 0..1, UploadOptions::default(), &|_| {})
            .await
    });
    spawnable(|storage: Storage, _| async move {
        let path = Path::new("b");
        storage
            .download("c", "b", path, DownloadOptions::default(), &|_| {})
            .await
    });
    spawnable(|storage: Storage, _| async move {
        storage
            .download_to("c", "b", &mut Vec::new(), &|_| {})
            .await
    });
    spawnable(|storage: Storage, _| async move { storage.list_blobs("c", "").await });
    spawnable(|storage: Storage, _| async move { storage.list_containers("").await });
}
