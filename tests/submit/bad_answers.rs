//! Answers that are not the service's: web pages, other JSON, bodies without end, dates that are none.
//!
//! Whatever comes, the program ends in bounded time and memory, says what was wrong, and gives no answer that is not exact.

use crate::account::Emulated;
use crate::between::{Between, Foreign, Meant, answer};
use crate::harness::{Place, Ran, text};
use crate::resume::runs;

/// As long as nobody says otherwise.
const WHOLE_RUN: usize = usize::MAX / 4;

/// What a run asks for, where an answer is read.
const OPERATIONS: [(&str, &str, &str); 9] = [
    ("batch", "GET", "/supportedimages"),
    ("batch", "POST", "/addtaskcollection"),
    ("batch", "GET", "/tasks?"),
    ("batch", "GET", "/nodes?"),
    ("batch", "GET", "/pools/fo-"),
    ("blob", "GET", "comp=list&maxresults=1"),
    ("blob", "GET", "/partial"),
    ("blob", "HEAD", "/partial"),
    ("blob", "PUT", "comp=blocklist"),
];

fn ended_answers() -> Vec<(&'static str, Foreign)> {
    const JSON: &str = "application/json; odata=minimalmetadata";
    let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>please</body></html>";
    let nested = "[".repeat(100_000);
    let json = |body: &str| answer("200 OK", JSON, body);
    let bytes = |text: &str| Foreign::Bytes(text.as_bytes().to_vec());
    vec![
        ("a web page", answer("200 OK", "text/html", page)),
        (
            "a web page that claims to be JSON",
            answer("200 OK", JSON, page),
        ),
        ("nothing", json("")),
        ("other JSON", json(r#"{"value":{"odata":7},"id":[]}"#)),
        (
            "bytes that are no text",
            Foreign::Bytes(
                b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nDate: \xFF\r\n\r\n\xFF\xFE\x00\x80"
                    .to_vec(),
            ),
        ),
        (
            "a date that is none",
            json(
                r#"{"value":[{"id":"1","state":"completed","stateTransitionTime":"yesterday"}],"creationTime":"2026-13-45T99:99:99Z"}"#,
            ),
        ),
        ("JSON that is cut", json(r#"{"value":[{"id":"1","sta"#)),
        ("deep JSON", json(&nested)),
        (
            "JSON of other types",
            json(r#"{"value":[{"id":5,"state":{"a":1},"stateTransitionTime":7}]}"#),
        ),
        (
            "XML that is cut",
            answer(
                "200 OK",
                "application/xml",
                "<?xml version=\"1.0\"?><EnumerationResults><Blobs><Blob><Name>a</Na",
            ),
        ),
        (
            "XML in the place of JSON",
            answer(
                "200 OK",
                "application/xml",
                "<EnumerationResults><Containers/></EnumerationResults>",
            ),
        ),
        (
            "a redirect",
            bytes(
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/steal\r\nContent-Length: 0\r\n\r\n",
            ),
        ),
        (
            "a proxy that wants a password",
            answer("407 Proxy Authentication Required", "text/html", page),
        ),
    ]
}

/// Answers without an end.
fn endless_answers() -> Vec<(&'static str, Foreign)> {
    vec![
        (
            "a length that is a gigabyte",
            Foreign::Endless(
                b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec(),
                vec![b' '; 1 << 16],
            ),
        ),
        (
            "a body without end",
            Foreign::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 1 << 16]),
        ),
        (
            "chunks without end",
            Foreign::Endless(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
                [&b"10000\r\n"[..], &[b'['; 1 << 16], b"\r\n"].concat(),
            ),
        ),
        (
            "a refusal without end",
            Foreign::Endless(
                b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
                vec![b'{'; 1 << 16],
            ),
        ),
    ]
}

/// Answers that are no HTTP. A service that was met before is asked again for long: only what asks for the first time is tried.
fn other_protocols() -> Vec<(&'static str, Foreign)> {
    vec![
        (
            "headers without end",
            Foreign::Endless(
                b"HTTP/1.1 200 OK\r\n".to_vec(),
                b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".to_vec(),
            ),
        ),
        (
            "another protocol",
            Foreign::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ),
        (
            "a proxy's own words",
            Foreign::Bytes(b"ICY 200 OK\r\n\r\n".to_vec()),
        ),
    ]
}

/// A way to the service on which `foreign` is in the place of the first `count` answers to an operation.
struct Way<'a> {
    service: &'a Emulated,
    endpoints: [String; 2],
    between: Between,
}

fn way<'a>(
    service: &'a Emulated,
    (kind, method, path): (&str, &'static str, &'static str),
    count: usize,
    foreign: Foreign,
) -> Way<'a> {
    let meant = Meant {
        method,
        path,
        count,
    };
    let between = Between::start(&service.text(kind, "endpoint"), meant, foreign);
    let endpoints = ["batch", "blob"].map(|other| {
        if other == kind {
            between.endpoint.clone()
        } else {
            service.text(other, "endpoint")
        }
    });
    Way {
        service,
        endpoints,
        between,
    }
}

impl Way<'_> {
    /// Runs `args` in bounded memory.
    fn run(&self, place: &Place, args: &[&str]) -> Ran {
        let [batch, blob] = &self.endpoints;
        let mut command = self.service.command_at(place, args, batch, blob);
        place.wait_in_memory(command.spawn().unwrap(), MEMORY_MAX)
    }
}

/// What the program may have in memory at any time, in KiB: far more than the largest answer that is read, far less than what comes.
const MEMORY_MAX: u64 = 400 << 10;

#[test]
fn an_answer_of_another_server_ends_a_run_with_what_is_wrong_or_harms_nothing() {
    let service = Emulated::start();
    let foreign_answers = [ended_answers(), endless_answers()].concat();
    let mut refused = 0;
    // Each answer in the place of three operations, so that each operation meets many.
    for (at, (what, foreign)) in foreign_answers.iter().enumerate() {
        for step in 0..3 {
            let operation = OPERATIONS[(at + step * 3) % OPERATIONS.len()];
            let place = Place::new();
            place.input("a.txt", text(31, 20_000));
            let args = ["submit", "--shard-size", "9K", "--nodes", "2", "in"];
            let way = way(&service, operation, WHOLE_RUN, foreign.clone());
            let ran = way.run(&place, &args);
            let about = format!("{what} to {operation:?}:\n{}", ran.stderr);
            if way.between.hits() == 0 {
                continue;
            }
            if ran.code == 0 {
                let counted = place.run(["count", "in"]);
                assert_eq!(ran.stdout, counted.stdout, "{about}");
            } else {
                refused += 1;
                assert!([1, 4, 5, 6].contains(&ran.code), "{} {about}", ran.code);
                assert!(
                    ran.stdout.is_empty() && ran.stderr.contains("error: "),
                    "{about}"
                );
                assert!(!ran.stderr.contains("panicked"), "{about}");
                assert!(ran.stderr.len() < 8 << 10, "{about}");
            }
            // A clean-up that met the same answers has printed the command that finishes it.
            if ran.stderr.contains("this finishes it: fanout clean") {
                way.between.leave();
                for run in runs(&place) {
                    let cleaned = way.run(&place, &["clean", &run]);
                    assert_eq!(cleaned.code, 0, "{}", cleaned.stderr);
                }
            }
            assert_eq!(service.left(), [""; 0], "{about}");
        }
    }
    assert!(refused >= 25, "only {refused} answers did any harm");
    service.stop();
}

#[test]
fn what_lists_an_account_says_which_answer_it_cannot_read() {
    let service = Emulated::start();
    let place = Place::new();
    let lists = [("blob", "GET", "comp=list"), ("batch", "GET", "/pools?")];
    let everywhere = [ended_answers(), endless_answers()]
        .into_iter()
        .flatten()
        .map(|foreign| (foreign, 2));
    let at_first = other_protocols().into_iter().map(|foreign| (foreign, 1));
    for ((what, foreign), operations) in everywhere.chain(at_first) {
        for operation in lists.into_iter().take(operations) {
            for args in [&["ls"][..], &["gc"]] {
                let way = way(&service, operation, WHOLE_RUN, foreign.clone());
                let ran = way.run(&place, args);
                let about = format!("{what} to {operation:?} of {args:?}:\n{}", ran.stderr);
                assert!(way.between.hits() > 0 || ran.code != 0, "{about}");
                // Containers are listed as XML: what has no containers in it is an empty list.
                if ran.code == 0 {
                    assert_eq!(operation.0, "blob", "{about}");
                    continue;
                }
                assert_eq!(ran.code, 1, "{about}");
                let known = ["error: list ", "error: read the clock "];
                assert!(
                    known.iter().any(|says| ran.stderr.contains(says)),
                    "{about}"
                );
                assert!(ran.stderr.len() < 2 << 10, "{about}");
            }
        }
    }
    service.stop();
}

#[test]
fn answers_that_are_cut_twice_are_asked_for_again() {
    let service = Emulated::start();
    let cut =
        Foreign::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"value\":[".to_vec());
    let closed = Foreign::Bytes(Vec::new());
    let gateway = answer(
        "502 Bad Gateway",
        "text/html",
        "<html><title>Bad Gateway</title></html>",
    );
    for foreign in [cut, closed, gateway] {
        for operation in [OPERATIONS[0], OPERATIONS[2], OPERATIONS[3], OPERATIONS[4]] {
            let place = Place::new();
            place.input("a.txt", text(32, 5_000));
            let ran = way(&service, operation, 2, foreign.clone()).run(&place, &["submit", "in"]);
            assert_eq!(ran.code, 0, "{operation:?}: {}", ran.stderr);
            assert_eq!(ran.stdout, place.run(["count", "in"]).stdout);
            assert_eq!(service.left(), [""; 0], "{operation:?}");
        }
    }
    service.stop();
}
