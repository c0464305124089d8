//! A run as its record has it, and back: what `submit` writes is what `resume` goes on with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use kernel::cli::AnswerArgs;
use kernel::settings::{CountSettings, Filters, StopWords, WordMode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::program::Program;
use super::submit::{Prepared, Source};
use crate::cli::{Keep, SubmitArgs};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::{RunId, RunSettings, plan_run};
use crate::record::{ByteText, FileSpec, Recorded, RunSpec, ServiceSpec};
use crate::settings::{Account, Services};

/// What is recorded of a run that `args` asked for.
pub(crate) fn spec_of(
    args: &SubmitArgs,
    prepared: &Prepared,
    services: &Services,
    created: OffsetDateTime,
    deadline: OffsetDateTime,
) -> RunSpec {
    let service = |account: &Account| ServiceSpec {
        endpoint: account.endpoint.to_string(),
        account: account.key.account().to_owned(),
    };
    let time = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_default();
    let keep = |keep: &Keep| {
        keep.to_possible_value()
            .map(|value| value.get_name().to_owned())
    };
    let file = |source: &Source| FileSpec::new(&source.file, &source.read_from, source.spooled);
    let plan = &prepared.plan;
    RunSpec {
        run: plan.run.to_string(),
        created: time(created),
        deadline: time(deadline),
        batch: service(&services.batch),
        storage: service(&services.storage),
        program: ByteText::of_path(&absolute(&prepared.program.path)),
        program_bytes: prepared.program.bytes,
        program_sha256: prepared.program.sha256.clone(),
        words: prepared.settings.words.to_string(),
        keep_case: args.answer.keep_case,
        top: args.answer.top,
        min_length: args.answer.min_length,
        stop_words: prepared
            .filters
            .stop_words
            .iter()
            .map(ByteText::new)
            .collect(),
        per_file: args.answer.per_file,
        allow_partial: args.answer.allow_partial,
        left_out: prepared.left_out_count,
        tutorial_output: args
            .tutorial_output
            .as_deref()
            .map(|path| ByteText::of_path(&absolute(path))),
        keep: args.keep.iter().filter_map(keep).collect(),
        nodes: plan.nodes,
        vm_size: args.vm_size.clone(),
        retries: plan.retries,
        ttl_s: plan.ttl.as_secs(),
        fail_fast: args.fail_fast,
        max_bad_nodes: args.max_bad_nodes,
        shard_bytes: prepared.shard_bytes,
        files: prepared.files.iter().map(file).collect(),
        shards: RunSpec::pieces(&plan.shards),
    }
}

/// `path` as it is found from any directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A run that is taken up again.
#[derive(Debug)]
pub(crate) struct Restored {
    /// The flags of its submit, but for where it runs, how it is told, and the format.
    pub(crate) args: SubmitArgs,
    /// Its plan, files, settings and program.
    pub(crate) prepared: Prepared,
    /// When its time is over.
    pub(crate) deadline: OffsetDateTime,
}

/// The run that `recorded` describes.
///
/// # Errors
/// Exit 1 for a record whose parts do not fit each other.
pub(crate) fn restore(recorded: &Recorded) -> Result<Restored, Failure> {
    let spec = &recorded.spec;
    let broken = |what: &str| {
        Failure::message(
            Exit::Other,
            format_args!("the record of run {}: {what}", spec.run),
        )
    };
    let run = RunId::parse(&spec.run).map_err(|error| Failure::new(Exit::Other, error))?;
    let words = spec
        .words
        .parse::<WordMode>()
        .map_err(|_error| broken("its word mode is unknown"))?;
    let deadline = OffsetDateTime::parse(recorded.deadline(), &Rfc3339)
        .map_err(|_error| broken("its deadline is no time"))?;
    let shards = spec
        .to_shards()
        .ok_or_else(|| broken("a shard lies outside its file"))?;
    let settings = CountSettings::new(words, spec.keep_case);
    let lines: Vec<Vec<u8>> = spec.stop_words.iter().map(ByteText::to_bytes).collect();
    let filters = Filters {
        min_length: spec.min_length,
        stop_words: StopWords::parse(&lines.join(&b'\n'), settings),
    };
    let source = |file: &FileSpec| Source {
        read_from: file.read_from.to_path(),
        spooled: file.spooled,
        file: file.to_input(),
    };
    let ttl = Duration::from_secs(spec.ttl_s);
    let plan = plan_run(
        run,
        shards,
        &RunSettings {
            words: spec.words.clone(),
            keep_case: spec.keep_case,
            tutorial_rows: spec.tutorial_output.is_some().then_some(spec.top),
            nodes: Some(spec.nodes),
            retries: spec.retries,
            ttl,
            program_sha256: spec.program_sha256.clone(),
        },
    );
    let prepared = Prepared {
        plan,
        files: spec.files.iter().map(source).collect(),
        settings,
        filters,
        program: Program {
            path: spec.program.to_path(),
            bytes: spec.program_bytes,
            sha256: spec.program_sha256.clone(),
            unfit: None,
        },
        shard_bytes: spec.shard_bytes,
        left_out: Vec::new(),
        left_out_count: spec.left_out,
    };
    Ok(Restored {
        args: args_of(spec, words, ttl),
        prepared,
        deadline,
    })
}

fn args_of(spec: &RunSpec, words: WordMode, ttl: Duration) -> SubmitArgs {
    SubmitArgs {
        inputs: Vec::new(),
        answer: AnswerArgs {
            top: spec.top,
            words: Some(words),
            keep_case: spec.keep_case,
            min_length: spec.min_length,
            stop_words: None,
            per_file: spec.per_file,
            format: None,
            allow_partial: spec.allow_partial,
        },
        #[cfg(feature = "emulator")]
        local: None,
        services: crate::settings::ServiceArgs::default(),
        nodes: Some(spec.nodes),
        vm_size: spec.vm_size.clone(),
        shard_size: Some(spec.shard_bytes),
        topn: None,
        ttl,
        retries: spec.retries,
        fail_fast: spec.fail_fast,
        max_bad_nodes: spec.max_bad_nodes,
        wait_quota: None,
        detach: false,
        keep: spec
            .keep
            .iter()
            .filter_map(|name| Keep::from_str(name, true).ok())
            .collect(),
        tutorial_output: spec.tutorial_output.as_ref().map(ByteText::to_path),
        talk: crate::cli::TalkArgs::default(),
    }
}
