//! `fanout status`: how far one run is, by its record and by what the service says of it.
//!
//! It reads; it changes nothing.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::clients::Clients;
use super::copy::{read_copy, read_here};
use super::failure::from_service;
use crate::azure::batch::ListQuery;
use crate::cli::{ListFormat, StatusArgs};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::record::{Recorded, StateDirectory, Step};
use crate::settings::{Environment, SettingsError};

/// Prints what is known of the run of `args`.
///
/// # Errors
/// Exit 3 when neither a record here nor the account knows the run.
pub(crate) async fn status(
    args: &StatusArgs,
    environment: Environment<'_>,
    state: &StateDirectory,
) -> Result<Exit, Failure> {
    let run = RunId::parse(&args.run).map_err(|error| Failure::new(Exit::Usage, error))?;
    let here = read_here(&run, state)?;
    let services = match &here {
        Some(recorded) => args.services.resolve_for(&recorded.spec, environment),
        None => args.services.resolve(environment),
    };
    let (recorded, live) = match services {
        // A record alone tells something; without one there must be an account to ask.
        Err(SettingsError::Missing { .. }) if here.is_some() => (here, None),
        services => {
            let services = services.map_err(|error| Failure::new(Exit::Usage, error))?;
            let clients = Clients::new(&services)?;
            let recorded = match here {
                Some(here) => Some(here),
                None => read_copy(&clients, &run).await?.map(|(copy, _)| copy),
            };
            (recorded, ask(&clients, &run).await?)
        }
    };
    if recorded.is_none() && live.is_none() {
        return Err(Failure::message(
            Exit::NotFound,
            format_args!("run {run} is neither recorded here nor in the account"),
        )
        .hint("fanout ls lists the runs"));
    }
    // What was kept after the answer is still there: the run is not over before it is removed.
    let state = recorded
        .as_ref()
        .filter(|_| live.is_none())
        .map_or("running", state_of);
    let known = json!({
        "run": run.as_str(),
        "state": state,
        "done": recorded.as_ref().map(done_of),
        "deadline": recorded.as_ref().map(|recorded| recorded.deadline().to_owned()),
        "shards": recorded.as_ref().map(|recorded| recorded.spec.shards.len()),
        "tasks": live.as_ref().map(|live| live["tasks"].clone()),
        "nodes": live.as_ref().map(|live| live["nodes"].clone()),
    });
    let text = match args.format {
        ListFormat::Json => format!("{known}\n"),
        ListFormat::Table => rows(&known),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::LocalIo, error))
        }
        _ => Ok(Exit::Done),
    }
}

/// `running`, `done` or `cleaned`.
pub(super) fn state_of(recorded: &Recorded) -> &'static str {
    match (recorded.is_done(Step::CleanUp), recorded.is_answered()) {
        (false, _) => "running",
        (true, true) => "done",
        (true, false) => "cleaned",
    }
}

fn done_of(recorded: &Recorded) -> Vec<Value> {
    let steps = [
        Step::Containers,
        Step::Stage,
        Step::Pool,
        Step::Job,
        Step::Tasks,
        Step::CleanUp,
    ];
    let mut done: Vec<Value> = steps
        .into_iter()
        .filter(|step| recorded.is_done(*step))
        .map(|step| json!(step))
        .collect();
    if recorded.merged().is_some() {
        done.push(json!("merged"));
    }
    if recorded.is_answered() {
        done.push(json!("answered"));
    }
    done
}

/// Tasks and nodes by state; nothing when neither job nor pool is there.
async fn ask(clients: &Clients, run: &RunId) -> Result<Option<Value>, Failure> {
    let tasks = match clients.batch.get_task_counts(run.as_str()).await {
        Err(error) if error.is_not_found() => None,
        counts => Some(counts.map_err(from_service)?.task_counts),
    };
    let query = ListQuery {
        select: Some("id,state".to_owned()),
        ..ListQuery::default()
    };
    let nodes = match clients.batch.list_nodes(run.as_str(), &query).await {
        Err(error) if error.is_not_found() => None,
        nodes => Some(nodes.map_err(from_service)?),
    };
    if tasks.is_none() && nodes.is_none() {
        return Ok(None);
    }
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    for node in nodes.iter().flatten() {
        *states.entry(node.state.to_string()).or_default() += 1;
    }
    let tasks = tasks.map(|counts| {
        json!({"active": counts.active, "running": counts.running, "succeeded": counts.succeeded, "failed": counts.failed})
    });
    Ok(Some(json!({"tasks": tasks, "nodes": states})))
}

fn rows(known: &Value) -> String {
    let show = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| format!("{value} {name}"))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    };
    let names = [
        "run", "state", "done", "deadline", "shards", "tasks", "nodes",
    ];
    let row = |name: &&str| {
        (!known[*name].is_null()).then(|| format!("{name:<9} {}\n", show(&known[*name])))
    };
    names.iter().filter_map(row).collect()
}
