//! Tests of the transport against a loopback server with prepared answers.
//!
//! Each asserts what stood on the wire or what the error says.

use super::*;
use crate::azure::answers::{Answers, Step, answer, json, quick, refusal};
use crate::secret::Secret;

fn request(server: &Answers, method: Method) -> Request {
    let url = server.endpoint.url().join("/pools?api-version=1").unwrap();
    Request::new("do it".to_owned(), method, url)
}

#[tokio::test]
async fn an_empty_body_is_sent_with_length_zero_where_a_body_could_be() {
    let server = Answers::serve(vec![json(200, ""); 6]).await;
    let transport = server.transport(Dialect::Batch);
    for method in [
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::GET,
        Method::HEAD,
    ] {
        transport.send(&request(&server, method)).await.unwrap();
    }
    let lengths: Vec<_> = server
        .seen()
        .iter()
        .map(|s| s.header("content-length").map(str::to_owned))
        .collect();
    let zero = Some("0".to_owned());
    assert_eq!(
        lengths,
        [zero.clone(), zero.clone(), zero.clone(), zero, None, None]
    );
    assert!(
        server.seen()[0]
            .header("authorization")
            .unwrap()
            .starts_with("SharedKey testaccount:")
    );
    assert!(
        server.seen()[0]
            .header("user-agent")
            .unwrap()
            .starts_with("fanout/")
    );
}

#[tokio::test]
async fn what_passes_is_repeated_and_signed_anew() {
    let steps = vec![
        refusal(503, "ServerBusy"),
        Step::Cut,
        answer(429, &[("Retry-After", "0")], ""),
        json(200, "ok"),
    ];
    let server = Answers::serve(steps).await;
    let answer = server
        .transport(Dialect::Batch)
        .send(&request(&server, Method::GET))
        .await
        .unwrap();
    assert_eq!((answer.attempts, &answer.body[..]), (4, &b"ok"[..]));
    let ids: std::collections::HashSet<_> = server
        .seen()
        .iter()
        .map(|s| s.header("client-request-id").unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn a_refusal_is_final_and_says_everything() {
    let server = Answers::serve(vec![refusal(409, "PoolExists")]).await;
    let error = server
        .transport(Dialect::Batch)
        .send(&request(&server, Method::POST))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.is_conflict("PoolExists"));
    assert_eq!(
        (error.attempts(), error.request_id(), error.message()),
        (1, Some("r-1"), "said no")
    );
    assert!(!error.url().contains('?'));
}

#[tokio::test]
async fn tries_end_and_the_error_counts_them() {
    let server = Answers::serve(vec![refusal(500, "InternalError"); 9]).await;
    let error = server
        .transport(Dialect::Batch)
        .send(&request(&server, Method::GET))
        .await
        .unwrap_err();
    assert_eq!((error.attempts(), error.status()), (4, Some(500)));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_port_where_nobody_listens_fails_at_once_with_its_cause() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let key = SharedKey::parse("a", &Secret::new("AAAA")).unwrap();
    let transport = Transport::new(&endpoint, key, Dialect::Batch, quick()).unwrap();
    let get = Request::new("do it".to_owned(), Method::GET, endpoint.url().clone());
    let error = transport.send(&get).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::NotSent, 1));
    assert!(error.message().starts_with("connection refused"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_server_without_tls_fails_at_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = b"HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n";
            drop(tokio::io::AsyncWriteExt::write_all(&mut socket, answer).await);
            // The client's own bytes are read, so that closing does not reset the connection first.
            drop(tokio::io::AsyncReadExt::read(&mut socket, &mut [0; 4096]).await);
        }
    });
    let endpoint = Endpoint::parse(&url).unwrap();
    let key = SharedKey::parse("a", &Secret::new("AAAA")).unwrap();
    let transport = Transport::new(&endpoint, key, Dialect::Batch, quick()).unwrap();
    let get = Request::new("do it".to_owned(), Method::GET, endpoint.url().clone());
    let error = transport.send(&get).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::NotSent, 1),
        "{error}"
    );
    assert!(error.message().contains("TLS"), "{error}");
}

#[tokio::test]
async fn what_is_no_http_is_told_at_once_and_once_met_is_an_outage() {
    let banner = || Step::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec());
    let long = Step::Bytes([&b"HTTP/1.1 200 X\r\nA: "[..], &[b'a'; 1 << 20]].concat());
    for step in [banner(), long] {
        let server = Answers::serve(vec![step]).await;
        let error = server
            .transport(Dialect::Batch)
            .send(&request(&server, Method::GET))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::Unreadable, 1),
            "{error}"
        );
        assert!(error.message().contains("no HTTP"), "{error}");
    }
    let server = Answers::serve(vec![json(200, "{}"), banner(), json(200, "{}")]).await;
    let transport = server.transport(Dialect::Batch);
    transport
        .send(&request(&server, Method::GET))
        .await
        .unwrap();
    assert_eq!(
        transport
            .send(&request(&server, Method::GET))
            .await
            .unwrap()
            .attempts,
        2
    );
}

#[tokio::test]
async fn a_cut_body_is_repeated_and_an_endless_one_refused() {
    let cut = Step::Bytes(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nabc".to_vec());
    let server = Answers::serve(vec![cut, json(200, "whole")]).await;
    let answer = server
        .transport(Dialect::Batch)
        .send(&request(&server, Method::GET))
        .await
        .unwrap();
    assert_eq!((&answer.body[..], answer.attempts), (&b"whole"[..], 2));

    let server = Answers::serve(vec![Step::Endless]).await;
    let mut endless = request(&server, Method::GET);
    endless.body_max_bytes = 1 << 20;
    let error = server
        .transport(Dialect::Batch)
        .send(&endless)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(error.message().contains("at most 1048576"), "{error}");
}

#[tokio::test]
async fn an_endless_error_and_a_web_page_are_errors_in_one_line() {
    let page = answer(
        502,
        &[("Content-Type", "text/html")],
        "<html><title>Bad gateway</title>",
    );
    let server = Answers::serve(vec![page; 4]).await;
    let error = server
        .transport(Dialect::Batch)
        .send(&request(&server, Method::GET))
        .await
        .unwrap_err();
    assert!(
        error.message().contains("web page (\"Bad gateway\")"),
        "{error}"
    );
    let long = answer(400, &[], &"x".repeat(1 << 20));
    let server = Answers::serve(vec![long]).await;
    let error = server
        .transport(Dialect::Batch)
        .send(&request(&server, Method::GET))
        .await
        .unwrap_err();
    assert!(error.to_string().len() < 600);
}

#[tokio::test]
async fn no_answer_is_told_apart_from_a_refusal() {
    let server = Answers::serve(vec![]).await;
    let error = server
        .transport(Dialect::Batch)
        .send(&request(&server, Method::POST))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::NotAnswered, 4)
    );
}

#[tokio::test]
async fn a_service_that_hangs_before_or_in_its_answer_is_given_up() {
    let head = b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc";
    let steps = vec![
        Step::Hang(Vec::new()),
        Step::Hang(head.to_vec()),
        json(200, "whole"),
    ];
    let server = Answers::serve(steps).await;
    let transport = server.transport(Dialect::Batch).impatient();
    let answer = transport
        .send(&request(&server, Method::GET))
        .await
        .unwrap();
    assert_eq!((&answer.body[..], answer.attempts), (&b"whole"[..], 3));
    let server = Answers::serve(vec![Step::Hang(Vec::new()); 4]).await;
    let transport = server.transport(Dialect::Batch).impatient();
    let error = transport
        .send(&request(&server, Method::POST))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::NotAnswered, 4)
    );
    assert!(error.message().contains("no answer in time"), "{error}");
}

#[tokio::test]
async fn an_answer_that_trickles_for_ever_is_given_up() {
    let server = Answers::serve(vec![Step::Endless; 4]).await;
    let transport = server.transport(Dialect::Batch).impatient();
    let mut endless = request(&server, Method::GET);
    endless.body_max_bytes = usize::MAX;
    let error = transport.send(&endless).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unreadable, 4));
}

#[tokio::test]
async fn an_observer_is_told_of_each_try_without_its_query() {
    let server = Answers::serve(vec![refusal(503, "ServerBusy"), json(200, "ok")]).await;
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let record = Arc::clone(&told);
    let observer = Observer::new(move |tried| {
        let line = format!("{tried}");
        record
            .lock()
            .unwrap()
            .push((tried.attempt, tried.status, tried.next_in.is_some(), line));
    });
    let transport = server.transport(Dialect::Batch).observed_by(observer);
    transport
        .send(&request(&server, Method::GET))
        .await
        .unwrap();
    let told = told.lock().unwrap();
    let brief: Vec<_> = told.iter().map(|t| (t.0, t.1, t.2)).collect();
    assert_eq!(brief, [(1, Some(503), true), (2, Some(200), false)]);
    assert!(told[0].3.contains("/pools 503 said no ("), "{}", told[0].3);
    assert!(
        told[1].3.contains("/pools 200 (") && told[1].3.ends_with("ms, try 2)"),
        "{}",
        told[1].3
    );
}

#[test]
fn the_server_time_is_read_from_its_answer() {
    let mut headers = HeaderMap::new();
    assert_eq!(server_time(&headers), None);
    headers.insert(
        "date",
        HeaderValue::from_static("Fri, 20 Nov 2026 10:15:30 GMT"),
    );
    assert_eq!(
        server_time(&headers),
        Some(time::macros::datetime!(2026-11-20 10:15:30 UTC))
    );
}
