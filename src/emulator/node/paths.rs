//! Paths that stay inside a node's directory, whatever tasks and clients put there.
//!
//! It moves no bytes.

use std::path::{Component, Path, PathBuf};

/// Whether `path` is relative and climbs nowhere: no `..`, no root, not empty.
pub(in crate::emulator) fn is_relative_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// The place of the file `relative` below `directory`, its parents made, free for a new file.
///
/// # Errors
/// `InvalidInput` if the path, or a link that a task left on the way, leads out of `root`; else what the system says.
pub(super) fn place(root: &Path, directory: &Path, relative: &str) -> std::io::Result<PathBuf> {
    let outside = || {
        std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "the path leaves the node's directory",
        )
    };
    if !is_relative_inside(relative) {
        return Err(outside());
    }
    let path = directory.join(relative);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(outside());
    };
    make_inside(root, parent)?;
    let parent = parent.canonicalize()?;
    if !parent.starts_with(root.canonicalize()?) {
        return Err(outside());
    }
    let path = parent.join(name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(path),
    }
}

/// Makes `directory` and its parents one by one, each only inside `root`.
fn make_inside(root: &Path, directory: &Path) -> std::io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        make_inside(root, parent)?;
        if !parent.canonicalize()?.starts_with(root.canonicalize()?) {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "the path leaves the node's directory",
            ));
        }
    }
    std::fs::create_dir(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_stay_inside_are_accepted() {
        for good in ["a", "a/b c", "./a", "a/./b", "..a"] {
            assert!(is_relative_inside(good), "{good}");
        }
        for bad in ["", "/a", "..", "a/../b", "../a", "a\0b"] {
            assert!(!is_relative_inside(bad), "{bad}");
        }
    }

    #[test]
    fn a_link_that_leads_out_is_not_followed() {
        let parent = tempfile::tempdir().expect("temporary directory");
        let root = parent.path().join("root");
        let outside = parent.path().join("outside");
        for directory in [&root, &outside] {
            std::fs::create_dir(directory).expect("directory");
        }
        std::os::unix::fs::symlink(&outside, root.join("link")).expect("link");
        assert!(place(&root, &root, "link/file").is_err());
        assert!(place(&root, &root, "link/new/file").is_err());
        assert!(!outside.join("new").exists());
        let path = place(&root, &root, "a/b/file").expect("inside");
        assert!(path.ends_with("root/a/b/file") && path.parent().is_some_and(Path::is_dir));
    }
}
