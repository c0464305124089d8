//! `submit --local`: the same run, against an embedded service that lives as long as the run.

use super::command::run;
use crate::cli::SubmitArgs;
use crate::commands::interrupt::Interrupts;
use crate::emulator::{Endpoint, Options, Service};
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::Narrator;
use crate::settings::{Account, Services, exchanges};

/// Starts the service, runs on it, and stops it: its processes and files go with it.
pub(super) async fn submit(
    args: &SubmitArgs,
    narrator: &Narrator,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    let options = Options {
        exchanges: exchanges(),
        ..Options::default()
    };
    let service = Service::start(options).await.map_err(|error| {
        Failure::new(Exit::LocalIo, error).context("starting the embedded service")
    })?;
    let ready = service.ready();
    narrator.detail(format_args!(
        "embedded service: Batch {}, Blob {}",
        ready.batch.endpoint, ready.blob.endpoint
    ));
    let services = account(&ready.batch).and_then(|batch| {
        Ok(Services {
            batch,
            storage: account(&ready.blob)?,
        })
    });
    let outcome = match services {
        Ok(services) => run(args, &services, None, narrator, interrupts).await,
        Err(failure) => Err(failure),
    };
    if let Err(error) = service.shutdown().await {
        narrator.warn(format_args!("stopping the embedded service: {error}"));
    }
    outcome
}

fn account(endpoint: &Endpoint) -> Result<Account, Failure> {
    Account::named(&endpoint.endpoint, &endpoint.account, &endpoint.key)
        .map_err(|error| Failure::new(Exit::Other, error))
}
