//! The command line that `topn` and `fanout count` share.
//!
//! `args` names the options, `run` carries them out, `output` writes files, `program` is the whole of `topn`.

mod args;
mod output;
mod program;
mod run;

pub use args::{AnswerArgs, CountArgs};
pub use output::print;
pub use program::topn;
pub use run::run;
