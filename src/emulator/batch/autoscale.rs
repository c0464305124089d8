//! Pools that scale by a formula: enable, disable, evaluate, and the evaluation that happens by itself.
//!
//! The language is in `emulator::formula`; nodes come and go in `boot` and `ending`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;
use time::OffsetDateTime;

use super::condition::check;
use super::duration::parse_duration;
use super::ending::Deallocation;
use super::error::BatchError;
use super::node::NodeState;
use super::object::{Put as _, text};
use super::pool::{Allocation, Pool};
use super::schema::{self, Object};
use super::service::{Batch, Order, resource_answer, written};
use super::state::{Id, State};
use super::task::{TaskState, Waits};
use crate::emulator::formula::{Formula, FormulaError, Metrics, Sample, Scale, evaluate};
use crate::emulator::server::Answer;

/// How often a pool is sampled.
const SAMPLE_PERIOD: Duration = Duration::from_secs(30);
/// Samples that are kept: a day's.
const SAMPLES_MAX: usize = 24 * 60 * 2;
/// Shortest and longest time between evaluations, in seconds.
const INTERVAL_SECONDS: std::ops::RangeInclusive<u64> = 5 * 60..=168 * 3600;
/// Time between evaluations if the pool names none.
const INTERVAL_DEFAULT: &str = "PT15M";
/// How soon autoscaling may be enabled again, in seconds.
const ENABLE_SECONDS_MIN: i64 = 30;

/// What a pool keeps for its formula.
#[derive(Debug, Default)]
pub(super) struct Autoscale {
    /// Tells the loop of this formula from that of an earlier one.
    generation: u64,
    samples: VecDeque<Sample>,
    enabled: Option<OffsetDateTime>,
    /// `autoScaleRun`.
    pub(super) run: Option<Object>,
}

impl Batch {
    pub(super) fn enable_autoscale(
        self: &Arc<Self>,
        order: &Order,
        id: &str,
    ) -> Result<Answer, BatchError> {
        let body = schema::read("EnableAutoScale", &order.body, order.dialect)?;
        check_autoscale(&body)?;
        let now = self.clock.now();
        let mut state = self.lock();
        let pool = state.pool(id)?;
        check(&order.call, &pool.stamp)?;
        if pool.is_deleting {
            return Err(BatchError::of("PoolBeingDeleted"));
        }
        if !pool.is_autoscaled() {
            if !body.contains_key("autoScaleFormula") {
                return Err(BatchError::of("MissingRequiredProperty")
                    .with("PropertyName", "autoScaleFormula"));
            }
            if pool.allocation != Allocation::Steady {
                return Err(BatchError::of("PoolBeingResized"));
            }
        }
        let since = pool
            .autoscale
            .enabled
            .map(|enabled| (now - enabled).whole_seconds());
        if since.is_some_and(|seconds| seconds < ENABLE_SECONDS_MIN) {
            return Err(BatchError::of("TooManyEnableAutoScaleRequests"));
        }
        pool.autoscale.enabled = Some(now);
        pool.body.extend(body);
        pool.body
            .put("enableAutoScale", true)
            .put_default("autoScaleEvaluationInterval", INTERVAL_DEFAULT);
        pool.stamp.touch(now);
        let answer = written(StatusCode::OK, &pool.stamp, &self.pool_url(&pool.id));
        self.begin_autoscale(&mut state, &Id::of(id));
        Ok(answer)
    }

    pub(super) fn disable_autoscale(&self, _order: &Order, id: &str) -> Result<Answer, BatchError> {
        let mut state = self.lock();
        let pool = state.pool(id)?;
        if pool.is_deleting {
            return Err(BatchError::of("PoolBeingDeleted"));
        }
        pool.autoscale.generation += 1;
        pool.autoscale.run = None;
        pool.body.remove("autoScaleFormula");
        pool.body.remove("autoScaleEvaluationInterval");
        pool.body.put("enableAutoScale", false);
        pool.stamp.touch(self.clock.now());
        Ok(written(
            StatusCode::OK,
            &pool.stamp,
            &self.pool_url(&pool.id),
        ))
    }

    pub(super) fn evaluate_autoscale(&self, order: &Order, id: &str) -> Result<Answer, BatchError> {
        let body = schema::read("EvaluateAutoScale", &order.body, order.dialect)?;
        let formula = read_formula(text(&body, "autoScaleFormula").unwrap_or_default())?;
        let mut state = self.lock();
        if !state.pool(id)?.is_autoscaled() {
            return Err(BatchError::of("OperationInvalidForCurrentState")
                .with("Reason", "Autoscaling is not enabled."));
        }
        let now = self.clock.now();
        let scale = metrics(&state, &Id::of(id), now).map(|metrics| evaluate(&formula, &metrics));
        let run = show_run(&scale.unwrap_or_else(|| Ok(Scale::default())), now);
        Ok(resource_answer(&self.endpoint, "autoscalerun", run, None))
    }

    /// Begins to evaluate the formula of a pool from time to time, now first.
    pub(super) fn begin_autoscale(self: &Arc<Self>, state: &mut State, key: &Id) {
        let Some(pool) = state.pools.get_mut(key) else {
            return;
        };
        pool.autoscale.generation += 1;
        let (batch, key) = (Arc::clone(self), key.clone());
        let (number, generation) = (pool.number, pool.autoscale.generation);
        self.spawn(async move {
            let mut due = batch.clock.now();
            while let Some(next) = batch.autoscale(&key, number, generation, due) {
                due = next;
                batch.clock.sleep(SAMPLE_PERIOD).await;
            }
        });
    }

    /// Takes a sample, and evaluates the formula if it is `due`; when it is due next, or `None` if it is no longer used.
    fn autoscale(
        self: &Arc<Self>,
        key: &Id,
        number: u64,
        generation: u64,
        due: OffsetDateTime,
    ) -> Option<OffsetDateTime> {
        let now = self.clock.now();
        let mut state = self.lock();
        let metrics = metrics(&state, key, now)?;
        let pool = state
            .pools
            .get_mut(key)
            .filter(|pool| pool.number == number && !pool.is_deleting)?;
        if pool.autoscale.generation != generation {
            return None;
        }
        pool.autoscale.samples.push_back(Sample {
            time: now,
            values: metrics.current.clone(),
        });
        if pool.autoscale.samples.len() > SAMPLES_MAX {
            pool.autoscale.samples.pop_front();
        }
        if now < due || pool.allocation != Allocation::Steady {
            return Some(due);
        }
        let formula =
            read_formula(text(&pool.body, "autoScaleFormula").unwrap_or_default()).ok()?;
        let scale = evaluate(&formula, &metrics);
        pool.autoscale.run = Some(show_run(&scale, now));
        let interval = text(&pool.body, "autoScaleEvaluationInterval").and_then(parse_duration);
        let next = now + interval.unwrap_or(SAMPLE_PERIOD);
        match scale {
            Ok(scale) => {
                pool.target_dedicated = scale.dedicated.unwrap_or(pool.target_dedicated);
                pool.target_spot = scale.spot.unwrap_or(pool.target_spot);
                let option = scale
                    .option
                    .as_deref()
                    .map_or(Deallocation::Requeue, Deallocation::of);
                self.log(&format!("pool {}: autoscale {}", pool.id, scale.results));
                self.begin_resize(&mut state, key, option);
            }
            Err(error) => self.log(&format!("pool {}: autoscale failed: {error}", pool.id)),
        }
        Some(next)
    }
}

/// Checks `autoScaleFormula` and `autoScaleEvaluationInterval`.
///
/// # Errors
/// `AutoScalingFormulaSyntaxError`, `AutoScaleFormulaTooLong`, `InvalidPropertyValue`, or 501 for what a formula uses and
/// is not offered.
pub(super) fn check_autoscale(body: &Object) -> Result<(), BatchError> {
    if let Some(formula) = text(body, "autoScaleFormula") {
        read_formula(formula)?;
    }
    match text(body, "autoScaleEvaluationInterval") {
        Some(text)
            if !parse_duration(text)
                .is_some_and(|interval| INTERVAL_SECONDS.contains(&interval.as_secs())) =>
        {
            Err(BatchError::property(
                "autoScaleEvaluationInterval",
                text,
                "It must be 5 minutes to 168 hours.",
            ))
        }
        _ => Ok(()),
    }
}

fn read_formula(text: &str) -> Result<Formula, BatchError> {
    Formula::read(text).map_err(|error| match error {
        FormulaError::Missing(_) => BatchError::missing(error),
        FormulaError::Syntax(_) | FormulaError::Evaluation(_) => {
            BatchError::of("AutoScalingFormulaSyntaxError").with("Reason", error.to_string())
        }
    })
}

fn show_run(scale: &Result<Scale, FormulaError>, now: OffsetDateTime) -> Object {
    let mut run = Object::new();
    run.put_time("timestamp", Some(now));
    match scale {
        Ok(scale) => run.put("results", scale.results.clone()),
        Err(error) => run.put(
            "error",
            json!({"code": "AutoScalingFormulaEvaluationError", "message": error.to_string(), "values": []}),
        ),
    };
    run
}

/// What the formula of the pool `key` sees; `None` if there is no such pool.
fn metrics(state: &State, key: &Id, now: OffsetDateTime) -> Option<Metrics> {
    let pool = state.pools.get(key)?;
    let mut counts = [0_usize; 4];
    for job in state.jobs.values().filter(|job| Id::of(job.pool()) == *key) {
        for task in job.tasks.values() {
            counts[0] += usize::from(task.waits == Waits::InQueue);
            counts[1] += usize::from(matches!(
                task.state,
                TaskState::Preparing | TaskState::Running
            ));
            counts[2] += usize::from(task.is_success());
            counts[3] += usize::from(task.is_failure());
        }
    }
    let [active, running, succeeded, failed] = counts;
    let named = [
        ("$ActiveTasks", active),
        ("$RunningTasks", running),
        ("$PendingTasks", active + running),
        ("$SucceededTasks", succeeded),
        ("$FailedTasks", failed),
        ("$TaskSlotsPerNode", pool.slots()),
        ("$CurrentDedicatedNodes", pool.node_count(true)),
        ("$CurrentLowPriorityNodes", pool.node_count(false)),
        ("$PreemptedNodeCount", count(pool, &[NodeState::Preempted])),
        (
            "$UsableNodeCount",
            count(pool, &[NodeState::Idle, NodeState::Running]),
        ),
        ("$SampleNodeCount", pool.nodes.len()),
        ("$TargetDedicatedNodes", pool.target_dedicated),
        ("$TargetLowPriorityNodes", pool.target_spot),
    ];
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let current: BTreeMap<&'static str, f64> = named
        .into_iter()
        .map(|(name, count)| (name, count as f64))
        .collect();
    Some(Metrics {
        now,
        samples: pool.autoscale.samples.iter().cloned().collect(),
        current,
    })
}

fn count(pool: &Pool, states: &[NodeState]) -> usize {
    pool.nodes
        .values()
        .filter(|node| states.contains(&node.state))
        .count()
}
