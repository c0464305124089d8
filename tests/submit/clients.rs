//! Runs that are left to themselves, followed from elsewhere, and clients that meet on one run.

use serde_json::{Value, json};

use crate::account::Emulated;
use crate::harness::{Place, signal, text, wait_for};
use crate::resume::runs;

#[test]
fn a_detached_run_is_followed_shown_printed_and_finished_from_another_machine() {
    let service = Emulated::start();
    let (here, there) = (Place::new(), Place::new());
    here.input("a.txt", text(31, 30_000));
    let counted = here.run(["count", "-o", "json", "in"]);
    let program = here.patient_topn();
    let args = [
        "submit",
        "--detach",
        "--shard-size",
        "8K",
        "--topn",
        &program,
        "in",
    ];
    let ran = service.run(&here, &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let run = String::from_utf8(ran.stdout).unwrap();
    let run = run.strip_suffix('\n').unwrap();
    assert_eq!(runs(&here), [run]);
    // While its tasks run there is no answer, and nobody is disturbed by the question.
    let early = service.run(&there, &["fetch", run]);
    assert_eq!(early.code, 1, "{}", early.stderr);
    assert!(
        early.stderr.contains("0 of 4 tasks ended"),
        "{}",
        early.stderr
    );
    let watching = service.command(&there, &["watch", run]).spawn().unwrap();
    here.go();
    let watched = there.wait(watching);
    assert_eq!(watched.code, 0, "{}", watched.stderr);
    assert!(
        watched.stderr.contains("all 4 tasks have ended well"),
        "{}",
        watched.stderr
    );
    let status = service.run(&there, &["status", run, "-o", "json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        [
            &status["state"],
            &status["shards"],
            &status["tasks"]["succeeded"]
        ],
        [&json!("running"), &json!(4), &json!(4)],
        "{status}"
    );
    let left = service.left();
    for command in [["fetch", run], ["fetch", run], ["resume", run]] {
        assert_eq!(service.left(), left, "something changed before {command:?}");
        let ran = service.run(&there, &[command[0], command[1], "-o", "json"]);
        assert_eq!(ran.code, 0, "{command:?}: {}", ran.stderr);
        assert_eq!(
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&counted.stdout),
            "{command:?}"
        );
    }
    assert_eq!(service.left(), [""; 0]);
    // Where it was begun nobody knows of the end, and nothing is made anew.
    let ran = service.run(&here, &["resume", run]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("was removed by another client"),
        "{}",
        ran.stderr
    );
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn a_second_client_on_a_live_run_says_so_and_harms_nothing() {
    let service = Emulated::start();
    let (here, there) = (Place::new(), Place::new());
    here.input("a.txt", text(32, 20_000));
    let counted = here.run(["count", "in"]);
    let program = here.patient_topn();
    let child = service
        .command(&here, &["submit", "--topn", &program, "in"])
        .spawn()
        .unwrap();
    here.wait_until_started();
    let run = runs(&here).pop().unwrap();
    let left = service.left();
    for (place, says) in [
        (&there, "another client works on run"),
        (&here, "another process"),
    ] {
        for command in ["resume", "clean"] {
            // Not judged: the temporary files of the first are there.
            let ran = service.command(place, &[command, &run]).output().unwrap();
            let stderr = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(1), "{command}: {stderr}");
            assert!(stderr.contains(says), "{command}: {stderr}");
            assert_eq!(service.left(), left, "{command}");
        }
    }
    here.go();
    let ran = here.wait(child);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&counted.stdout)
    );
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn a_live_run_is_cancelled_from_another_machine_and_its_own_client_cleans_up() {
    let service = Emulated::start();
    let (here, there) = (Place::new(), Place::new());
    here.input("a.txt", "one\n");
    let program = here.patient_topn();
    let child = service
        .command(&here, &["submit", "--topn", &program, "in"])
        .spawn()
        .unwrap();
    here.wait_until_started();
    let run = runs(&here).pop().unwrap();
    let ran = service.run(&there, &["cancel", &run]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = here.wait(child);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("it was cancelled"), "{}", ran.stderr);
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn a_client_that_slept_and_was_replaced_touches_nothing_when_it_wakes() {
    let service = Emulated::start();
    let (here, there) = (Place::new(), Place::new());
    here.input("a.txt", text(33, 20_000));
    let counted = here.run(["count", "in"]);
    let program = here.patient_topn();
    let slept = service
        .command(&here, &["submit", "--topn", &program, "in"])
        .spawn()
        .unwrap();
    here.wait_until_started();
    let run = runs(&here).pop().unwrap();
    signal("STOP", slept.id());
    service.control("/clock", json!({"skewSeconds": 600}));
    let second = service.command(&there, &["resume", &run]).spawn().unwrap();
    let claims = || {
        std::fs::read_to_string(
            there
                .path()
                .join(".local/state/fanout")
                .join(&run)
                .join("clients"),
        )
    };
    wait_for("the second client", || claims().is_ok());
    // It has the run once it has passed the claim, to the copy of the record after it.
    wait_for("its claim", || {
        let (_, storage) = service.clients();
        let claim =
            crate::account::block_on(storage.get_blob(&format!("{run}-app"), "claim.json", 4096));
        // Not while it is written.
        let bytes = claim.ok().flatten().unwrap_or_default();
        let claim: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        claim["client"]
            .as_str()
            .is_some_and(|client| claims().unwrap().contains(client))
    });
    signal("CONT", slept.id());
    let slept = here.wait(slept);
    assert_eq!(slept.code, 1, "{}", slept.stderr);
    assert!(
        slept.stderr.contains("taken over by another client"),
        "{}",
        slept.stderr
    );
    assert!(!slept.stderr.contains("8/9"), "{}", slept.stderr);
    here.go();
    let ran = there.wait(second);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&counted.stdout)
    );
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn results_that_find_no_room_wait_until_there_is_some() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", text(34, 20_000));
    let counted = place.run(["count", "in"]);
    let program = place.patient_topn();
    let child = service
        .command(&place, &["submit", "--topn", &program, "in"])
        .spawn()
        .unwrap();
    place.wait_until_started();
    let run = runs(&place).pop().unwrap();
    // No file can be put where a directory is.
    let merged = place
        .path()
        .join(".local/state/fanout")
        .join(&run)
        .join("merged.partial");
    std::fs::create_dir_all(merged.join("x")).unwrap();
    place.go();
    let ran = place.wait(child);
    assert_eq!(ran.code, 9, "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!("fanout resume {run}")),
        "{}",
        ran.stderr
    );
    assert_eq!(service.left().len(), 3, "{:?}", service.left());
    std::fs::remove_dir_all(&merged).unwrap();
    let ran = service.run(&place, &["resume", &run]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&counted.stdout)
    );
    assert!(
        !ran.stderr.contains("3/9"),
        "a pool was made again:\n{}",
        ran.stderr
    );
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}
