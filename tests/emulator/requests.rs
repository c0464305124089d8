//! What every request must have: signature, date, version, length, media type; and what every answer has.

use crate::client::{Rig, VERSION, now, sign};
use fanout::emulator::{Endpoint, Options, Service, StartError};
use fanout::secret::Secret;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn a_wrong_key_is_refused_by_both_services() {
    let rig = Rig::start().await;
    let wrong = Endpoint {
        key: Secret::new("AAAA"),
        ..rig.batch_endpoint()
    };
    let reply = rig.batch_with(&wrong, "GET", "/pools", None, &[]).await;
    assert_eq!(reply.refusal(), (403, "AuthenticationFailed".to_owned()));
    assert_eq!(
        reply.json()["values"][0]["key"],
        "AuthenticationErrorDetail"
    );
    let blob = rig.blob_endpoint();
    let wrong = Endpoint {
        key: Secret::new("AAAA"),
        ..blob.clone()
    };
    let url = format!("{}?comp=list", blob.endpoint);
    let headers = [("x-ms-date", now())];
    let authorization = sign(&wrong, "x-ms-", "GET", &url, &headers);
    let request = rig.http.get(&url).header("x-ms-date", &headers[0].1);
    let answer = request
        .header("authorization", authorization)
        .send()
        .await
        .expect("answer");
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["x-ms-error-code"], "AuthenticationFailed");
    rig.stop().await;
}

#[tokio::test]
async fn a_request_without_a_signature_or_from_another_time_is_refused() {
    let rig = Rig::start().await;
    let url = format!(
        "{}/pools?api-version={VERSION}",
        rig.batch_endpoint().endpoint
    );
    assert_eq!(
        rig.http.get(&url).send().await.expect("answer").status(),
        403
    );
    let old = [("ocp-date", "Fri, 20 Nov 2020 10:15:30 GMT")];
    let reply = rig
        .batch_with(&rig.batch_endpoint(), "GET", "/pools", None, &old)
        .await;
    assert_eq!(reply.refusal(), (403, "AuthenticationFailed".to_owned()));
    let url = rig.blob_endpoint().endpoint;
    assert_eq!(
        rig.http.get(&url).send().await.expect("answer").status(),
        401
    );
    rig.stop().await;
}

#[tokio::test]
async fn version_and_media_type_are_demanded() {
    let rig = Rig::start().await;
    let endpoint = rig.batch_endpoint();
    for (query, code) in [
        ("", "MissingRequiredQueryParameter"),
        ("?api-version=2019-01-01", "UnsupportedRequestVersion"),
    ] {
        let url = format!("{}/pools{query}", endpoint.endpoint);
        let headers = [("ocp-date", now())];
        let authorization = sign(&endpoint, "ocp-", "GET", &url, &headers);
        let request = rig.http.get(&url).header("ocp-date", &headers[0].1);
        let reply = crate::client::Reply::read(
            request
                .header("authorization", authorization)
                .send()
                .await
                .expect("answer"),
        )
        .await;
        assert_eq!(reply.refusal(), (400, code.to_owned()));
    }
    let plain = [("content-type", "application/json")];
    let reply = rig
        .batch_with(&endpoint, "POST", "/jobs", Some(json!({})), &plain)
        .await;
    assert_eq!(reply.refusal(), (400, "InvalidHeaderValue".to_owned()));
    let large = json!({"id": "x".repeat(1 << 20)});
    assert_eq!(
        rig.batch("POST", "/jobs", Some(large)).await.refusal(),
        (413, "RequestBodyTooLarge".to_owned())
    );
    rig.stop().await;
}

#[tokio::test]
async fn query_parameters_are_checked() {
    let rig = Rig::start().await;
    for (query, code) in [
        ("timeOut=31", "OutOfRangeQueryParameter"),
        ("timeOut=soon", "InvalidQueryParameterValue"),
        ("maxresults=1001", "OutOfRangeQueryParameter"),
        ("$select=colour", "InvalidQueryParameterValue"),
        ("$expand=nodes", "InvalidQueryParameterValue"),
        ("colour=red", "UnsupportedQueryParameter"),
        ("$skipToken=%25", "InvalidQueryParameterValue"),
    ] {
        let reply = rig.batch("GET", &format!("/pools?{query}"), None).await;
        assert_eq!(reply.refusal(), (400, code.to_owned()), "{query}");
    }
    assert_eq!(
        rig.batch("GET", "/pools?timeOut=30", None).await.status,
        200
    );
    rig.stop().await;
}

#[tokio::test]
async fn no_web_page_may_read_the_answers() {
    let rig = Rig::start().await;
    let (batch, blob, control) = (
        rig.batch_endpoint().endpoint,
        rig.blob_endpoint().endpoint,
        rig.service.ready().control.url.clone(),
    );
    for url in [batch, blob, format!("{control}/faults")] {
        for method in ["GET", "OPTIONS"] {
            let request = rig
                .http
                .request(method.parse().expect("method"), &url)
                .header("origin", "http://evil.example")
                .header("access-control-request-method", "POST");
            let answer = request.send().await.expect("answer");
            assert!(answer.status().is_client_error(), "{method} {url}");
            let cors =
                |name: &reqwest::header::HeaderName| name.as_str().starts_with("access-control");
            assert!(!answer.headers().keys().any(cors), "{method} {url}");
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_write_without_a_length_is_refused() {
    let rig = Rig::start().await;
    let address = rig.batch_endpoint().endpoint.replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address)
        .await
        .expect("connection");
    let request = format!(
        "POST /jobs/j/terminate?api-version={VERSION} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answer");
    assert!(answer.starts_with("HTTP/1.1 411 "), "{answer}");
    assert!(answer.contains("MissingContentLengthHeader"), "{answer}");
    rig.stop().await;
}

#[tokio::test]
async fn answers_have_the_quirks_of_the_real_service() {
    let rig = Rig::start().await;
    rig.add_pool("P1", 0, json!({})).await;
    let body = json!({"id": "J1", "poolInfo": {"poolId": "none-yet"}});
    let made = rig.batch("POST", "/jobs", Some(body)).await;
    assert!(
        made.header("location").ends_with("/jobs/job-1"),
        "{}",
        made.header("location")
    );
    assert!(made.header("etag").starts_with("0x8D"));
    assert_eq!(made.header("dataserviceversion"), "3.0");
    assert_eq!(made.text, "");
    let got = rig.batch("GET", "/jobs/j1", None).await;
    assert_eq!(got.header("etag"), made.header("etag"));
    assert_eq!(
        got.header("content-type"),
        "application/json;odata=minimalmetadata"
    );
    let job = got.json();
    assert_eq!(job["id"], "J1");
    assert_eq!(
        job["constraints"]["maxWallClockTime"],
        "P10675199DT2H48M5.4775807S"
    );
    assert!(
        job["odata.metadata"]
            .as_str()
            .is_some_and(|text| text.ends_with("$metadata#jobs/@Element"))
    );
    let changed = rig
        .batch_with(
            &rig.batch_endpoint(),
            "DELETE",
            "/jobs/J1",
            None,
            &[("if-match", "0x1")],
        )
        .await;
    assert_eq!(changed.refusal(), (412, "ConditionNotMet".to_owned()));
    assert_eq!(rig.batch("HEAD", "/pools/p1", None).await.status, 200);
    assert_eq!(rig.batch("HEAD", "/pools/p2", None).await.status, 404);
    rig.stop().await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let rig = Rig::start().await;
    for (method, path, named) in [
        ("GET", "/jobschedules", "GET /jobschedules"),
        (
            "POST",
            "/pools/p/nodes/n/reboot",
            "POST /pools/{id}/nodes/{id}/reboot",
        ),
        (
            "POST",
            "/pools/p/nodes/n/reimage",
            "POST /pools/{id}/nodes/{id}/reimage",
        ),
        (
            "GET",
            "/pools/p/nodes/n/remoteloginsettings",
            "remoteloginsettings",
        ),
        ("POST", "/pools/p/nodes/n/users", "users"),
        ("GET", "/pools/p/nodes/n/extensions", "extensions"),
        ("GET", "/applications", "GET /applications"),
        ("GET", "/jobs/j/tasks/t/subtasksinfo", "subtasksinfo"),
    ] {
        let reply = rig.batch(method, path, None).await;
        assert_eq!(reply.refusal(), (501, "NotImplemented".to_owned()));
        assert!(reply.text.contains(named), "{}", reply.text);
    }
    assert_eq!(
        rig.batch("GET", "/nonsense", None).await.refusal(),
        (400, "InvalidUri".to_owned())
    );
    rig.put_container("con").await;
    let reply = rig.blob("PUT", "/con/b?comp=lease", b"", &[]).await;
    assert_eq!(reply.refusal(), (501, "NotImplemented".to_owned()));
    rig.stop().await;
}

/// Bodies with properties that are not offered, where they go, and how the property is named.
fn unoffered() -> Vec<(&'static str, serde_json::Value, &'static str)> {
    let job = |name: &str| json!({"id": "j", "poolInfo": {"poolId": "p"}, name: {"id": "m", "commandLine": "x", "subnetId": "s"}});
    let task = |name: &str| json!({"id": "t", "commandLine": "x", name: {"imageName": "i", "coordinationCommandLine": "c"}});
    let pool = |name: &str, value: serde_json::Value| {
        json!({
            "id": "p",
            "vmSize": "standard_d2s_v5",
            "targetDedicatedNodes": 0,
            "virtualMachineConfiguration": {
                "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
                "nodeAgentSKUId": "batch.node.ubuntu 24.04",
            },
            name: value,
        })
    };
    let identity = json!({"id": "t", "commandLine": "x", "resourceFiles": [{
        "httpUrl": "http://127.0.0.1/x", "filePath": "x", "identityReference": {"resourceId": "r"},
    }]});
    let packages = json!([{"applicationId": "a"}]);
    vec![
        ("/jobs", job("jobManagerTask"), "`jobManagerTask`"),
        (
            "/jobs",
            job("networkConfiguration"),
            "`networkConfiguration`",
        ),
        (
            "/jobs",
            json!({"id": "k", "poolInfo": {"autoPoolSpecification": {"poolLifetimeOption": "job"}}}),
            "`poolInfo.autoPoolSpecification`",
        ),
        (
            "/jobs/j/tasks",
            task("multiInstanceSettings"),
            "`multiInstanceSettings`",
        ),
        (
            "/jobs/j/tasks",
            task("containerSettings"),
            "`containerSettings`",
        ),
        ("/jobs/j/tasks", identity, "identityReference`"),
        (
            "/pools",
            pool("applicationPackageReferences", packages),
            "`applicationPackageReferences`",
        ),
        (
            "/pools",
            pool("userAccounts", json!([{"name": "u"}])),
            "`userAccounts`",
        ),
        (
            "/pools",
            pool("mountConfiguration", json!([{}])),
            "`mountConfiguration`",
        ),
        (
            "/pools",
            pool("networkConfiguration", json!({})),
            "`networkConfiguration`",
        ),
    ]
}

#[tokio::test]
async fn properties_that_are_missing_are_named() {
    let rig = Rig::start().await;
    rig.add_job("j", "p", json!({})).await;
    for (path, body, named) in unoffered() {
        let reply = rig.batch("POST", path, Some(body)).await;
        assert_eq!(
            reply.refusal(),
            (501, "NotImplemented".to_owned()),
            "{named}"
        );
        assert!(reply.text.contains(named), "{}", reply.text);
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_full_port_is_named() {
    let rig = Rig::start().await;
    let taken = rig
        .batch_endpoint()
        .endpoint
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("port");
    let error = Service::start(Options {
        blob_port: taken,
        ..Options::default()
    })
    .await
    .expect_err("taken");
    assert!(matches!(error, StartError::PortInUse { service: "Blob", port } if port == taken));
    assert_eq!(
        error.to_string(),
        format!("listen on 127.0.0.1:{taken} for the Blob service: the port is in use")
    );
    rig.stop().await;
}

#[tokio::test]
async fn the_ready_line_is_what_clients_need() {
    let rig = Rig::start().await;
    let line: serde_json::Value =
        serde_json::from_str(&rig.service.ready().json_line()).expect("JSON");
    assert_eq!(line["batch"]["endpoint"], rig.batch_endpoint().endpoint);
    assert_eq!(line["blob"]["account"], "fanoutstorage");
    assert_eq!(line["pid"], std::process::id());
    let exports = rig.service.ready().exports();
    assert!(
        exports.contains("export AZURE_BATCH_ENDPOINT='http://127.0.0.1:"),
        "{exports}"
    );
    assert!(!format!("{:?}", rig.service).contains(rig.batch_endpoint().key.expose()));
    rig.stop().await;
}
