//! `fanout`: command line to exit code.
fn main() {}
