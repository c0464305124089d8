//! Partials that become one answer: added up exactly by the kernel, kept on disk where the run has a record.
//!
//! Which partials belong together is decided in `fetch`.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use kernel::partial::{MergeOptions, PartialReader, PartialWriter, merge};
use kernel::render::Answer;
use kernel::settings::CountSettings;
use kernel::top::TopBuilder;

use crate::error::Failure;
use crate::exit::Exit;

/// One merge.
#[derive(Debug)]
pub(super) struct Merge {
    /// The path of the file that it is about; nothing for the whole.
    pub(super) file: Option<Vec<u8>>,
    /// The partials.
    pub(super) paths: Vec<PathBuf>,
    /// Their shard ids.
    pub(super) expected: Vec<String>,
    /// Takes the words.
    pub(super) top: TopBuilder,
    /// For rounds of many partials.
    pub(super) temp_dir: PathBuf,
    /// What defines the counts.
    pub(super) settings: CountSettings,
    /// Where the merged partial is kept, and its shard id.
    pub(super) keep: Option<(PathBuf, String)>,
}

impl Merge {
    /// Adds up. A merged partial that is kept is whole and on disk when this returns.
    ///
    /// # Errors
    /// Exit 5 when the partials are not those that were expected, 9 when the merged one cannot be written.
    pub(super) fn answer(mut self) -> Result<Answer, Failure> {
        let local = |error: anyhow::Error| {
            Failure::new(Exit::LocalIo, error).context("writing the merged partial")
        };
        let options = MergeOptions {
            expected: Some(&self.expected),
            temp_dir: &self.temp_dir,
            ..MergeOptions::default()
        };
        let mut kept = match &self.keep {
            None => None,
            Some((path, shard)) => {
                let file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))
                    .map_err(|error| local(error.into()))?;
                let writer = PartialWriter::new(BufWriter::new(file), self.settings, shard);
                Some(writer.map_err(|error| local(error.into()))?)
            }
        };
        let merged = merge(&self.paths, &options, &mut |word, count| {
            self.top.push(word, count);
            kept.as_mut()
                .map_or(Ok(()), |writer| writer.push(word, count))
        });
        let (_, totals) = merged.map_err(|error| {
            let error = anyhow::Error::new(error);
            Failure::message(Exit::Incomplete, format_args!("failed to {error:#}"))
        })?;
        if let (Some(writer), Some((path, _))) = (kept, &self.keep) {
            let (out, _) = writer
                .finish(totals.bytes, totals.inputs)
                .map_err(|error| local(error.into()))?;
            persist(out, path).map_err(|error| local(error.into()))?;
        }
        Ok(Answer {
            file: self.file,
            rows: self.top.finish(),
            totals,
        })
    }
}

/// Gives a temporary file its name once its bytes are on disk.
fn persist(out: BufWriter<tempfile::NamedTempFile>, path: &Path) -> io::Result<()> {
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    path.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// The answer that the merged partial at `path` holds.
///
/// # Errors
/// Exit 9 when it cannot be read, or is not whole.
pub(crate) fn read_answer(
    path: &Path,
    file: Option<Vec<u8>>,
    mut top: TopBuilder,
) -> Result<Answer, Failure> {
    let read = || -> anyhow::Result<Answer> {
        let mut reader = PartialReader::new(File::open(path)?)?;
        while reader.advance()? {
            top.push(reader.word(), reader.count());
        }
        let totals = reader.totals().unwrap_or_default();
        Ok(Answer {
            file,
            rows: top.finish(),
            totals,
        })
    };
    let doing = format!("reading `{}`", path.display());
    read().map_err(|error| Failure::new(Exit::LocalIo, error).context(doing))
}
