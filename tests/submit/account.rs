//! A run on a service in another process: endpoints by flags, keys by environment.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use fanout::azure::batch::{Batch, ListQuery};
use fanout::azure::storage::Storage;
use fanout::azure::{Endpoint, RetryPolicy, SharedKey};
use fanout::secret::Secret;

use crate::azurite::{self, Azurite};
use crate::harness::{Place, Ran, text};

/// `fanout emulate` in a process of its own, in its own place.
pub(crate) struct Emulated {
    place: Place,
    child: Child,
    ready: serde_json::Value,
}

impl Emulated {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further flags.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        let place = Place::new();
        let mut child = place
            .command(["emulate"].iter().chain(flags))
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self {
            place,
            child,
            ready,
        }
    }

    /// Asks something of the service itself: a fault, another clock, harm to a node.
    pub(crate) fn control(&self, path: &str, body: serde_json::Value) -> serde_json::Value {
        self.ask_control(reqwest::Method::POST, path, body.to_string())
    }

    /// Waits until Batch was sent `count` requests such as these from now on.
    pub(crate) fn wait_for_requests(&self, method: &str, path: &str, count: usize) {
        let fault = serde_json::json!({
            "service": "batch", "method": method, "path": path, "count": count,
            "effect": {"kind": "slow", "milliseconds": 0}
        });
        self.control("/faults", fault);
        crate::harness::wait_for(path, || {
            let faults = self.ask_control(reqwest::Method::GET, "/faults", String::new());
            let mut faults = faults["faults"].as_array().unwrap().iter();
            faults.all(|fault| fault["path"] != path || fault["count"] == 0)
        });
    }

    fn ask_control(&self, method: reqwest::Method, path: &str, body: String) -> serde_json::Value {
        let url = format!("{}{path}", self.text("control", "url"));
        let sent = reqwest::Client::new()
            .request(method, url)
            .bearer_auth(self.text("control", "token"))
            .body(body);
        block_on(async {
            let answer = sent.send().await.unwrap();
            assert!(answer.status().is_success(), "{}", answer.status());
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
        })
    }

    pub(crate) fn text(&self, service: &str, field: &str) -> String {
        self.ready[service][field].as_str().unwrap().to_owned()
    }

    /// A command of `place` that runs on this service.
    pub(crate) fn command(&self, place: &Place, args: &[&str]) -> Command {
        let endpoint = |service| self.text(service, "endpoint");
        self.command_at(place, args, &endpoint("batch"), &endpoint("blob"))
    }

    /// The same with endpoints that lead to this service by another way.
    pub(crate) fn command_at(
        &self,
        place: &Place,
        args: &[&str],
        batch: &str,
        blob: &str,
    ) -> Command {
        let mut command = place.command(args);
        command
            .args(["--batch-endpoint", batch])
            .args(["--batch-account", &self.text("batch", "account")])
            .args(["--storage-endpoint", blob])
            .env("AZURE_BATCH_ACCESS_KEY", self.text("batch", "key"))
            .env("AZURE_STORAGE_KEY", self.text("blob", "key"));
        command
    }

    pub(crate) fn run(&self, place: &Place, args: &[&str]) -> Ran {
        place.finish(&mut self.command(place, args))
    }

    pub(crate) fn clients(&self) -> (Batch, Storage) {
        let key = |service| {
            SharedKey::parse(
                &self.text(service, "account"),
                &Secret::new(self.text(service, "key")),
            )
            .unwrap()
        };
        let endpoint = |service| Endpoint::parse(&self.text(service, "endpoint")).unwrap();
        (
            Batch::new(endpoint("batch"), key("batch"), RetryPolicy::once()).unwrap(),
            Storage::new(&endpoint("blob"), key("blob"), RetryPolicy::once()).unwrap(),
        )
    }

    /// Pools, jobs and containers of the account.
    pub(crate) fn left(&self) -> Vec<String> {
        let (batch, storage) = self.clients();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let query = ListQuery::default();
            let pools = batch
                .list_pools(&query)
                .await
                .unwrap()
                .into_iter()
                .map(|pool| format!("pool {}", pool.id));
            let jobs = batch
                .list_jobs(&query)
                .await
                .unwrap()
                .into_iter()
                .map(|job| format!("job {}", job.id));
            let containers = storage
                .list_containers("")
                .await
                .unwrap()
                .into_iter()
                .map(|found| format!("container {}", found.name));
            pools.chain(jobs).chain(containers).collect()
        })
    }

    pub(crate) fn stop(mut self) {
        let sent = Command::new("kill")
            .args(["-s", "TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        assert!(self.child.wait().unwrap().success());
        assert_eq!(
            self.place.left_over(),
            [""; 0],
            "the service left something"
        );
    }
}

/// Runs `work` to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

impl Drop for Emulated {
    fn drop(&mut self) {
        // After `stop` it has ended; after a failed test it must not stay.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_run_by_endpoints_and_keys_gives_the_answer_and_leaves_an_empty_account() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", text(7, 60_000));
    place.input("b.txt", text(8, 2_000));
    let ran = service.run(
        &place,
        &[
            "submit",
            "--shard-size",
            "20K",
            "--nodes",
            "3",
            "-o",
            "json",
            "in",
        ],
    );
    let counted = place.run(["count", "-o", "json", "in"]);
    assert_eq!((ran.code, counted.code), (0, 0), "{}", ran.stderr);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&counted.stdout)
    );
    assert_eq!(service.left(), [""; 0]);
    for service_name in ["batch", "blob"] {
        assert!(
            !ran.stderr.contains(&service.text(service_name, "key")),
            "a key was printed"
        );
    }
    service.stop();
}

#[test]
fn a_run_with_its_blobs_on_azurite_gives_the_same_answer_and_leaves_it_empty() {
    let Some(azurite) = Azurite::start() else {
        println!("skipped: FANOUT_TEST_AZURITE does not name Azurite's main.js");
        return;
    };
    let service = Emulated::start();
    let place = Place::new();
    place.input("a b+ü.txt", text(9, 60_000));
    place.input("b.txt", text(10, 2_000));
    let ran = place.finish(
        place
            .command([
                "submit",
                "--shard-size",
                "20K",
                "--nodes",
                "2",
                "-o",
                "json",
                "in",
            ])
            .args(["--batch-endpoint", &service.text("batch", "endpoint")])
            .args(["--batch-account", &service.text("batch", "account")])
            .args([
                "--storage-endpoint",
                azurite.url(),
                "--storage-account",
                azurite::ACCOUNT,
            ])
            .env("AZURE_BATCH_ACCESS_KEY", service.text("batch", "key"))
            .env("AZURE_STORAGE_KEY", azurite::KEY),
    );
    let counted = place.run(["count", "-o", "json", "in"]);
    assert_eq!((ran.code, counted.code), (0, 0), "{}", ran.stderr);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&counted.stdout)
    );
    let key = SharedKey::parse(azurite::ACCOUNT, &Secret::new(azurite::KEY)).unwrap();
    let storage = Storage::new(
        &Endpoint::parse(azurite.url()).unwrap(),
        key,
        RetryPolicy::once(),
    )
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let left = runtime.block_on(storage.list_containers("")).unwrap();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn a_wrong_key_is_not_authorised_and_never_shown() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", "one\n");
    let wrong =
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";
    for variable in ["AZURE_BATCH_ACCESS_KEY", "AZURE_STORAGE_KEY"] {
        let ran = place.finish(
            service
                .command(&place, &["submit", "in"])
                .env(variable, wrong),
        );
        assert_eq!(ran.code, 4, "{variable}: {}", ran.stderr);
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
        assert!(!ran.stderr.contains(wrong) && ran.stdout.is_empty());
    }
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn what_is_kept_stays_until_it_is_cleaned() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", "one\n");
    let ran = service.run(&place, &["submit", "--keep", "pool,job,blobs", "in"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let left = service.left();
    assert_eq!(left.len(), 5, "{left:?}");
    let run = left[0].strip_prefix("pool ").unwrap();
    let status = service.run(&place, &["status", run, "-o", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        (&status["state"], &status["tasks"]["succeeded"]),
        (&"running".into(), &1.into()),
        "{status}"
    );
    let logs = service.run(&place, &["logs", run]);
    assert!(
        String::from_utf8_lossy(&logs.stdout).contains("topn: OK"),
        "{logs:?}"
    );
    assert_eq!(service.run(&place, &["logs", run, "1"]).code, 0);
    assert_eq!(service.run(&place, &["logs", run, "2"]).code, 3);
    let cleaned = service.run(&place, &["clean", run]);
    assert_eq!(cleaned.code, 0, "{}", cleaned.stderr);
    assert_eq!(service.left(), [""; 0]);
    let again = service.run(&place, &["clean", run]);
    assert_eq!(again.code, 3, "{}", again.stderr);
    let wrong = service.run(&place, &["clean", "../x"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    service.stop();
}

#[test]
fn what_is_past_its_deadline_is_collected_and_what_lives_or_is_not_ours_stays() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", "one\n");
    let kept = service.run(&place, &["submit", "--keep", "pool,job,blobs", "in"]);
    assert_eq!(kept.code, 0, "{}", kept.stderr);
    let old = "fo-20200101t000000z-aaaaaa";
    let marks = |run: &str| {
        [
            ("fanout_run".to_owned(), run.to_owned()),
            (
                "fanout_deadline".to_owned(),
                "2020-01-01T02:00:00Z".to_owned(),
            ),
        ]
        .into()
    };
    let (_, storage) = service.clients();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        storage
            .create_container(&format!("{old}-in"), &marks(old))
            .await
            .unwrap();
        // Names like a run's that do not say so themselves.
        storage
            .create_container("fo-20200101t000000z-bbbbbb-in", &[].into())
            .await
            .unwrap();
        storage
            .create_container("fo-20200101t000000z-cccccc-in", &marks(old))
            .await
            .unwrap();
    });
    let listed = service.run(&place, &["gc", "-o", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 6, "{listed}");
    assert_eq!(
        items.iter().filter(|item| item["live"] == true).count(),
        5,
        "{listed}"
    );
    assert_eq!(service.left().len(), 8, "a list removes nothing");
    assert_eq!(service.run(&place, &["gc", "--yes"]).code, 0);
    let left = service.left();
    assert_eq!(left.len(), 7, "{left:?}");
    assert!(!left.contains(&format!("container {old}-in")), "{left:?}");
    let run = items.iter().find(|item| item["live"] == true).unwrap()["run"]
        .as_str()
        .unwrap();
    assert_eq!(service.run(&place, &["gc", run, "--yes"]).code, 0);
    let left = service.left();
    assert_eq!(
        left,
        [
            "container fo-20200101t000000z-bbbbbb-in",
            "container fo-20200101t000000z-cccccc-in"
        ]
    );
    assert_eq!(service.run(&place, &["gc", run]).code, 3);
    service.stop();
}

#[test]
fn a_container_that_goes_missing_during_the_run_is_named() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", "one\n");
    let (started, go) = (place.path().join("started"), place.path().join("go"));
    // The start task waits until the container is gone, so that the task finds nothing.
    let program = place.script(&format!(
        "touch {}; while [ ! -e {} ]; do sleep 0.05; done; exit 0",
        started.display(),
        go.display()
    ));
    let mut command = service.command(
        &place,
        &["submit", "--retries", "0", "--topn", &program, "in"],
    );
    let child = command.spawn().unwrap();
    while !started.exists() {
        std::thread::yield_now();
    }
    let left = service.left();
    let container = left.iter().find_map(|name| {
        name.strip_prefix("container ")
            .filter(|name| name.ends_with("-in"))
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(service.clients().1.delete_container(container.unwrap()))
        .unwrap();
    std::fs::write(go, "").unwrap();
    let ran = place.wait(child);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("-in is not there any more"),
        "{}",
        ran.stderr
    );
    assert_eq!(service.left(), [""; 0]);
    service.stop();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let service = Emulated::start();
    let endpoint = service.text("batch", "endpoint");
    let port = endpoint.rsplit(':').next().unwrap();
    let place = Place::new();
    let ran = place.run(["emulate", "--batch-port", port]);
    assert_eq!(ran.code, 9, "{}", ran.stderr);
    assert!(ran.stderr.contains(port), "{}", ran.stderr);
    service.stop();
}

#[test]
fn a_service_that_is_not_there_is_named_at_once() {
    let place = Place::new();
    place.input("a.txt", "one\n");
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = format!("http://{closed}");
    let storage = format!("http://{closed}/dev");
    let ran = place.finish(
        place
            .command([
                "submit",
                "--batch-account",
                "b",
                "--batch-endpoint",
                &endpoint,
                "--storage-endpoint",
                &storage,
                "in",
            ])
            .env("AZURE_BATCH_ACCESS_KEY", "YmF0Y2g=")
            .env("AZURE_STORAGE_KEY", "YmxvYg=="),
    );
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains(&closed.to_string()), "{}", ran.stderr);
}
