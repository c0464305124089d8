//! What ends although no client is there: the pool by its formula, the job by its limit, signatures by their policies.

use std::time::Duration;

use fanout::azure::batch::{AutoScale, ListQuery};
use fanout::azure::sas::{Target, Terms};
use serde_json::json;

use crate::account::{Emulated, block_on};
use crate::harness::{Place, signal, wait_for};
use crate::resume::kill_at;

/// The event after which the tasks of a run are in their job.
const TASKS_DONE: usize = 11;

fn patient(place: &Place) -> String {
    place.input("a.txt", "one two two\n");
    place.patient_topn()
}

#[test]
fn a_pool_whose_client_was_killed_has_no_node_after_its_deadline() {
    let service = Emulated::start();
    let place = Place::new();
    let program = patient(&place);
    let args = ["submit", "--ttl", "6s", "--topn", &program, "in"];
    let run = kill_at(&service, &place, &args, TASKS_DONE).unwrap();
    let (batch, _) = service.clients();
    let pool = block_on(batch.get_pool(&run)).unwrap();
    let formula = pool.auto_scale_formula.unwrap();
    assert_eq!(pool.enable_auto_scale, Some(true));
    let wanted = || {
        let evaluated = block_on(batch.evaluate_auto_scale(&run, &formula)).unwrap();
        assert_eq!(evaluated.error, None, "{formula}");
        evaluated.results
    };
    assert!(
        wanted().contains("$TargetDedicatedNodes=1;"),
        "{}",
        wanted()
    );
    wait_for("the deadline", || {
        wanted().contains("$TargetDedicatedNodes=0;")
    });
    assert!(wanted().contains("$NodeDeallocationOption=requeue;"));
    // The service looks at it every five minutes, and when it is set: the same formula, so that the test need not wait.
    let scale = AutoScale {
        auto_scale_formula: Some(formula.clone()),
        auto_scale_evaluation_interval: Some(Duration::from_secs(300).into()),
    };
    block_on(batch.enable_auto_scale(&run, &scale)).unwrap();
    wait_for("the nodes to go", || {
        block_on(batch.list_nodes(&run, &ListQuery::default()))
            .unwrap()
            .is_empty()
    });
    wait_for("the job to end", || {
        let job = block_on(batch.get_job(&run)).unwrap();
        let info = job.execution_info.unwrap();
        info.terminate_reason.as_deref() == Some("MaxWallClockTimeExpiry")
    });
    // Nothing ended well: the run is over.
    let ran = service.run(&place, &["resume", &run]);
    assert_eq!(ran.code, 8, "{}", ran.stderr);
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn a_run_whose_time_is_over_goes_on_when_it_is_given_more() {
    let service = Emulated::start();
    let place = Place::new();
    let program = patient(&place);
    place.input("b.txt", "three\n".repeat(2_000));
    let counted = place.run(["count", "in"]);
    let args = [
        "submit",
        "--ttl",
        "3s",
        "--shard-size",
        "10K",
        "--topn",
        &program,
        "in",
    ];
    let run = kill_at(&service, &place, &args, TASKS_DONE).unwrap();
    let (batch, _) = service.clients();
    wait_for("the job to end", || {
        block_on(batch.get_job(&run)).unwrap().state.as_str() == "completed"
    });
    place.go();
    let ran = service.run(&place, &["resume", &run, "--ttl", "1h"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&counted.stdout)
    );
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

/// The status of a list of the blobs of `container` by whoever has the signature of policy `read-list`.
fn list_by_signature(service: &Emulated, container: &str) -> u16 {
    let (_, storage) = service.clients();
    let terms = Terms::Policy("read-list".to_owned());
    let url = storage.sas(Target::Container(container), &terms);
    let url = format!("{}&restype=container&comp=list", url.expose());
    block_on(async {
        reqwest::Client::new()
            .get(url)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    })
}

#[test]
fn signatures_end_with_the_run_and_are_extended_and_revoked_without_touching_a_task() {
    let service = Emulated::start();
    let place = Place::new();
    let program = patient(&place);
    let args = [
        "submit", "--ttl", "2h", "--keep", "blobs", "--topn", &program, "in",
    ];
    let run = kill_at(&service, &place, &args, TASKS_DONE).unwrap();
    let container = format!("{run}-in");
    let after = |seconds: i64| {
        service.control("/clock", json!({"skewSeconds": seconds}));
        let status = list_by_signature(&service, &container);
        service.control("/clock", json!({"skewSeconds": 0}));
        status
    };
    // An hour longer than the run, and a quarter of an hour before it for clocks that are behind.
    assert_eq!(
        [after(0), after(-14 * 60), after(175 * 60), after(185 * 60)],
        [200, 200, 200, 403]
    );
    let task = || block_on(service.clients().0.get_task(&run, "1")).unwrap();
    let created = task().creation_time;
    let before = block_on(service.clients().0.get_pool(&run))
        .unwrap()
        .metadata;
    let resumed = service
        .command(&place, &["resume", &run, "--ttl", "5h"])
        .spawn()
        .unwrap();
    wait_for("the run to be extended", || {
        block_on(service.clients().0.get_pool(&run))
            .unwrap()
            .metadata
            != before
    });
    // Stopped, so that it does not meet the other clock.
    signal("STOP", resumed.id());
    assert_eq!(
        [after(185 * 60), after(355 * 60), after(365 * 60)],
        [200, 200, 403]
    );
    signal("CONT", resumed.id());
    assert_eq!(task().creation_time, created, "the task was made anew");
    place.go();
    let ran = place.wait(resumed);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // What is kept is closed.
    assert_eq!(service.left().len(), 3);
    assert_eq!(list_by_signature(&service, &container), 403);
    assert_eq!(service.run(&place, &["clean", &run]).code, 0);
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}
