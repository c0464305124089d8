//! How a service can be told to behave: counts that lag, short pages, quotas; statistics, and nodes without power.

use std::time::Duration;

use crate::client::Rig;
use fanout::emulator::{Behaviour, Span};
use serde_json::{Value, json};

/// Tasks take ten seconds, and time stands still.
fn still() -> Behaviour {
    Behaviour {
        simulated: Some(Span::of(Duration::from_secs(10))),
        is_frozen: true,
        ..Behaviour::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_lag_behind() {
    let rig = Rig::with(Behaviour {
        counts_lag: Duration::from_secs(60),
        ..still()
    })
    .await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    rig.advance(100.0).await;
    rig.add_task("j", "t", "x", json!({})).await;
    let counts = || async {
        let counts = rig.batch("GET", "/jobs/j/taskcounts", None).await.json();
        let counts = counts["taskCounts"].clone();
        (counts["running"].clone(), counts["completed"].clone())
    };
    rig.advance(30.0).await;
    assert_eq!(
        rig.batch("GET", "/jobs/j/tasks/t", None).await.json()["state"],
        "completed"
    );
    assert_eq!(counts().await, (json!(0), json!(0)));
    rig.advance(36.0).await;
    assert_eq!(counts().await, (json!(1), json!(0)));
    rig.advance(30.0).await;
    assert_eq!(counts().await, (json!(0), json!(1)));
    rig.stop().await;
}

#[tokio::test]
async fn pages_can_be_short_and_things_few() {
    let rig = Rig::with(Behaviour {
        page_max: Some(2),
        pools_max: Some(3),
        jobs_max: Some(2),
        ..Behaviour::default()
    })
    .await;
    for id in ["a", "b", "c"] {
        rig.add_pool(id, 0, json!({})).await;
    }
    let first = rig.batch("GET", "/pools", None).await.json();
    assert_eq!(first["value"].as_array().map(Vec::len), Some(2));
    assert!(first["odata.nextLink"].is_string());
    let body = json!({
        "id": "d",
        "vmSize": "standard_d2s_v5",
        "targetDedicatedNodes": 0,
        "virtualMachineConfiguration": {
            "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
            "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        },
    });
    assert_eq!(
        rig.batch("POST", "/pools", Some(body)).await.refusal(),
        (409, "PoolQuotaReached".to_owned())
    );
    for id in ["a", "b"] {
        rig.add_job(id, "a", json!({})).await;
    }
    let job = || Some(json!({"id": "c", "poolInfo": {"poolId": "a"}}));
    assert_eq!(
        rig.batch("POST", "/jobs", job()).await.refusal(),
        (409, "ActiveJobAndScheduleQuotaReached".to_owned())
    );
    assert_eq!(
        rig.batch("POST", "/jobs/a/terminate", None).await.status,
        202
    );
    rig.wait_for("/jobs/a", |job| job["state"] == "completed")
        .await;
    assert_eq!(rig.batch("POST", "/jobs", job()).await.status, 201);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_tell_what_was_used() {
    let rig = Rig::with(still()).await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    let settings = json!([{"name": "SIMULATED_EXIT_CODE", "value": "1"}]);
    let fails = json!({"environmentSettings": settings, "constraints": {"maxTaskRetryCount": 1}});
    rig.add_task("j", "fails", "x", fails).await;
    rig.add_task("j", "waits", "x", json!({})).await;
    rig.advance(40.0).await;
    let stats =
        |path: &'static str| async { rig.batch("GET", path, None).await.json()["stats"].clone() };
    assert_eq!(stats("/jobs/j/tasks/waits").await, Value::Null);
    let task = stats("/jobs/j/tasks/waits?$expand=stats").await;
    assert_eq!(
        (&task["wallClockTime"], &task["waitTime"], &task["readIOps"]),
        (&json!("PT10S"), &json!("PT20S"), &json!("0"))
    );
    let job = stats("/jobs/j?$expand=stats").await;
    assert_eq!(
        (
            &job["wallClockTime"],
            &job["numSucceededTasks"],
            &job["numFailedTasks"],
            &job["numTaskRetries"]
        ),
        (&json!("PT30S"), &json!("1"), &json!("1"), &json!("1"))
    );
    // Two cores for forty seconds.
    let pool = stats("/pools/p?$expand=stats").await;
    assert_eq!(pool["usageStats"]["dedicatedCoreTime"], "PT80S");
    let listed = rig
        .batch("GET", "/jobs/j/tasks?$expand=stats&$select=id,stats", None)
        .await
        .json();
    assert_eq!(listed["value"][1]["stats"]["wallClockTime"], "PT10S");
    rig.stop().await;
}

#[tokio::test]
async fn processor_time_is_measured() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    let command = "/bin/sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 0'";
    rig.add_task("j", "t", command, json!({})).await;
    rig.completed("j", "t").await;
    let task = rig
        .batch("GET", "/jobs/j/tasks/t?$expand=stats", None)
        .await
        .json();
    let used = task["stats"]["userCPUTime"].as_str().expect("time");
    assert!(used != "PT0S" && used.starts_with("PT"), "{used}");
    rig.stop().await;
}

#[tokio::test]
async fn a_deallocated_node_loses_its_tasks_and_starts_empty() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({"startTask": {"commandLine": "true"}}))
        .await;
    let nodes = rig
        .wait_for("/pools/p/nodes", |list| list["value"][0]["state"] == "idle")
        .await;
    let path = format!(
        "/pools/p/nodes/{}",
        nodes["value"][0]["id"].as_str().expect("id")
    );
    rig.add_job("j", "p", json!({})).await;
    rig.add_task("j", "t", "sleep 600", json!({})).await;
    let order = |what: &str| format!("{path}/{what}");
    let start = rig.batch("POST", &order("start"), None).await;
    assert_eq!(
        start.refusal(),
        (409, "OperationInvalidForCurrentState".to_owned())
    );
    let option = Some(json!({"nodeDeallocateOption": "requeue"}));
    assert_eq!(
        rig.batch("POST", &order("deallocate"), option).await.status,
        202
    );
    rig.wait_for(&path, |node| node["state"] == "deallocated")
        .await;
    let task = rig.batch("GET", "/jobs/j/tasks/t", None).await.json();
    assert_eq!(
        (&task["state"], &task["executionInfo"]["requeueCount"]),
        (&json!("active"), &json!(1))
    );
    let counts = rig.batch("GET", "/nodecounts", None).await.json();
    assert_eq!(counts["value"][0]["dedicated"]["deallocated"], 1);
    assert_eq!(rig.batch("POST", &order("start"), None).await.status, 202);
    rig.wait_for(&path, |node| node["state"] == "running").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_stopped_resize_keeps_the_nodes_that_work() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    rig.add_task("j", "t", "sleep 600", json!({})).await;
    rig.wait_for("/jobs/j/tasks/t", |task| task["state"] == "running")
        .await;
    let less = json!({"targetDedicatedNodes": 0, "nodeDeallocationOption": "taskcompletion"});
    assert_eq!(
        rig.batch("POST", "/pools/p/resize", Some(less.clone()))
            .await
            .status,
        202
    );
    assert_eq!(
        rig.batch("POST", "/pools/p/resize", Some(less))
            .await
            .refusal(),
        (409, "PoolBeingResized".to_owned())
    );
    assert_eq!(
        rig.batch("POST", "/pools/p/stopresize", None).await.status,
        202
    );
    let pool = rig
        .wait_for("/pools/p", |pool| pool["allocationState"] == "steady")
        .await;
    assert_eq!(pool["resizeErrors"][0]["code"], "ResizeStopped");
    assert_eq!(
        (
            &pool["currentDedicatedNodes"],
            &pool["targetDedicatedNodes"]
        ),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        rig.batch("GET", "/jobs/j/tasks/t", None).await.json()["state"],
        "running"
    );
    rig.stop().await;
}

#[tokio::test]
async fn files_go_when_their_time_is_over() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    let body = json!({"constraints": {"retentionTime": "PT1H"}});
    rig.add_task("j", "t", "echo kept", body).await;
    rig.completed("j", "t").await;
    assert_eq!(rig.file("j", "t", "stdout.txt").await, "kept\n");
    rig.advance(3600.0).await;
    let path = "/jobs/j/tasks/t/files/stdout.txt";
    assert_eq!(
        rig.batch("GET", path, None).await.refusal(),
        (409, "TaskFilesCleanedup".to_owned())
    );
    rig.stop().await;
}

/// How a task that exits with `code` under `conditions` acts on its job and on a task that depends on it.
async fn acts(rig: &Rig, job: &str, code: i32, conditions: Value) -> (String, String) {
    let body =
        json!({"usesTaskDependencies": true, "onTaskFailure": "performexitoptionsjobaction"});
    rig.add_job(job, "p", body).await;
    let settings = json!([{"name": "SIMULATED_EXIT_CODE", "value": code.to_string()}]);
    let task = json!({"environmentSettings": settings, "exitConditions": conditions});
    rig.add_task(job, "first", "x", task).await;
    let after = json!({"dependsOn": {"taskIds": ["first"]}});
    rig.add_task(job, "after", "x", after).await;
    rig.advance(15.0).await;
    let state = |path: String| async move {
        let state = rig.batch("GET", &path, None).await.json()["state"].clone();
        state.as_str().unwrap_or_default().to_owned()
    };
    let acted = (
        state(format!("/jobs/{job}")).await,
        state(format!("/jobs/{job}/tasks/after")).await,
    );
    assert_eq!(
        rig.batch("DELETE", &format!("/jobs/{job}"), None)
            .await
            .status,
        202
    );
    acted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_exit_condition_that_fits_decides() {
    let rig = Rig::with(still()).await;
    rig.add_pool("p", 4, json!({})).await;
    let option =
        |job: &str, dependency: &str| json!({"jobAction": job, "dependencyAction": dependency});
    let conditions = json!({
        "exitCodes": [{"code": 3, "exitOptions": option("none", "satisfy")}],
        "exitCodeRanges": [
            {"start": 3, "end": 5, "exitOptions": option("disable", "block")},
            {"start": 0, "end": 0, "exitOptions": option("none", "block")},
        ],
        "default": option("terminate", "block"),
    });
    for (at, code, conditions, job, after) in [
        (0, 0, json!({}), "active", "running"),
        (1, 1, json!({}), "completed", "active"),
        (2, 0, conditions.clone(), "active", "active"),
        (3, 3, conditions.clone(), "active", "running"),
        (4, 4, conditions.clone(), "disabled", "active"),
        (5, 9, conditions, "completed", "active"),
        (
            6,
            1,
            json!({"default": {"jobAction": "none"}}),
            "active",
            "active",
        ),
    ] {
        let acted = acts(&rig, &format!("job{at}"), code, conditions).await;
        assert_eq!(acted, (job.to_owned(), after.to_owned()), "case {at}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_exports_are_all_that_a_client_needs() {
    use tokio::io::AsyncBufReadExt as _;
    let rig = Rig::start().await;
    let mut service = tokio::process::Command::new(env!("CARGO_BIN_EXE_fanout"))
        .args(["emulate", "--quiet", "--env", "--node-root"])
        .arg(rig.directory.path())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("fanout");
    let mut lines = tokio::io::BufReader::new(service.stdout.take().expect("piped")).lines();
    let mut exports = Vec::new();
    while exports
        .last()
        .is_none_or(|(name, _)| name != "AZURE_STORAGE_CONNECTION_STRING")
    {
        let line = lines.next_line().await.expect("line").expect("more");
        if let Some((name, value)) = line
            .strip_prefix("export ")
            .and_then(|line| line.split_once('='))
        {
            exports.push((name.to_owned(), value.trim_matches('\'').to_owned()));
        }
    }
    let listed = std::process::Command::new(env!("CARGO_BIN_EXE_fanout"))
        .args(["gc", "-o", "json"])
        .env_clear()
        .envs(exports)
        .env("HOME", rig.directory.path())
        .output()
        .expect("fanout");
    let told = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success(), "{told}");
    assert!(
        String::from_utf8_lossy(&listed.stdout).contains("items"),
        "{told}"
    );
    let pid = service.id().expect("it runs");
    std::process::Command::new("kill")
        .arg(pid.to_string())
        .status()
        .expect("kill");
    assert!(service.wait().await.expect("ended").success());
    rig.stop().await;
}
