//! Tests of the pool operations against prepared answers.
//!
//! Each asserts what stood on the wire and what came back.

use super::*;
use crate::azure::answers::{Answers, KEY, Step, json, quick, refusal};
use crate::azure::auth::SharedKey;
use crate::azure::batch::MetadataItem;
use crate::azure::error::ErrorKind;
use crate::secret::Secret;

fn batch(server: &Answers) -> Batch {
    let key = SharedKey::parse("testaccount", &Secret::new(KEY)).unwrap();
    Batch::new(server.endpoint.clone(), key, quick()).unwrap()
}

fn pool(run: &str) -> PoolCreate {
    let metadata = vec![MetadataItem {
        name: "fanout_run".to_owned(),
        value: run.to_owned(),
    }];
    PoolCreate {
        id: "p".to_owned(),
        vm_size: "s".to_owned(),
        metadata: Some(metadata),
        ..PoolCreate::default()
    }
}

const OURS: &str = r#"{"id":"p","state":"active","metadata":[{"name":"fanout_run","value":"r"}]}"#;

#[tokio::test]
async fn a_pool_is_created_with_the_media_type_and_version_that_the_service_wants() {
    let server = Answers::serve(vec![json(201, "")]).await;
    assert_eq!(
        batch(&server).create_pool(&pool("r")).await.unwrap(),
        Creation::New
    );
    let seen = server.seen();
    assert_eq!(server.lines(), ["POST /pools?api-version=2025-06-01"]);
    assert_eq!(
        seen[0].header("content-type"),
        Some("application/json; odata=minimalmetadata")
    );
    let sent: serde_json::Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(sent["metadata"][0]["value"], "r");
}

#[tokio::test]
async fn a_create_that_was_done_by_a_try_without_answer_is_recognised_by_its_metadata() {
    let server = Answers::serve(vec![Step::Cut, refusal(409, "PoolExists"), json(200, OURS)]).await;
    assert_eq!(
        batch(&server).create_pool(&pool("r")).await.unwrap(),
        Creation::Existed
    );

    let server = Answers::serve(vec![
        Step::Cut,
        Step::Cut,
        Step::Cut,
        Step::Cut,
        json(200, OURS),
    ])
    .await;
    assert_eq!(
        batch(&server).create_pool(&pool("r")).await.unwrap(),
        Creation::Existed
    );
}

#[tokio::test]
async fn a_create_whose_answers_are_all_cut_is_recognised_by_its_metadata() {
    let cut = |status: u16| {
        Step::Bytes(format!("HTTP/1.1 {status} X\r\nContent-Length: 100\r\n\r\n").into_bytes())
    };
    // The conflict does not say with what; then, each answer to the create is cut.
    for answers in [
        vec![cut(201), cut(409), json(200, OURS)],
        vec![cut(201), cut(201), cut(201), cut(201), json(200, OURS)],
    ] {
        let server = Answers::serve(answers).await;
        assert_eq!(
            batch(&server).create_pool(&pool("r")).await.unwrap(),
            Creation::Existed
        );
    }
}

#[tokio::test]
async fn the_pool_of_another_run_is_a_conflict() {
    let server = Answers::serve(vec![refusal(409, "PoolExists"), json(200, OURS)]).await;
    let error = batch(&server)
        .create_pool(&pool("other"))
        .await
        .unwrap_err();
    assert!(error.is_conflict("PoolExists"), "{error}");
    let going = OURS.replace("active", "deleting");
    let server = Answers::serve(vec![refusal(409, "PoolExists"), json(200, &going)]).await;
    assert!(batch(&server).create_pool(&pool("r")).await.is_err());
}

#[tokio::test]
async fn a_create_that_was_not_done_is_an_error() {
    let mut steps = vec![Step::Cut; 4];
    steps.push(refusal(404, "PoolNotFound"));
    let server = Answers::serve(steps).await;
    let error = batch(&server).create_pool(&pool("r")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAnswered);
}

#[tokio::test]
async fn a_delete_that_is_done_is_done() {
    for step in [
        json(202, ""),
        refusal(404, "PoolNotFound"),
        refusal(409, "PoolBeingDeleted"),
    ] {
        let server = Answers::serve(vec![step]).await;
        batch(&server).delete_pool("p").await.unwrap();
        assert_eq!(server.lines(), ["DELETE /pools/p?api-version=2025-06-01"]);
    }
    let server = Answers::serve(vec![refusal(403, "AuthenticationFailed")]).await;
    assert!(batch(&server).delete_pool("p").await.unwrap_err().is_auth());
}

#[tokio::test]
async fn whether_a_pool_exists_is_asked_by_head() {
    let server = Answers::serve(vec![json(200, ""), json(404, ""), json(403, "")]).await;
    let batch = batch(&server);
    assert!(batch.pool_exists("p").await.unwrap());
    assert!(!batch.pool_exists("p").await.unwrap());
    assert!(batch.pool_exists("p").await.unwrap_err().is_auth());
    assert!(server.lines()[0].starts_with("HEAD /pools/p?"));
}

#[tokio::test]
async fn a_resize_that_an_earlier_try_began_is_done() {
    let resize = PoolResize {
        target_dedicated_nodes: Some(0),
        ..PoolResize::default()
    };
    let server = Answers::serve(vec![Step::Cut, refusal(409, "PoolBeingResized")]).await;
    batch(&server).resize_pool("p", &resize).await.unwrap();
    let server = Answers::serve(vec![refusal(409, "PoolBeingResized")]).await;
    assert!(batch(&server).resize_pool("p", &resize).await.is_err());
}

#[tokio::test]
async fn pages_are_followed_on_our_endpoint_alone_even_when_empty() {
    let first = r#"{"value":[],"odata.nextLink":
        "https://elsewhere.example/pools?$skipToken=a%2Fb&api-version=2025-06-01"}"#;
    let server = Answers::serve(vec![
        json(200, first),
        json(200, r#"{"value":[{"id":"p"}]}"#),
    ])
    .await;
    let pools = batch(&server)
        .list_pools(&ListQuery::by_prefix("a'b"))
        .await
        .unwrap();
    assert_eq!(pools.len(), 1);
    assert_eq!(
        server.lines(),
        [
            "GET /pools?api-version=2025-06-01&$filter=startswith%28id,%27a%27%27b%27%29",
            "GET /pools?$skipToken=a%2Fb&api-version=2025-06-01"
        ]
    );

    let here = r#"{"value":[],"odata.nextLink":"/pools?api-version=2025-06-01"}"#;
    let server = Answers::serve(vec![json(200, here)]).await;
    let error = batch(&server)
        .list_pools(&ListQuery::default())
        .await
        .unwrap_err();
    assert!(
        error.message().contains("the next page is this page"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_that_is_not_json_says_what_it_is() {
    let page = crate::azure::answers::answer(
        200,
        &[("Content-Type", "text/html")],
        "<html><title>Log in</title>",
    );
    let server = Answers::serve(vec![page, json(200, "{\"id\":"), json(200, "{\"id\":[1]}")]).await;
    let batch = batch(&server);
    let error = batch.get_pool("p").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(error.message().contains("web page (\"Log in\")"), "{error}");
    assert!(
        batch
            .get_pool("p")
            .await
            .unwrap_err()
            .message()
            .contains("expected JSON")
    );
    assert!(
        batch
            .get_pool("p")
            .await
            .unwrap_err()
            .message()
            .contains("not what the operation defines")
    );
}

#[tokio::test]
async fn names_that_would_change_the_url_are_refused_before_anything_is_sent() {
    let server = Answers::serve(vec![]).await;
    for name in ["..", ".", ""] {
        let error = batch(&server).get_pool(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSent);
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_date_that_is_none_is_named() {
    let server = Answers::serve(vec![json(200, r#"{"id":"p","creationTime":"last week"}"#)]).await;
    let error = batch(&server).get_pool("p").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(
        error.message().contains("`last week` is not a date"),
        "{error}"
    );
}

#[tokio::test]
async fn no_client_shows_its_key() {
    let server = Answers::serve(vec![]).await;
    let key = SharedKey::parse("testaccount", &Secret::new(KEY)).unwrap();
    let storage = crate::azure::storage::Storage::new(&server.endpoint, key, quick()).unwrap();
    let shown = format!("{:?} {storage:?}", batch(&server));
    assert!(
        shown.contains("testaccount") && !shown.contains(&KEY[..8]),
        "{shown}"
    );
}
