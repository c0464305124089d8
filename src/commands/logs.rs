//! `fanout logs`: what a task of a run printed, or what the start tasks of its nodes did.
//!
//! Results are uploaded when a task ends; until then its output is read from its node.

use std::io::{self, Write};

use super::clients::Clients;
use super::failure::from_service;
use crate::azure::batch::{FileSource, ListQuery};
use crate::cli::LogsArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::{RunId, TaskOutput};
use crate::settings::Services;

/// The end of an output that is printed: all of what `topn` ever prints.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Prints stdout and stderr of the task of `args`, or of every node's start task.
///
/// # Errors
/// Exit 3 when neither blobs nor nodes of the run have any such output.
pub(crate) async fn logs(args: &LogsArgs, services: &Services) -> Result<Exit, Failure> {
    let run = RunId::parse(&args.run).map_err(|error| Failure::new(Exit::Usage, error))?;
    let clients = Clients::new(services)?;
    let found = match args.task {
        Some(task) => of_task(&clients, &run, task).await?,
        None => of_nodes(&clients, &run).await?,
    };
    if found.is_empty() {
        let what = args
            .task
            .map_or_else(|| "its nodes".to_owned(), |task| format!("task {task}"));
        return Err(Failure::message(Exit::NotFound, format_args!("no output of {what} of run {run} is there"))
            .hint("outputs go with the containers and nodes of a run; keep them with --keep pool,job,blobs"));
    }
    let mut out = io::stdout().lock();
    for (name, bytes) in found {
        let printed = writeln!(out, "==> {name} <==").and_then(|()| out.write_all(&bytes));
        match printed {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
            printed => printed.map_err(|error| Failure::new(Exit::LocalIo, error))?,
        }
    }
    Ok(Exit::Done)
}

async fn of_task(
    clients: &Clients,
    run: &RunId,
    task: u64,
) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut found = Vec::new();
    for stream in ["stdout.txt", "stderr.txt"] {
        let blob = format!("{}/{stream}", TaskOutput::Streams.blob_path(task));
        let uploaded = clients
            .storage
            .get_blob(&run.out_container(), &blob, OUTPUT_BYTES_MAX)
            .await;
        let bytes = match uploaded.map_err(from_service)? {
            Some(bytes) => Some(bytes.to_vec()),
            None => {
                let id = task.to_string();
                let source = FileSource::Task {
                    job: run.as_str(),
                    task: &id,
                };
                tail(clients, source, stream).await?
            }
        };
        found.extend(bytes.map(|bytes| (format!("task {task} {stream}"), bytes)));
    }
    Ok(found)
}

async fn of_nodes(clients: &Clients, run: &RunId) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let query = ListQuery {
        select: Some("id,state".to_owned()),
        ..ListQuery::default()
    };
    let nodes = match clients.batch.list_nodes(run.as_str(), &query).await {
        Err(error) if error.is_not_found() => Vec::new(),
        nodes => nodes.map_err(from_service)?,
    };
    let mut found = Vec::new();
    for node in nodes {
        for stream in ["stdout.txt", "stderr.txt"] {
            let source = FileSource::Node {
                pool: run.as_str(),
                node: &node.id,
            };
            let bytes = tail(clients, source, &format!("startup/{stream}")).await?;
            found.extend(bytes.map(|bytes| {
                (
                    format!("node {} ({}) start task {stream}", node.id, node.state),
                    bytes,
                )
            }));
        }
    }
    Ok(found)
}

/// The end of a file on a node; nothing when it, or its node, is not there.
async fn tail(
    clients: &Clients,
    source: FileSource<'_>,
    path: &str,
) -> Result<Option<Vec<u8>>, Failure> {
    match clients
        .batch
        .get_file_tail(source, path, OUTPUT_BYTES_MAX as u64)
        .await
    {
        // A task that did not start yet and a node that is gone have no files: 404 or 409.
        Err(error) if error.is_not_found() || error.status() == Some(409) => Ok(None),
        part => Ok(part.map_err(from_service)?.map(|part| part.bytes.to_vec())),
    }
}
