//! What is no answer of the service: pages of a proxy, other JSON, bodies without end, dates that are none. Every command
//! ends with a clear error, soon, and within bounds.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::account::Emulated;
use crate::harness::Place;

/// An answer to whatever is asked.
#[derive(Debug, Clone, Copy)]
enum Say {
    /// These bytes, then the end of the connection.
    Bytes(&'static str),
    /// These, then zeros for as long as anybody reads.
    Endless(&'static str),
}

const HTML: &str =
    "<!DOCTYPE html><html><head><title>Please log in</title></head><body>proxy</body></html>";

/// Each with what the message must hold, when Batch says it and when Blob Storage does.
const ANSWERS: [(&str, Say, &str, &str); 9] = [
    (
        "a page of a proxy",
        Say::Bytes(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nDate: Thu, 26 Nov 2026 10:00:00 GMT\r\nConnection: close\r\n\r\nHTML",
        ),
        "not",
        "",
    ),
    (
        "a refusal of a proxy",
        Say::Bytes(
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Type: text/html\r\nConnection: close\r\n\r\nHTML",
        ),
        "407",
        "407",
    ),
    (
        "a redirection",
        Say::Bytes(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        "302",
        "302",
    ),
    (
        "other JSON",
        Say::Bytes(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 26 Nov 2026 10:00:00 GMT\r\nConnection: close\r\n\r\n[1,2,{\"value\":3}]",
        ),
        "not",
        "",
    ),
    (
        "half of an answer",
        Say::Bytes(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{\"code\":",
        ),
        "404",
        "404",
    ),
    (
        "a body of a terabyte",
        Say::Endless(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 26 Nov 2026 10:00:00 GMT\r\nContent-Length: 1000000000000\r\n\r\n",
        ),
        "bytes",
        "bytes",
    ),
    (
        "a body without end",
        Say::Endless(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 26 Nov 2026 10:00:00 GMT\r\nConnection: close\r\n\r\n",
        ),
        "bytes",
        "bytes",
    ),
    (
        "a refusal without end",
        Say::Endless(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
        ),
        "400",
        "400",
    ),
    (
        "a date that is none",
        Say::Bytes(
            "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nDate: the day before yesterday\r\nConnection: close\r\n\r\n{\"value\":[]}",
        ),
        "",
        "Date",
    ),
];

/// A listener that answers so until the process ends; its endpoint.
fn serve(say: Say) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream, say));
        }
    });
    endpoint
}

/// Whoever does not read to the end ends it: that is no failure here.
fn answer(mut stream: TcpStream, say: Say) {
    let mut request = [0; 16 << 10];
    if !matches!(stream.read(&mut request), Ok(1..)) {
        return;
    }
    let (Say::Bytes(head) | Say::Endless(head)) = say;
    let mut written = stream.write_all(head.replace("HTML", HTML).as_bytes());
    while matches!(say, Say::Endless(_)) && written.is_ok() {
        written = stream.write_all(&[b' '; 64 << 10]);
    }
    drop(stream);
}

#[test]
fn what_is_no_answer_is_a_clear_error_of_every_command() {
    let service = Emulated::start();
    let place = Place::new();
    place.input("a.txt", "one\n");
    let run = "fo-20261122t091530z-aaaaaa";
    for (what, say, of_batch, of_blob) in ANSWERS {
        let hostile = serve(say);
        let (batch, blob) = (
            service.text("batch", "endpoint"),
            service.text("blob", "endpoint"),
        );
        let storage = format!("{hostile}/{}", service.text("blob", "account"));
        for (batch, blob, says) in [(&hostile, &blob, of_batch), (&batch, &storage, of_blob)] {
            for command in [
                &["gc"][..],
                &["status", run],
                &["resume", run],
                &["submit", "in"],
            ] {
                let ran = place.finish(
                    place
                        .command(command)
                        .args(["--batch-endpoint", batch, "--storage-endpoint", blob])
                        .args(["--batch-account", &service.text("batch", "account")])
                        .env("AZURE_BATCH_ACCESS_KEY", service.text("batch", "key"))
                        .env("AZURE_STORAGE_KEY", service.text("blob", "key")),
                );
                let at = format!("{what}, {command:?}, batch {batch}:\n{}", ran.stderr);
                // A command that does not ask the service in question has its own answer.
                let is_untouched = ran.code == 3 && command[0] == "resume";
                assert!(
                    is_untouched || !ran.stdout.is_empty() || (1..=9).contains(&ran.code),
                    "{at}"
                );
                assert!(ran.code != 101 && !ran.stderr.contains("panicked"), "{at}");
                assert!(ran.stderr.len() < 10_000, "{at}");
                if command[0] == "gc" && !says.is_empty() {
                    assert!(
                        ran.stderr.contains("error: ") && ran.stderr.contains(says),
                        "{at}"
                    );
                }
            }
        }
        assert_eq!(service.left(), [""; 0], "{what}");
    }
    service.stop();
}
