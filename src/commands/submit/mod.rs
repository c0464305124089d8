//! `fanout submit`: a run in nine steps, from its plan to its clean-up.
//!
//! - `command`: the course of a run; `local`: on an embedded service; `session`: its steps; `claim`: who works on it
//! - `prepare`, `cuts`: inputs, program and plan, before anything is made
//! - `make`: what the service has to have; `image`, `bodies`, `scale`: what it is told; `stage`: what nodes fetch
//! - `watch`, `nodes`, `stall`, `autopsy`: until every task has ended, and why some failed or nothing moves
//! - `fetch`, `merge`, `tutorial`: the answer; `clean_up`: nothing stays; `ledger`: the record, step by step

mod autopsy;
mod bodies;
mod claim;
mod clean_up;
mod command;
mod cuts;
mod fetch;
mod image;
mod ledger;
#[cfg(feature = "emulator")]
mod local;
mod make;
mod merge;
mod nodes;
mod prepare;
mod scale;
mod session;
mod stage;
mod stall;
mod tutorial;
mod watch;

pub(crate) use bodies::{
    Grants, METADATA_DEADLINE, METADATA_RUN, job_body, pool_body, task_bodies,
};
pub(crate) use claim::Found as FoundClaim;
pub(crate) use clean_up::{CleanUp, Made};
pub(crate) use command::{Course, interrupted, submit};
pub(crate) use fetch::fetch_unmerged;
pub(crate) use image::typical_image;
pub(crate) use ledger::{Ledger, RECORD_BLOB, from_record};
pub(crate) use merge::read_answer;
pub(crate) use prepare::{Cuts, Prepared, Source, check_unchanged, describe, prepare};
pub(crate) use scale::{INTERVAL, SETTLING};
pub(crate) use watch::{Pace, Watch};
