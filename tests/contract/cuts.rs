//! The clients behind a line that cuts: answers are lost after the work was done, bodies end early, again and again.
//!
//! What comes out must be what would have come out on a good line. The cuts are drawn from a fixed seed; how they fall on
//! requests depends on the moment, the result must not.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanout::azure::batch::{Batch, JobCreate, ListQuery, MetadataItem, PoolReference, TaskCreate};
use fanout::azure::storage::{DownloadOptions, Storage, UploadOptions};
use fanout::azure::{Endpoint, RetryPolicy, SharedKey};
use fanout::emulator::{Options, Service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A proxy that ends each connection after some of the answers' bytes, at most `bytes_max`, at times before the first.
struct BadLine {
    url: String,
    cut_count: Arc<AtomicU64>,
}

impl BadLine {
    async fn to(url: &str, bytes_max: u64) -> Self {
        let rest = url.strip_prefix("http://").unwrap();
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = address.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/{path}", listener.local_addr().unwrap());
        let cut_count = Arc::new(AtomicU64::new(0));
        let cuts = Arc::clone(&cut_count);
        tokio::spawn(async move {
            let mut draw = 1_u64;
            while let Ok((client, _)) = listener.accept().await {
                draw = draw
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let kind = draw >> 33;
                let bytes = match kind % 6 {
                    0 => 0,
                    1 => kind / 6 % 2_000,
                    _ => kind / 6 % bytes_max,
                };
                tokio::spawn(pass(client, address.clone(), bytes, Arc::clone(&cuts)));
            }
        });
        Self { url, cut_count }
    }
}

/// Passes bytes both ways, and ends both when `bytes` of the answers have passed.
async fn pass(client: TcpStream, address: String, bytes: u64, cuts: Arc<AtomicU64>) {
    let Ok(server) = TcpStream::connect(address).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut answers = from_server.take(bytes);
    let passed = tokio::io::copy(&mut answers, &mut to_client).await;
    if passed.is_ok_and(|passed| passed == bytes) {
        cuts.fetch_add(1, Ordering::Relaxed);
    }
    drop(to_client.shutdown().await);
    up.abort();
}

fn patient() -> RetryPolicy {
    let short = Duration::from_millis(2);
    RetryPolicy {
        attempts_max: 60,
        delay_base: short,
        delay_max: short,
        ..RetryPolicy::default()
    }
}

#[tokio::test]
async fn files_go_up_and_down_whole_over_a_line_that_cuts() {
    let service = Service::start(Options::default()).await.unwrap();
    let place = &service.ready().blob;
    let line = BadLine::to(&place.endpoint, 300_000).await;
    let key = SharedKey::parse(&place.account, &place.key).unwrap();
    let storage = Storage::new(&Endpoint::parse(&line.url).unwrap(), key, patient()).unwrap();
    let metadata = [("fanout_run".to_owned(), "r".to_owned())].into();
    storage
        .create_container("fo-cuts", &metadata)
        .await
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let content: Vec<u8> = (0..500_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    std::fs::write(&path, &content).unwrap();
    let file = Arc::new(File::open(&path).unwrap());
    let length = u64::try_from(content.len()).unwrap();
    for round in 0..8 {
        let name = format!("round/{round}");
        let upload = UploadOptions {
            block_bytes: 100_000,
            parallel: 4,
        };
        storage
            .upload(
                "fo-cuts",
                &name,
                Arc::clone(&file),
                0..length,
                upload,
                &|_| {},
            )
            .await
            .unwrap();
        let back = directory.path().join("back");
        let download = DownloadOptions {
            part_bytes: 300_000,
            parallel: 4,
        };
        storage
            .download("fo-cuts", &name, &back, download, &|_| {})
            .await
            .unwrap();
        assert!(std::fs::read(&back).unwrap() == content, "round {round}");
        let mut streamed = Vec::new();
        storage
            .download_to("fo-cuts", &name, &mut streamed, &|_| {})
            .await
            .unwrap();
        assert!(streamed == content, "round {round}");
    }
    assert_eq!(
        storage.list_blobs("fo-cuts", "round/").await.unwrap().len(),
        8
    );
    storage.delete_container("fo-cuts").await.unwrap();
    assert!(storage.list_containers("fo-").await.unwrap().is_empty());
    let cut_count = line.cut_count.load(Ordering::Relaxed);
    assert!(cut_count > 50, "only {cut_count} cuts");
    service.shutdown().await.unwrap();
}

#[tokio::test]
async fn jobs_and_tasks_are_made_once_over_a_line_that_cuts() {
    let service = Service::start(Options::default()).await.unwrap();
    let place = &service.ready().batch;
    let line = BadLine::to(&place.endpoint, 30_000).await;
    let key = SharedKey::parse(&place.account, &place.key).unwrap();
    let batch = Batch::new(Endpoint::parse(&line.url).unwrap(), key.clone(), patient()).unwrap();
    let direct = Batch::new(
        Endpoint::parse(&place.endpoint).unwrap(),
        key,
        RetryPolicy::once(),
    )
    .unwrap();
    let tasks: Vec<_> = (1..=250)
        .map(|n| TaskCreate {
            id: n.to_string(),
            command_line: "true".to_owned(),
            ..TaskCreate::default()
        })
        .collect();
    let expected: Vec<String> = (1..=250).map(|n: u32| n.to_string()).collect();
    for round in 0..8 {
        let id = format!("j-{round}");
        let job = JobCreate {
            id: id.clone(),
            pool_info: PoolReference {
                pool_id: Some("none".to_owned()),
            },
            metadata: Some(vec![MetadataItem {
                name: "fanout_run".to_owned(),
                value: id.clone(),
            }]),
            ..JobCreate::default()
        };
        batch.create_job(&job).await.unwrap();
        let added = batch.add_tasks(&id, &tasks, |_| {}).await.unwrap();
        assert_eq!(
            added.added_count + added.existed.len(),
            250,
            "round {round}"
        );
        let pages = ListQuery {
            page_max: Some(40),
            ..ListQuery::default()
        };
        for client in [&batch, &direct] {
            let mut ids: Vec<String> = client
                .list_tasks(&id, &pages)
                .await
                .unwrap()
                .into_iter()
                .map(|t| t.id)
                .collect();
            ids.sort_by_key(|id| id.parse::<u32>().unwrap());
            assert!(ids == expected, "round {round}: {} tasks", ids.len());
        }
        batch.terminate_job(&id, "done").await.unwrap();
        batch.delete_job(&id).await.unwrap();
    }
    let cut_count = line.cut_count.load(Ordering::Relaxed);
    assert!(cut_count > 10, "only {cut_count} cuts");
    service.shutdown().await.unwrap();
}
