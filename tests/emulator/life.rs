//! Beginning and end of nodes, jobs and the service: nothing may stay.

use crate::client::{Rig, gone};
use fanout::emulator::{Endpoint, Options, Service};
use fanout::secret::Secret;
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt as _;

/// Starts a task that tells its process id and then waits for ever; the id.
async fn endless(rig: &Rig, job: &str, task: &str) -> String {
    rig.add_task(job, task, "/bin/sh -c 'echo $$; exec sleep 600'", json!({}))
        .await;
    rig.wait_for(&format!("/jobs/{job}/tasks/{task}"), |task| {
        task["state"] == "running"
    })
    .await;
    let path = format!("/jobs/{job}/tasks/{task}/files?$filter=startswith(name%2C'stdout')");
    rig.wait_for(&path, |list| {
        list["value"][0]["properties"]["contentLength"]
            .as_str()
            .is_some_and(|length| length != "0")
    })
    .await;
    rig.file(job, task, "stdout.txt").await
}

#[tokio::test]
async fn terminating_a_job_ends_its_processes() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    let pid = endless(&rig, "j", "runs").await;
    rig.add_task("j", "waits", "true", json!({})).await;
    let body = json!({"terminateReason": "Enough"});
    assert_eq!(
        rig.batch("POST", "/jobs/j/terminate", Some(body))
            .await
            .status,
        202
    );
    let job = rig
        .wait_for("/jobs/j", |job| job["state"] == "completed")
        .await;
    assert_eq!(job["executionInfo"]["terminateReason"], "Enough");
    gone(&pid).await;
    let task = rig.completed("j", "runs").await;
    assert_eq!(task["executionInfo"]["failureInfo"]["code"], "TaskEnded");
    assert_eq!(
        rig.batch("GET", "/jobs/j/tasks/waits", None).await.json()["state"],
        "active"
    );
    rig.stop().await;
}

#[tokio::test]
async fn deleting_a_job_removes_its_files() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    let pid = endless(&rig, "j", "t").await;
    let task = rig.batch("GET", "/jobs/j/tasks/t", None).await.json();
    let node = task["nodeInfo"]["nodeId"]
        .as_str()
        .expect("node")
        .to_owned();
    assert_eq!(rig.batch("DELETE", "/jobs/j", None).await.status, 202);
    rig.wait_for("/jobs/j", |job| job["code"] == "JobNotFound")
        .await;
    gone(&pid).await;
    let files = rig
        .batch(
            "GET",
            &format!("/pools/p/nodes/{node}/files?recursive=true"),
            None,
        )
        .await
        .text;
    assert!(!files.contains("workitems/j"), "{files}");
    rig.stop().await;
}

#[tokio::test]
async fn tasks_of_a_removed_node_run_elsewhere() {
    let rig = Rig::start().await;
    rig.add_pool("p", 2, json!({})).await;
    rig.wait_for("/pools/p/nodes", |list| {
        list["value"].as_array().is_some_and(|nodes| {
            nodes.len() == 2 && nodes.iter().all(|node| node["state"] == "idle")
        })
    })
    .await;
    rig.add_job("j", "p", json!({})).await;
    let pid = endless(&rig, "j", "t").await;
    let path = "/jobs/j/tasks/t";
    let before = rig.batch("GET", path, None).await.json();
    let node = before["nodeInfo"]["nodeId"].clone();
    let body = json!({"nodeList": [node]});
    assert_eq!(
        rig.batch("POST", "/pools/p/removenodes", Some(body))
            .await
            .status,
        202
    );
    let after = rig
        .wait_for(path, |task| {
            task["state"] == "running" && task["nodeInfo"]["nodeId"] != node
        })
        .await;
    assert_eq!(after["executionInfo"]["requeueCount"], 1);
    assert_eq!(after["executionInfo"]["retryCount"], 0);
    gone(&pid).await;
    rig.wait_for("/pools/p", |pool| {
        pool["currentDedicatedNodes"] == 1 && pool["allocationState"] == "steady"
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn a_pool_grows_shrinks_and_goes() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    let steady = |count: u32| {
        move |pool: &Value| {
            pool["currentDedicatedNodes"] == count && pool["allocationState"] == "steady"
        }
    };
    rig.wait_for("/pools/p", steady(1)).await;
    let resize = |count: u32| json!({"targetDedicatedNodes": count, "targetLowPriorityNodes": 1});
    assert_eq!(
        rig.batch("POST", "/pools/p/resize", Some(resize(3)))
            .await
            .status,
        202
    );
    rig.wait_for("/pools/p", steady(3)).await;
    let nodes = rig.batch("GET", "/pools/p/nodes", None).await.json();
    let spot = nodes["value"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|node| node["isDedicated"] == false)
        .count();
    assert_eq!(spot, 1);
    assert_eq!(
        rig.batch("POST", "/pools/p/resize", Some(resize(0)))
            .await
            .status,
        202
    );
    rig.wait_for("/pools/p", steady(0)).await;
    assert_eq!(rig.batch("DELETE", "/pools/p", None).await.status, 202);
    rig.wait_for("/pools/p", |pool| pool["code"] == "PoolNotFound")
        .await;
    rig.stop().await;
}

#[tokio::test]
async fn slots_and_the_limit_of_a_job_hold() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({"taskSlotsPerNode": 3})).await;
    rig.add_job("j", "p", json!({"maxParallelTasks": 2})).await;
    for id in ["a", "b"] {
        endless(&rig, "j", id).await;
    }
    rig.add_task("j", "c", "true", json!({})).await;
    rig.add_job("k", "p", json!({})).await;
    rig.add_task("k", "wide", "true", json!({"requiredSlots": 2}))
        .await;
    rig.add_task("k", "narrow", "true", json!({})).await;
    rig.completed("k", "narrow").await;
    let state =
        |path: &'static str| async { rig.batch("GET", path, None).await.json()["state"].clone() };
    assert_eq!(state("/jobs/j/tasks/c").await, "active");
    assert_eq!(state("/jobs/k/tasks/wide").await, "active");
    assert_eq!(
        rig.batch("POST", "/jobs/j/tasks/a/terminate", None)
            .await
            .status,
        204
    );
    rig.completed("j", "c").await;
    rig.completed("k", "wide").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_disabled_job_waits_until_it_is_enabled() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    let pid = endless(&rig, "j", "t").await;
    let body = json!({"disableTasks": "requeue"});
    assert_eq!(
        rig.batch("POST", "/jobs/j/disable", Some(body))
            .await
            .status,
        202
    );
    rig.wait_for("/jobs/j", |job| job["state"] == "disabled")
        .await;
    gone(&pid).await;
    assert_eq!(
        rig.batch("GET", "/jobs/j/tasks/t", None).await.json()["state"],
        "active"
    );
    assert_eq!(rig.batch("POST", "/jobs/j/enable", None).await.status, 202);
    rig.wait_for("/jobs/j/tasks/t", |task| task["state"] == "running")
        .await;
    rig.stop().await;
}

#[tokio::test]
async fn the_end_of_the_service_is_the_end_of_everything() {
    let rig = Rig::start().await;
    rig.add_pool(
        "p",
        1,
        json!({"startTask": {"commandLine": "/bin/sh -c 'setsid sleep 600 & echo $!'"}}),
    )
    .await;
    let nodes = rig
        .wait_for("/pools/p/nodes", |list| list["value"][0]["state"] == "idle")
        .await;
    let node = nodes["value"][0]["id"].as_str().expect("id");
    let path = format!("/pools/p/nodes/{node}/files/startup%2Fstdout.txt");
    let daemon = rig.batch("GET", &path, None).await.text;
    rig.add_job("j", "p", json!({})).await;
    let pid = endless(&rig, "j", "t").await;
    rig.stop().await;
    gone(&pid).await;
    gone(&daemon).await;
}

#[tokio::test]
async fn a_dropped_service_leaves_nothing() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    let pid = endless(&rig, "j", "t").await;
    let Rig {
        service, directory, ..
    } = rig;
    drop(service);
    gone(&pid).await;
    assert_eq!(
        std::fs::read_dir(directory.path())
            .expect("directory")
            .count(),
        0
    );
}

#[tokio::test]
async fn what_a_killed_service_left_goes_at_the_next_start() {
    let rig = Rig::start().await;
    let mut killed = tokio::process::Command::new(env!("CARGO_BIN_EXE_fanout"))
        .args(["emulate", "--quiet", "--node-root"])
        .arg(rig.directory.path())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("fanout");
    let mut lines = tokio::io::BufReader::new(killed.stdout.take().expect("piped")).lines();
    let ready: Value =
        serde_json::from_str(&lines.next_line().await.expect("line").expect("ready"))
            .expect("JSON");
    let text = |name: &str| ready["batch"][name].as_str().expect("text").to_owned();
    let endpoint = Endpoint {
        endpoint: text("endpoint"),
        account: text("account"),
        key: Secret::new(text("key")),
    };
    let pid_file = rig.directory.path().join("pid");
    let command = format!(
        "/bin/sh -c 'echo $$ > {}; exec sleep 600'",
        pid_file.display()
    );
    let pool = json!({
        "id": "p",
        "vmSize": "standard_d2s_v5",
        "targetDedicatedNodes": 1,
        "virtualMachineConfiguration": {
            "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
            "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        },
        "startTask": {"commandLine": command},
    });
    assert_eq!(
        rig.batch_with(&endpoint, "POST", "/pools", Some(pool), &[])
            .await
            .status,
        201
    );
    let mut pid = String::new();
    while !pid.ends_with('\n') {
        fanout::clock::sleep(std::time::Duration::from_millis(10)).await;
        pid = std::fs::read_to_string(&pid_file).unwrap_or_default();
    }
    killed.kill().await.expect("killed");
    let options = Options {
        node_root: Some(rig.directory.path().to_owned()),
        ..Options::default()
    };
    let next = Service::start(options).await.expect("service");
    gone(&pid).await;
    next.shutdown().await.expect("clean end");
    std::fs::remove_file(pid_file).expect("file");
    rig.stop().await;
}

#[tokio::test]
async fn a_node_that_is_being_prepared_can_be_removed() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job(
        "j",
        "p",
        json!({"jobPreparationTask": {"commandLine": "sleep 600"}}),
    )
    .await;
    rig.add_task("j", "t", "true", json!({})).await;
    rig.wait_for("/jobs/j/tasks/t", |task| task["state"] == "preparing")
        .await;
    assert_eq!(rig.batch("DELETE", "/pools/p", None).await.status, 202);
    rig.wait_for("/pools/p", |pool| pool["code"] == "PoolNotFound")
        .await;
    assert_eq!(
        rig.batch("GET", "/jobs/j/tasks/t", None).await.json()["state"],
        "active"
    );
    rig.stop().await;
}
