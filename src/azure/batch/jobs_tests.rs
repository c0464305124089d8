//! Tests of the job and task operations against prepared answers.
//!
//! Each asserts what stood on the wire and what came back.

use super::*;
use crate::azure::answers::{Answers, KEY, Step, json, quick, refusal};
use crate::azure::auth::SharedKey;
use crate::azure::batch::{MetadataItem, OnAllTasksComplete, TaskState};
use crate::secret::Secret;

fn batch(server: &Answers) -> Batch {
    let key = SharedKey::parse("testaccount", &Secret::new(KEY)).unwrap();
    Batch::new(server.endpoint.clone(), key, quick()).unwrap()
}

#[tokio::test]
async fn a_job_that_is_there_is_ours_only_with_our_metadata() {
    let found = r#"{"id":"j","state":"active","metadata":[{"name":"a","value":"1"},{"name":"b","value":"2"}]}"#;
    let create = |name: Option<&str>| JobCreate {
        id: "j".to_owned(),
        metadata: name.map(|n| {
            vec![MetadataItem {
                name: n.to_owned(),
                value: "1".to_owned(),
            }]
        }),
        ..JobCreate::default()
    };
    let outcome = async |name| {
        let server = Answers::serve(vec![refusal(409, "JobExists"), json(200, found)]).await;
        batch(&server).create_job(&create(name)).await
    };
    assert_eq!(outcome(Some("a")).await.unwrap(), Creation::Existed);
    assert!(
        outcome(Some("b"))
            .await
            .unwrap_err()
            .is_conflict("JobExists")
    );
    assert!(outcome(None).await.is_err());
}

#[tokio::test]
async fn ending_a_job_that_has_ended_is_done() {
    for step in [
        json(202, ""),
        refusal(409, "JobCompleted"),
        refusal(409, "JobBeingTerminated"),
    ] {
        let server = Answers::serve(vec![step]).await;
        batch(&server).terminate_job("j", "done").await.unwrap();
        assert_eq!(
            server.lines(),
            ["POST /jobs/j/terminate?api-version=2025-06-01"]
        );
        assert_eq!(server.seen()[0].body, br#"{"terminateReason":"done"}"#);
    }
}

#[tokio::test]
async fn a_job_is_patched_with_what_is_set_alone() {
    let server = Answers::serve(vec![json(200, "")]).await;
    let patch = JobPatch {
        on_all_tasks_complete: Some(OnAllTasksComplete::TerminateJob),
        ..JobPatch::default()
    };
    batch(&server).patch_job("j", &patch).await.unwrap();
    assert_eq!(
        server.seen()[0].body,
        br#"{"onAllTasksComplete":"terminatejob"}"#
    );
}

#[tokio::test]
async fn a_job_without_preparation_has_no_status() {
    let server = Answers::serve(vec![refusal(409, "JobPreparationTaskNotSpecified")]).await;
    assert!(
        batch(&server)
            .list_prep_release_status("j")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_task_is_reactivated_once_even_if_the_answer_is_lost() {
    let server = Answers::serve(vec![Step::Cut, refusal(409, "TaskNotCompleted")]).await;
    batch(&server).reactivate_task("j", "1").await.unwrap();
    assert_eq!(server.seen()[1].header("content-length"), Some("0"));
    let server = Answers::serve(vec![refusal(409, "TaskNotCompleted")]).await;
    assert!(batch(&server).reactivate_task("j", "1").await.is_err());
    let server = Answers::serve(vec![
        refusal(409, "TaskCompleted"),
        refusal(404, "TaskNotFound"),
    ])
    .await;
    batch(&server).terminate_task("j", "1").await.unwrap();
    batch(&server).delete_task("j", "1").await.unwrap();
}

#[tokio::test]
async fn tasks_are_listed_by_filter_and_selected_fields() {
    let page = r#"{"value":[{"id":"1","state":"Running"},{"id":"2","state":"thinking"}]}"#;
    let server = Answers::serve(vec![json(200, page)]).await;
    let query = ListQuery {
        filter: Some("state eq 'completed'".to_owned()),
        select: Some("id,state".to_owned()),
        page_max: Some(100),
    };
    let tasks = batch(&server).list_tasks("j", &query).await.unwrap();
    assert_eq!(tasks[0].state, TaskState::Running);
    assert_eq!(tasks[1].state, TaskState::Unknown("thinking".to_owned()));
    assert_eq!(
        server.lines(),
        [
            "GET /jobs/j/tasks?api-version=2025-06-01&$filter=state%20eq%20%27completed%27&$select=id,state\
          &maxresults=100"
        ]
    );
}
