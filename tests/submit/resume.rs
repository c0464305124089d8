//! Runs whose client is killed: taken up again, they end with the same bytes and nothing left.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use crate::account::Emulated;
use crate::harness::{Place, text};

/// The run ids that have a record below `place`.
pub(crate) fn runs(place: &Place) -> Vec<String> {
    let state = place.path().join(".local/state/fanout");
    let names = std::fs::read_dir(state).into_iter().flatten();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

pub(crate) fn record(place: &Place, run: &str) -> PathBuf {
    place
        .path()
        .join(".local/state/fanout")
        .join(run)
        .join("record.ndjson")
}

fn lines(path: &Path) -> usize {
    std::fs::read(path).map_or(0, |text| text.iter().filter(|&&byte| byte == b'\n').count())
}

/// Starts a submit and kills it as soon as its record has `events` lines; gives its run id, or nothing if it ended first.
pub(crate) fn kill_at(
    service: &Emulated,
    place: &Place,
    args: &[&str],
    events: usize,
) -> Option<String> {
    let mut child = service.command(place, args).spawn().unwrap();
    let run = loop {
        if let Some(run) = runs(place).pop()
            && lines(&record(place, &run)) >= events
        {
            break run;
        }
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::yield_now();
    };
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.signal() == Some(9)).then_some(run)
}

#[test]
fn a_run_that_is_killed_at_any_event_is_finished_by_resume_with_the_same_bytes() {
    let service = Emulated::start();
    let input = text(11, 40_000);
    let mut resumed = 0;
    for events in 1..=14 {
        let place = Place::new();
        place.input("a.txt", &input);
        place.input("b.txt", text(12, 9_000));
        let args = [
            "submit",
            "--shard-size",
            "8K",
            "--nodes",
            "2",
            "-o",
            "json",
            "in",
        ];
        let counted = place.run(["count", "-o", "json", "in"]);
        let Some(run) = kill_at(&service, &place, &args, events) else {
            continue;
        };
        let ran = service.run(&place, &["resume", &run, "-o", "json"]);
        if ran.code == 2 {
            // It was killed between the last event and its end.
            assert!(ran.stderr.contains("is over"), "{}", ran.stderr);
        } else {
            resumed += 1;
            assert_eq!(ran.code, 0, "killed at event {events}: {}", ran.stderr);
            assert_eq!(
                String::from_utf8_lossy(&ran.stdout),
                String::from_utf8_lossy(&counted.stdout),
                "event {events}"
            );
        }
        let fetched = place.run(["fetch", &run, "-o", "json"]);
        assert_eq!(fetched.code, 0, "{}", fetched.stderr);
        assert_eq!(
            String::from_utf8_lossy(&fetched.stdout),
            String::from_utf8_lossy(&counted.stdout),
            "event {events}"
        );
        assert_eq!(service.left(), [""; 0], "killed at event {events}");
    }
    assert!(resumed >= 8, "only {resumed} runs were killed in time");
    service.stop();
}

#[test]
fn another_machine_with_the_credentials_lists_and_finishes_a_run() {
    let service = Emulated::start();
    let (here, there) = (Place::new(), Place::new());
    here.input("a.txt", text(13, 30_000));
    let counted = here.run(["count", "in"]);
    // The sixth event begins the pool: staging is done, and the copy of the record says so.
    let run = kill_at(&service, &here, &["submit", "--shard-size", "8K", "in"], 6).unwrap();
    // The client is taken for gone once it was silent for some minutes.
    service.control("/clock", serde_json::json!({"skewSeconds": 600}));
    let listed = service.run(&there, &["ls", "-o", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(
        (&listed["runs"][0]["run"], &listed["runs"][0]["state"]),
        (&run.as_str().into(), &"running".into())
    );
    let ran = service.run(&there, &["resume", &run]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&counted.stdout)
    );
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn a_run_is_listed_as_what_became_of_it() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", text(14, 20_000));
    let state = |run: &str| {
        let listed = place.run(["ls", "-o", "json"]);
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let runs = listed["runs"].as_array().unwrap();
        runs.iter()
            .find(|found| found["run"] == run)
            .map(|found| found["state"].as_str().unwrap().to_owned())
    };
    let done = service.run(&place, &["submit", "in"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let done = runs(&place).pop().unwrap();
    assert_eq!(state(&done).as_deref(), Some("done"));
    let over = service.run(&place, &["resume", &done]);
    assert_eq!(over.code, 2, "{}", over.stderr);
    let cleaned = service.run(&place, &["clean", &done]);
    assert_eq!(cleaned.code, 0, "{}", cleaned.stderr);
    assert_eq!(state(&done), None);
    let killed = kill_at(&service, &place, &["submit", "in"], 7).unwrap();
    assert_eq!(state(&killed).as_deref(), Some("running"));
    let cancelled = service.run(&place, &["cancel", &killed]);
    assert_eq!(cancelled.code, 0, "{}", cancelled.stderr);
    assert_eq!(state(&killed).as_deref(), Some("cleaned"));
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn what_has_no_record_is_not_found() {
    let service = Emulated::start();
    let place = Place::new();
    let run = "fo-20261122t091530z-aaaaaa";
    for args in [["resume", run], ["fetch", run]] {
        let ran = if args[0] == "fetch" {
            place.run(args)
        } else {
            service.run(&place, &args)
        };
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(
            ran.stderr.contains(run) && ran.stderr.contains("fanout ls"),
            "{}",
            ran.stderr
        );
    }
    service.stop();
}
