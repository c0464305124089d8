//! The record of a run: the one on this machine, or its copy in the account, by which any machine with the credentials can
//! follow, print or finish a run.
//!
//! It reads; `resume` alone keeps a copy here.

use bytes::Bytes;

use super::clients::Clients;
use super::failure::from_service;
use super::submit::{RECORD_BLOB, from_record};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::record::{Recorded, StateDirectory};
use crate::settings::{Environment, ServiceArgs, Services};

/// The largest copy that is fetched: a million shards have a tenth of it.
const RECORD_BYTES_MAX: usize = 1 << 30;

/// A run that has a record somewhere.
#[derive(Debug)]
pub(crate) struct Known {
    /// Where it takes place.
    pub(crate) services: Services,
    /// Its record.
    pub(crate) recorded: Recorded,
    /// The bytes of the copy, when there is none on this machine.
    pub(crate) copy: Option<Bytes>,
}

/// Finds the record of `run`: here, else in the account that flags and environment name.
///
/// # Errors
/// Exit 2 when it is not known where the run takes place, 3 when there is no record, 1 when it is of another run.
pub(crate) async fn find(
    args: &ServiceArgs,
    environment: Environment<'_>,
    run: &RunId,
    state: &StateDirectory,
) -> Result<Known, Failure> {
    let usage = |error| Failure::new(Exit::Usage, error);
    if let Some(recorded) = read_here(run, state)? {
        let services = args
            .resolve_for(&recorded.spec, environment)
            .map_err(usage)?;
        return Ok(Known {
            services,
            recorded,
            copy: None,
        });
    }
    let services = args.resolve(environment).map_err(usage)?;
    let Some((recorded, copy)) = read_copy(&Clients::new(&services)?, run).await? else {
        return Err(Failure::message(
            Exit::NotFound,
            format_args!("no record of run {run} here or in the account"),
        )
        .hint("fanout ls lists the runs"));
    };
    Ok(Known {
        services,
        recorded,
        copy: Some(copy),
    })
}

/// The record of `run` on this machine; nothing when there is none.
///
/// # Errors
/// Exit 9 when it cannot be read, 1 when it is none or of another run.
pub(crate) fn read_here(run: &RunId, state: &StateDirectory) -> Result<Option<Recorded>, Failure> {
    let path = state.record(run);
    if !path.is_file() {
        return Ok(None);
    }
    let recorded = Recorded::read(&path).map_err(from_record)?;
    of_run(run, recorded, &path.display().to_string()).map(Some)
}

/// The copy of the record of `run` in the account, with its bytes; nothing when there is none.
///
/// # Errors
/// What the service refuses; exit 1 when it is no record or of another run.
pub(crate) async fn read_copy(
    clients: &Clients,
    run: &RunId,
) -> Result<Option<(Recorded, Bytes)>, Failure> {
    let container = run.app_container();
    let found = clients
        .storage
        .get_blob(&container, RECORD_BLOB, RECORD_BYTES_MAX)
        .await
        .map_err(from_service)?;
    let Some(bytes) = found else {
        return Ok(None);
    };
    let name = format!("{container}/{RECORD_BLOB}");
    let recorded = Recorded::parse(name.as_ref(), &bytes).map_err(from_record)?;
    Ok(Some((of_run(run, recorded, &name)?, bytes)))
}

fn of_run(run: &RunId, recorded: Recorded, place: &str) -> Result<Recorded, Failure> {
    if recorded.spec.run == run.as_str() {
        return Ok(recorded);
    }
    let message = format!("the record in `{place}` is of run {}", recorded.spec.run);
    Err(Failure::message(Exit::Other, message))
}
