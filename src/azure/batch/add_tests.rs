//! Tests of adding tasks: limits, halving, repeats, and each result.
//!
//! Each asserts what stood on the wire and what came back.

use super::*;
use crate::azure::answers::{Answers, KEY, Step, json, quick, refusal};
use crate::azure::auth::SharedKey;
use crate::secret::Secret;
use proptest::prelude::*;

fn batch(server: &Answers) -> Batch {
    let key = SharedKey::parse("testaccount", &Secret::new(KEY)).unwrap();
    Batch::new(server.endpoint.clone(), key, quick()).unwrap()
}

fn tasks(ids: &[&str]) -> Vec<TaskCreate> {
    ids.iter()
        .map(|id| TaskCreate {
            id: (*id).to_owned(),
            command_line: "true".to_owned(),
            ..TaskCreate::default()
        })
        .collect()
}

fn results(items: &[(&str, &str, &str)]) -> Step {
    let items: Vec<String> = items
        .iter()
        .map(|(id, status, code)| match *code {
            "" => format!(r#"{{"status":"{status}","taskId":"{id}"}}"#),
            _ => format!(
                r#"{{"status":"{status}","taskId":"{id}","error":{{"code":"{code}","message":{{"value":"why"}}}}}}"#
            ),
        })
        .collect();
    json(200, &format!(r#"{{"value":[{}]}}"#, items.join(",")))
}

fn sent_ids(body: &[u8]) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn results_are_matched_by_id_in_any_order_and_letter_case() {
    let step = results(&[("B", "Success", ""), ("A", "ClientError", "TaskExists")]);
    let server = Answers::serve(vec![step]).await;
    let added = batch(&server)
        .add_tasks("j", &tasks(&["a", "b"]), |_| {})
        .await
        .unwrap();
    assert_eq!(
        added,
        TasksAdded {
            added_count: 1,
            existed: vec!["a".to_owned()]
        }
    );
    assert_eq!(
        server.lines(),
        ["POST /jobs/j/addtaskcollection?api-version=2025-06-01"]
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_halved_until_it_fits() {
    let steps = vec![
        refusal(413, "RequestBodyTooLarge"),
        refusal(413, "RequestEntityTooLarge"),
        results(&[("a", "success", "")]),
        results(&[("b", "success", "")]),
        results(&[("c", "success", ""), ("d", "success", "")]),
    ];
    let server = Answers::serve(steps).await;
    let added = batch(&server)
        .add_tasks("j", &tasks(&["a", "b", "c", "d"]), |_| {})
        .await
        .unwrap();
    assert_eq!(added.added_count, 4);
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|s| sent_ids(&s.body).join(""))
        .collect();
    assert_eq!(sent, ["abcd", "ab", "a", "b", "cd"]);
}

#[tokio::test]
async fn a_single_task_that_is_too_large_is_an_error() {
    let server = Answers::serve(vec![refusal(413, "RequestBodyTooLarge")]).await;
    assert!(
        batch(&server)
            .add_tasks("j", &tasks(&["a"]), |_| {})
            .await
            .unwrap_err()
            .is_too_large()
    );
}

#[tokio::test]
async fn what_the_service_failed_at_or_forgot_is_sent_again() {
    let steps = vec![
        results(&[("a", "success", ""), ("b", "ServerError", "InternalError")]),
        results(&[("b", "success", "")]),
        results(&[("c", "clienterror", "TaskExists")]),
    ];
    let server = Answers::serve(steps).await;
    let added = batch(&server)
        .add_tasks("j", &tasks(&["a", "b", "c"]), |_| {})
        .await
        .unwrap();
    assert_eq!(
        added,
        TasksAdded {
            added_count: 2,
            existed: vec!["c".to_owned()]
        }
    );
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|s| sent_ids(&s.body).join(""))
        .collect();
    assert_eq!(sent, ["abc", "bc", "c"]);
}

#[tokio::test]
async fn a_service_that_fails_for_ever_is_an_error_that_names_the_task() {
    let server = Answers::serve(vec![results(&[("a", "servererror", "x")]); 9]).await;
    let error = batch(&server)
        .add_tasks("j", &tasks(&["a"]), |_| {})
        .await
        .unwrap_err();
    assert!(error.message().contains("task `a` 4 times"), "{error}");
}

#[tokio::test]
async fn a_task_that_is_refused_is_named_with_its_code() {
    let server = Answers::serve(vec![results(&[(
        "a",
        "ClientError",
        "InvalidPropertyValue",
    )])])
    .await;
    let error = batch(&server)
        .add_tasks("j", &tasks(&["a"]), |_| {})
        .await
        .unwrap_err();
    assert!(error.is_code("InvalidPropertyValue"));
    assert_eq!(error.message(), "task `a` (ClientError): why");
}

#[tokio::test]
async fn a_thousand_tasks_are_sent_by_the_hundred_and_reported_as_they_come() {
    let server = Answers::serve(vec![]).await;
    assert_eq!(
        batch(&server).add_tasks("j", &[], |_| {}).await.unwrap(),
        TasksAdded::default()
    );
    let chunks = cut((0..250)
        .map(|n| Encoded {
            id: n.to_string(),
            json: vec![b'x'; 10],
        })
        .collect());
    assert_eq!(
        chunks.iter().map(Vec::len).collect::<Vec<_>>(),
        [100, 100, 50]
    );
}

proptest! {
    #[test]
    fn every_chunk_keeps_both_limits_and_the_order(sizes in prop::collection::vec(prop_oneof![9 => 1usize..9_000, 1 => 1usize..500_000], 0..250)) {
        let all: Vec<Encoded> = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| Encoded { id: n.to_string(), json: vec![b'x'; *size] })
            .collect();
        let chunks = cut(all);
        for chunk in &chunks {
            prop_assert!((1..=TASKS_PER_REQUEST_MAX).contains(&chunk.len()));
            prop_assert!(join(chunk).len() <= REQUEST_MAX_BYTES);
        }
        let ids: Vec<String> = chunks.concat().into_iter().map(|t| t.id).collect();
        let expected: Vec<String> = (0..sizes.len()).map(|n| n.to_string()).collect();
        prop_assert_eq!(ids, expected);
    }
}

#[test]
fn adding_can_be_spawned() {
    fn spawnable<F: Future + Send>(_: impl FnOnce(Batch, Vec<TaskCreate>) -> F) {}
    spawnable(|batch: Batch, tasks| async move { batch.add_tasks("j", &tasks, |_| {}).await });
    spawnable(|batch: Batch, _| async move {
        batch
            .create_pool(&crate::azure::batch::PoolCreate::default())
            .await
    });
}
