//! Steps 1, 3, 4 and 5: containers, pool, job and tasks are there when they return, whoever made them.
//!
//! What an earlier process made is found and brought up to date: its deadline, its policies, its formula.

use std::collections::{BTreeSet, HashSet};

use time::OffsetDateTime;

use super::bodies::{Grants, METADATA_RUN, job_body, marks, metadata, pool_body, task_bodies};
use super::image::pick_image;
use super::scale::{INTERVAL, SETTLING, formula};
use super::session::Session;
use super::stage::PROGRAM_BLOB;
use crate::azure::batch::{
    AutoScale, Job, JobConstraints, JobCreate, JobPatch, JobState, ListQuery, MetadataItem, Pool,
    PoolPatch, PoolState, TaskCreate,
};
use crate::azure::sas::{Rights, Target, Terms};
use crate::azure::storage::AccessPolicy;
use crate::azure::{Creation, ServiceError};
use crate::clock;
use crate::commands::failure::from_service;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::TaskPlan;
use crate::progress::{Unit, seconds};

/// How much earlier than now a signature is valid, for clocks that are behind: the skew that the services allow.
const CLOCK_SKEW: time::Duration = time::Duration::minutes(15);

/// How much longer than the run a signature is valid: a node that boots late still gets its files.
const GRANT_MARGIN: time::Duration = time::Duration::hours(1);

/// How long a job that is deleted may take to go before another of its name is made.
const JOB_GONE_MAX: std::time::Duration = std::time::Duration::from_secs(5 * 60);

/// Between two tries to create a job for which the account's quota has no room.
const QUOTA_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// The policy of each container, in the order of [`RunId::containers`](crate::plan::RunId::containers): its id, and what
/// nodes may do through it.
const POLICIES: [(&str, Rights); 3] = [
    ("read", Rights::Read),
    ("read-list", Rights::ReadList),
    ("create-write", Rights::CreateWrite),
];

impl Session<'_> {
    /// The containers, each with the policy through which nodes use it until a little after the end of the run.
    pub(super) async fn containers(&self) -> Result<(), Failure> {
        let run = &self.prepared.plan.run;
        let storage = &self.clients.storage;
        self.narrator.step(
            1,
            "containers",
            format_args!("{run}-app, {run}-in, {run}-out"),
        );
        let metadata = marks(run, self.ends)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let now = storage.get_server_time().await.map_err(from_service)?;
        for (container, (id, rights)) in run.containers().iter().zip(POLICIES) {
            let found = if self.ledger.is_resumed() {
                storage
                    .get_container_metadata(container)
                    .await
                    .map_err(from_service)?
            } else {
                None
            };
            match found.filter(|found| found.get(METADATA_RUN).is_some_and(|id| id == run.as_str()))
            {
                None => {
                    let create = storage.create_container(container, &metadata);
                    self.made.containers(create).await?;
                }
                Some(found) if found != metadata => storage
                    .set_container_metadata(container, &metadata)
                    .await
                    .map_err(from_service)?,
                Some(_) => {}
            }
            let policy = AccessPolicy {
                id: id.to_owned(),
                rights,
                start: now - CLOCK_SKEW,
                expiry: self.ends + GRANT_MARGIN,
            };
            storage
                .set_access_policies(container, &[policy])
                .await
                .map_err(from_service)?;
        }
        Ok(())
    }

    /// What nodes may do, signed against the policies of the containers. How long is said there, and can be changed.
    pub(super) fn grants(&self) -> Grants {
        let run = &self.prepared.plan.run;
        let [app, input, output] = run.containers();
        let [read, read_list, create_write] = POLICIES.map(|(id, _)| Terms::Policy(id.to_owned()));
        let sas = |target, terms| self.clients.storage.sas(target, terms);
        Grants {
            program: sas(Target::Blob(&app, PROGRAM_BLOB), &read),
            inputs: sas(Target::Container(&input), &read_list),
            outputs: sas(Target::Container(&output), &create_write),
        }
    }

    /// The pool.
    pub(super) async fn pool(&self, grants: &Grants) -> Result<(), Failure> {
        let plan = &self.prepared.plan;
        let now = self
            .clients
            .storage
            .get_server_time()
            .await
            .map_err(from_service)?;
        if self.ledger.is_resumed()
            && let Some(found) = self.own_pool().await?
        {
            return self.renew_pool(&found, now).await;
        }
        let images = self
            .clients
            .batch
            .list_supported_images()
            .await
            .map_err(from_service)?;
        let image = pick_image(&images, self.ends).ok_or_else(|| {
            let message = format!(
                "none of the {} images of the service is a verified Ubuntu that is supported",
                images.len()
            );
            Failure::message(Exit::PoolFailed, message)
        })?;
        self.narrator.step(
            3,
            "pool",
            format_args!(
                "{}: {} × {}, {}",
                plan.run, plan.nodes, self.args.vm_size, image.node_agent_sku_id
            ),
        );
        let body = pool_body(
            plan,
            &self.args.vm_size,
            image,
            now + SETTLING,
            self.ends,
            grants,
        );
        self.made.pool(self.clients.batch.create_pool(&body)).await
    }

    /// The run's pool, if it is there and stays.
    async fn own_pool(&self) -> Result<Option<Pool>, Failure> {
        match self
            .clients
            .batch
            .get_pool(self.prepared.plan.run.as_str())
            .await
        {
            Ok(pool) => Ok(Some(pool).filter(|pool| {
                pool.state != PoolState::Deleting && self.is_marked(&pool.metadata)
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(from_service(error)),
        }
    }

    /// Gives a pool that is there the deadline of the run, and its nodes again if it has let them go.
    async fn renew_pool(&self, found: &Pool, now: OffsetDateTime) -> Result<(), Failure> {
        let plan = &self.prepared.plan;
        let (run, marks) = (plan.run.as_str(), metadata(&plan.run, self.ends));
        let batch = &self.clients.batch;
        let extended = found.metadata != marks;
        if !extended && found.target_dedicated_nodes.unwrap_or(0) >= plan.nodes {
            return Ok(());
        }
        self.narrator.step(
            3,
            "pool",
            format_args!("{run}: {} × {} again", plan.nodes, self.args.vm_size),
        );
        let scale = AutoScale {
            auto_scale_formula: Some(formula(plan.nodes, now + SETTLING, self.ends)),
            auto_scale_evaluation_interval: Some(INTERVAL.into()),
        };
        match batch.enable_auto_scale(run, &scale).await {
            // It was set within the last half minute; its own time gives it nodes, unless its deadline is another now.
            Err(error) if !extended && error.is_code("TooManyEnableAutoScaleRequests") => {
                self.narrator.detail(error);
            }
            // Its errors are of before from now on.
            done => {
                done.map_err(from_service)?;
                self.renewed.get_or_init(|| now);
            }
        }
        if extended {
            let patch = PoolPatch {
                metadata: Some(marks),
                ..PoolPatch::default()
            };
            batch.patch_pool(run, &patch).await.map_err(from_service)?;
        }
        Ok(())
    }

    /// The job; whether tasks that an earlier process added may be in it.
    pub(super) async fn job(&self) -> Result<bool, Failure> {
        let plan = &self.prepared.plan;
        if self.ledger.is_resumed() {
            match self.clients.batch.get_job(plan.run.as_str()).await {
                Ok(found) if !self.is_marked(&found.metadata) => {}
                // It ended with its time, or is going: no task can be run in it any more.
                Ok(Job {
                    state: JobState::Completed | JobState::Terminating | JobState::Deleting,
                    ..
                }) => self.wait_until_job_is_gone().await?,
                Ok(found) => {
                    self.renew_job(&found).await?;
                    return Ok(true);
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(from_service(error)),
            }
        }
        self.narrator.step(4, "job", &plan.run);
        let body = job_body(plan, self.ends);
        self.made.job(self.create_job(&body)).await?;
        Ok(false)
    }

    /// Creates the job; while the account's quota of active jobs is used up it is tried for as long as the user wants.
    async fn create_job(&self, body: &JobCreate) -> Result<Creation, ServiceError> {
        let until = clock::instant() + self.args.wait_quota.unwrap_or_default();
        let mut told = false;
        loop {
            let created = self.clients.batch.create_job(body).await;
            let left = until
                .min(self.deadline)
                .saturating_duration_since(clock::instant());
            match created {
                Err(error) if error.is_quota() && !left.is_zero() => {
                    if !told {
                        self.narrator.warn(format_args!(
                            "{error}; waiting for room, at most {}",
                            seconds(left)
                        ));
                        told = true;
                    }
                    clock::sleep(QUOTA_WAIT.min(left)).await;
                }
                created => return created,
            }
        }
    }

    /// Gives a job that is there the deadline of the run.
    async fn renew_job(&self, found: &Job) -> Result<(), Failure> {
        let plan = &self.prepared.plan;
        let marks = metadata(&plan.run, self.ends);
        if found.metadata == marks {
            return Ok(());
        }
        // The service counts from the job's creation.
        let created = found
            .creation_time
            .map_or(self.ends - plan.ttl, |time| time.0);
        let limit = std::time::Duration::try_from(self.ends - created).unwrap_or(plan.ttl);
        let patch = JobPatch {
            constraints: Some(JobConstraints {
                max_wall_clock_time: Some(limit.into()),
                max_task_retry_count: Some(i32::try_from(plan.retries).unwrap_or(i32::MAX)),
            }),
            metadata: Some(marks),
            ..JobPatch::default()
        };
        let run = plan.run.as_str();
        self.clients
            .batch
            .patch_job(run, &patch)
            .await
            .map_err(from_service)
    }

    async fn wait_until_job_is_gone(&self) -> Result<(), Failure> {
        let run = self.prepared.plan.run.as_str();
        let batch = &self.clients.batch;
        self.narrator.step(
            4,
            "job",
            format_args!("{run}: it has ended, and is made anew"),
        );
        batch.delete_job(run).await.map_err(from_service)?;
        let begun = clock::instant();
        let mut wait = std::time::Duration::from_millis(50);
        loop {
            match batch.get_job(run).await {
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(from_service(error)),
                Ok(_) if begun.elapsed() > JOB_GONE_MAX => {
                    let message = format!(
                        "job {run} is still there {} after its delete",
                        seconds(JOB_GONE_MAX)
                    );
                    return Err(Failure::message(Exit::TimedOut, message));
                }
                Ok(_) => clock::sleep(wait).await,
            }
            wait = (wait * 2).min(std::time::Duration::from_secs(5));
        }
    }

    /// The tasks, but those in `ended`.
    pub(super) async fn tasks(
        &self,
        grants: &Grants,
        ended: &BTreeSet<u64>,
    ) -> Result<(), Failure> {
        let plan = &self.prepared.plan;
        let mut bodies = task_bodies(plan, grants);
        bodies.retain(|body| body.id.parse().map_or(true, |id| !ended.contains(&id)));
        let text = match ended.len() {
            0 => format!("{}, one a shard", plan.tasks.len()),
            ended => format!(
                "{}, of {} others the results are there",
                bodies.len(),
                ended
            ),
        };
        self.narrator.step(5, "tasks", text);
        let bar = self.narrator.bar("tasks", bodies.len() as u64, Unit::Tasks);
        let added = self
            .clients
            .batch
            .add_tasks(plan.run.as_str(), &bodies, |more| bar.inc(more as u64))
            .await;
        bar.finish_and_clear();
        if added.map_err(from_service)?.existed.is_empty() {
            return Ok(());
        }
        self.add_missing(bodies).await
    }

    /// Adds those of `bodies` that the service said were there, and does not list.
    async fn add_missing(&self, mut bodies: Vec<TaskCreate>) -> Result<(), Failure> {
        let (batch, run) = (&self.clients.batch, self.prepared.plan.run.as_str());
        let query = ListQuery {
            select: Some("id".to_owned()),
            ..ListQuery::default()
        };
        let listed = batch.list_tasks(run, &query).await.map_err(from_service)?;
        let there: HashSet<String> = listed.into_iter().map(|task| task.id).collect();
        bodies.retain(|body| !there.contains(&body.id));
        if bodies.is_empty() {
            return Ok(());
        }
        let added = batch.add_tasks(run, &bodies, |_| ()).await;
        added.map(drop).map_err(from_service)
    }

    /// The tasks whose results are there: they need not be run again, whatever became of their job.
    pub(super) async fn with_results(&self) -> Result<BTreeSet<u64>, Failure> {
        let plan = &self.prepared.plan;
        let blobs = self
            .clients
            .storage
            .list_blobs(&plan.run.out_container(), "")
            .await;
        let blobs = blobs.map_err(from_service)?;
        let names: HashSet<&str> = blobs.iter().map(|blob| blob.name.as_str()).collect();
        let is_there = |task: &&TaskPlan| {
            let mut wanted = task.outputs.iter().filter(|output| output.needs_success());
            wanted.all(|output| names.contains(output.blob_path(task.id).as_str()))
        };
        Ok(plan
            .tasks
            .iter()
            .filter(is_there)
            .map(|task| task.id)
            .collect())
    }

    fn is_marked(&self, found: &[MetadataItem]) -> bool {
        let run = self.prepared.plan.run.as_str();
        found
            .iter()
            .any(|item| item.name.eq_ignore_ascii_case(METADATA_RUN) && item.value == run)
    }
}
