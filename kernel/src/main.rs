//! `topn`: the command line of the kernel.

use std::process::ExitCode;

fn main() -> ExitCode {
    kernel::cli::topn(std::env::args_os())
}
