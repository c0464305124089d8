//! `fanout clean`: removes what one run left in the account.
//!
//! Every name is derived from the run's id; nothing else is touched.

use super::clients::Clients;
use super::interrupt::{Interrupted, Interrupts};
use super::submit::{CleanUp, Made};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::RunId;
use crate::progress::Narrator;
use crate::settings::Services;

/// Removes job, pool and containers of the run `id`; what is not there counts as removed.
///
/// # Errors
/// Exit 2 when `id` is no run id, 1 when something could not be removed (each was told).
pub(crate) async fn clean(
    id: &str,
    services: &Services,
    narrator: &Narrator,
) -> Result<Exit, Failure> {
    let run = RunId::parse(id).map_err(|error| Failure::new(Exit::Usage, error))?;
    let clients = Clients::new(services)?;
    let mut interrupts = Interrupts::listen()?;
    let clean_up = CleanUp {
        clients: &clients,
        run: &run,
        narrator,
        keep: &[],
    };
    match interrupts.stop(clean_up.remove(&Made::everything())).await {
        Ok(true) => Ok(Exit::Done),
        Ok(false) => Err(Failure::message(
            Exit::Other,
            format_args!("not all of run {run} could be removed"),
        )
        .hint("the same command again goes on where this one ended")),
        Err(Interrupted(signal)) => Err(Failure::message(
            Exit::Interrupted,
            format_args!("interrupted by {signal}"),
        )),
    }
}
