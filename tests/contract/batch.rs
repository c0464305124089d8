//! Checks of the Batch client against a service that runs real processes: the embedded one.
//!
//! A real Batch account is not asked: it would rent machines. What stands on the wire is tested beside the client.

use std::time::Duration;

use fanout::azure::batch::{
    AutoUser, AutoUserScope, Batch, ElevationLevel, FileSource, Image, JobCreate, JobPatch,
    JobPreparationTask, JobReleaseTask, JobState, ListQuery, MetadataItem, NodeState,
    OnAllTasksComplete, PoolCreate, PoolPatch, PoolReference, PoolResize, ResultKind, StartTask,
    Task, TaskConstraints, TaskCreate, TaskState, UserIdentity, VirtualMachine,
};
use fanout::azure::{Creation, Endpoint, RetryPolicy, SharedKey};
use fanout::clock;
use fanout::emulator::{Options, Service};

/// How often a state is asked for before a check fails: a minute in all.
const ASKED_MAX: u32 = 3000;

struct Account {
    service: Service,
    batch: Batch,
}

impl Account {
    async fn start() -> Self {
        let options = Options {
            exchanges: fanout::settings::exchanges(),
            ..Options::default()
        };
        let service = Service::start(options).await.unwrap();
        let place = &service.ready().batch;
        let key = SharedKey::parse(&place.account, &place.key).unwrap();
        let endpoint = Endpoint::parse(&place.endpoint).unwrap();
        let batch = Batch::new(endpoint, key, RetryPolicy::default()).unwrap();
        Self { service, batch }
    }

    /// An account with a pool `p` of one idle node and an active job `j` on it.
    async fn with_job() -> Self {
        let account = Self::start().await;
        account.batch.create_pool(&pool("p", "true")).await.unwrap();
        account.batch.create_job(&job("j", "r")).await.unwrap();
        until(async || nodes(&account.batch, NodeState::Idle).await == 1).await;
        account
    }

    async fn stop(self) {
        self.service.shutdown().await.unwrap();
    }
}

/// Asks until it is so.
async fn until(is_so: impl AsyncFn() -> bool) {
    for _ in 0..ASKED_MAX {
        if is_so().await {
            return;
        }
        clock::sleep(Duration::from_millis(20)).await;
    }
    panic!("it was never so");
}

async fn nodes(batch: &Batch, state: NodeState) -> usize {
    let nodes = batch.list_nodes("p", &ListQuery::default()).await.unwrap();
    nodes.iter().filter(|node| node.state == state).count()
}

async fn ended(batch: &Batch, task: &str) -> Task {
    until(async || batch.get_task("j", task).await.unwrap().state == TaskState::Completed).await;
    batch.get_task("j", task).await.unwrap()
}

fn marks(run: &str) -> Option<Vec<MetadataItem>> {
    Some(vec![MetadataItem {
        name: "fanout_run".to_owned(),
        value: run.to_owned(),
    }])
}

fn shell(script: &str) -> String {
    format!("/bin/sh -c '{script}'")
}

fn pool(id: &str, start: &str) -> PoolCreate {
    PoolCreate {
        id: id.to_owned(),
        vm_size: "standard_d2s_v5".to_owned(),
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
        target_dedicated_nodes: Some(1),
        task_slots_per_node: Some(4),
        start_task: Some(StartTask {
            command_line: shell(start),
            user_identity: Some(UserIdentity {
                auto_user: Some(AutoUser {
                    scope: Some(AutoUserScope::Pool),
                    elevation_level: Some(ElevationLevel::NonAdmin),
                }),
            }),
            wait_for_success: Some(true),
            ..StartTask::default()
        }),
        metadata: marks("r"),
        ..PoolCreate::default()
    }
}

fn job(id: &str, run: &str) -> JobCreate {
    JobCreate {
        id: id.to_owned(),
        pool_info: PoolReference {
            pool_id: Some("p".to_owned()),
        },
        on_all_tasks_complete: Some(OnAllTasksComplete::NoAction),
        metadata: marks(run),
        ..JobCreate::default()
    }
}

fn task(id: impl ToString, script: &str) -> TaskCreate {
    let constraints = TaskConstraints {
        max_task_retry_count: Some(0),
        ..TaskConstraints::default()
    };
    TaskCreate {
        id: id.to_string(),
        command_line: shell(script),
        constraints: Some(constraints),
        ..TaskCreate::default()
    }
}

#[tokio::test]
async fn a_pool_lives_from_creation_to_deletion() {
    let account = Account::start().await;
    let batch = &account.batch;
    assert!(!batch.pool_exists("p").await.unwrap());
    assert!(batch.get_pool("p").await.unwrap_err().is_not_found());
    assert_eq!(
        batch.create_pool(&pool("p", "echo started")).await.unwrap(),
        Creation::New
    );
    assert_eq!(
        batch.create_pool(&pool("p", "echo started")).await.unwrap(),
        Creation::Existed
    );
    let foreign = PoolCreate {
        metadata: marks("other"),
        ..pool("p", "true")
    };
    assert!(
        batch
            .create_pool(&foreign)
            .await
            .unwrap_err()
            .is_conflict("PoolExists")
    );
    assert!(batch.pool_exists("p").await.unwrap());
    until(async || nodes(batch, NodeState::Idle).await == 1).await;

    let resize = PoolResize {
        target_dedicated_nodes: Some(2),
        ..PoolResize::default()
    };
    until(async || batch.resize_pool("p", &resize).await.is_ok()).await;
    until(async || nodes(batch, NodeState::Idle).await == 2).await;
    let counts = batch.get_node_counts("p").await.unwrap().unwrap();
    assert_eq!(
        (
            counts.dedicated.idle,
            counts.dedicated.total,
            counts.low_priority.total
        ),
        (2, 2, 0)
    );

    batch
        .patch_pool(
            "p",
            &PoolPatch {
                metadata: marks("s"),
                ..PoolPatch::default()
            },
        )
        .await
        .unwrap();
    let listed = batch.list_pools(&ListQuery::by_prefix("p")).await.unwrap();
    assert_eq!(
        (listed.len(), Some(&listed[0].metadata)),
        (1, marks("s").as_ref())
    );
    assert_eq!(listed[0].current_dedicated_nodes, Some(2));

    batch.delete_pool("p").await.unwrap();
    batch.delete_pool("p").await.unwrap();
    until(async || !batch.pool_exists("p").await.unwrap()).await;
    batch.delete_pool("p").await.unwrap();
    account.stop().await;
}

#[tokio::test]
async fn a_start_task_that_fails_can_be_read() {
    let account = Account::start().await;
    let batch = &account.batch;
    batch
        .create_pool(&pool("p", "echo why >&2; exit 3"))
        .await
        .unwrap();
    until(async || nodes(batch, NodeState::StartTaskFailed).await == 1).await;
    let node = &batch.list_nodes("p", &ListQuery::default()).await.unwrap()[0];
    let node = batch.get_node("p", &node.id).await.unwrap();
    let info = node.start_task_info.unwrap();
    assert_eq!(
        (info.exit_code, info.result),
        (Some(3), Some(ResultKind::Failure))
    );
    let source = FileSource::Node {
        pool: "p",
        node: &node.id,
    };
    let tail = batch
        .get_file_tail(source, "startup/stderr.txt", 100)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&tail.bytes[..], b"why\n");
    let files = batch.list_files(source, true).await.unwrap();
    assert!(
        files.iter().any(|f| f.name == "startup/stderr.txt"),
        "{files:?}"
    );
    assert_eq!(
        batch
            .get_file_tail(source, "startup/none.txt", 100)
            .await
            .unwrap(),
        None
    );
    account.stop().await;
}

#[tokio::test]
async fn a_job_is_made_once_changed_ended_and_deleted() {
    let account = Account::with_job().await;
    let batch = &account.batch;
    assert_eq!(
        batch.create_job(&job("j", "r")).await.unwrap(),
        Creation::Existed
    );
    assert!(
        batch
            .create_job(&job("j", "other"))
            .await
            .unwrap_err()
            .is_conflict("JobExists")
    );
    let listed = batch.list_jobs(&ListQuery::default()).await.unwrap();
    assert_eq!(
        (listed.len(), Some(&listed[0].metadata)),
        (1, marks("r").as_ref())
    );
    assert_eq!(listed[0].pool_info.pool_id.as_deref(), Some("p"));
    assert!(
        batch
            .list_prep_release_status("j")
            .await
            .unwrap()
            .is_empty()
    );
    let patch = JobPatch {
        priority: Some(5),
        ..JobPatch::default()
    };
    batch.patch_job("j", &patch).await.unwrap();
    batch.terminate_job("j", "enough").await.unwrap();
    batch.terminate_job("j", "enough").await.unwrap();
    until(async || batch.get_job("j").await.unwrap().state == JobState::Completed).await;
    let job = batch.get_job("j").await.unwrap();
    assert_eq!(
        job.execution_info.unwrap().terminate_reason.as_deref(),
        Some("enough")
    );
    let error = batch
        .add_tasks("j", &[task(1, "true")], |_| {})
        .await
        .unwrap_err();
    assert!(error.is_conflict("JobCompleted"), "{error}");
    batch.delete_job("j").await.unwrap();
    until(async || batch.get_job("j").await.is_err_and(|e| e.is_not_found())).await;
    batch.delete_job("j").await.unwrap();
    account.stop().await;
}

#[tokio::test]
async fn many_tasks_are_added_run_and_counted() {
    let account = Account::with_job().await;
    let batch = &account.batch;
    let tasks: Vec<_> = (1..=120).map(|n| task(n, "true")).collect();
    let added = batch.add_tasks("j", &tasks, |_| {}).await.unwrap();
    assert_eq!((added.added_count, added.existed.len()), (120, 0));
    let again = batch.add_tasks("j", &tasks[..3], |_| {}).await.unwrap();
    assert_eq!(
        (again.added_count, again.existed),
        (0, vec!["1".to_owned(), "2".to_owned(), "3".to_owned()])
    );
    let query = ListQuery {
        filter: Some("state eq 'completed'".to_owned()),
        select: Some("id,state,executionInfo".to_owned()),
        page_max: Some(50),
    };
    until(async || batch.list_tasks("j", &query).await.unwrap().len() == 120).await;
    let ended = batch.list_tasks("j", &query).await.unwrap();
    assert!(ended.iter().all(
        |t| t.command_line.is_none() && t.execution_info.as_ref().unwrap().exit_code == Some(0)
    ));
    let counts = batch.get_task_counts("j").await.unwrap().task_counts;
    assert_eq!(
        (counts.completed, counts.succeeded, counts.failed),
        (120, 120, 0)
    );
    account.stop().await;
}

#[tokio::test]
async fn a_failed_task_is_read_put_back_and_ended() {
    let account = Account::with_job().await;
    let batch = &account.batch;
    let tasks = [
        task(1, "printf 0123456789; exit 7"),
        task(2, "sleep 600"),
        task(3, "true"),
    ];
    batch.add_tasks("j", &tasks, |_| {}).await.unwrap();
    let failed = ended(batch, "1").await.execution_info.unwrap();
    assert_eq!(
        (failed.exit_code, failed.result),
        (Some(7), Some(ResultKind::Failure))
    );
    assert_eq!(failed.failure_info.unwrap().code, "FailureExitCode");
    let source = FileSource::Task {
        job: "j",
        task: "1",
    };
    assert_eq!(
        batch.get_file_length(source, "stdout.txt").await.unwrap(),
        Some(10)
    );
    let part = batch
        .get_file_part(source, "stdout.txt", 2, 3)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((&part.bytes[..], part.file_bytes), (&b"234"[..], 10));
    let tail = batch
        .get_file_tail(source, "stdout.txt", 4)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&tail.bytes[..], b"6789");
    assert!(
        batch
            .list_files(source, false)
            .await
            .unwrap()
            .iter()
            .any(|f| f.name == "wd" && f.is_directory)
    );

    batch.reactivate_task("j", "1").await.unwrap();
    assert_eq!(
        ended(batch, "1").await.execution_info.unwrap().exit_code,
        Some(7)
    );
    ended(batch, "3").await;
    assert!(
        batch
            .reactivate_task("j", "3")
            .await
            .unwrap_err()
            .is_conflict("TaskSucceeded")
    );
    until(async || batch.get_task("j", "2").await.unwrap().state == TaskState::Running).await;
    batch.terminate_task("j", "2").await.unwrap();
    ended(batch, "2").await;
    batch.terminate_task("j", "2").await.unwrap();
    batch.delete_task("j", "3").await.unwrap();
    batch.delete_task("j", "3").await.unwrap();
    assert!(batch.get_task("j", "3").await.unwrap_err().is_not_found());
    account.stop().await;
}

#[tokio::test]
async fn preparation_and_release_are_told_by_node() {
    let account = Account::start().await;
    let batch = &account.batch;
    batch.create_pool(&pool("p", "true")).await.unwrap();
    let prepared = JobCreate {
        job_preparation_task: Some(JobPreparationTask {
            command_line: shell("echo ready"),
            wait_for_success: Some(true),
            ..JobPreparationTask::default()
        }),
        job_release_task: Some(JobReleaseTask {
            command_line: shell("true"),
            ..JobReleaseTask::default()
        }),
        ..job("j", "r")
    };
    batch.create_job(&prepared).await.unwrap();
    batch
        .add_tasks("j", &[task(1, "true")], |_| {})
        .await
        .unwrap();
    ended(batch, "1").await;
    batch.terminate_job("j", "done").await.unwrap();
    until(async || batch.get_job("j").await.unwrap().state == JobState::Completed).await;
    let status = &batch.list_prep_release_status("j").await.unwrap()[0];
    let preparation = status.job_preparation_task_execution_info.as_ref().unwrap();
    let release = status.job_release_task_execution_info.as_ref().unwrap();
    assert_eq!(
        (preparation.exit_code, release.exit_code),
        (Some(0), Some(0))
    );
    account.stop().await;
}

#[tokio::test]
async fn images_and_time_are_told_and_a_wrong_key_is_refused() {
    let account = Account::start().await;
    let images = account.batch.list_supported_images().await.unwrap();
    assert!(
        images
            .iter()
            .any(|i| i.node_agent_sku_id == "batch.node.ubuntu 24.04" && i.os_type == "linux")
    );
    let told = account.batch.get_server_time().await.unwrap();
    assert!((told - clock::now()).abs() < Duration::from_secs(60));
    let place = &account.service.ready().batch;
    let wrong =
        SharedKey::parse(&place.account, &fanout::secret::Secret::new("c29tZSBrZXk=")).unwrap();
    let batch = Batch::new(account.batch.endpoint().clone(), wrong, RetryPolicy::once()).unwrap();
    let error = batch.list_pools(&ListQuery::default()).await.unwrap_err();
    assert!(
        error.is_auth() && error.is_code("AuthenticationFailed"),
        "{error}"
    );
    account.stop().await;
}
