//! The one directory that holds every file of a service, and its removal.
//!
//! It knows nothing of what lies inside; see `node::layout` and `blob::store`.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::orphan::write_record;

/// What every root's name starts with.
pub(crate) const PREFIX: &str = "fanout-emulator-";

/// A root that could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The directory could not be made.
    #[error("create the service's directory `{}`", .path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The directory, or something in it, could not be removed.
    #[error("remove the service's directory `{}`", .path.display())]
    Remove {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A fresh directory for one service, removed with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    removed: bool,
}

impl Root {
    /// Makes a directory of a new name in `parent` that only this user can enter.
    ///
    /// # Errors
    /// [`RootError::Create`].
    pub(crate) fn create(parent: &Path) -> Result<Self, RootError> {
        let name = format!(
            "{PREFIX}{}-{:08x}",
            std::process::id(),
            rand::random::<u32>()
        );
        let path = parent.join(name);
        let create = |path: &Path| fs::DirBuilder::new().mode(0o700).create(path);
        create(&path)
            .and_then(|()| create(&path.join("blobs")))
            .and_then(|()| create(&path.join("nodes")))
            .and_then(|()| path.canonicalize())
            .and_then(|path| write_record(&path).map(|()| path))
            .map(|path| Self {
                path,
                removed: false,
            })
            .map_err(|source| RootError::Create { path, source })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the directory with everything in it.
    ///
    /// # Errors
    /// [`RootError::Remove`] with the first thing that would not go.
    pub(crate) fn remove(&mut self) -> Result<(), RootError> {
        if self.removed {
            return Ok(());
        }
        remove_tree(&self.path).map_err(|source| RootError::Remove {
            path: self.path.clone(),
            source,
        })?;
        self.removed = true;
        Ok(())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; `remove` tells it to those who ask.
        drop(self.remove());
    }
}

/// Removes `path` and all below it, also directories that were made unwritable; links are not followed.
///
/// # Errors
/// The first thing that could not be removed; a `path` that is not there is no error.
pub(crate) fn remove_tree(path: &Path) -> std::io::Result<()> {
    for attempt in 0.. {
        match fs::remove_dir_all(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) if attempt == 3 => return Err(error),
            Err(_) => open_up(path),
        }
    }
    Ok(())
}

/// Makes every directory below `path` writable for its owner.
fn open_up(path: &Path) {
    let Ok(about) = fs::symlink_metadata(path) else {
        return;
    };
    if !about.is_dir() {
        return;
    }
    drop(fs::set_permissions(path, fs::Permissions::from_mode(0o700)));
    if let Ok(entries) = fs::read_dir(path) {
        for entry in entries.flatten() {
            open_up(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_goes_with_everything_in_it() {
        let parent = tempfile::tempdir().expect("temporary directory");
        let root = Root::create(parent.path()).expect("root");
        let path = root.path().to_owned();
        let locked = path.join("nodes/locked");
        fs::create_dir(&locked).expect("directory");
        fs::write(locked.join("file"), "x").expect("file");
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("mode");
        drop(root);
        assert!(!path.exists());
    }

    #[test]
    fn a_parent_that_is_missing_is_named() {
        let error = Root::create(Path::new("/nonexistent/here")).expect_err("no parent");
        assert!(error.to_string().contains("/nonexistent/here/"));
    }
}
