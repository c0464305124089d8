//! `topn` as its users meet it: arguments, files and pipes in, text and exit codes out.
//!
//! What a word is has its judges in the library; here one example of each mode must do.
#![expect(
    clippy::unwrap_used,
    reason = "what a test sets up must work, in functions beside tests too"
)]

mod formats;
mod many_words;
mod odd_inputs;
mod options;
mod partials;
mod program;
