//! Results as files and on standard output.
//!
//! A file appears whole or not at all: it is written under another name first. Pipes and devices are written as they are.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, BufWriter, IntoInnerError, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::CountError;
use crate::render::{Answer, Format, View, render};
use crate::settings::BatchIds;
use crate::top::Row;

/// What a table is wide off a terminal.
const COLUMNS: usize = 80;

/// Writes `path` by `write`, replacing the file that was there once everything is written; a link stays a link.
pub(super) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CountError> {
    let error = |source| CountError::File {
        action: "write",
        path: path.to_owned(),
        source,
    };
    // A pipe or a device has no earlier bytes to keep, and must not become a file.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let file = OpenOptions::new().write(true).open(path).map_err(error)?;
        return write_whole(file, write).map(drop).map_err(error);
    }
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = match target.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("."),
    };
    let file = tempfile::Builder::new()
        .prefix(".topn-")
        // As any new file: what the process's mask leaves of it.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
        // Not with the other name, which nobody gave.
        .map_err(|failed| error(failed.kind().into()))?;
    let file = write_whole(file, write).map_err(error)?;
    file.persist(target)
        .map_err(|failed| error(failed.error))
        .map(drop)
}

fn write_whole<W: Write>(
    file: W,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<W> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.into_inner().map_err(IntoInnerError::into_error)
}

/// Prints `answers` to standard output; a reader that closed it wants no more and is no failure.
///
/// # Errors
/// [`CountError::Answer`] when standard output takes no more for another reason.
pub fn print(view: &View, answers: &[Answer]) -> Result<(), CountError> {
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = render(&mut out, view, answers).and_then(|()| out.flush());
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CountError::Answer(error)),
        _ => Ok(()),
    }
}

/// The form of an answer when none is asked for: a table on a terminal, else tsv.
pub(super) fn default_format() -> Format {
    if io::stdout().is_terminal() {
        Format::Table
    } else {
        Format::Tsv
    }
}

/// The width of the terminal, or of a table in a file.
pub(super) fn columns() -> usize {
    if !io::stdout().is_terminal() {
        return COLUMNS;
    }
    terminal_size::terminal_size().map_or(COLUMNS, |(columns, _)| usize::from(columns.0))
}

/// Writes the text that the Batch tutorial's Python task writes.
pub(super) fn write_tutorial(out: &mut dyn Write, rows: &[Row], ids: &BatchIds) -> io::Result<()> {
    const LINE: &str = "------------------------------";
    writeln!(out, "Word\tCount\n{LINE}")?;
    for row in rows {
        out.write_all(&row.word)?;
        writeln!(out, ":\t{}", row.count)?;
    }
    writeln!(out, "{LINE}")?;
    writeln!(out, "Node: {}\nTask: {}", ids.node, ids.task)?;
    writeln!(out, "Job:  {}\nPool: {}", ids.job, ids.pool)
}
