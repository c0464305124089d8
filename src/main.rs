//! `fanout`: command line to exit code. Started under the name `topn`, it is `topn`.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use fanout::cli::Cli;
use fanout::commands;

fn main() -> ExitCode {
    let name = std::env::args_os().next();
    let name = name.as_deref().map(Path::new).and_then(Path::file_name);
    if name == Some(OsStr::new("topn")) {
        return kernel::cli::topn(std::env::args_os());
    }
    match commands::run(Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // When stderr is gone there is nobody left to tell.
            drop(writeln!(std::io::stderr(), "{}", failure.text()));
            failure.exit.into()
        }
    }
}
