//! `topn`: the command line of the kernel.
fn main() {}
