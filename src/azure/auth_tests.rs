//! Tests of the signatures: captured vectors for Batch and Storage, and what must not be shown.
//!
//! The vectors stand in `tests/fixtures/signatures`, with their source.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use time::macros::datetime;

#[derive(Deserialize)]
struct Vectors {
    account: String,
    key: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    signature: String,
}

fn signatures(dialect: Dialect, fixture: &str) {
    let vectors: Vectors = serde_json::from_str(fixture).unwrap();
    let key = SharedKey::parse(&vectors.account, &Secret::new(vectors.key)).unwrap();
    assert!(!vectors.vectors.is_empty());
    for vector in vectors.vectors {
        let mut headers = HeaderMap::new();
        for (name, value) in &vector.headers {
            headers.insert(
                HeaderName::try_from(name).unwrap(),
                HeaderValue::try_from(value).unwrap(),
            );
        }
        let url = Url::parse(&vector.url).unwrap();
        let method = Method::from_bytes(vector.method.as_bytes()).unwrap();
        key.authorize(
            dialect,
            &method,
            &url,
            &mut headers,
            datetime!(2026-11-20 10:15:30 UTC),
        );
        let text = string_to_sign(dialect, key.account(), &method, &url, &headers);
        let expected = format!("SharedKey {}:{}", vectors.account, vector.signature);
        assert_eq!(
            headers["authorization"].to_str().unwrap(),
            expected,
            "{}: {text}",
            vector.name
        );
    }
}

#[test]
fn batch_signatures_equal_those_of_the_official_clients() {
    signatures(
        Dialect::Batch,
        include_str!("../../tests/fixtures/signatures/batch.json"),
    );
}

#[test]
fn storage_signatures_equal_those_of_the_official_client() {
    let fixture = include_str!("../../tests/fixtures/signatures/storage.json");
    signatures(Dialect::Storage, fixture);
}

#[test]
fn a_key_that_is_not_one_is_named_without_being_shown() {
    let error = |key: &str| SharedKey::parse("acct", &Secret::new(key)).unwrap_err();
    assert_eq!(
        error("  "),
        KeyError::Empty {
            account: "acct".to_owned()
        }
    );
    let wrong = error("hush!hush");
    assert_eq!(
        wrong,
        KeyError::NotBase64 {
            account: "acct".to_owned(),
            length: 9,
            position: 5
        }
    );
    assert!(!wrong.to_string().contains("hush"), "{wrong}");
    assert!(matches!(error("abcde"), KeyError::NotBase64 { .. }));
    assert!(matches!(
        SharedKey::parse("a/b", &Secret::new("AAAA")),
        Err(KeyError::Account { .. })
    ));
}

#[test]
fn debug_of_a_shared_key_shows_its_account_alone() {
    let key = SharedKey::parse("acct", &Secret::new(" QUJDRA== \n")).unwrap();
    assert_eq!(format!("{key:?}"), r#"SharedKey { account: "acct", .. }"#);
}

#[test]
fn storage_signs_an_empty_body_as_nothing_and_names_in_lower_case() {
    let url = Url::parse("http://127.0.0.1:1/acct/c%20d?restype=container&Comp=list&prefix=a%20b")
        .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-length", HeaderValue::from_static("0"));
    headers.insert("x-ms-version", HeaderValue::from_static("2022-11-02"));
    headers.insert("x-ms-date", HeaderValue::from_static("D"));
    let text = string_to_sign(Dialect::Storage, "acct", &Method::PUT, &url, &headers);
    let expected = "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:D\nx-ms-version:2022-11-02\n\
        /acct/acct/c%20d\ncomp:list\nprefix:a b\nrestype:container";
    assert_eq!(text, expected);
}
