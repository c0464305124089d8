//! A client of the service in a few lines: it signs, sends and waits, and knows no operation.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanout::emulator::{Behaviour, Endpoint, Options, Service};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

pub(crate) const VERSION: &str = "2025-06-01";
const MEDIA_TYPE: &str = "application/json; odata=minimalmetadata";

/// A running service with a client for it, in a directory of its own.
pub(crate) struct Rig {
    pub(crate) service: Service,
    pub(crate) http: reqwest::Client,
    pub(crate) directory: tempfile::TempDir,
}

/// An answer: status, headers, body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) async fn read(answer: reqwest::Response) -> Self {
        Self {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.text().await.expect("text"),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// The status with the code of the error, Batch or Blob.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let code = match self.header("x-ms-error-code") {
            "" => self.json()["code"].as_str().unwrap_or_default().to_owned(),
            code => code.to_owned(),
        };
        (self.status, code)
    }
}

/// The log that whoever judges the exchanges of the whole suite wants.
#[expect(
    clippy::disallowed_methods,
    reason = "`tests/run` asks for the log by environment"
)]
pub(crate) fn exchanges() -> Option<std::path::PathBuf> {
    std::env::var("FANOUT_EXCHANGES")
        .ok()
        .map(std::path::PathBuf::from)
}

pub(crate) fn now() -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    time::OffsetDateTime::now_utc()
        .format(format)
        .expect("date")
}

pub(crate) fn hmac(key: &str, text: &str) -> String {
    let key = STANDARD.decode(key).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What an endpoint's key signs: everything that is not in `headers` is empty.
pub(crate) fn sign(
    endpoint: &Endpoint,
    prefix: &str,
    method: &str,
    url: &str,
    headers: &[(&str, String)],
) -> String {
    let url = url::Url::parse(url).expect("url");
    let header = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    };
    let length = match (prefix, header("content-length")) {
        ("x-ms-", "0") => "",
        (_, length) => length,
    };
    let mut text = format!(
        "{method}\n{}\n\n{length}\n{}\n{}\n\n\n{}\n{}\n\n{}\n",
        header("content-encoding"),
        header("content-md5"),
        header("content-type"),
        header("if-match"),
        header("if-none-match"),
        header("range"),
    );
    let mut own: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .collect();
    own.sort();
    for (name, value) in own {
        text = format!("{text}{name}:{value}\n");
    }
    text = format!("{text}/{}{}", endpoint.account, url.path());
    let mut query: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (name.to_lowercase(), value.into_owned()))
        .collect();
    query.sort();
    for (name, value) in query {
        text = format!("{text}\n{name}:{value}");
    }
    let signature = hmac(endpoint.key.expose(), &text);
    format!("SharedKey {}:{signature}", endpoint.account)
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(Behaviour::default()).await
    }

    pub(crate) async fn with(behaviour: Behaviour) -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let options = Options {
            node_root: Some(directory.path().to_owned()),
            behaviour,
            exchanges: exchanges(),
            ..Options::default()
        };
        let service = Service::start(options).await.expect("service");
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("client");
        Self {
            service,
            http,
            directory,
        }
    }

    pub(crate) fn batch_endpoint(&self) -> Endpoint {
        self.service.ready().batch.clone()
    }

    pub(crate) fn blob_endpoint(&self) -> Endpoint {
        self.service.ready().blob.clone()
    }

    /// Sends a signed Batch request; `path` may have a query.
    pub(crate) async fn batch(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.batch_with(&self.batch_endpoint(), method, path, body, &[])
            .await
    }

    pub(crate) async fn batch_with(
        &self,
        endpoint: &Endpoint,
        method: &str,
        path: &str,
        body: Option<Value>,
        more: &[(&'static str, &str)],
    ) -> Reply {
        let sign_query = if path.contains('?') { '&' } else { '?' };
        let url = format!(
            "{}{path}{sign_query}api-version={VERSION}",
            endpoint.endpoint
        );
        let text = body.map(|body| body.to_string()).unwrap_or_default();
        let mut headers = vec![("ocp-date", now())];
        if !text.is_empty() {
            headers.push(("content-type", MEDIA_TYPE.to_owned()));
        }
        if method != "GET" && method != "HEAD" {
            headers.push(("content-length", text.len().to_string()));
        }
        for (name, value) in more {
            headers.retain(|(known, _)| known != name);
            headers.push((name, (*value).to_owned()));
        }
        self.send(endpoint, "ocp-", method, &url, &headers, text.into_bytes())
            .await
    }

    /// Sends a request signed with the key of the storage account.
    pub(crate) async fn blob(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        more: &[(&'static str, &str)],
    ) -> Reply {
        let endpoint = self.blob_endpoint();
        let url = format!("{}{path}", endpoint.endpoint);
        let mut headers = vec![
            ("x-ms-date", now()),
            ("x-ms-version", "2021-12-02".to_owned()),
        ];
        if method == "PUT" {
            headers.push(("content-length", body.len().to_string()));
        }
        headers.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        self.send(&endpoint, "x-ms-", method, &url, &headers, body.to_vec())
            .await
    }

    async fn send(
        &self,
        endpoint: &Endpoint,
        prefix: &str,
        method: &str,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Reply {
        let authorization = sign(endpoint, prefix, method, url, headers);
        let mut request = self
            .http
            .request(method.parse().expect("method"), url)
            .header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if method == "PUT" || !body.is_empty() {
            request = request.body(body);
        }
        Reply::read(request.send().await.expect("answer")).await
    }

    /// Asks the control endpoint.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> Reply {
        let panel = &self.service.ready().control;
        let request = self
            .http
            .request(
                method.parse().expect("method"),
                format!("{}{path}", panel.url),
            )
            .bearer_auth(panel.token.expose())
            .body(body.to_string());
        Reply::read(request.send().await.expect("answer")).await
    }

    /// Moves the service's clock forward.
    pub(crate) async fn advance(&self, seconds: f64) {
        let order = json!({"advanceSeconds": seconds});
        let reply = self.control("POST", "/clock", order).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// Puts a blob.
    pub(crate) async fn put_blob(&self, container: &str, name: &str, text: &str) {
        let path = format!("/{container}/{name}");
        let reply = self
            .blob(
                "PUT",
                &path,
                text.as_bytes(),
                &[("x-ms-blob-type", "BlockBlob")],
            )
            .await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    pub(crate) async fn put_container(&self, name: &str) {
        let reply = self
            .blob("PUT", &format!("/{name}?restype=container"), b"", &[])
            .await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    /// The URL of a container, or with `blob` of a blob, with a service SAS of one hour.
    pub(crate) fn sas(&self, container: &str, blob: Option<&str>, permissions: &str) -> String {
        self.sas_until(container, blob, permissions, "2199-01-01T00:00:00Z")
    }

    pub(crate) fn sas_until(
        &self,
        container: &str,
        blob: Option<&str>,
        permissions: &str,
        expiry: &str,
    ) -> String {
        let endpoint = self.blob_endpoint();
        let kind = if blob.is_some() { "b" } else { "c" };
        let name = blob.map(|blob| format!("/{blob}")).unwrap_or_default();
        let resource = format!("/blob/{}/{container}{name}", endpoint.account);
        let text = format!(
            "{permissions}\n\n{expiry}\n{resource}\n\n\n\n2021-12-02\n{kind}\n\n\n\n\n\n\n"
        );
        let signature = hmac(endpoint.key.expose(), &text);
        let path = name.split('/').map(encode).collect::<Vec<_>>().join("/");
        format!(
            "{}/{container}{path}?sv=2021-12-02&sr={kind}&sp={permissions}&se={}&sig={}",
            endpoint.endpoint,
            encode(expiry),
            encode(&signature),
        )
    }

    /// Adds a pool of `nodes` nodes with the parts of `more`.
    pub(crate) async fn add_pool(&self, id: &str, nodes: u32, more: Value) {
        let mut body = json!({
            "id": id,
            "vmSize": "standard_d2s_v5",
            "targetDedicatedNodes": nodes,
            "virtualMachineConfiguration": {
                "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"},
                "nodeAgentSKUId": "batch.node.ubuntu 24.04",
            },
        });
        merge(&mut body, more);
        let reply = self.batch("POST", "/pools", Some(body)).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    pub(crate) async fn add_job(&self, id: &str, pool: &str, more: Value) {
        let mut body = json!({"id": id, "poolInfo": {"poolId": pool}});
        merge(&mut body, more);
        let reply = self.batch("POST", "/jobs", Some(body)).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    pub(crate) async fn add_task(&self, job: &str, id: &str, command: &str, more: Value) {
        let mut body = json!({"id": id, "commandLine": command});
        merge(&mut body, more);
        let reply = self
            .batch("POST", &format!("/jobs/{job}/tasks"), Some(body))
            .await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    /// Asks for `path` until `holds`.
    pub(crate) async fn wait_for(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..1500 {
            last = self.batch("GET", path, None).await.json();
            if holds(&last) {
                return last;
            }
            fanout::clock::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} stays {last:#}");
    }

    /// Waits until the task is completed.
    pub(crate) async fn completed(&self, job: &str, task: &str) -> Value {
        self.wait_for(&format!("/jobs/{job}/tasks/{task}"), |task| {
            task["state"] == "completed"
        })
        .await
    }

    /// A file of a task.
    pub(crate) async fn file(&self, job: &str, task: &str, name: &str) -> String {
        let reply = self
            .batch(
                "GET",
                &format!("/jobs/{job}/tasks/{task}/files/{name}"),
                None,
            )
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.text
    }

    /// Stops the service; nothing of it may stay in its directory.
    pub(crate) async fn stop(self) {
        self.service.shutdown().await.expect("clean end");
        let left: Vec<_> = std::fs::read_dir(self.directory.path())
            .expect("directory")
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn merge(body: &mut Value, more: Value) {
    let (Value::Object(body), Value::Object(more)) = (body, more) else {
        return;
    };
    body.extend(more);
}

/// Waits until no process `pid` is there.
pub(crate) async fn gone(pid: &str) {
    let path = std::path::PathBuf::from(format!("/proc/{}", pid.trim()));
    for _ in 0..1500 {
        // A process that nobody has waited for yet is still listed.
        let status = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        if status.is_empty() || status.contains(") Z ") {
            return;
        }
        fanout::clock::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {pid} is still there");
}
