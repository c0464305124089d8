//! The embedded service at the size of a large run: a thousand nodes, a hundred thousand tasks, simulated.
//!
//! `cargo bench --package fanout-benches --bench emulator` measures; without `--bench`, as tests run it, a small run checks the
//! answers alone. Client and service share the process and its cores.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a measurement prints what it measured and ends at the first surprise; counts are far below 2^52"
)]

use std::time::Duration;

use fanout::azure::batch::{
    Batch, EnvironmentSetting, Image, JobCreate, ListQuery, PoolCreate, PoolReference, TaskCreate,
    VirtualMachine,
};
use fanout::azure::{Endpoint, RetryPolicy, SharedKey};
use fanout::clock;
use fanout::emulator::{Behaviour, Options, Service, Span};

struct Size {
    nodes: u32,
    tasks: u64,
}

const LARGE: Size = Size {
    nodes: 1_000,
    tasks: 100_000,
};
const SMALL: Size = Size {
    nodes: 10,
    tasks: 1_000,
};
/// Tasks that a node runs at a time.
const SLOTS: u32 = 4;
/// How long a task takes.
const TASK_TIME: Duration = Duration::from_secs(60);

fn main() {
    let size = if std::env::args().any(|argument| argument == "--bench") {
        LARGE
    } else {
        SMALL
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(&size));
}

async fn measure(size: &Size) {
    let options = Options {
        behaviour: Behaviour {
            simulated: Some(Span::of(TASK_TIME)),
            is_frozen: true,
            ..Behaviour::default()
        },
        ..Options::default()
    };
    let service = Service::start(options).await.unwrap();
    let place = &service.ready().batch;
    let key = SharedKey::parse(&place.account, &place.key).unwrap();
    let endpoint = Endpoint::parse(&place.endpoint).unwrap();
    let batch = Batch::new(endpoint, key, RetryPolicy::default()).unwrap();
    println!(
        "{} nodes of {SLOTS} slots, {} tasks",
        size.nodes, size.tasks
    );

    let timer = Timer::start();
    batch.create_pool(&pool(size.nodes)).await.unwrap();
    service.advance(Duration::from_secs(1)).await;
    let nodes = batch.list_nodes("p", &ListQuery::default()).await.unwrap();
    assert_eq!(nodes.len() as u64, u64::from(size.nodes));
    timer.stop("nodes made and listed", u64::from(size.nodes));

    batch.create_job(&job()).await.unwrap();
    let tasks: Vec<TaskCreate> = (1..=size.tasks).map(task).collect();
    let before = resident_bytes();
    let timer = Timer::start();
    let added = batch.add_tasks("j", &tasks, |_| {}).await.unwrap();
    assert_eq!(added.added_count as u64, size.tasks);
    timer.stop("tasks added", size.tasks);
    let grown = resident_bytes().saturating_sub(before);
    println!("{:>9} B a task in memory", grown / size.tasks);

    let query = ListQuery {
        select: Some("id,state".to_owned()),
        ..ListQuery::default()
    };
    for (what, query) in [
        ("tasks listed, two properties", &query),
        ("tasks listed, whole", &ListQuery::default()),
    ] {
        let timer = Timer::start();
        let listed = batch.list_tasks("j", query).await.unwrap();
        assert_eq!(listed.len() as u64, size.tasks);
        timer.stop(what, size.tasks);
    }

    let rounds = size.tasks.div_ceil(u64::from(size.nodes * SLOTS));
    let timer = Timer::start();
    service
        .advance(TASK_TIME * u32::try_from(rounds).unwrap())
        .await;
    timer.stop("tasks run", size.tasks);
    let timer = Timer::start();
    let counts = batch.get_task_counts("j").await.unwrap().task_counts;
    assert_eq!(u64::from(counts.succeeded), size.tasks);
    timer.stop("counts asked for", 1);

    let timer = Timer::start();
    batch.delete_job("j").await.unwrap();
    batch.delete_pool("p").await.unwrap();
    while batch.pool_exists("p").await.unwrap() {
        clock::sleep(Duration::from_millis(1)).await;
    }
    timer.stop("nodes removed, with the job", u64::from(size.nodes));
    service.shutdown().await.unwrap();
}

struct Timer(tokio::time::Instant);

impl Timer {
    fn start() -> Self {
        Self(clock::instant())
    }

    fn stop(self, what: &str, count: u64) {
        let seconds = self.0.elapsed().as_secs_f64();
        let each = seconds * 1e6 / count as f64;
        println!("{seconds:>9.3} s, {each:>8.1} us each: {count} {what}");
    }
}

fn pool(nodes: u32) -> PoolCreate {
    PoolCreate {
        id: "p".to_owned(),
        vm_size: "standard_d4s_v5".to_owned(),
        virtual_machine_configuration: Some(VirtualMachine {
            image_reference: Image {
                publisher: Some("canonical".to_owned()),
                offer: Some("ubuntu-24_04-lts".to_owned()),
                sku: Some("server".to_owned()),
                version: Some("latest".to_owned()),
                ..Image::default()
            },
            node_agent_sku_id: "batch.node.ubuntu 24.04".to_owned(),
        }),
        target_dedicated_nodes: Some(nodes),
        task_slots_per_node: Some(SLOTS),
        ..PoolCreate::default()
    }
}

fn job() -> JobCreate {
    JobCreate {
        id: "j".to_owned(),
        pool_info: PoolReference {
            pool_id: Some("p".to_owned()),
        },
        ..JobCreate::default()
    }
}

/// A task of some 500 bytes, as those of a run are.
fn task(number: u64) -> TaskCreate {
    TaskCreate {
        id: number.to_string(),
        command_line: format!(
            "/bin/sh -c '\"$AZ_BATCH_NODE_SHARED_DIR/run/topn\" --partial partial --shard {number} in'"
        ),
        environment_settings: Some(vec![EnvironmentSetting {
            name: "SOME_SETTING".to_owned(),
            value: Some("x".repeat(200)),
        }]),
        ..TaskCreate::default()
    }
}

/// Memory of this process that is in use, in bytes.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap() * 1024
}
