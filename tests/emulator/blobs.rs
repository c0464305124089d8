//! Blobs and shared access signatures.

use crate::client::{Reply, Rig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

async fn get(rig: &Rig, url: &str) -> Reply {
    Reply::read(rig.http.get(url).send().await.expect("answer")).await
}

async fn put(rig: &Rig, url: &str) -> Reply {
    let request = rig
        .http
        .put(url)
        .header("x-ms-blob-type", "BlockBlob")
        .body("new");
    Reply::read(request.send().await.expect("answer")).await
}

#[tokio::test]
async fn a_signature_grants_what_it_says_and_no_more() {
    let rig = Rig::start().await;
    rig.put_container("con").await;
    rig.put_blob("con", "d/a%20b%2B%C3%BC.txt", "text").await;
    let name = "d/a b+ü.txt";
    let read = rig.sas("con", Some(name), "r");
    assert_eq!(get(&rig, &read).await.text, "text");
    assert_eq!(
        put(&rig, &read).await.refusal(),
        (403, "AuthorizationPermissionMismatch".to_owned())
    );
    assert_eq!(
        get(&rig, &read.replace("sp=r", "sp=rw")).await.refusal(),
        (403, "AuthenticationFailed".to_owned())
    );
    let expired = rig.sas_until("con", Some(name), "r", "2020-01-01T00:00:00Z");
    let reply = get(&rig, &expired).await;
    assert_eq!(reply.refusal(), (403, "AuthenticationFailed".to_owned()));
    assert!(
        reply
            .text
            .contains("Signature not valid in the specified time frame"),
        "{}",
        reply.text
    );
    let other = read.replace("%20b", "%20c");
    assert_eq!(
        get(&rig, &other).await.refusal(),
        (403, "AuthenticationFailed".to_owned())
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_container_signature_lists_and_creates() {
    let rig = Rig::start().await;
    rig.put_container("con").await;
    rig.put_blob("con", "a", "old").await;
    let create = rig.sas("con", None, "c").replace("/con?", "/con/a?");
    assert_eq!(
        put(&rig, &create).await.refusal(),
        (403, "UnauthorizedBlobOverwrite".to_owned())
    );
    let create = create.replace("/con/a?", "/con/b?");
    assert_eq!(put(&rig, &create).await.status, 201);
    assert_eq!(
        get(&rig, &create).await.refusal(),
        (403, "AuthorizationPermissionMismatch".to_owned())
    );
    let list = format!("{}&restype=container&comp=list", rig.sas("con", None, "l"));
    let listed = get(&rig, &list).await;
    assert!(
        listed.text.contains("<Name>a</Name>") && listed.text.contains("<Name>b</Name>"),
        "{}",
        listed.text
    );
    let deletion = rig.http.delete(format!(
        "{}&restype=container",
        rig.sas("con", None, "rwdlc")
    ));
    assert_eq!(deletion.send().await.expect("answer").status(), 403);
    rig.stop().await;
}

#[tokio::test]
async fn a_stored_policy_can_be_revoked() {
    let rig = Rig::start().await;
    rig.put_container("con").await;
    rig.put_blob("con", "a", "text").await;
    let policy = "<SignedIdentifiers><SignedIdentifier><Id>in</Id><AccessPolicy><Expiry>2199-01-01T00:00:00Z</Expiry><Permission>r</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>";
    let path = "/con?restype=container&comp=acl";
    assert_eq!(
        rig.blob("PUT", path, policy.as_bytes(), &[]).await.status,
        200
    );
    assert!(
        rig.blob("GET", path, b"", &[])
            .await
            .text
            .contains("<Id>in</Id>")
    );
    let endpoint = rig.blob_endpoint();
    let text = format!(
        "\n\n\n/blob/{}/con\nin\n\n\n2021-12-02\nc\n\n\n\n\n\n\n",
        endpoint.account
    );
    let signature = crate::client::hmac(endpoint.key.expose(), &text)
        .replace('+', "%2B")
        .replace('/', "%2F");
    let url = format!(
        "{}/con/a?sv=2021-12-02&sr=c&si=in&sig={signature}",
        endpoint.endpoint
    );
    assert_eq!(get(&rig, &url).await.text, "text");
    assert_eq!(rig.blob("PUT", path, b"", &[]).await.status, 200);
    assert_eq!(
        get(&rig, &url).await.refusal(),
        (403, "AuthenticationFailed".to_owned())
    );
    rig.stop().await;
}

/// Stages a block; `number` gives its id.
async fn put_block(rig: &Rig, number: u32, text: &str, checksum: &[(&'static str, &str)]) -> Reply {
    let path = format!(
        "/con/b?comp=block&blockid={}",
        block_id(number).replace('=', "%3D")
    );
    rig.blob("PUT", &path, text.as_bytes(), checksum).await
}

fn block_id(number: u32) -> String {
    STANDARD.encode(format!("{number:04}"))
}

/// Commits the blocks with these numbers.
async fn put_block_list(rig: &Rig, numbers: &[u32]) -> Reply {
    let blocks: String = numbers
        .iter()
        .map(|number| format!("<Latest>{}</Latest>", block_id(*number)))
        .collect();
    let list = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{blocks}</BlockList>");
    rig.blob("PUT", "/con/b?comp=blocklist", list.as_bytes(), &[])
        .await
}

#[tokio::test]
async fn checksums_of_blocks_are_checked() {
    let rig = Rig::start().await;
    rig.put_container("con").await;
    let good = [("content-md5", "CY9rzUYh03PK3k6DJie09g==")];
    assert_eq!(put_block(&rig, 1, "test", &good).await.status, 201);
    assert_eq!(
        put_block(&rig, 2, "tesT", &good).await.refusal(),
        (400, "Md5Mismatch".to_owned())
    );
    let wrong = [("x-ms-content-crc64", "AAAAAAAAAAA=")];
    assert_eq!(
        put_block(&rig, 2, "more", &wrong).await.refusal(),
        (400, "Crc64Mismatch".to_owned())
    );
    rig.stop().await;
}

#[tokio::test]
async fn blocks_become_a_blob_that_is_read_in_parts() {
    let rig = Rig::start().await;
    rig.put_container("con").await;
    for (number, text) in [(1, "test"), (2, "more")] {
        assert_eq!(put_block(&rig, number, text, &[]).await.status, 201);
    }
    assert_eq!(
        rig.blob("GET", "/con/b", b"", &[]).await.refusal(),
        (404, "BlobNotFound".to_owned())
    );
    assert_eq!(
        put_block_list(&rig, &[1, 3]).await.refusal(),
        (400, "InvalidBlockList".to_owned())
    );
    assert_eq!(put_block_list(&rig, &[2, 1, 2]).await.status, 201);
    assert_eq!(
        rig.blob("GET", "/con/b", b"", &[]).await.text,
        "moretestmore"
    );
    let reply = rig
        .blob("GET", "/con/b", b"", &[("x-ms-range", "bytes=3-6")])
        .await;
    assert_eq!((reply.status, reply.text.as_str()), (206, "etes"));
    assert_eq!(reply.header("content-range"), "bytes 3-6/12");
    let reply = rig
        .blob("GET", "/con/b", b"", &[("x-ms-range", "bytes=12-")])
        .await;
    assert_eq!(reply.refusal(), (416, "InvalidRange".to_owned()));
    rig.stop().await;
}

#[tokio::test]
async fn conditions_and_missing_things_are_told_apart() {
    let rig = Rig::start().await;
    assert_eq!(
        rig.blob("GET", "/con/a", b"", &[]).await.refusal(),
        (404, "ContainerNotFound".to_owned())
    );
    rig.put_container("con").await;
    let again = rig.blob("PUT", "/con?restype=container", b"", &[]).await;
    assert_eq!(again.refusal(), (409, "ContainerAlreadyExists".to_owned()));
    rig.put_blob("con", "a", "text").await;
    let new = [("x-ms-blob-type", "BlockBlob"), ("if-none-match", "*")];
    assert_eq!(
        rig.blob("PUT", "/con/a", b"x", &new).await.refusal(),
        (409, "BlobAlreadyExists".to_owned())
    );
    let head = rig.blob("HEAD", "/con/a", b"", &[]).await;
    assert_eq!((head.status, head.header("content-length")), (200, "4"));
    let etag = head.header("etag").to_owned();
    assert!(etag.starts_with("\"0x8D"), "{etag}");
    assert_eq!(
        rig.blob("GET", "/con/a", b"", &[("if-none-match", &etag)])
            .await
            .status,
        304
    );
    assert_eq!(
        rig.blob("GET", "/con/a", b"", &[("if-match", "\"0x1\"")])
            .await
            .status,
        412
    );
    assert_eq!(rig.blob("DELETE", "/con/a", b"", &[]).await.status, 202);
    assert_eq!(
        rig.blob("DELETE", "/con?restype=container", b"", &[])
            .await
            .status,
        202
    );
    rig.stop().await;
}

#[tokio::test]
async fn lists_have_pages_and_groups() {
    let rig = Rig::start().await;
    rig.put_container("con").await;
    for name in ["a/1", "a/2", "b", "c/1", "d%26"] {
        rig.put_blob("con", name, "").await;
    }
    let mut marker = String::new();
    let mut seen = Vec::new();
    loop {
        let path =
            format!("/con?restype=container&comp=list&delimiter=%2F&maxresults=1&marker={marker}");
        let text = rig.blob("GET", &path, b"", &[]).await.text;
        let between = |from: &str, to: &str| {
            text.split_once(from)
                .and_then(|(_, rest)| rest.split_once(to))
                .map(|(inner, _)| inner.to_owned())
        };
        seen.push(between("<Name>", "</Name>").expect(&text));
        marker = between("<NextMarker>", "</NextMarker>").unwrap_or_default();
        if marker.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["a/", "b", "c/", "d&amp;"]);
    rig.stop().await;
}
