//! `fanout emulate`: the embedded Batch and Blob service as a server of its own.
//!
//! It starts, announces and stops the service; everything the service does is in `emulator`.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::emulator::{Behaviour, Fault, Log, Options, Service, Span, StartError, catalogue};
use crate::error::Failure;
use crate::exit::Exit;
use crate::quantity::{QuantityError, read_duration};
use crate::secret::Secret;
use crate::settings::exchanges;

/// Command line of `fanout emulate`.
#[derive(Debug, Clone, clap::Args)]
pub struct EmulateArgs {
    /// Port of the Batch service on 127.0.0.1 (0: any free one)
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub batch_port: u16,
    /// Port of the Blob service on 127.0.0.1 (0: any free one)
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub blob_port: u16,
    /// Port of the control endpoint on 127.0.0.1 (0: any free one)
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub control_port: u16,
    /// Name of the Batch account
    #[arg(long, value_name = "NAME", default_value = "fanoutbatch")]
    pub batch_account: String,
    /// Name of the storage account
    #[arg(long, value_name = "NAME", default_value = "fanoutstorage")]
    pub storage_account: String,
    /// JSON file with the account keys, `{"batch": BASE64, "storage": BASE64}`; without it they are fresh and random
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Directory in which the service makes its own for nodes and blobs
    #[arg(long, value_name = "DIR")]
    pub node_root: Option<PathBuf>,
    /// A fault from the start on: its name, or JSON as `POST /faults` of the control endpoint takes it; may be repeated
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<String>,
    /// JSON file with a list of faults
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Print every fault that has a name as JSON, and start nothing
    #[arg(long)]
    pub list_faults: bool,
    /// How long a node takes to boot: `30s`, or one of a range, `20s..2m`
    #[arg(long, value_name = "TIME", value_parser = read_span)]
    pub boot_time: Option<Span>,
    /// Run no processes: a task takes so long, `5s` or `1s..10s`, unless its `SIMULATED_SECONDS` says otherwise
    #[arg(long, value_name = "TIME", value_parser = read_span)]
    pub simulate: Option<Span>,
    /// Let the clock stand still until `POST /clock` of the control endpoint advances it
    #[arg(long)]
    pub frozen: bool,
    /// How old task counts are
    #[arg(long, value_name = "TIME", value_parser = read_duration)]
    pub counts_lag: Option<Duration>,
    /// Most items of a page of a list, so that clients must follow links
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub page_size: Option<u16>,
    /// Most pools of the account
    #[arg(long, value_name = "N")]
    pub pool_quota: Option<usize>,
    /// Most jobs of the account that are not completed
    #[arg(long, value_name = "N")]
    pub job_quota: Option<usize>,
    /// Add every Batch request with its answer to this file, one JSON object a line (or `FANOUT_EXCHANGES`)
    #[arg(long, value_name = "FILE")]
    pub exchanges: Option<PathBuf>,
    /// Print the settings that `az`, the SDKs and `fanout` read, as shell exports, after the ready line
    #[arg(long)]
    pub env: bool,
    /// Log nothing to standard error
    #[arg(short, long)]
    pub quiet: bool,
}

/// Runs the service until SIGTERM or SIGINT, then stops everything that it started.
///
/// # Errors
/// A port that is taken, a directory that cannot be made or removed, unreadable keys, standard output that is closed.
pub(crate) async fn emulate(args: EmulateArgs) -> Result<Exit, Failure> {
    let local = |error: anyhow::Error| Failure::new(Exit::LocalIo, error);
    if args.list_faults {
        return list_faults().map(|()| Exit::Done).map_err(local);
    }
    let watch = |kind| {
        signal(kind).map_err(|error| local(anyhow::Error::new(error).context("watch for signals")))
    };
    let mut terminate = watch(SignalKind::terminate())?;
    let mut interrupt = watch(SignalKind::interrupt())?;
    let (batch_key, blob_key) = match &args.keys {
        Some(path) => read_keys(path).map_err(|error| Failure::new(Exit::Usage, error))?,
        None => (None, None),
    };
    let faults = read_faults(&args).map_err(|error| Failure::new(Exit::Usage, error))?;
    let behaviour = Behaviour {
        boot: args.boot_time.unwrap_or_default(),
        simulated: args.simulate,
        is_frozen: args.frozen,
        counts_lag: args.counts_lag.unwrap_or_default(),
        page_max: args.page_size.map(usize::from),
        pools_max: args.pool_quota,
        jobs_max: args.job_quota,
    };
    let options = Options {
        batch_port: args.batch_port,
        blob_port: args.blob_port,
        control_port: args.control_port,
        batch_account: args.batch_account,
        batch_key,
        blob_account: args.storage_account,
        blob_key,
        node_root: args.node_root,
        faults,
        behaviour,
        exchanges: args.exchanges.or_else(exchanges),
        log: if args.quiet { Log::Off } else { Log::Stderr },
    };
    let service = Service::start(options).await.map_err(|error| {
        let exit = if matches!(error, StartError::Key { .. }) {
            Exit::Usage
        } else {
            Exit::LocalIo
        };
        Failure::new(exit, error).context("start the service")
    })?;
    let announced = announce(&service, args.env);
    if announced.is_ok() {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    service
        .shutdown()
        .await
        .map_err(|error| Failure::new(Exit::LocalIo, error))?;
    announced.map_err(local)?;
    Ok(Exit::Done)
}

fn announce(service: &Service, env: bool) -> anyhow::Result<()> {
    let ready = service.ready();
    let mut out = std::io::stdout().lock();
    let mut text = ready.json_line();
    text.push('\n');
    if env {
        text.push_str(&ready.exports());
    }
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("announce the service on standard output")
}

fn read_keys(path: &std::path::Path) -> anyhow::Result<(Option<Secret>, Option<Secret>)> {
    #[derive(serde::Deserialize)]
    struct Keys {
        batch: Option<String>,
        storage: Option<String>,
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("read the keys in `{}`", path.display()))?;
    // The parser's message would show part of a key.
    let keys: Keys = serde_json::from_str(&text).map_err(|_shows_keys| {
        anyhow::anyhow!(
            "read the keys in `{}`: not the expected JSON",
            path.display()
        )
    })?;
    Ok((keys.batch.map(Secret::new), keys.storage.map(Secret::new)))
}

/// The faults of the file, then those of the command line.
fn read_faults(args: &EmulateArgs) -> anyhow::Result<Vec<Fault>> {
    let mut faults: Vec<Fault> = Vec::new();
    if let Some(path) = &args.faults {
        let context = || format!("read the faults in `{}`", path.display());
        let text = std::fs::read_to_string(path).with_context(context)?;
        let list: Vec<Fault> = serde_json::from_str(&text).with_context(context)?;
        for fault in list {
            fault.check().with_context(context)?;
            faults.push(fault);
        }
    }
    for text in &args.fault {
        faults.push(Fault::read(text)?);
    }
    Ok(faults)
}

fn list_faults() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &catalogue())
        .context("list the faults on standard output")?;
    writeln!(out).context("list the faults on standard output")
}

/// Reads a duration, or two with `..` between.
fn read_span(text: &str) -> Result<Span, QuantityError> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let span = Span {
        least: read_duration(least)?,
        most: read_duration(most)?,
    };
    if span.least > span.most {
        return Err(QuantityError::Duration(text.to_owned()));
    }
    Ok(span)
}
