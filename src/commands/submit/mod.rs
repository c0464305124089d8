//! `fanout submit`: a run in nine steps, from its plan to its clean-up.
//!
//! - `command`: the course of a run; `local`: on an embedded service; `session`: its steps
//! - `prepare`, `cuts`: inputs, program and plan, before anything is made
//! - `image`, `bodies`: what the service is told; `stage`: what nodes fetch
//! - `watch`, `autopsy`: until every task has ended, and why some failed
//! - `fetch`, `merge`, `tutorial`: the answer; `clean_up`: nothing stays; `ledger`: the record, step by step

mod autopsy;
mod bodies;
mod clean_up;
mod command;
mod cuts;
mod fetch;
mod image;
mod ledger;
#[cfg(feature = "emulator")]
mod local;
mod merge;
mod prepare;
mod session;
mod stage;
mod tutorial;
mod watch;

pub(crate) use bodies::{
    Grants, METADATA_DEADLINE, METADATA_RUN, job_body, pool_body, task_bodies,
};
pub(crate) use clean_up::{CleanUp, Made};
pub(crate) use command::{Course, interrupted, submit};
pub(crate) use image::typical_image;
pub(crate) use ledger::{Ledger, RECORD_BLOB, from_record};
pub(crate) use merge::read_answer;
pub(crate) use prepare::{Cuts, Prepared, Source, check_unchanged, describe, prepare};
