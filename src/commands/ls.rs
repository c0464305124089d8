//! `fanout ls`: the runs that have a record here and, with an account, those that left something in it.
//!
//! It reads; it removes nothing.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::clients::Clients;
use super::gc;
use super::status::state_of;
use super::submit::from_record;
use crate::cli::{ListFormat, LsArgs};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::record::{Recorded, StateDirectory};
use crate::settings::Services;

/// What is known of a run.
#[derive(Debug)]
struct Known {
    state: &'static str,
    created: String,
    deadline: String,
}

/// Prints the runs, oldest first.
///
/// # Errors
/// Exit 9 when a record cannot be read; what the service refuses.
pub(crate) async fn ls(
    args: &LsArgs,
    services: Option<&Services>,
    state: &StateDirectory,
) -> Result<Exit, Failure> {
    let mut runs: BTreeMap<RunId, Known> = BTreeMap::new();
    let listed = state.runs().map_err(|error| {
        Failure::new(Exit::LocalIo, error).context(format!("reading `{}`", state.path().display()))
    })?;
    for run in listed {
        let path = state.record(&run);
        if !path.is_file() {
            continue;
        }
        let known = match Recorded::read(&path) {
            Ok(recorded) => Known {
                state: state_of(&recorded),
                deadline: recorded.deadline().to_owned(),
                created: recorded.spec.created,
            },
            // Cut at its first line by a crash: the run may be there all the same.
            Err(error) => {
                drop(writeln!(
                    io::stderr(),
                    "warning: {}",
                    from_record(error).text()
                ));
                Known {
                    state: "running",
                    created: created_of(&run),
                    deadline: String::new(),
                }
            }
        };
        runs.insert(run, known);
    }
    if let Some(services) = services {
        for item in gc::find(&Clients::new(services)?).await? {
            let deadline = item
                .deadline
                .and_then(|time| time.format(&Rfc3339).ok())
                .unwrap_or_default();
            let unknown = Known {
                state: "running",
                created: created_of(&item.run),
                deadline,
            };
            runs.entry(item.run).or_insert(unknown).state = "running";
        }
    }
    let text = if args.format == ListFormat::Json {
        json_of(&runs)
    } else {
        table_of(&runs)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::LocalIo, error))
        }
        _ => Ok(Exit::Done),
    }
}

/// When `run` was planned, as its id tells.
fn created_of(run: &RunId) -> String {
    let id = run.as_str();
    let part = |range| id.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(3..7),
        part(7..9),
        part(9..11),
        part(12..14),
        part(14..16),
        part(16..18)
    )
}

fn json_of(runs: &BTreeMap<RunId, Known>) -> String {
    let run = |(run, known): (&RunId, &Known)| json!({"run": run.as_str(), "state": known.state, "created": known.created, "deadline": known.deadline});
    format!(
        "{}\n",
        json!({"runs": runs.iter().map(run).collect::<Vec<_>>()})
    )
}

fn table_of(runs: &BTreeMap<RunId, Known>) -> String {
    let row = |(run, known): (&RunId, &Known)| {
        format!(
            "{run:<26}  {:<8}  {:<20.20}  {:.20}\n",
            known.state, known.created, known.deadline
        )
    };
    let head = format!(
        "{:<26}  {:<8}  {:<20}  {}\n",
        "run", "state", "created", "deadline"
    );
    std::iter::once(head).chain(runs.iter().map(row)).collect()
}
