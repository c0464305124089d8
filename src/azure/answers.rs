//! A loopback server that gives prepared answers in order, one per connection, for tests of this module.
//!
//! It understands only as much HTTP as a test needs: it reads a request's head and declared body, records both, writes
//! the next answer as raw bytes, and closes the connection.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::azure::auth::{Dialect, SharedKey};
use crate::azure::endpoint::Endpoint;
use crate::azure::retry::RetryPolicy;
use crate::azure::transport::Transport;
use crate::secret::Secret;

/// A key for tests: the Base64 of bytes 0 to 63.
pub(crate) const KEY: &str =
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

/// What one connection of the server does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Reads the request, writes these bytes, closes.
    Bytes(Vec<u8>),
    /// Reads the request and closes without an answer.
    Cut,
    /// Reads the request, writes these bytes, then nothing more for as long as the client stays.
    Hang(Vec<u8>),
    /// Reads the request, writes a head without length, then body bytes for as long as they are taken.
    Endless,
}

/// A request as it stood on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// The server and what it saw.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) endpoint: Endpoint,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A whole answer with a length.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Step {
    let mut text = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.extend(["\r\n", body]);
    Step::Bytes(text.into_bytes())
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &str) -> Step {
    answer(
        status,
        &[
            ("Content-Type", "application/json;odata=minimalmetadata"),
            ("request-id", "r-1"),
        ],
        body,
    )
}

/// A refusal as Batch writes it.
pub(crate) fn refusal(status: u16, code: &str) -> Step {
    json(
        status,
        &format!(r#"{{"code":"{code}","message":{{"lang":"en-US","value":"said no"}}}}"#),
    )
}

impl Answers {
    /// Starts the server; it closes connections without an answer once `steps` are used up.
    pub(crate) async fn serve(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut steps = steps.into_iter();
            while let Ok((mut socket, _)) = listener.accept().await {
                if let Some(request) = read_request(&mut socket).await {
                    record.lock().expect("lock").push(request);
                }
                match steps.next() {
                    Some(Step::Bytes(bytes)) => drop(socket.write_all(&bytes).await),
                    Some(Step::Endless) => {
                        drop(
                            socket
                                .write_all(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n")
                                .await,
                        );
                        while socket.write_all(&[b' '; 65_536]).await.is_ok() {}
                    }
                    Some(Step::Hang(bytes)) => {
                        drop(socket.write_all(&bytes).await);
                        // Reading ends when the client goes away.
                        drop(socket.read(&mut [0; 1]).await);
                    }
                    Some(Step::Cut) | None => {}
                }
                drop(socket.shutdown().await);
            }
        });
        let endpoint = Endpoint::parse(&format!("http://{address}")).expect("an endpoint");
        Self { endpoint, seen }
    }

    /// A transport to it that repeats quickly.
    pub(crate) fn transport(&self, dialect: Dialect) -> Transport {
        let key = SharedKey::parse("testaccount", &Secret::new(KEY)).expect("a key");
        Transport::new(&self.endpoint, key, dialect, quick()).expect("a transport")
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("lock").clone()
    }

    /// The request lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen()
            .iter()
            .map(|s| s.line().trim_end_matches(" HTTP/1.1").to_owned())
            .collect()
    }
}

/// A policy of four tries that hardly waits.
pub(crate) fn quick() -> RetryPolicy {
    let short = std::time::Duration::from_millis(1);
    RetryPolicy {
        attempts_max: 4,
        delay_base: short,
        delay_max: short,
        ..RetryPolicy::default()
    }
}

async fn read_request(socket: &mut tokio::net::TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut seen = Seen {
        head,
        body: bytes.split_off(end + 4),
    };
    let length: usize = seen
        .header("content-length")
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    while seen.body.len() < length {
        if socket.read_buf(&mut seen.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(seen)
}
