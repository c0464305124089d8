//! Which program is staged as `topn`, and whether nodes can run it.
//!
//! It reads the file; it neither builds nor uploads it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Failure;
use crate::exit::Exit;

/// The program that nodes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// Where it is on this machine.
    pub(crate) path: PathBuf,
    /// Its size in bytes.
    pub(crate) bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal digits.
    pub(crate) sha256: String,
    /// Why nodes in Azure cannot run it; nothing when they can, or when the nodes are on this machine.
    pub(crate) unfit: Option<String>,
}

impl Program {
    /// Refuses a program that the nodes cannot run.
    ///
    /// # Errors
    /// Exit 2 with how to get one that they can.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match &self.unfit {
            None => Ok(()),
            Some(why) => {
                let message = format!("nodes in Azure cannot run `{}`: {why}", self.path.display());
                let hint = "deploy/build-node.sh builds a static `topn`; name it with --topn FILE";
                Err(Failure::message(Exit::Usage, message).hint(hint))
            }
        }
    }
}

/// Finds the program: `flag`, else `topn` beside this executable, else, on loopback only, this executable itself, which
/// is `topn` when it is started under that name.
///
/// # Errors
/// Exit 3 when `flag` names nothing, 9 when the file cannot be read.
pub(crate) fn find_program(flag: Option<&Path>, loopback: bool) -> Result<Program, Failure> {
    let path = match flag {
        Some(path) => path.to_owned(),
        None => {
            let own = std::env::current_exe().map_err(|error| {
                Failure::new(Exit::LocalIo, error).context("finding this program")
            })?;
            let beside = own.with_file_name("topn");
            if beside.is_file() { beside } else { own }
        }
    };
    let program = read_program(&path)?;
    Ok(Program {
        unfit: if loopback { None } else { unfit(&path) },
        ..program
    })
}

fn read_program(path: &Path) -> Result<Program, Failure> {
    let failure = |error: std::io::Error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound {
            Exit::NotFound
        } else {
            Exit::LocalIo
        };
        Failure::new(exit, error).context(format!("reading the program `{}`", path.display()))
    };
    let mut file = File::open(path).map_err(failure)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(failure)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    let sha256 = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Program {
        path: path.to_owned(),
        bytes,
        sha256,
        unfit: None,
    })
}

/// Why nodes in Azure cannot run the file at `path`.
fn unfit(path: &Path) -> Option<String> {
    let why = match read_elf(path) {
        Some(Elf { machine, .. }) if machine != ELF_X86_64 => {
            "it is not for x86_64, the architecture of the nodes"
        }
        Some(Elf {
            interpreter: true, ..
        }) => "it is linked dynamically, and nodes may not have its libraries",
        Some(_) => return None,
        None => "it is not an ELF program for 64-bit Linux",
    };
    Some(why.to_owned())
}

/// `e_machine` of x86-64. Source: System V ABI, AMD64 supplement.
const ELF_X86_64: u16 = 62;

/// `p_type` of the segment that names the dynamic linker. Source: System V ABI, chapter 5.
const SEGMENT_INTERPRETER: u32 = 3;

struct Elf {
    machine: u16,
    interpreter: bool,
}

/// Reads the header and the program headers of a little-endian 64-bit ELF file; `None` for anything else.
fn read_elf(path: &Path) -> Option<Elf> {
    let mut start = Vec::new();
    // Program headers follow the file header in every program that a linker makes.
    File::open(path)
        .ok()?
        .take(1 << 16)
        .read_to_end(&mut start)
        .ok()?;
    if start.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let u16_at = |at: usize| Some(u16::from_le_bytes(start.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(start.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(start.get(at..at + 8)?.try_into().ok()?));
    let machine = u16_at(18)?;
    let headers_at = usize::try_from(u64_at(32)?).ok()?;
    let header_bytes = usize::from(u16_at(54)?);
    let header_count = usize::from(u16_at(56)?);
    let mut interpreter = false;
    for index in 0..header_count {
        let at = headers_at.checked_add(index * header_bytes)?;
        interpreter |= u32_at(at)? == SEGMENT_INTERPRETER;
    }
    Some(Elf {
        machine,
        interpreter,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_this_program_serves_when_no_static_topn_lies_beside_it() {
        let program = find_program(None, true).unwrap();
        assert!(program.bytes > 0);
        assert_eq!(program.sha256.len(), 64);
    }

    #[test]
    fn the_hash_is_sha256() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p");
        std::fs::write(&path, "abc").unwrap();
        let program = find_program(Some(&path), true).unwrap();
        assert_eq!(
            program.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_program_that_nodes_cannot_run_is_refused_with_what_to_do() {
        let dynamic = std::env::current_exe().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        for (path, why) in [
            (dynamic, "linked dynamically"),
            (script, "not an ELF program"),
        ] {
            let failure = find_program(Some(&path), false)
                .unwrap()
                .check()
                .unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(
                failure.text().contains(why) && failure.text().contains("build-node.sh"),
                "{}",
                failure.text()
            );
        }
    }

    #[test]
    fn a_missing_program_is_not_found() {
        let failure = find_program(Some(Path::new("/no/such/topn")), true).unwrap_err();
        assert_eq!(failure.exit, Exit::NotFound);
    }
}
