//! From a command line to the command that carries it out.

use std::future::Future;

use kernel::exit::Exit as KernelExit;

use super::{answer, clean, gc, logs, ls, plan, resume, scratch, status, submit, watch};
use crate::cli::{Cli, Command, SubmitArgs, TalkArgs};
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::{Narrator, Verbosity};
use crate::record::StateDirectory;
use crate::settings::{ServiceArgs, Services, SettingsError, process_environment, state_directory};

/// Carries out `cli`. Answers go to stdout, everything else to stderr.
///
/// # Errors
/// What the process is to print and to exit with.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    if !matches!(cli.command, Command::Count(_)) {
        scratch::remove_scratch_of_the_killed();
    }
    match cli.command {
        Command::Count(args) => {
            let exit: KernelExit = kernel::cli::run(&args);
            Ok(exit.into())
        }
        Command::Plan(args) => plan::plan(&args, is_local(&args)),
        Command::Submit(args) => {
            let narrator = narrator(&args.talk);
            let services = if is_local(&args) {
                None
            } else {
                Some((resolve(&args.services)?, state()?))
            };
            let services = services.as_ref().map(|(services, state)| (services, state));
            block_on(submit::submit(&args, services, &narrator))?
        }
        Command::Resume(args) => block_on(resume::resume(
            &args,
            &process_environment,
            &state()?,
            &narrator(&args.talk),
        ))?,
        Command::Status(args) => block_on(status::status(&args, &process_environment, &state()?))?,
        Command::Logs(args) => block_on(logs::logs(&args, &resolve(&args.services)?))?,
        Command::Ls(args) => {
            let services = match args.services.resolve(&process_environment) {
                Err(SettingsError::Missing { .. }) if args.services.is_empty() => None,
                services => Some(services.map_err(|error| Failure::new(Exit::Usage, error))?),
            };
            block_on(ls::ls(&args, services.as_ref(), &state()?))?
        }
        Command::Watch(args) => block_on(watch::watch(
            &args,
            &process_environment,
            &state()?,
            &narrator(&args.talk),
        ))?,
        Command::Fetch(args) => block_on(answer::fetch(
            &args,
            &process_environment,
            &state()?,
            &narrator(&args.talk),
        ))?,
        Command::Cancel(args) => {
            let (state, narrator) = (state()?, narrator(&args.talk));
            block_on(clean::cancel(
                &args,
                &process_environment,
                &state,
                &narrator,
            ))?
        }
        Command::Clean(args) => {
            let (state, narrator) = (state()?, narrator(&args.talk));
            block_on(clean::clean(&args, &process_environment, &state, &narrator))?
        }
        Command::Gc(args) => {
            let (services, narrator) = (resolve(&args.services)?, narrator(&args.talk));
            block_on(gc::gc(&args, &services, &narrator))?
        }
        #[cfg(feature = "emulator")]
        Command::Emulate(args) => block_on(super::emulate::emulate(args))?,
    }
}

fn state() -> Result<StateDirectory, Failure> {
    state_directory(&process_environment).map_err(|error| Failure::new(Exit::Usage, error))
}

#[cfg(feature = "emulator")]
fn is_local(args: &SubmitArgs) -> bool {
    args.local.is_some()
}

#[cfg(not(feature = "emulator"))]
fn is_local(_: &SubmitArgs) -> bool {
    false
}

fn resolve(args: &ServiceArgs) -> Result<Services, Failure> {
    args.resolve(&process_environment)
        .map_err(|error| Failure::new(Exit::Usage, error))
}

fn narrator(talk: &TalkArgs) -> Narrator {
    let verbosity = match (talk.quiet, talk.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, false) => Verbosity::Normal,
        (false, true) => Verbosity::Detailed,
    };
    Narrator::new(talk.progress, verbosity, &process_environment)
}

/// Runs `work` to its end. A thread that still waits for stdin does not keep the process.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::LocalIo, error).context("starting threads"))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}
