//! The program `topn`: its name, its help, its exit.
//!
//! `fanout` runs it too, when it is started under that name.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::Parser;

use super::args::CountArgs;
use super::run::run;
use crate::exit::Exit;

/// Counts words exactly and prints the most frequent.
#[derive(Debug, Parser)]
#[command(name = "topn", version = version(), after_help = Exit::help())]
struct Topn {
    #[command(flatten)]
    count: CountArgs,
}

/// The version, and the instruction set that this CPU makes it choose.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let set = crate::scan::best_means();
        format!(
            "{} ({}, {set})",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH
        )
    });
    &VERSION
}

/// Runs `topn` with `arguments`, the first of which is the name of the program.
pub fn topn(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Topn::try_parse_from(arguments) {
        Ok(topn) => run(&topn.count).into(),
        Err(error) => {
            // When help or a usage error cannot be printed, the exit code must do.
            drop(error.print());
            let code = u8::try_from(error.exit_code());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
