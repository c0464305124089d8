//! `fanout watch`: follows a run until its tasks have ended, from any machine with the credentials.
//!
//! It reads; the run, and whoever works on it, notices nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::clients::Clients;
use super::copy::{Known, find, read_here};
use super::failure::from_service;
use super::interrupt::Interrupts;
use super::restore::{Restored, restore};
use super::submit::{Pace, Watch, interrupted};
use crate::cli::WatchArgs;
use crate::clock;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::Narrator;
use crate::record::StateDirectory;
use crate::settings::Environment;

/// Follows the run of `args`.
///
/// # Errors
/// Exit 3 when there is no record of the run, or its job is gone unanswered, 5 when tasks failed, 6 or 7 when the pool has
/// no node that can work, 8 when the run's time is over.
pub(crate) async fn watch(
    args: &WatchArgs,
    environment: Environment<'_>,
    state: &StateDirectory,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = RunId::parse(&args.run).map_err(|error| Failure::new(Exit::Usage, error))?;
    let mut interrupts = Interrupts::listen()?;
    let Known {
        services, recorded, ..
    } = find(&args.services, environment, &run, state).await?;
    let Restored {
        args: submitted,
        prepared,
        deadline,
    } = restore(&recorded)?;
    let clients = Clients::new(&services)?.told_to(narrator)?;
    let now = clients.storage.get_server_time().await;
    let left = deadline - now.map_err(from_service)?;
    let watch = Watch {
        batch: &clients.batch,
        plan: &prepared.plan,
        narrator,
        fail_fast: submitted.fail_fast,
        bad_nodes_max: submitted.max_bad_nodes,
        mends: false,
        pace: Pace::new(services.is_loopback()),
        deadline: clock::instant() + Duration::try_from(left).unwrap_or(Duration::ZERO),
        ends: deadline,
        fresh_since: None,
    };
    let ended = BTreeSet::new();
    let watched = interrupts.stop(Box::pin(watch.until_ended(&ended))).await;
    let failed = match watched.map_err(interrupted)? {
        Err(failure) if failure.exit == Exit::NotFound => {
            if read_here(&run, state)?.is_some_and(|here| here.is_answered()) {
                narrator.step(6, "watch", format_args!("{run} is answered and removed"));
                return Ok(Exit::Done);
            }
            return Err(Failure::message(
                Exit::NotFound,
                format_args!("the job of run {run} is gone"),
            )
            .hint("who worked on the run has ended it; fanout ls lists the runs"));
        }
        failed => failed?,
    };
    let all = prepared.plan.tasks.len();
    if failed.is_empty() {
        narrator.step(
            6,
            "watch",
            format_args!("all {all} tasks have ended well; fanout resume {run} brings the answer and removes the run"),
        );
        return Ok(Exit::Done);
    }
    let named: Vec<String> = failed
        .iter()
        .take(3)
        .map(|task| format!("task {}: {}", task.id, task.cause))
        .collect();
    let message = format!(
        "{} of {all} tasks failed: {}",
        failed.len(),
        named.join("; ")
    );
    Err(Failure::message(Exit::Incomplete, message)
        .hint(format!("fanout resume {run} tries them again")))
}
