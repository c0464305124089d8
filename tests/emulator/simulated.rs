//! Time that the caller advances, and tasks without processes.

use std::time::Duration;

use crate::client::Rig;
use fanout::emulator::{Behaviour, Span};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Nodes boot in a minute, tasks take ten seconds, and time stands still.
async fn still() -> Rig {
    Rig::with(Behaviour {
        boot: Span::of(Duration::from_secs(60)),
        simulated: Some(Span::of(Duration::from_secs(10))),
        is_frozen: true,
        ..Behaviour::default()
    })
    .await
}

fn seconds_between(from: &Value, to: &Value) -> f64 {
    let time = |value: &Value| {
        OffsetDateTime::parse(value.as_str().expect("time"), &Rfc3339).expect("a time")
    };
    (time(to) - time(from)).as_seconds_f64()
}

async fn states(rig: &Rig, path: &str) -> Vec<String> {
    let list = rig.batch("GET", path, None).await.json();
    let items = list["value"].as_array().into_iter().flatten();
    items
        .map(|item| item["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_boot_and_tasks_end_when_their_time_has_come() {
    let rig = still().await;
    rig.add_pool("p", 2, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    for id in ["a", "b", "c", "d", "e"] {
        rig.add_task("j", id, "./no-such-program", json!({})).await;
    }
    rig.advance(59.0).await;
    assert_eq!(
        states(&rig, "/pools/p/nodes").await,
        ["creating", "creating"]
    );
    rig.advance(1.0).await;
    assert_eq!(states(&rig, "/pools/p/nodes").await, ["running", "running"]);
    rig.advance(29.0).await;
    assert_eq!(
        states(&rig, "/jobs/j/tasks").await,
        [
            "completed",
            "completed",
            "completed",
            "completed",
            "running"
        ]
    );
    rig.advance(3600.0).await;
    let pool = rig.batch("GET", "/pools/p", None).await.json();
    for (id, start) in [
        ("a", 60.0),
        ("b", 60.0),
        ("c", 70.0),
        ("d", 70.0),
        ("e", 80.0),
    ] {
        let task = rig
            .batch("GET", &format!("/jobs/j/tasks/{id}"), None)
            .await
            .json();
        let info = &task["executionInfo"];
        assert!((seconds_between(&pool["creationTime"], &info["startTime"]) - start).abs() < 1e-6);
        assert!((seconds_between(&info["startTime"], &info["endTime"]) - 10.0).abs() < 1e-6);
        assert_eq!(info["exitCode"], 0);
    }
    let none = rig
        .batch("GET", "/jobs/j/tasks/a/files/stdout.txt", None)
        .await;
    assert_eq!(none.refusal(), (409, "TaskFilesUnavailable".to_owned()));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_says_how_long_it_takes_and_how_it_ends() {
    let rig = still().await;
    rig.add_pool("p", 1, json!({"taskSlotsPerNode": 4})).await;
    let common = json!([{"name": "SIMULATED_SECONDS", "value": "100"}]);
    rig.add_job("j", "p", json!({"commonEnvironmentSettings": common}))
        .await;
    let said = |seconds: &str, code: &str| json!([{"name": "SIMULATED_SECONDS", "value": seconds}, {"name": "SIMULATED_EXIT_CODE", "value": code}]);
    let fails =
        json!({"environmentSettings": said("2.5", "3"), "constraints": {"maxTaskRetryCount": 2}});
    rig.add_task("j", "fails", "x", fails).await;
    let long = json!({"constraints": {"maxWallClockTime": "PT20S"}});
    rig.add_task("j", "long", "x", long).await;
    rig.add_task("j", "plain", "x", json!({})).await;
    let drawn = json!({"environmentSettings": said("1..2", "0")});
    rig.add_task("j", "drawn", "x", drawn).await;
    let bad = json!({"id": "bad", "commandLine": "x", "environmentSettings": said("soon", "0")});
    assert_eq!(
        rig.batch("POST", "/jobs/j/tasks", Some(bad))
            .await
            .refusal(),
        (400, "InvalidPropertyValue".to_owned())
    );
    rig.advance(1000.0).await;
    for (id, took, code, retries) in [
        ("fails", 2.5..=2.5, 3, 2),
        ("long", 20.0..=20.0, 137, 0),
        ("plain", 100.0..=100.0, 0, 0),
        ("drawn", 1.0..=2.0, 0, 0),
    ] {
        let task = rig
            .batch("GET", &format!("/jobs/j/tasks/{id}"), None)
            .await
            .json();
        let info = &task["executionInfo"];
        let seconds = (seconds_between(&info["startTime"], &info["endTime"]) * 1e6).round() / 1e6;
        assert!(took.contains(&seconds), "{id}: {seconds}");
        assert_eq!(
            (&info["exitCode"], &info["retryCount"]),
            (&json!(code), &json!(retries)),
            "{id}"
        );
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_days_pass_at_once() {
    let rig = still().await;
    rig.add_pool("p", 1, json!({})).await;
    let body = json!({"constraints": {"maxWallClockTime": "P1D"}});
    rig.add_job("j", "p", body).await;
    rig.advance(86_399.0).await;
    assert_eq!(
        rig.batch("GET", "/jobs/j", None).await.json()["state"],
        "active"
    );
    rig.advance(1.0).await;
    let job = rig.batch("GET", "/jobs/j", None).await.json();
    assert_eq!(
        (&job["state"], &job["executionInfo"]["terminateReason"]),
        (&json!("completed"), &json!("MaxWallClockTimeExpiry"))
    );
    let told = rig.control("GET", "/clock", Value::Null).await.json();
    assert_eq!(told["frozen"], true);
    assert!((seconds_between(&job["creationTime"], &told["now"]) - 86_400.0).abs() < 1e-6);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_runs_can_be_put_forward() {
    let rig = Rig::with(Behaviour {
        boot: Span::of(Duration::from_secs(600)),
        ..Behaviour::default()
    })
    .await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    rig.add_task("j", "real", "echo hello", json!({})).await;
    rig.advance(600.0).await;
    rig.completed("j", "real").await;
    assert_eq!(rig.file("j", "real", "stdout.txt").await, "hello\n");
    let body = json!({"constraints": {"maxWallClockTime": "PT1H"}});
    rig.add_task("j", "long", "sleep 600", body).await;
    rig.wait_for("/jobs/j/tasks/long", |task| task["state"] == "running")
        .await;
    rig.advance(3600.0).await;
    let info = rig.completed("j", "long").await["executionInfo"].clone();
    assert_eq!(info["exitCode"], 137);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_after_thousands_waits_for_the_last_of_them() {
    let rig = still().await;
    rig.add_pool("p", 50, json!({"taskSlotsPerNode": 4})).await;
    rig.add_job("j", "p", json!({"usesTaskDependencies": true}))
        .await;
    let range = json!({"dependsOn": {"taskIdRanges": [{"start": 1, "end": 2000}]}});
    rig.add_task("j", "sum", "x", range).await;
    let ids: Vec<u32> = (1..=2000).collect();
    for part in ids.chunks(100) {
        let tasks: Vec<Value> = part
            .iter()
            .map(|id| json!({"id": id.to_string(), "commandLine": "x"}))
            .collect();
        let reply = rig
            .batch(
                "POST",
                "/jobs/j/addtaskcollection",
                Some(json!({"value": tasks})),
            )
            .await;
        assert_eq!(reply.status, 200);
    }
    // 2,000 tasks on 200 slots take ten rounds of ten seconds after the boot.
    rig.advance(160.0).await;
    let counts = rig.batch("GET", "/jobs/j/taskcounts", None).await.json();
    assert_eq!(counts["taskCounts"]["succeeded"], 2000);
    assert_eq!(
        rig.batch("GET", "/jobs/j/tasks/sum", None).await.json()["state"],
        "running"
    );
    rig.advance(10.0).await;
    assert_eq!(
        rig.batch("GET", "/jobs/j/tasks/sum", None).await.json()["state"],
        "completed"
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_loses_its_node_by_a_fault_and_runs_elsewhere() {
    for (kind, state) in [("lost", "unknown"), ("preempt", "creating")] {
        let rig = still().await;
        rig.add_pool("p", 2, json!({})).await;
        rig.add_job("j", "p", json!({})).await;
        rig.advance(60.0).await;
        let fault = json!({
            "path": "/jobs/j/tasks/a",
            "count": 1,
            "effect": {"kind": kind, "afterMilliseconds": 4000},
        });
        assert_eq!(rig.control("POST", "/faults", fault).await.status, 201);
        rig.add_task("j", "a", "x", json!({})).await;
        let before = rig.batch("GET", "/jobs/j/tasks/a", None).await.json();
        rig.advance(5.0).await;
        let mut states = states(&rig, "/pools/p/nodes").await;
        states.sort_unstable();
        let mut expected = ["running", state];
        expected.sort_unstable();
        assert_eq!(states, expected);
        rig.advance(10.0).await;
        let after = rig.batch("GET", "/jobs/j/tasks/a", None).await.json();
        assert_eq!(after["state"], "completed");
        let started = |task: &Value| task["executionInfo"]["startTime"].clone();
        assert!((seconds_between(&started(&before), &started(&after)) - 4.0).abs() < 1e-6);
        assert_ne!(before["nodeInfo"]["nodeId"], after["nodeInfo"]["nodeId"]);
        for count in ["retryCount", "requeueCount"] {
            assert_eq!(after["executionInfo"][count], 0, "{kind}");
        }
        rig.stop().await;
    }
}
