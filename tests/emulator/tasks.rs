//! Tasks as processes: files in, files out, and every way to fail.

use crate::client::Rig;
use serde_json::{Value, json};

fn output(url: &str, pattern: &str, path: &str, condition: &str) -> Value {
    json!({
        "filePattern": pattern,
        "destination": {"container": {"containerUrl": url, "path": path}},
        "uploadOptions": {"uploadCondition": condition},
    })
}

#[tokio::test]
async fn files_go_in_and_out() {
    let rig = Rig::start().await;
    for name in ["input", "output"] {
        rig.put_container(name).await;
    }
    rig.put_blob("input", "one%20file", "1").await;
    for name in ["set/a", "set/b/c", "other"] {
        rig.put_blob("input", name, name).await;
    }
    rig.add_pool("p", 1, json!({"startTask": {"commandLine": "/bin/sh -c 'echo ready > $AZ_BATCH_NODE_SHARED_DIR/x'"}})).await;
    rig.add_job("j", "p", json!({"commonEnvironmentSettings": [{"name": "A", "value": "job"}, {"name": "B", "value": "job"}]})).await;
    let out = rig.sas("output", None, "cw");
    let command = "/bin/sh -c 'cat \"x/one file\" dir/set/a dir/set/b/c $AZ_BATCH_NODE_SHARED_DIR/x; echo $A $B; ls dir; stat -c %a x/*; mkdir -p o/p; echo 1 > o/1.txt; echo 2 > o/p/2.txt; echo 3 > o/.3.txt; pwd >&2'";
    rig.add_task("j", "t", command, json!({
        "environmentSettings": [{"name": "B", "value": "$A"}],
        "resourceFiles": [
            {"httpUrl": rig.sas("input", Some("one file"), "r"), "filePath": "x/one file", "fileMode": "0640"},
            {"storageContainerUrl": rig.sas("input", None, "rl"), "blobPrefix": "set/", "filePath": "dir"},
        ],
        "outputFiles": [
            output(&out, "o/**/*.txt", "wild", "tasksuccess"),
            output(&out, "../std*.txt", "logs/t", "taskcompletion"),
            output(&out, "o/1.txt", "failed", "taskfailure"),
        ],
    }))
    .await;
    let task = rig.completed("j", "t").await;
    assert_eq!(task["executionInfo"]["result"], "success", "{task:#}");
    assert_eq!(task["executionInfo"]["exitCode"], 0);
    assert_eq!(
        rig.file("j", "t", "stdout.txt").await,
        "1set/aset/b/cready\njob $A\nset\n640\n"
    );
    assert!(
        rig.file("j", "t", "stderr.txt")
            .await
            .trim()
            .ends_with("/workitems/j/job-1/t/wd")
    );
    assert_eq!(rig.file("j", "t", "wd%2Fo%2F1.txt").await, "1\n");
    let listed = rig
        .blob("GET", "/output?restype=container&comp=list", b"", &[])
        .await
        .text;
    let names: Vec<&str> = listed
        .split("<Name>")
        .skip(1)
        .filter_map(|part| part.split("</Name>").next())
        .collect();
    assert_eq!(
        names,
        [
            "logs/t/stderr.txt",
            "logs/t/stdout.txt",
            "wild/1.txt",
            "wild/p/2.txt"
        ]
    );
    rig.stop().await;
}

#[tokio::test]
async fn the_environment_is_the_documented_one() {
    let rig = Rig::start().await;
    rig.add_pool("Pool-1", 1, json!({})).await;
    rig.add_job("Job-1", "pool-1", json!({})).await;
    rig.add_task("job-1", "Task-1", "env", json!({})).await;
    let task = rig.completed("job-1", "task-1").await;
    let text = rig.file("job-1", "task-1", "stdout.txt").await;
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")))
            .unwrap_or_else(|| panic!("{name} in {text}"))
    };
    assert_eq!(value("AZ_BATCH_JOB_ID"), "Job-1");
    assert_eq!(value("AZ_BATCH_TASK_ID"), "Task-1");
    assert_eq!(value("AZ_BATCH_POOL_ID"), "Pool-1");
    assert_eq!(value("AZ_BATCH_ACCOUNT_NAME"), "fanoutbatch");
    assert_eq!(value("AZ_BATCH_NODE_ID"), task["nodeInfo"]["nodeId"]);
    assert_eq!(value("AZ_BATCH_NODE_IS_DEDICATED"), "true");
    let root = value("AZ_BATCH_NODE_ROOT_DIR");
    assert_eq!(
        value("AZ_BATCH_TASK_WORKING_DIR"),
        format!("{root}/workitems/Job-1/job-1/Task-1/wd")
    );
    for line in text.lines() {
        let name = line.split('=').next().unwrap_or_default();
        let is_known =
            name.starts_with("AZ_BATCH_") || ["PATH", "HOME", "LANG", "PWD"].contains(&name);
        assert!(is_known, "{line}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_failing_task_is_retried_and_then_fails() {
    let rig = Rig::start().await;
    rig.put_container("output").await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({"constraints": {"maxTaskRetryCount": 2}}))
        .await;
    let out = rig.sas("output", None, "cw");
    rig.add_task("j", "t", "/bin/sh -c 'echo x >> ../../tries; exit 7'", json!({
        "outputFiles": [output(&out, "../../tries", "tries", "taskfailure"), output(&out, "none", "none", "taskcompletion")],
    }))
    .await;
    let info = rig.completed("j", "t").await["executionInfo"].clone();
    assert_eq!(
        (&info["exitCode"], &info["retryCount"], &info["result"]),
        (&json!(7), &json!(2), &json!("failure"))
    );
    assert_eq!(info["failureInfo"]["code"], "FailureExitCode");
    assert_eq!(info["failureInfo"]["category"], "UserError");
    assert_eq!(
        rig.blob("GET", "/output/tries", b"", &[]).await.text,
        "x\nx\nx\n"
    );
    assert_eq!(
        rig.batch("POST", "/jobs/j/tasks/t/reactivate", None)
            .await
            .status,
        204
    );
    let info = rig.completed("j", "t").await["executionInfo"].clone();
    assert_eq!(info["retryCount"], 2);
    rig.stop().await;
}

fn file(url: String) -> Value {
    json!({"resourceFiles": [{"httpUrl": url, "filePath": "f"}]})
}

fn container(url: String) -> Value {
    json!({"resourceFiles": [{"storageContainerUrl": url}]})
}

/// A task's id, command line and other parts, with the code and the exit code that it fails with.
type Case = (&'static str, &'static str, Value, &'static str, Value);

/// Runs each task once and compares how it failed.
async fn fail(cases: fn(&Rig) -> Vec<Case>) {
    let rig = Rig::start().await;
    for name in ["input", "output"] {
        rig.put_container(name).await;
    }
    rig.put_blob("input", "a", "text").await;
    rig.add_pool("p", 1, json!({"taskSlotsPerNode": 8})).await;
    rig.add_job("j", "p", json!({"constraints": {"maxTaskRetryCount": 3}}))
        .await;
    let cases = cases(&rig);
    for (id, command, more, ..) in &cases {
        rig.add_task("j", id, command, more.clone()).await;
    }
    for (id, _, _, code, exit_code) in &cases {
        let info = rig.completed("j", id).await["executionInfo"].clone();
        assert_eq!(info["failureInfo"]["code"], *code, "{id}: {info:#}");
        assert_eq!(info["exitCode"], *exit_code, "{id}: {info:#}");
        assert_eq!(info["retryCount"], 0, "{id}");
        assert!(!info.to_string().contains("sig="), "{info}");
    }
    let counts = rig.batch("GET", "/jobs/j/taskcounts", None).await.json();
    assert_eq!(counts["taskCounts"]["failed"], cases.len());
    assert_eq!(counts["taskCounts"]["succeeded"], 0);
    rig.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_with_resource_files_has_its_code() {
    fail(|rig| {
        let expired = rig.sas_until("input", Some("a"), "r", "2020-01-01");
        vec![
            (
                "missing",
                "true",
                file(rig.sas("input", Some("b"), "r")),
                "BlobNotFound",
                Value::Null,
            ),
            (
                "write-only",
                "true",
                file(rig.sas("input", Some("a"), "w")),
                "BlobAccessDenied",
                Value::Null,
            ),
            (
                "expired",
                "true",
                file(expired),
                "BlobAccessDenied",
                Value::Null,
            ),
            (
                "no-set",
                "true",
                container(rig.sas("none", None, "rl")),
                "ResourceContainerNotFound",
                Value::Null,
            ),
            (
                "no-list",
                "true",
                container(rig.sas("input", None, "r")),
                "ResourceContainerAccessDenied",
                Value::Null,
            ),
        ]
    })
    .await;
}

#[tokio::test]
async fn what_goes_wrong_with_a_command_or_its_output_has_its_code() {
    fail(|rig| {
        let upload = |url: String| json!({"outputFiles": [output(&url, "../stdout.txt", "o", "taskcompletion")]});
        let limited = json!({"constraints": {"maxWallClockTime": "PT0.2S"}});
        vec![
            ("no-program", "./none", json!({}), "CommandProgramNotFound", Value::Null),
            ("open-quote", "echo 'x", json!({}), "CommandLaunchFailed", Value::Null),
            ("no-write", "true", upload(rig.sas("output", None, "r")), "FileUploadAccessDenied", json!(0)),
            ("no-target", "true", upload(rig.sas("none", None, "cw")), "FileUploadContainerNotFound", json!(0)),
            ("too-long", "sleep 600", limited, "TaskEnded", json!(137)),
        ]
    })
    .await;
}

#[tokio::test]
async fn paths_that_leave_the_task_are_refused() {
    let rig = Rig::start().await;
    rig.add_job("j", "p", json!({})).await;
    for path in ["../x", "/x", "a/../../x"] {
        let body = json!({"id": "t", "commandLine": "true", "resourceFiles": [{"httpUrl": "http://127.0.0.1/x", "filePath": path}]});
        let reply = rig.batch("POST", "/jobs/j/tasks", Some(body)).await;
        assert_eq!(reply.refusal(), (400, "InvalidPropertyValue".to_owned()));
    }
    rig.add_pool("p", 1, json!({})).await;
    rig.add_task("j", "t", "ln -s /etc link", json!({})).await;
    rig.completed("j", "t").await;
    for path in [
        "wd/link/passwd",
        "..%2F..%2Fstdout.txt",
        "wd%2Flink%2Fpasswd",
    ] {
        let reply = rig
            .batch("GET", &format!("/jobs/j/tasks/t/files/{path}"), None)
            .await;
        assert_eq!(reply.refusal(), (404, "FileNotFound".to_owned()), "{path}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn parts_of_files_are_read() {
    let rig = Rig::start().await;
    rig.add_pool("p", 1, json!({})).await;
    rig.add_job("j", "p", json!({})).await;
    rig.add_task("j", "t", "printf 0123456789", json!({})).await;
    rig.completed("j", "t").await;
    let path = "/jobs/j/tasks/t/files/stdout.txt";
    let part = |range: &'static str| async {
        rig.batch_with(
            &rig.batch_endpoint(),
            "GET",
            path,
            None,
            &[("ocp-range", range)],
        )
        .await
    };
    assert_eq!(part("bytes=3-5").await.text, "345");
    assert_eq!(part("bytes=8-").await.text, "89");
    assert_eq!(
        part("bytes=10-").await.refusal(),
        (416, "InvalidRange".to_owned())
    );
    let head = rig.batch("HEAD", path, None).await;
    assert_eq!(head.header("content-length"), "10");
    assert_eq!(head.header("ocp-batch-file-isdirectory"), "False");
    let listed = rig
        .batch("GET", "/jobs/j/tasks/t/files?recursive=true", None)
        .await
        .json();
    let names: Vec<&str> = listed["value"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|file| file["name"].as_str())
        .collect();
    assert_eq!(names, ["stderr.txt", "stdout.txt", "wd"]);
    assert_eq!(listed["value"][1]["properties"]["contentLength"], "10");
    rig.stop().await;
}
