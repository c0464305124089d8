//! The rivals as programs: each reads a file as its kind does, and prints the ten most frequent words.
//!
//! ```text
//! rival buffer FILE             one thread, a buffer, a hash map; words between blanks
//! rival buffer-vector FILE      the same, lower-cased before the loop
//! rival crates THREADS FILE     unicode-segmentation, ahash, rayon, a mapped file; words of UAX #29
//! rival yardstick FILE          cutting and hashing without a table; words and the sum of their hashes
//! rival loop THREADS            a loop that shares nothing between its threads
//! rival read THREADS FOLDER     every file of a tree is read; their number and bytes
//! ```
#![expect(clippy::print_stdout, reason = "it is a program")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use benches::buffer::{self, Lower};
use benches::{crates, mapped};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["buffer", file] => print_top(buffer::count_file(Path::new(file), Lower::EachByte)?),
        ["buffer-vector", file] => {
            print_top(buffer::count_file(Path::new(file), Lower::WholePart)?);
        }
        ["crates", threads, file] => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?);
            let text = mapped::map(Path::new(file))?;
            let text = std::str::from_utf8(&text)?;
            print_top(pool.build()?.install(|| crates::count(text)));
        }
        ["yardstick", file] => print_pass(&mapped::map(Path::new(file))?)?,
        ["loop", threads] => run_loop(threads.parse()?),
        ["read", threads, folder] => read_tree(threads.parse()?, Path::new(folder))?,
        _ => {
            println!("usage: rival buffer|buffer-vector|crates|yardstick|loop|read ...");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints ten rows, `WORD<TAB>COUNT`: the highest count first, then the least word.
fn print_top<W: AsRef<[u8]>, S: BuildHasher>(counts: HashMap<W, u64, S>) {
    let order = |a: &(W, u64), b: &(W, u64)| {
        let by_word = || a.0.as_ref().cmp(b.0.as_ref());
        b.1.cmp(&a.1).then_with(by_word)
    };
    let mut rows: Vec<(W, u64)> = counts.into_iter().collect();
    if rows.len() > 10 {
        rows.select_nth_unstable_by(9, order);
        rows.truncate(10);
    }
    rows.sort_unstable_by(order);
    for (word, count) in rows {
        println!("{}\t{count}", String::from_utf8_lossy(word.as_ref()));
    }
}

#[cfg(target_arch = "x86_64")]
fn print_pass(text: &[u8]) -> Result<(), Failure> {
    let done = benches::yardstick::pass(text).ok_or("the yardstick needs AVX2")?;
    println!("{}\t{:x}", done.words, done.hashes);
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
fn print_pass(_text: &[u8]) -> Result<(), Failure> {
    Err("the yardstick needs AVX2".into())
}

/// Turns of the loop, handed out by a counter to `threads` threads: about half a second of one.
const TURNS: usize = 60_000;

/// Hashes the words of a text that stays in the first cache, again and again.
fn run_loop(threads: usize) {
    let text = "In the beginning was a loop that shared nothing with another ".repeat(200);
    let next = AtomicUsize::new(0);
    let hashes = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut sum = 0_u64;
                while next.fetch_add(1, Ordering::Relaxed) < TURNS {
                    for word in text.as_bytes().split(|byte| *byte == b' ') {
                        let hash = word.iter().fold(0, |hash: u64, byte| {
                            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
                        });
                        sum = sum.wrapping_add(hash);
                    }
                }
                hashes.fetch_add(sum, Ordering::Relaxed);
            });
        }
    });
    println!("{:x}", hashes.into_inner());
}

/// Reads every file below `folder` into one buffer a thread: what any counter of them has to do at least.
fn read_tree(threads: usize, folder: &Path) -> Result<(), Failure> {
    let mut files = Vec::new();
    find(folder, &mut files)?;
    let next = AtomicUsize::new(0);
    let read = || -> std::io::Result<u64> {
        let mut bytes = 0;
        let mut buffer = Vec::new();
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            buffer.clear();
            bytes += File::open(path)?.read_to_end(&mut buffer)? as u64;
        }
        Ok(bytes)
    };
    let bytes = thread::scope(|scope| {
        let readers: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
        readers
            .into_iter()
            .map(|reader| reader.join().expect("reading does not panic"))
            .sum::<Result<u64, _>>()
    })?;
    println!("{}\t{bytes}", files.len());
    Ok(())
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
