//! A server between the program and a service that answers some requests itself, as a proxy, a portal or a broken server would.
//!
//! It knows HTTP/1.1 only as far as needed: one request a connection, with a declared length.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is answered in place of the service.
#[derive(Debug, Clone)]
pub(crate) enum Foreign {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, then the second ones for as long as they are taken.
    Endless(Vec<u8>, Vec<u8>),
}

/// A head and a body of `media` with its length.
pub(crate) fn answer(status: &str, media: &str, body: &str) -> Foreign {
    let length = body.len();
    Foreign::Bytes(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

/// Which requests are not the service's to answer.
#[derive(Debug, Clone)]
pub(crate) struct Meant {
    pub(crate) method: &'static str,
    /// A part of the path with its query.
    pub(crate) path: &'static str,
    /// How many; then the service answers.
    pub(crate) count: usize,
}

/// The server; it stays until the test ends.
pub(crate) struct Between {
    /// `http://127.0.0.1:PORT` with the path of the service's endpoint.
    pub(crate) endpoint: String,
    hits: Arc<AtomicUsize>,
}

impl Between {
    /// Stands before the service at `endpoint`.
    pub(crate) fn start(endpoint: &str, meant: Meant, foreign: Foreign) -> Self {
        let authority = endpoint.trim_start_matches("http://");
        let (upstream, path) = match authority.split_once('/') {
            Some((upstream, path)) => (upstream.to_owned(), format!("/{path}")),
            None => (authority.to_owned(), String::new()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}{path}", listener.local_addr().unwrap());
        let hits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&hits);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (upstream, meant, foreign) = (upstream.clone(), meant.clone(), foreign.clone());
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || {
                    // A client that leaves in the middle is none of this server's business.
                    drop(serve(stream, &upstream, &meant, &foreign, &counted));
                });
            }
        });
        Self { endpoint, hits }
    }

    /// From now on the service answers everything.
    pub(crate) fn leave(&self) {
        self.hits.store(usize::MAX / 2, Ordering::SeqCst);
    }

    /// How many requests it answered itself.
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

fn serve(
    mut client: TcpStream,
    upstream: &str,
    meant: &Meant,
    foreign: &Foreign,
    hits: &AtomicUsize,
) -> std::io::Result<()> {
    let Some((head, body)) = read_request(&mut client)? else {
        return Ok(());
    };
    let line = head.lines().next().unwrap_or_default();
    let is_meant = line.starts_with(&format!("{} ", meant.method)) && line.contains(meant.path);
    if is_meant && hits.fetch_add(1, Ordering::SeqCst) < meant.count {
        return match foreign {
            Foreign::Bytes(bytes) => client.write_all(bytes),
            Foreign::Endless(first, again) => {
                client.write_all(first)?;
                loop {
                    client.write_all(again)?;
                }
            }
        };
    }
    let mut server = TcpStream::connect(upstream)?;
    // No signature covers this header.
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(head.as_bytes())?;
    server.write_all(&body)?;
    std::io::copy(&mut server, &mut client).map(drop)
}

/// The head with its blank line, and the body; nothing when the connection ends before.
fn read_request(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1 << 16];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        let read = client.read(&mut buffer)?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&buffer[..read]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().unwrap())
        })
        .unwrap_or(0);
    let mut body = bytes.split_off(end);
    let have = body.len();
    body.resize(length, 0);
    if have < length {
        client.read_exact(&mut body[have..])?;
    }
    Ok(Some((head, body)))
}
