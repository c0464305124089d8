//! The tutorial's output: for each file the text that its task made, as `STEM_OUTPUT.EXT`.
//!
//! The text is made on the node by `topn`; here it is only named and brought home.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::prepare::{Prepared, Source};
use super::stage::from_transfer;
use crate::azure::storage::{DownloadOptions, Storage};
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::{Shard, TaskOutput};

/// `STEM_OUTPUT.EXT` for a path, as the sample names it.
fn output_name(path: &Path) -> OsString {
    let mut name = path.file_stem().unwrap_or(OsStr::new("stdin")).to_owned();
    name.push("_OUTPUT");
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    name
}

/// Checks that the outputs of `sources` have different names in `directory`, before anything is done.
///
/// # Errors
/// Exit 2 naming two files whose outputs would be one.
pub(super) fn check_names(sources: &[Source], directory: &Path) -> Result<(), Failure> {
    let mut taken: BTreeMap<OsString, &Path> = BTreeMap::new();
    for source in sources {
        let path = source.file.path.as_path();
        if let Some(first) = taken.insert(output_name(path), path) {
            let output = directory.join(output_name(path));
            let message = format!(
                "`{}` and `{}` would both be written to `{}`",
                first.display(),
                path.display(),
                output.display()
            );
            return Err(Failure::message(Exit::Usage, message).hint("count them in two runs"));
        }
    }
    Ok(())
}

/// Downloads what the tasks of `shards` made into `directory`, which is made if it is missing.
///
/// # Errors
/// Exit 9 when a file cannot be written, others when the service refuses.
pub(super) async fn fetch(
    storage: &Storage,
    prepared: &Prepared,
    shards: &[&Shard],
    directory: &Path,
) -> Result<(), Failure> {
    std::fs::create_dir_all(directory).map_err(|error| {
        Failure::new(Exit::LocalIo, error).context(format!("creating `{}`", directory.display()))
    })?;
    for shard in shards {
        // Every file is one uncut shard when this output is wanted.
        let Some(piece) = shard.pieces.first() else {
            continue;
        };
        let path: PathBuf =
            directory.join(output_name(&prepared.files[piece.file_index].file.path));
        let name = TaskOutput::Tutorial.blob_path(shard.number);
        storage
            .download(
                &prepared.plan.run.out_container(),
                &name,
                &path,
                DownloadOptions::default(),
                &|_| (),
            )
            .await
            .map_err(|error| {
                from_transfer(error).context(format!("writing `{}`", path.display()))
            })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::InputFile;

    fn source(path: &str) -> Source {
        let file = InputFile {
            path: path.into(),
            bytes: 1,
            modified: None,
        };
        Source {
            read_from: file.path.clone(),
            spooled: false,
            file,
        }
    }

    #[test]
    fn outputs_are_named_as_the_sample_names_them() {
        for (path, name) in [
            ("a/taskdata0.txt", "taskdata0_OUTPUT.txt"),
            ("a/README", "README_OUTPUT"),
            ("x.tar.gz", "x.tar_OUTPUT.gz"),
        ] {
            assert_eq!(output_name(Path::new(path)), OsStr::new(name));
        }
    }

    #[test]
    fn two_files_never_write_the_same_output() {
        assert!(check_names(&[source("a/x.txt"), source("b/y.txt")], Path::new("out")).is_ok());
        let failure =
            check_names(&[source("a/x.txt"), source("b/x.txt")], Path::new("out")).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(
            failure.text().contains("`a/x.txt` and `b/x.txt`"),
            "{}",
            failure.text()
        );
    }
}
