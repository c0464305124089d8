//! Rules of pools, jobs and tasks: ids, states, collections, pages, dependencies, exit conditions, preparation.

use crate::client::Rig;
use serde_json::{Value, json};

fn ids(list: &Value) -> Vec<&str> {
    list["value"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item["id"].as_str())
        .collect()
}

#[tokio::test]
async fn ids_are_unique_in_any_case() {
    let rig = Rig::start().await;
    rig.add_pool("Pool", 0, json!({})).await;
    rig.add_job("Job", "Pool", json!({})).await;
    rig.add_task("JOB", "Task", "true", json!({})).await;
    let add = |path: &'static str, body: Value| async {
        rig.batch("POST", path, Some(body)).await.refusal()
    };
    let job = json!({"id": "jOB", "poolInfo": {"poolId": "x"}});
    assert_eq!(add("/jobs", job).await, (409, "JobExists".to_owned()));
    let task = json!({"id": "tASK", "commandLine": "true"});
    assert_eq!(
        add("/jobs/job/tasks", task).await,
        (409, "TaskExists".to_owned())
    );
    for id in ["", "a b", "a/b", &"x".repeat(65)] {
        let task = json!({"id": id, "commandLine": "true"});
        assert_eq!(
            add("/jobs/job/tasks", task).await,
            (400, "InvalidPropertyValue".to_owned()),
            "{id}"
        );
    }
    assert_eq!(
        rig.batch("GET", "/jobs/none", None).await.refusal(),
        (404, "JobNotFound".to_owned())
    );
    assert_eq!(
        rig.batch("GET", "/jobs/job/tasks/none", None)
            .await
            .refusal(),
        (404, "TaskNotFound".to_owned())
    );
    assert_eq!(
        rig.batch("GET", "/pools/none", None).await.refusal(),
        (404, "PoolNotFound".to_owned())
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_collection_tells_of_each_task() {
    let rig = Rig::start().await;
    rig.add_job("j", "none", json!({})).await;
    let owner = rig;
    let rig = &owner;
    let task = |id: &str| json!({"id": id, "commandLine": "true"});
    let add = |tasks: Vec<Value>| async move {
        rig.batch(
            "POST",
            "/jobs/j/addtaskcollection",
            Some(json!({"value": tasks})),
        )
        .await
    };
    let reply = add(vec![task("a"), task("b"), task("A"), json!({"id": "c"})]).await;
    assert_eq!(reply.status, 200);
    let results = reply.json()["value"].clone();
    let shown: Vec<(&str, &str)> = results
        .as_array()
        .into_iter()
        .flatten()
        .map(|line| {
            (
                line["status"].as_str().unwrap_or_default(),
                line["error"]["code"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("Success", ""),
            ("Success", ""),
            ("ClientError", "TaskExists"),
            ("ClientError", "MissingRequiredProperty")
        ]
    );
    let many = (0..101).map(|number| task(&number.to_string())).collect();
    assert_eq!(
        add(many).await.refusal(),
        (400, "InvalidPropertyValue".to_owned())
    );
    owner.stop().await;
}

#[tokio::test]
async fn lists_are_filtered_selected_and_paged() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    for (id, command) in [("a", "true"), ("b", "false"), ("c", "true")] {
        rig.add_task("j", id, command, json!({})).await;
    }
    for id in ["a", "b", "c"] {
        rig.completed("j", id).await;
    }
    let list = |query: &str| {
        let path = format!("/jobs/j/tasks?{query}");
        let rig = &rig;
        async move { rig.batch("GET", &path, None).await.json() }
    };
    assert_eq!(
        ids(&list("$filter=executionInfo%2FexitCode%20ne%200").await),
        ["b"]
    );
    assert_eq!(
        ids(&list("$filter=state%20eq%20'Completed'%20and%20startswith(id%2C'C')").await),
        ["c"]
    );
    let selected = list("$select=id,executionInfo%2Fresult&maxresults=2").await;
    assert_eq!(
        selected["value"][1],
        json!({"id": "b", "executionInfo": {"result": "failure"}})
    );
    let next = selected["odata.nextLink"].as_str().expect("link");
    let path = next
        .strip_prefix(&rig.batch_endpoint().endpoint)
        .expect("absolute");
    let path = path.replace("&api-version=2025%2D06%2D01", "");
    assert_eq!(ids(&rig.batch("GET", &path, None).await.json()), ["c"]);
    let refused = rig
        .batch("GET", "/jobs/j/tasks?$filter=colour%20eq%20'red'", None)
        .await;
    assert_eq!(
        refused.refusal(),
        (400, "InvalidQueryParameterValue".to_owned())
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_failed_start_task_is_told_with_its_output() {
    let rig = Rig::start().await;
    let start = json!({"startTask": {"commandLine": "/bin/sh -c 'echo broken; exit 3'", "maxTaskRetryCount": 1}});
    rig.add_pool("p", 1, start).await;
    let failed = |list: &Value| list["value"][0]["state"] == "starttaskfailed";
    let nodes = rig.wait_for("/pools/p/nodes", failed).await;
    let info = &nodes["value"][0]["startTaskInfo"];
    assert_eq!(
        (&info["state"], &info["exitCode"], &info["retryCount"]),
        (&json!("completed"), &json!(3), &json!(1))
    );
    assert_eq!(
        (&info["result"], &info["failureInfo"]["code"]),
        (&json!("failure"), &json!("FailureExitCode"))
    );
    let node = nodes["value"][0]["id"].as_str().expect("id");
    let output = rig
        .batch(
            "GET",
            &format!("/pools/p/nodes/{node}/files/startup%2Fstdout.txt"),
            None,
        )
        .await;
    assert_eq!(output.text, "broken\n");
    let counts = rig
        .batch("GET", "/nodecounts?$filter=poolId%20eq%20'p'", None)
        .await
        .json();
    assert_eq!(counts["value"][0]["dedicated"]["startTaskFailed"], 1);
    rig.add_job("j", "p", json!({})).await;
    rig.add_task("j", "t", "true", json!({})).await;
    assert_eq!(
        rig.batch("GET", "/jobs/j/tasks/t", None).await.json()["state"],
        "active"
    );
    rig.stop().await;
}

#[tokio::test]
async fn dependencies_are_waited_for() {
    let rig = Rig::start().await;
    rig.add_pool("p", 2, json!({"taskSlotsPerNode": 4})).await;
    rig.add_job("j", "p", json!({"usesTaskDependencies": true}))
        .await;
    let body =
        json!({"dependsOn": {"taskIds": ["first"], "taskIdRanges": [{"start": 1, "end": 3}]}});
    rig.add_task("j", "last", "true", body).await;
    rig.add_task(
        "j",
        "never",
        "true",
        json!({"dependsOn": {"taskIds": ["fails"]}}),
    )
    .await;
    rig.add_task(
        "j",
        "still",
        "true",
        json!({"dependsOn": {"taskIds": ["forgiven"]}}),
    )
    .await;
    rig.add_task("j", "fails", "false", json!({})).await;
    let forgiven = json!({"exitConditions": {"exitCodes": [{"code": 1, "exitOptions": {"dependencyAction": "satisfy"}}]}});
    rig.add_task("j", "forgiven", "false", forgiven).await;
    for id in ["first", "1", "02", "3"] {
        rig.add_task("j", id, "true", json!({})).await;
    }
    rig.completed("j", "still").await;
    let last = rig.completed("j", "last").await;
    for id in ["first", "1", "02", "3"] {
        let task = rig.completed("j", id).await;
        assert!(
            task["executionInfo"]["endTime"].as_str()
                <= last["executionInfo"]["startTime"].as_str()
        );
    }
    assert_eq!(
        rig.batch("GET", "/jobs/j/tasks/never", None).await.json()["state"],
        "active"
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_job_ends_with_its_tasks_or_with_a_failure() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    let ended = |job: &Value| job["state"] == "completed";
    rig.add_job("empty", "p", json!({"onAllTasksComplete": "terminatejob"}))
        .await;
    let job = rig.wait_for("/jobs/empty", ended).await;
    assert_eq!(job["executionInfo"]["terminateReason"], "AllTasksComplete");
    rig.add_job("full", "p", json!({})).await;
    rig.add_task("full", "t", "true", json!({})).await;
    let patch = json!({"onAllTasksComplete": "terminatejob"});
    assert_eq!(
        rig.batch("PATCH", "/jobs/full", Some(patch)).await.status,
        200
    );
    let job = rig.wait_for("/jobs/full", ended).await;
    assert_eq!(job["executionInfo"]["terminateReason"], "AllTasksComplete");
    rig.add_job(
        "strict",
        "p",
        json!({"onTaskFailure": "performexitoptionsjobaction"}),
    )
    .await;
    rig.add_task(
        "strict",
        "t",
        "false",
        json!({"exitConditions": {"default": {"jobAction": "terminate"}}}),
    )
    .await;
    let job = rig.wait_for("/jobs/strict", ended).await;
    assert_eq!(job["executionInfo"]["terminateReason"], "TaskFailed");
    let late = rig
        .batch(
            "POST",
            "/jobs/strict/tasks",
            Some(json!({"id": "l", "commandLine": "true"})),
        )
        .await;
    assert_eq!(late.refusal(), (409, "JobCompleted".to_owned()));
    rig.add_job(
        "short",
        "p",
        json!({"constraints": {"maxWallClockTime": "PT0.1S"}}),
    )
    .await;
    let job = rig.wait_for("/jobs/short", ended).await;
    assert_eq!(
        job["executionInfo"]["terminateReason"],
        "MaxWallClockTimeExpiry"
    );
    rig.stop().await;
}

#[tokio::test]
async fn preparation_runs_once_a_node_and_release_at_the_end() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({"taskSlotsPerNode": 4})).await;
    rig.add_job("j", "p", json!({
        "jobPreparationTask": {"commandLine": "/bin/sh -c 'echo x >> $AZ_BATCH_NODE_SHARED_DIR/prepared'"},
        "jobReleaseTask": {"commandLine": "/bin/sh -c 'rm $AZ_BATCH_NODE_SHARED_DIR/prepared; ls $AZ_BATCH_JOB_PREP_WORKING_DIR'"},
    }))
    .await;
    for id in ["a", "b", "c"] {
        rig.add_task(
            "j",
            id,
            "/bin/sh -c 'cat $AZ_BATCH_NODE_SHARED_DIR/prepared'",
            json!({}),
        )
        .await;
    }
    for id in ["a", "b", "c"] {
        rig.completed("j", id).await;
        assert_eq!(rig.file("j", id, "stdout.txt").await, "x\n");
    }
    assert_eq!(
        rig.batch("POST", "/jobs/j/terminate", None).await.status,
        202
    );
    rig.wait_for("/jobs/j", |job| job["state"] == "completed")
        .await;
    let status = rig
        .batch("GET", "/jobs/j/jobpreparationandreleasetaskstatus", None)
        .await
        .json();
    let line = &status["value"][0];
    assert_eq!(
        line["jobPreparationTaskExecutionInfo"]["result"], "success",
        "{status:#}"
    );
    assert_eq!(
        line["jobReleaseTaskExecutionInfo"]["result"], "success",
        "{status:#}"
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_node_whose_preparation_failed_is_not_used() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job(
        "j",
        "p",
        json!({"jobPreparationTask": {"commandLine": "false"}}),
    )
    .await;
    rig.add_task("j", "t", "true", json!({})).await;
    let failed =
        |list: &Value| list["value"][0]["jobPreparationTaskExecutionInfo"]["result"] == "failure";
    rig.wait_for("/jobs/j/jobpreparationandreleasetaskstatus", failed)
        .await;
    rig.wait_for("/jobs/j/tasks/t", |task| task["state"] == "active")
        .await;
    rig.stop().await;
}
