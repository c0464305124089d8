//! `fanout gc`: finds what runs left in the account, and removes it when asked to.
//!
//! Only what carries a run's id in its name and the same id in its own metadata is a run's; nothing else is listed or
//! touched. What is past its deadline goes with `--yes`; a run that may still be alive only when it is named.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::clients::Clients;
use super::failure::from_service;
use super::interrupt::Interrupts;
use super::submit::{CleanUp, METADATA_DEADLINE, METADATA_RUN, Made, interrupted};
use crate::azure::batch::{ListQuery, MetadataItem};
use crate::cli::{GcArgs, ListFormat};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::Narrator;
use crate::settings::Services;

/// How long after its deadline a run is left alone: its client may be cleaning up.
const GRACE: Duration = Duration::minutes(15);

/// Something that a run left.
#[derive(Debug)]
pub(super) struct Item {
    kind: &'static str,
    name: String,
    /// Whose it is.
    pub(super) run: RunId,
    /// When its run's time is over.
    pub(super) deadline: Option<OffsetDateTime>,
    live: bool,
}

/// Lists what runs left and, with `--yes`, removes what is past its deadline, or the one run that is named.
///
/// # Errors
/// Exit 2 when the name is no run id, 3 when nothing of it is there, 1 when something could not be removed.
pub(crate) async fn gc(
    args: &GcArgs,
    services: &Services,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let named = args.run.as_deref().map(RunId::parse).transpose();
    let named = named.map_err(|error| Failure::new(Exit::Usage, error))?;
    let clients = Clients::new(services)?;
    let mut items = find(&clients).await?;
    items.retain(|item| named.as_ref().is_none_or(|run| item.run == *run));
    if let (Some(run), true) = (&named, items.is_empty()) {
        return Err(Failure::message(
            Exit::NotFound,
            format_args!("nothing of run {run} is in the account"),
        ));
    }
    print(&items, args.format)?;
    if !args.yes {
        return Ok(Exit::Done);
    }
    let removable = |item: &&Item| named.is_some() || !item.live;
    let runs: BTreeSet<RunId> = items
        .iter()
        .filter(removable)
        .map(|item| item.run.clone())
        .collect();
    let mut interrupts = Interrupts::listen()?;
    let mut clean = true;
    for run in &runs {
        let clean_up = CleanUp {
            clients: &clients,
            run,
            narrator,
            keep: &[],
        };
        clean &= interrupts
            .stop(clean_up.remove(&Made::everything()))
            .await
            .map_err(interrupted)?;
    }
    if clean {
        Ok(Exit::Done)
    } else {
        Err(Failure::message(
            Exit::Other,
            "not everything could be removed",
        ))
    }
}

/// Everything in the account that says of itself that it is a run's.
pub(super) async fn find(clients: &Clients) -> Result<Vec<Item>, Failure> {
    let now = clients
        .storage
        .get_server_time()
        .await
        .map_err(from_service)?;
    let item = |kind, name: String, run: &str, deadline: &str| {
        let run = RunId::parse(run).ok()?;
        let named = match kind {
            "container" => run.containers().contains(&name),
            _ => name.eq_ignore_ascii_case(run.as_str()),
        };
        let deadline = OffsetDateTime::parse(deadline, &Rfc3339).ok();
        // Without a deadline nobody knows: it is taken for alive.
        let live = deadline.is_none_or(|deadline| now < deadline + GRACE);
        named.then_some(Item {
            kind,
            name,
            run,
            deadline,
            live,
        })
    };
    let of = |metadata: &[MetadataItem], name: &str| {
        let found = metadata
            .iter()
            .find(|item| item.name.eq_ignore_ascii_case(name));
        found.map(|item| item.value.clone()).unwrap_or_default()
    };
    let marks =
        |metadata: &[MetadataItem]| (of(metadata, METADATA_RUN), of(metadata, METADATA_DEADLINE));
    let query = ListQuery {
        select: Some("id,metadata".to_owned()),
        ..ListQuery::default()
    };
    let mut items = Vec::new();
    for job in clients
        .batch
        .list_jobs(&query)
        .await
        .map_err(from_service)?
    {
        let (run, deadline) = marks(&job.metadata);
        items.extend(item("job", job.id, &run, &deadline));
    }
    for pool in clients
        .batch
        .list_pools(&query)
        .await
        .map_err(from_service)?
    {
        let (run, deadline) = marks(&pool.metadata);
        items.extend(item("pool", pool.id, &run, &deadline));
    }
    for container in clients
        .storage
        .list_containers("fo-")
        .await
        .map_err(from_service)?
    {
        let mark = |name| container.get(name).unwrap_or_default().to_owned();
        let (run, deadline) = (mark(METADATA_RUN), mark(METADATA_DEADLINE));
        items.extend(item("container", container.name, &run, &deadline));
    }
    items.sort_by(|a, b| (&a.run, a.kind, &a.name).cmp(&(&b.run, b.kind, &b.name)));
    Ok(items)
}

fn print(items: &[Item], format: ListFormat) -> Result<(), Failure> {
    let time = |item: &Item| {
        item.deadline
            .and_then(|time| time.format(&Rfc3339).ok())
            .unwrap_or_default()
    };
    let text = match format {
        ListFormat::Json => {
            let item = |item: &Item| json!({"kind": item.kind, "name": item.name, "run": item.run.as_str(), "deadline": time(item), "live": item.live});
            format!(
                "{}\n",
                json!({"items": items.iter().map(item).collect::<Vec<_>>()})
            )
        }
        ListFormat::Table => {
            let head = format!(
                "{:<9}  {:<30}  {:<20}  {}\n",
                "kind", "name", "deadline", "live"
            );
            let row = |item: &Item| {
                let live = if item.live { "live" } else { "" };
                format!(
                    "{:<9}  {:<30}  {:<20.20}  {live}\n",
                    item.kind,
                    item.name,
                    time(item)
                )
            };
            std::iter::once(head).chain(items.iter().map(row)).collect()
        }
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::LocalIo, error))
        }
        _ => Ok(()),
    }
}
