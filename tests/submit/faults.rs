//! Faults of the services, one kind at a time: a run ends with the exact answer or with a clear refusal, and leaves
//! nothing in the account either way.

use crate::account::Emulated;
use crate::harness::{Place, text};

/// What a run under a fault must come to.
enum Outcome {
    /// The answer, as if nothing had happened.
    Exact,
    /// This exit code, no answer, and a message that holds this.
    Refused(i32, &'static str),
}

use Outcome::{Exact, Refused};

const FAULTS: [(&str, Outcome); 18] = [
    (
        r#"{"service":"batch","method":"POST","path":"/pools","count":1,"effect":{"kind":"status","status":500,"code":"InternalError","done":false}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","method":"POST","path":"/pools","count":1,"effect":{"kind":"status","status":500,"code":"InternalError","done":true}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","method":"POST","path":"/pools","count":1,"effect":{"kind":"cut","done":true}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","method":"POST","path":"/jobs","count":1,"effect":{"kind":"cut","done":true}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","method":"POST","path":"addtaskcollection","count":1,"effect":{"kind":"cut","done":true}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","method":"POST","path":"addtaskcollection","count":1,"effect":{"kind":"cut","done":false}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","path":"addtaskcollection","count":1,"effect":{"kind":"status","status":429,"code":"TooManyRequests"}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","path":"addtaskcollection","count":1,"effect":{"kind":"item","code":"ServerBusy"}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","method":"GET","path":"/tasks","count":2,"effect":{"kind":"status","status":503,"code":"ServerBusy","retryAfter":1}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","method":"DELETE","path":"/pools","count":1,"effect":{"kind":"cut","done":true}}"#,
        Exact,
    ),
    (
        r#"{"service":"blob","method":"PUT","path":"-in/","count":2,"effect":{"kind":"status","status":503,"code":"ServerBusy"}}"#,
        Exact,
    ),
    (
        r#"{"service":"blob","method":"PUT","path":"restype=container","count":1,"effect":{"kind":"cut","done":true}}"#,
        Exact,
    ),
    (
        r#"{"service":"blob","method":"GET","path":"/partial","count":1,"effect":{"kind":"cutBody","bytes":100}}"#,
        Exact,
    ),
    (
        r#"{"service":"batch","count":9,"effect":{"kind":"resize","code":"AccountCoreQuotaReached"}}"#,
        Refused(7, "AccountCoreQuotaReached"),
    ),
    (
        r#"{"service":"batch","count":9,"effect":{"kind":"unusable"}}"#,
        Refused(6, "unusable"),
    ),
    (
        r#"{"service":"batch","count":9,"effect":{"kind":"startTask","exitCode":3}}"#,
        Refused(6, "exit code 3"),
    ),
    (
        r#"{"service":"blob","method":"GET","path":"-in/1/","count":99,"effect":{"kind":"status","status":403,"code":"AuthorizationFailure"}}"#,
        Refused(5, "BlobAccessDenied"),
    ),
    (
        r#"{"service":"blob","method":"PUT","path":"-out/1/partial","count":99,"effect":{"kind":"status","status":403,"code":"AuthorizationFailure"}}"#,
        Refused(5, "FileUpload"),
    ),
];

#[test]
fn under_every_fault_a_run_is_exact_or_refused_and_leaves_nothing() {
    for (fault, outcome) in FAULTS {
        let place = Place::new();
        place.input("a.txt", text(21, 30_000));
        let faults = place.path().join("faults.json");
        std::fs::write(&faults, format!("[{fault}]")).unwrap();
        let service = Emulated::start_with(&["--faults", faults.to_str().unwrap()]);
        let ran = service.run(
            &place,
            &[
                "submit",
                "--shard-size",
                "9K",
                "--nodes",
                "2",
                "--retries",
                "0",
                "in",
            ],
        );
        match outcome {
            Exact => {
                let counted = place.run(["count", "in"]);
                assert_eq!(ran.code, 0, "{fault}:\n{}", ran.stderr);
                assert_eq!(
                    String::from_utf8_lossy(&ran.stdout),
                    String::from_utf8_lossy(&counted.stdout),
                    "{fault}"
                );
            }
            Refused(code, says) => {
                assert_eq!(ran.code, code, "{fault}:\n{}", ran.stderr);
                assert!(ran.stderr.contains(says), "{fault}:\n{}", ran.stderr);
                assert!(ran.stdout.is_empty(), "{fault}");
            }
        }
        assert_eq!(service.left(), [""; 0], "{fault}:\n{}", ran.stderr);
        service.stop();
    }
}
