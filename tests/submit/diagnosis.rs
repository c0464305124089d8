//! What a run says of nodes, pools and tasks that do not do what they should, and what it does about it.

use fanout::azure::batch::ListQuery;
use serde_json::json;

use crate::account::Emulated;
use crate::harness::{Place, Ran, text, wait_for};

/// A run of a few shards on two nodes under `faults`.
fn under(faults: &[&str], flags: &[&str]) -> (Ran, Ran) {
    let place = Place::new();
    place.input("a.txt", text(41, 30_000));
    let file = place.path().join("faults.json");
    std::fs::write(&file, format!("[{}]", faults.join(","))).unwrap();
    let service = Emulated::start_with(&["--faults", file.to_str().unwrap()]);
    let args = [
        &["submit", "--shard-size", "9K", "--nodes", "2"],
        flags,
        &["in"],
    ]
    .concat();
    let ran = service.run(&place, &args);
    assert_eq!(service.left(), [""; 0], "{}", ran.stderr);
    service.stop();
    (ran, place.run(["count", "in"]))
}

fn assert_exact((ran, counted): &(Ran, Ran), says: &[&str]) {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&counted.stdout)
    );
    for part in says {
        assert!(ran.stderr.contains(part), "no `{part}` in:\n{}", ran.stderr);
    }
}

#[test]
fn a_node_whose_start_task_fails_is_told_and_the_others_finish_the_run() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", text(43, 30_000));
    // The first node to try it cannot run the program; the tasks wait until it was seen.
    let program = place.script(&format!(
        "if [ \"$1\" = --version ]; then ln -s \"$AZ_BATCH_NODE_ID\" {0}/bad 2>/dev/null\n\
         [ \"$(readlink {0}/bad)\" = \"$AZ_BATCH_NODE_ID\" ] && exit 3; exit 0; fi\n\
         while [ ! -e {0}/go ]; do sleep 0.05; done; exec bash -c 'exec -a topn {1} \"$@\"' topn \"$@\"",
        place.path().display(),
        env!("CARGO_BIN_EXE_fanout")
    ));
    let args = |max: &'static str| {
        [
            "submit",
            "--shard-size",
            "9K",
            "--nodes",
            "2",
            "--max-bad-nodes",
            max,
            "--topn",
            &program,
            "in",
        ]
    };
    let refused = service.run(&place, &args("0"));
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("--max-bad-nodes allows 0"),
        "{}",
        refused.stderr
    );
    std::fs::remove_file(place.path().join("bad")).unwrap();
    let child = service.command(&place, &args("1")).spawn().unwrap();
    let run = loop {
        if let [run] = crate::resume::runs(&place)[..]
            .iter()
            .filter(|run| !refused.stderr.contains(*run))
            .collect::<Vec<_>>()[..]
        {
            break run.clone();
        }
    };
    let (batch, _) = service.clients();
    wait_for("the start task to fail", || {
        let nodes = crate::account::block_on(batch.list_nodes(&run, &ListQuery::default()));
        nodes.is_ok_and(|nodes| {
            nodes
                .iter()
                .any(|node| node.state.as_str() == "starttaskfailed")
        })
    });
    service.wait_for_requests("GET", "/nodes", 2);
    place.go();
    let ran = place.wait(child);
    assert_exact(
        &(ran, place.run(["count", "in"])),
        &["starttaskfailed", "exit code 3"],
    );
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn a_start_task_that_fails_is_shown_with_its_cause_and_its_last_lines() {
    let place = Place::new();
    place.input("a.txt", "one\n");
    let program = place.script(
        "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; done; echo 'No space left on device' >&2; exit 4",
    );
    let ran = place.run(["submit", "--local", "--topn", &program, "in"]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    for part in [
        "exit code 4",
        "line 40",
        "No space left",
        "use a larger --vm-size",
    ] {
        assert!(ran.stderr.contains(part), "no `{part}` in:\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("line 20\n"), "{}", ran.stderr);
}

#[test]
fn an_unusable_node_is_replaced() {
    assert_exact(
        &under(
            &[r#"{"service":"batch","count":2,"effect":{"kind":"unusable"}}"#],
            &[],
        ),
        &["is unusable", "unusable nodes are replaced", "firewall"],
    );
}

#[test]
fn a_region_without_machines_is_asked_again_and_then_given_up() {
    let fault = |count: u32| {
        format!(
            r#"{{"service":"batch","count":{count},"effect":{{"kind":"resize","code":"AllocationFailed"}}}}"#
        )
    };
    assert_exact(&under(&[&fault(1)], &[]), &["asking again"]);
    let (ran, _) = under(&[&fault(99)], &[]);
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    assert!(ran.stderr.contains("AllocationFailed"), "{}", ran.stderr);
}

#[test]
fn results_that_were_not_uploaded_are_made_again() {
    let fault = |count: u32| {
        format!(
            r#"{{"service":"blob","method":"PUT","path":"-out/1/partial","count":{count},"effect":{{"kind":"status","status":500,"code":"InternalError"}}}}"#
        )
    };
    assert_exact(
        &under(&[&fault(4)], &["--retries", "0"]),
        &["run again (1 of 5)"],
    );
    let (ran, _) = under(&[&fault(999)], &["--retries", "0"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("(5 of 5)") && ran.stderr.contains("FileUploadMiscError"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_quota_of_jobs_is_named_with_what_helps_and_waited_for_on_request() {
    let fault = r#"{"service":"batch","method":"POST","path":"/jobs?","count":1,"effect":{"kind":"status","status":409,"code":"ActiveJobAndScheduleQuotaReached"}}"#;
    let (ran, _) = under(&[fault], &[]);
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    assert!(ran.stderr.contains("fanout gc"), "{}", ran.stderr);
    assert_exact(
        &under(&[fault], &["--wait-quota", "1m"]),
        &["waiting for room"],
    );
}

#[test]
fn what_nothing_moves_for_is_named() {
    let place = Place::new();
    place.input("a.txt", "one\n");
    let program = place.script(&format!(
        "[ \"$1\" = --version ] || sleep 17\nexec bash -c 'exec -a topn {} \"$@\"' topn \"$@\"",
        env!("CARGO_BIN_EXE_fanout")
    ));
    let ran = place.run(["submit", "--local", "--topn", &program, "in"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("nothing changed for 15") && ran.stderr.contains("task 1 on node"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_node_that_is_taken_away_is_shown_and_costs_nothing_but_time() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", text(42, 20_000));
    let program = place.patient_topn();
    let child = service
        .command(
            &place,
            &["submit", "--retries", "0", "--topn", &program, "in"],
        )
        .spawn()
        .unwrap();
    place.wait_until_started();
    let run = crate::resume::runs(&place).pop().unwrap();
    service.wait_for_requests("GET", "/nodes", 2);
    std::fs::remove_file(place.path().join("started")).unwrap();
    service.control("/nodes", json!({"pool": run, "action": "preempt"}));
    place.wait_until_started();
    service.wait_for_requests("GET", "/nodes", 2);
    place.go();
    let ran = place.wait(child);
    assert_exact(
        &(ran, place.run(["count", "in"])),
        &["1 nodes taken away, their tasks put back"],
    );
    service.stop();
}
