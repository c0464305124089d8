//! `fanout plan`: prints everything that `submit` would do; touches nothing.
//!
//! The bodies are those that `submit` sends, with signatures redacted. What only the service knows, such as the exact
//! image, is marked as typical.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use kernel::render::Format;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::scratch::Scratch;
use super::submit::{
    Cuts, Grants, INTERVAL, Prepared, SETTLING, describe, job_body, pool_body, prepare,
    task_bodies, typical_image,
};
use crate::azure::sas::SasUrl;
use crate::cli::SubmitArgs;
use crate::clock;
use crate::error::Failure;
use crate::exit::Exit;
use crate::progress::{seconds, size};
use crate::secret::REDACTED;
use crate::settings::{ServiceArgs, Services, SettingsError, process_environment};

/// Shards and bodies that are printed one by one; the others are like them.
const SHOWN_MAX: usize = 20;

/// Endpoint of Blob Storage in a plan for which none is set.
const STORAGE_UNKNOWN: &str = "https://ACCOUNT.blob.core.windows.net";

/// Prints the plan of `args`: for people, or with `-o json` as one object.
///
/// # Errors
/// As `submit` before anything is made; settings that are missing are no error here.
pub(crate) fn plan(args: &SubmitArgs, local: bool) -> Result<Exit, Failure> {
    let services = if local {
        None
    } else {
        known_services(&args.services)?
    };
    let loopback = local || services.as_ref().is_some_and(Services::is_loopback);
    let scratch = Scratch::new()?;
    let prepared = prepare(args, loopback, Cuts::Nominal, scratch.path())?;
    let storage = services.map_or_else(
        || STORAGE_UNKNOWN.to_owned(),
        |services| services.storage.endpoint.to_string(),
    );
    let ends = clock::now() + args.ttl;
    let plan = Shown {
        args,
        prepared: &prepared,
        grants: unsigned(&prepared, &storage),
        ends,
    };
    let text = match args.answer.format {
        Some(Format::Json) => format!("{:#}\n", plan.json()?),
        Some(Format::Tsv | Format::Csv | Format::Ndjson) => {
            return Err(Failure::message(
                Exit::Usage,
                "a plan is printed for people, or with -o json as JSON",
            ));
        }
        Some(Format::Table) | None => plan.text()?,
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::LocalIo, error))
        }
        _ if prepared.left_out.is_empty() => Ok(Exit::Done),
        _ => Ok(Exit::Incomplete),
    }
}

fn known_services(args: &ServiceArgs) -> Result<Option<Services>, Failure> {
    match args.resolve(&process_environment) {
        Ok(services) => Ok(Some(services)),
        Err(SettingsError::Missing { .. }) => Ok(None),
        Err(error) => Err(Failure::new(Exit::Usage, error)),
    }
}

/// The URLs that nodes would get, with nothing where the signature would be.
fn unsigned(prepared: &Prepared, storage: &str) -> Grants {
    let run = &prepared.plan.run;
    let url = |path: String| SasUrl::new(format!("{storage}/{path}?sig={REDACTED}"));
    Grants {
        program: url(format!("{}/topn", run.app_container())),
        inputs: url(run.in_container()),
        outputs: url(run.out_container()),
    }
}

struct Shown<'a> {
    args: &'a SubmitArgs,
    prepared: &'a Prepared,
    grants: Grants,
    ends: OffsetDateTime,
}

impl Shown<'_> {
    fn bodies(&self) -> Result<(Value, Value, Vec<Value>), Failure> {
        let plan = &self.prepared.plan;
        let failed =
            |error: serde_json::Error| Failure::new(Exit::Other, error).context("writing a body");
        let pool = pool_body(
            plan,
            &self.args.vm_size,
            &typical_image(),
            self.ends - self.args.ttl + SETTLING,
            self.ends,
            &self.grants,
        );
        let tasks = task_bodies(plan, &self.grants);
        Ok((
            serde_json::to_value(pool).map_err(failed)?,
            serde_json::to_value(job_body(plan, self.ends)).map_err(failed)?,
            tasks
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<_, _>>()
                .map_err(failed)?,
        ))
    }

    fn json(&self) -> Result<Value, Failure> {
        let plan = &self.prepared.plan;
        let (pool, job, tasks) = self.bodies()?;
        let shard = |shard: &crate::plan::Shard| {
            let piece = |piece: &crate::plan::Piece| {
                let path = self.prepared.files[piece.file_index]
                    .file
                    .path
                    .to_string_lossy();
                json!({"file": path, "start": piece.start, "end": piece.end})
            };
            json!({"number": shard.number, "bytes": shard.bytes(), "pieces": shard.pieces.iter().map(piece).collect::<Vec<_>>()})
        };
        let left_out: Vec<String> = self.prepared.left_out.iter().map(describe).collect();
        Ok(json!({
            "run": plan.run.as_str(),
            "files": self.prepared.files.len(),
            "bytes": self.bytes(),
            "upload_bytes": self.bytes() + self.prepared.program.bytes,
            "shard_bytes": self.prepared.shard_bytes,
            "shards": plan.shards.iter().map(shard).collect::<Vec<_>>(),
            "nodes": plan.nodes,
            "vm_size": self.args.vm_size,
            "image": typical_image().node_agent_sku_id,
            "program": {"path": self.prepared.program.path.to_string_lossy(), "sha256": self.prepared.program.sha256},
            "ttl_s": plan.ttl.as_secs(),
            "node_seconds_max": plan.ttl.as_secs() * u64::from(plan.nodes),
            "containers": plan.run.containers(),
            "left_out": left_out,
            "pool": pool,
            "job": job,
            "tasks": tasks,
        }))
    }

    fn bytes(&self) -> u64 {
        self.prepared
            .files
            .iter()
            .map(|source| source.file.bytes)
            .sum()
    }

    fn text(&self) -> Result<String, Failure> {
        let plan = &self.prepared.plan;
        let mut out = String::new();
        let written = self.summary(&mut out).and_then(|()| self.shards(&mut out));
        let (pool, job, tasks) = self.bodies()?;
        let written = written.and_then(|()| {
            writeln!(out, "\nPOST /pools\n{pool:#}\n\nPOST /jobs\n{job:#}")?;
            writeln!(
                out,
                "\nPOST /jobs/{}/addtaskcollection: {} tasks",
                plan.run,
                tasks.len()
            )?;
            tasks
                .iter()
                .take(2)
                .try_for_each(|task| writeln!(out, "{task:#}"))?;
            if tasks.len() > 2 {
                writeln!(
                    out,
                    "… and {} more like these; -o json shows them all",
                    tasks.len() - 2
                )?;
            }
            Ok(())
        });
        written.map_err(|error| Failure::new(Exit::Other, error))?;
        Ok(out)
    }

    fn summary(&self, out: &mut String) -> std::fmt::Result {
        let (plan, prepared) = (&self.prepared.plan, self.prepared);
        let program = &prepared.program;
        let image = typical_image().node_agent_sku_id;
        // The service looks at the deadline every so often.
        let hours_max = (plan.ttl + INTERVAL).as_secs_f64() / 3600.0 * f64::from(plan.nodes);
        let mut row = |name: &str, text: String| writeln!(out, "{name:<11} {text}");
        row(
            "run",
            format!("{} (the id of a submit will differ)", plan.run),
        )?;
        row(
            "input",
            format!("{} files, {}", prepared.files.len(), size(self.bytes())),
        )?;
        row("words", prepared.settings.to_string())?;
        row(
            "shards",
            format!(
                "{} of about {}",
                plan.shards.len(),
                size(prepared.shard_bytes)
            ),
        )?;
        row(
            "upload",
            format!("{} with topn", size(self.bytes() + program.bytes)),
        )?;
        row(
            "program",
            format!("{} (SHA-256 {})", program.path.display(), program.sha256),
        )?;
        if let Err(failure) = program.check() {
            row("", failure.text().replace('\n', "\n            "))?;
        }
        row("containers", plan.run.containers().join(", "))?;
        row(
            "pool",
            format!("{} × {}, dedicated", plan.nodes, self.args.vm_size),
        )?;
        row(
            "image",
            format!("{image} (typical; picked from what the service supports)"),
        )?;
        row(
            "tasks",
            format!(
                "{}, each tried at most {} times",
                plan.tasks.len(),
                u64::from(plan.retries) + 1
            ),
        )?;
        row(
            "time",
            format!(
                "at most {}; then the service takes the nodes away, whatever became of this client",
                seconds(plan.ttl)
            ),
        )?;
        row(
            "cost",
            format!("at most {hours_max:.1} node hours; the price of one is not known here"),
        )?;
        for failure in &prepared.left_out {
            row("left out", describe(failure))?;
        }
        Ok(())
    }

    fn shards(&self, out: &mut String) -> std::fmt::Result {
        let shards = &self.prepared.plan.shards;
        writeln!(
            out,
            "\nshard       bytes  what (slices end at the next safe place to cut)"
        )?;
        for shard in shards.iter().take(SHOWN_MAX) {
            let first = shard.pieces.first();
            let what = first.map_or_else(String::new, |piece| {
                let file = &self.prepared.files[piece.file_index].file;
                match (shard.pieces.len(), piece.bytes() == file.bytes) {
                    (1, true) => file.path.display().to_string(),
                    (1, false) => format!("{} from byte {}", file.path.display(), piece.start),
                    (count, _) => format!("{} and {} more", file.path.display(), count - 1),
                }
            });
            writeln!(out, "{:>5} {:>11}  {what}", shard.number, shard.bytes())?;
        }
        if shards.len() > SHOWN_MAX {
            writeln!(out, "… and {} more", shards.len() - SHOWN_MAX)?;
        }
        Ok(())
    }
}
