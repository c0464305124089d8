//! Faults on demand, through the control endpoint.

use crate::client::{Reply, Rig, gone};
use serde_json::{Value, json};

async fn control(rig: &Rig, method: &str, path: &str, body: Value) -> Reply {
    rig.control(method, path, body).await
}

async fn harm(rig: &Rig, fault: Value) {
    let reply = control(rig, "POST", "/faults", fault).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
}

#[tokio::test]
async fn the_control_endpoint_wants_its_token_and_a_loopback_host() {
    let rig = Rig::start().await;
    let url = format!("{}/faults", rig.service.ready().control.url);
    assert_eq!(
        rig.http.get(&url).send().await.expect("answer").status(),
        401
    );
    let token = rig.service.ready().control.token.expose().to_owned();
    let foreign = rig
        .http
        .get(&url)
        .bearer_auth(&token)
        .header("host", "evil.example");
    assert_eq!(foreign.send().await.expect("answer").status(), 403);
    assert_eq!(
        control(&rig, "GET", "/faults", json!({})).await.json(),
        json!({"faults": []})
    );
    assert_eq!(
        control(&rig, "POST", "/faults", json!({"effect": {"kind": "x"}}))
            .await
            .status,
        400
    );
    rig.stop().await;
}

#[tokio::test]
async fn requests_fail_as_often_as_asked_with_or_without_their_work() {
    let rig = Rig::start().await;
    let effect = json!({"kind": "status", "status": 503, "code": "ServerBusy", "retryAfter": 2});
    harm(
        &rig,
        json!({"service": "batch", "path": "/pools", "count": 2, "effect": effect}),
    )
    .await;
    for _ in 0..2 {
        let reply = rig.batch("GET", "/pools", None).await;
        assert_eq!(reply.refusal(), (503, "ServerBusy".to_owned()));
        assert_eq!(reply.header("retry-after"), "2");
    }
    assert_eq!(rig.batch("GET", "/pools", None).await.status, 200);
    let effect = json!({"kind": "status", "status": 500, "code": "InternalError", "done": true});
    harm(
        &rig,
        json!({"method": "POST", "path": "/jobs", "count": 1, "effect": effect}),
    )
    .await;
    let job = json!({"id": "j", "poolInfo": {"poolId": "p"}});
    assert_eq!(
        rig.batch("POST", "/jobs", Some(job.clone())).await.status,
        500
    );
    assert_eq!(
        rig.batch("POST", "/jobs", Some(job)).await.refusal(),
        (409, "JobExists".to_owned())
    );
    harm(
        &rig,
        json!({"service": "blob", "count": 1, "effect": {"kind": "slow", "milliseconds": 1}}),
    )
    .await;
    rig.put_container("con").await;
    rig.stop().await;
}

#[tokio::test]
async fn connections_are_cut_before_after_and_within() {
    let rig = Rig::start().await;
    let url = |name: &str| rig.sas("con", Some(name), "rcw");
    rig.put_container("con").await;
    let put = |name: &'static str| {
        rig.http
            .put(url(name))
            .header("x-ms-blob-type", "BlockBlob")
            .body("0123456789")
            .send()
    };
    harm(
        &rig,
        json!({"method": "PUT", "count": 1, "effect": {"kind": "cut"}}),
    )
    .await;
    assert!(put("before").await.is_err());
    harm(
        &rig,
        json!({"method": "PUT", "count": 1, "effect": {"kind": "cut", "done": true}}),
    )
    .await;
    assert!(put("after").await.is_err());
    assert_eq!(rig.blob("GET", "/con/before", b"", &[]).await.status, 404);
    harm(
        &rig,
        json!({"path": "/con/after", "count": 1, "effect": {"kind": "cutBody", "bytes": 4}}),
    )
    .await;
    let answer = rig.http.get(url("after")).send().await.expect("headers");
    assert_eq!(answer.content_length(), Some(10));
    assert!(answer.bytes().await.is_err());
    assert_eq!(
        rig.blob("GET", "/con/after", b"", &[]).await.text,
        "0123456789"
    );
    rig.stop().await;
}

#[tokio::test]
async fn nodes_fail_to_come_to_start_and_to_boot() {
    let rig = Rig::start().await;
    harm(
        &rig,
        json!({"count": 1, "effect": {"kind": "resize", "code": "AccountCoreQuotaReached"}}),
    )
    .await;
    rig.add_pool("quota", 2, json!({})).await;
    let failed = |pool: &Value| pool["resizeErrors"][0]["code"] == "AccountCoreQuotaReached";
    let pool = rig.wait_for("/pools/quota", failed).await;
    assert_eq!(
        (&pool["allocationState"], &pool["currentDedicatedNodes"]),
        (&json!("steady"), &json!(0))
    );
    harm(
        &rig,
        json!({"skip": 1, "count": 1, "effect": {"kind": "startTask", "exitCode": 9}}),
    )
    .await;
    rig.add_pool("start", 3, json!({"startTask": {"commandLine": "true"}}))
        .await;
    let counts = |list: &Value| {
        let counts = &list["value"][0]["dedicated"];
        counts["idle"] == 2 && counts["startTaskFailed"] == 1
    };
    rig.wait_for("/nodecounts?$filter=poolId%20eq%20'start'", counts)
        .await;
    harm(&rig, json!({"count": 1, "effect": {"kind": "unusable"}})).await;
    rig.add_pool("boot", 1, json!({})).await;
    rig.wait_for("/pools/boot/nodes", |list| {
        list["value"][0]["state"] == "unusable"
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn a_preempted_node_loses_its_task_and_comes_back() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    rig.add_task("j", "t", "/bin/sh -c 'echo $$; exec sleep 600'", json!({}))
        .await;
    let path = "/jobs/j/tasks/t/files?$filter=startswith(name%2C'stdout')";
    let told = |list: &Value| {
        list["value"][0]["properties"]["contentLength"]
            .as_str()
            .is_some_and(|length| length != "0")
    };
    rig.wait_for(path, told).await;
    let pid = rig.file("j", "t", "stdout.txt").await;
    let task = rig.batch("GET", "/jobs/j/tasks/t", None).await.json();
    let order = json!({"pool": "p", "action": "preempt"});
    let reply = control(&rig, "POST", "/nodes", order).await;
    assert_eq!(reply.json()["node"], task["nodeInfo"]["nodeId"]);
    gone(&pid).await;
    let started = task["executionInfo"]["startTime"].clone();
    let again =
        |task: &Value| task["state"] == "running" && task["executionInfo"]["startTime"] != started;
    let task = rig.wait_for("/jobs/j/tasks/t", again).await;
    assert_eq!(
        (
            &task["executionInfo"]["retryCount"],
            &task["executionInfo"]["requeueCount"]
        ),
        (&json!(0), &json!(0))
    );
    assert_eq!(task["nodeInfo"]["nodeId"], reply.json()["node"]);
    rig.stop().await;
}

#[tokio::test]
async fn a_wrong_clock_refuses_requests() {
    let rig = Rig::start().await;
    assert_eq!(
        control(&rig, "POST", "/clock", json!({"skewSeconds": 3600}))
            .await
            .status,
        200
    );
    assert_eq!(
        rig.batch("GET", "/pools", None).await.refusal(),
        (403, "AuthenticationFailed".to_owned())
    );
    assert_eq!(rig.blob("GET", "?comp=list", b"", &[]).await.status, 403);
    assert_eq!(
        control(&rig, "POST", "/clock", json!({"skewSeconds": 0}))
            .await
            .status,
        200
    );
    assert_eq!(rig.batch("GET", "/pools", None).await.status, 200);
    let item = json!({"count": 1, "effect": {"kind": "item", "code": "ServerBusy"}});
    harm(&rig, item).await;
    rig.add_job("j", "p", json!({})).await;
    let tasks =
        json!({"value": [{"id": "a", "commandLine": "true"}, {"id": "b", "commandLine": "true"}]});
    let result = rig
        .batch("POST", "/jobs/j/addtaskcollection", Some(tasks))
        .await
        .json();
    assert_eq!(
        (&result["value"][0]["status"], &result["value"][1]["status"]),
        (&json!("ServerError"), &json!("Success"))
    );
    rig.stop().await;
}

#[tokio::test]
async fn faults_have_names() {
    let rig = Rig::start().await;
    let named = control(&rig, "GET", "/faults/named", Value::Null)
        .await
        .json();
    let names: Vec<&str> = named["named"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|named| named["name"].as_str())
        .collect();
    assert!(names.len() >= 20, "{names:?}");
    for name in &names {
        harm(&rig, json!(name)).await;
    }
    let listed = control(&rig, "GET", "/faults", Value::Null).await.json();
    assert_eq!(listed["faults"].as_array().map(Vec::len), Some(names.len()));
    for refused in [
        json!("unheard-of"),
        json!({"effect": {"kind": "resize", "code": "x"}}),
    ] {
        assert_eq!(control(&rig, "POST", "/faults", refused).await.status, 400);
    }
    let printed = std::process::Command::new(env!("CARGO_BIN_EXE_fanout"))
        .args(["emulate", "--list-faults"])
        .output()
        .expect("fanout");
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    assert_eq!(printed, named["named"]);
    rig.stop().await;
}

#[tokio::test]
async fn files_of_tasks_fail_by_faults() {
    let rig = Rig::start().await;
    for name in ["input", "output"] {
        rig.put_container(name).await;
    }
    rig.put_blob("input", "a", "text").await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    harm(&rig, json!("resource-missing")).await;
    harm(&rig, json!("output-denied")).await;
    let files = json!({
        "resourceFiles": [{"httpUrl": rig.sas("input", Some("a"), "r"), "filePath": "a"}],
        "outputFiles": [{
            "filePattern": "a",
            "destination": {"container": {"containerUrl": rig.sas("output", None, "cw")}},
            "uploadOptions": {"uploadCondition": "taskcompletion"},
        }],
    });
    // Neither hits a task without files.
    for (task, files, code, exit_code) in [
        ("none", json!({}), Value::Null, json!(0)),
        ("both", files.clone(), json!("BlobNotFound"), Value::Null),
        ("after", files, Value::Null, json!(0)),
    ] {
        rig.add_task("j", task, "true", files).await;
        let info = rig.completed("j", task).await["executionInfo"].clone();
        assert_eq!(
            (&info["failureInfo"]["code"], &info["exitCode"]),
            (&code, &exit_code),
            "{task}"
        );
    }
    harm(&rig, json!("output-denied")).await;
    let output = json!({"outputFiles": [{
        "filePattern": "../stdout.txt",
        "destination": {"container": {"containerUrl": rig.sas("output", None, "cw")}},
        "uploadOptions": {"uploadCondition": "taskcompletion"},
    }]});
    rig.add_task("j", "output", "true", output).await;
    let info = rig.completed("j", "output").await["executionInfo"].clone();
    assert_eq!(
        (&info["failureInfo"]["code"], &info["exitCode"]),
        (&json!("FileUploadAccessDenied"), &json!(0))
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_clock_is_wrong_for_as_many_requests_as_asked() {
    let rig = Rig::start().await;
    harm(
        &rig,
        json!({"count": 1, "effect": {"kind": "clockSkew", "seconds": -3600}}),
    )
    .await;
    let wrong = rig.batch("GET", "/pools", None).await;
    assert_eq!(wrong.refusal(), (403, "AuthenticationFailed".to_owned()));
    assert_ne!(
        wrong.header("date").get(..19),
        crate::client::now().get(..19)
    );
    assert_eq!(rig.batch("GET", "/pools", None).await.status, 200);
    rig.stop().await;
}

#[tokio::test]
async fn a_resize_can_fail_after_some_nodes() {
    let rig = Rig::start().await;
    harm(&rig, json!("allocation-timeout")).await;
    rig.add_pool("p", 3, json!({})).await;
    let failed = |pool: &Value| pool["resizeErrors"][0]["code"] == "AllocationTimedout";
    let pool = rig.wait_for("/pools/p", failed).await;
    assert_eq!(
        (
            &pool["currentDedicatedNodes"],
            &pool["targetDedicatedNodes"]
        ),
        (&json!(1), &json!(3))
    );
    let again = json!({"targetDedicatedNodes": 3});
    assert_eq!(
        rig.batch("POST", "/pools/p/resize", Some(again))
            .await
            .status,
        202
    );
    let pool = rig
        .wait_for("/pools/p", |pool| pool["currentDedicatedNodes"] == 3)
        .await;
    assert_eq!(pool["resizeErrors"], Value::Null);
    rig.stop().await;
}
