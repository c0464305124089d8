//! Which files the named inputs are: the walk of directories.
//!
//! It reads no file.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rayon::prelude::*;

use crate::error::{CountError, InputFailure};

/// 4096 files: one thread looks at so many in 5 ms.
const SHARED_MIN: usize = if cfg!(test) { 2 } else { 4096 };

/// How the bytes of an input are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputKind {
    /// A regular file of known size.
    Regular,
    /// Bytes in order only, of unknown number: a pipe, a device, a regular file that claims size 0 (as in `/proc`).
    Stream,
    /// Standard input.
    Stdin,
}

/// One file to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Its path: as named, or the named directory joined with what lies below it.
    pub path: PathBuf,
    /// Its size when it was found, 0 for streams.
    pub bytes: u64,
    /// When it was last changed, where the file system says so.
    pub modified: Option<SystemTime>,
    /// How its bytes are reached.
    pub kind: InputKind,
}

/// What the named inputs hold.
#[derive(Debug, Default)]
pub struct Found {
    /// The files: in the order of the names, below a directory in byte order of path.
    pub files: Vec<InputFile>,
    /// Directories that could not be read, and files that vanished meanwhile.
    pub failures: Vec<InputFailure>,
}

/// Finds the files that `named` stands for.
///
/// - `named`: files, directories, `-` for standard input. A named link is followed, a file named twice is found twice.
/// - A directory is every regular file below it, hidden ones too, in byte order of path; links below it are not followed,
///   pipes, sockets and devices below it are skipped.
/// - `threads`: how many look at the files of a large directory.
///
/// # Errors
/// [`CountError::NotFound`] when a name does not exist, before anything is read; [`CountError::StdinTwice`];
/// [`CountError::NoInputs`] when there is no file at all and nothing failed.
pub fn find_inputs(named: &[PathBuf], threads: usize) -> Result<Found, CountError> {
    let mut found = Found::default();
    let mut stdin = 0;
    for path in named {
        if path.as_os_str() == "-" {
            stdin += 1;
            continue;
        }
        if let Err(error) = fs::metadata(path)
            && matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            )
        {
            return Err(CountError::NotFound(path.clone()));
        }
    }
    if stdin > 1 {
        return Err(CountError::StdinTwice);
    }
    for path in named {
        if path.as_os_str() == "-" {
            found.files.push(InputFile {
                path: path.clone(),
                bytes: 0,
                modified: None,
                kind: InputKind::Stdin,
            });
            continue;
        }
        match fs::metadata(path) {
            Err(error) => found.failures.push(InputFailure::read(path, error)),
            Ok(metadata) if metadata.is_dir() => {
                let mut files = walk(path, &mut found.failures);
                // A sort of whole paths: `a-b` comes before `a/b`, which a walk in order would not give.
                files.sort_by(|left, right| bytes_of(left).cmp(bytes_of(right)));
                look_at(files, threads, &mut found);
            }
            Ok(metadata) => found.files.push(input_file(path.clone(), &metadata)),
        }
    }
    if found.files.is_empty() && found.failures.is_empty() {
        let names: Vec<String> = named
            .iter()
            .map(|path| format!("`{}`", path.display()))
            .collect();
        return Err(CountError::NoInputs(names.join(", ")));
    }
    Ok(found)
}

fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn input_file(path: PathBuf, metadata: &fs::Metadata) -> InputFile {
    let file_type = metadata.file_type();
    let regular = file_type.is_file() && metadata.len() > 0;
    debug_assert!(!file_type.is_dir() && !file_type.is_symlink());
    InputFile {
        path,
        bytes: if regular { metadata.len() } else { 0 },
        modified: metadata.modified().ok(),
        kind: if regular {
            InputKind::Regular
        } else {
            InputKind::Stream
        },
    }
}

/// Every regular file below `directory`, with a list of its own instead of recursion: depth costs no stack.
fn walk(directory: &Path, failures: &mut Vec<InputFailure>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                failures.push(InputFailure::read(&directory, error));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    failures.push(InputFailure::read(&directory, error));
                    break;
                }
            };
            let path = entry.path();
            match entry.file_type() {
                Ok(file_type) if file_type.is_dir() => directories.push(path),
                Ok(file_type) if file_type.is_file() => files.push(path),
                Ok(file_type) => debug_assert!(
                    file_type.is_symlink()
                        || file_type.is_fifo()
                        || file_type.is_socket()
                        || file_type.is_block_device()
                        || file_type.is_char_device()
                ),
                Err(error) => failures.push(InputFailure::read(&path, error)),
            }
        }
    }
    files
}

/// Adds `files`, which a walk found, with what the system tells of each.
fn look_at(files: Vec<PathBuf>, threads: usize, found: &mut Found) {
    let pool = (threads > 1 && files.len() >= SHARED_MIN)
        .then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build());
    let looks: Vec<io::Result<fs::Metadata>> = match pool {
        Some(Ok(pool)) => pool.install(|| files.par_iter().map(fs::symlink_metadata).collect()),
        // Without other threads it takes longer.
        _ => files.iter().map(fs::symlink_metadata).collect(),
    };
    for (path, metadata) in files.into_iter().zip(looks) {
        match metadata {
            Ok(metadata) if metadata.is_file() => found.files.push(input_file(path, &metadata)),
            // It was one a moment ago: what it held is not counted, and that is told.
            Ok(_) => {
                let error = io::Error::other(
                    "it was a regular file a moment ago and is none any more; count again when nothing is moved",
                );
                found.failures.push(InputFailure::read(&path, error));
            }
            Err(error) => found.failures.push(InputFailure::read(&path, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &Found, below: &Path) -> Vec<String> {
        found
            .files
            .iter()
            .map(|file| {
                let name = file.path.strip_prefix(below).unwrap();
                name.display().to_string()
            })
            .collect()
    }

    #[test]
    fn a_directory_is_its_regular_files_in_byte_order_of_path() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        fs::create_dir_all(path.join("a/deep")).unwrap();
        for name in ["a/x", "a-b", "a/deep/.hidden", "B", "é", "empty"] {
            fs::write(path.join(name), if name == "empty" { "" } else { "text" }).unwrap();
        }
        std::os::unix::fs::symlink(path.join("B"), path.join("link")).unwrap();
        std::os::unix::fs::symlink(path, path.join("a/loop")).unwrap();
        let found = find_inputs(&[path.to_owned()], 2).unwrap();
        assert!(found.failures.is_empty());
        assert_eq!(
            names(&found, path),
            ["B", "a-b", "a/deep/.hidden", "a/x", "empty", "é"]
        );
        let named = find_inputs(&[path.join("link"), path.join("B"), path.join("B")], 2).unwrap();
        assert_eq!(names(&named, path), ["link", "B", "B"]);
        assert!(named.files.iter().all(|file| file.bytes == 4));
    }

    #[test]
    fn files_that_went_or_changed_while_they_were_found_are_told() {
        let root = tempfile::tempdir().unwrap();
        let paths = ["directory", "file", "gone"].map(|name| root.path().join(name));
        fs::create_dir(&paths[0]).unwrap();
        fs::write(&paths[1], "text").unwrap();
        for threads in [1, 2] {
            let mut found = Found::default();
            look_at(paths.to_vec(), threads, &mut found);
            assert_eq!(names(&found, root.path()), ["file"]);
            let failed: Vec<&PathBuf> =
                found.failures.iter().map(|failure| &failure.path).collect();
            assert_eq!(failed, [&paths[0], &paths[2]]);
        }
    }

    #[test]
    fn missing_names_and_empty_directories_are_errors() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(
            find_inputs(&[root.path().join("none")], 1),
            Err(CountError::NotFound(_))
        ));
        assert!(matches!(
            find_inputs(&[root.path().to_owned()], 1),
            Err(CountError::NoInputs(_))
        ));
        assert!(matches!(
            find_inputs(&["-".into(), "-".into()], 1),
            Err(CountError::StdinTwice)
        ));
    }
}
