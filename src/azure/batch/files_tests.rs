//! Tests of reading files against prepared answers.
//!
//! Each asserts what stood on the wire and what came back.

use super::*;
use crate::azure::answers::{Answers, KEY, Step, answer, json, quick, refusal};
use crate::azure::auth::SharedKey;
use crate::secret::Secret;

const TASK: FileSource<'static> = FileSource::Task {
    job: "j",
    task: "1",
};

fn batch(server: &Answers) -> Batch {
    let key = SharedKey::parse("testaccount", &Secret::new(KEY)).unwrap();
    Batch::new(server.endpoint.clone(), key, quick()).unwrap()
}

/// The answer to HEAD: a length and no body.
fn head(length: usize) -> Step {
    Step::Bytes(
        format!("HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes(),
    )
}

#[tokio::test]
async fn the_tail_of_a_file_is_asked_for_by_its_range() {
    let server = Answers::serve(vec![head(10), answer(206, &[], "789")]).await;
    let tail = batch(&server)
        .get_file_tail(TASK, "wd/a b.txt", 3)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (tail.offset, &tail.bytes[..], tail.file_bytes),
        (7, &b"789"[..], 10)
    );
    let seen = server.seen();
    assert_eq!(seen[1].header("ocp-range"), Some("bytes=7-9"));
    assert!(
        seen[1]
            .line()
            .starts_with("GET /jobs/j/tasks/1/files/wd%2Fa%20b.txt?api-version="),
        "{}",
        seen[1].line()
    );
}

#[tokio::test]
async fn a_service_that_knows_no_ranges_gives_the_same_part() {
    let server = Answers::serve(vec![head(10), answer(200, &[], "0123456789")]).await;
    let part = batch(&server)
        .get_file_part(TASK, "stdout.txt", 4, 3)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&part.bytes[..], b"456");
}

#[tokio::test]
async fn past_the_end_there_is_nothing_and_a_missing_file_is_none() {
    let server = Answers::serve(vec![head(10), refusal(404, "FileNotFound")]).await;
    let batch = batch(&server);
    assert!(
        batch
            .get_file_part(TASK, "stdout.txt", 10, 3)
            .await
            .unwrap()
            .unwrap()
            .bytes
            .is_empty()
    );
    assert!(
        batch
            .get_file_part(TASK, "stdout.txt", 0, 3)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn files_of_a_node_are_listed_below_its_root() {
    let page = r#"{"value":[{"name":"startup","isDirectory":true}]}"#;
    let server = Answers::serve(vec![json(200, page)]).await;
    let source = FileSource::Node {
        pool: "p",
        node: "n",
    };
    let files = batch(&server).list_files(source, true).await.unwrap();
    assert!(files[0].is_directory);
    assert_eq!(
        server.lines(),
        ["GET /pools/p/nodes/n/files?api-version=2025-06-01&recursive=true"]
    );
}
