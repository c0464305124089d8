//! Azurite, the independent judge of Blob Storage, as a process on a port of its own.
//!
//! It is installed by `tests/run`, which names it in `FANOUT_TEST_AZURITE`; it knows no checks.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

/// The account that it is started with.
pub(crate) const ACCOUNT: &str = "testaccount";

/// The account's key: the Base64 of bytes 0 to 63.
pub(crate) const KEY: &str =
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

/// An Azurite that ends with this value.
pub(crate) struct Azurite {
    url: String,
    process: Child,
    _directory: tempfile::TempDir,
}

impl Azurite {
    /// Starts the Azurite that `FANOUT_TEST_AZURITE` names; nothing if it names none.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests find the judges that `tests/run` installed by environment"
    )]
    pub(crate) fn start() -> Option<Self> {
        let main = std::env::var("FANOUT_TEST_AZURITE").ok()?;
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new("node")
            .arg(main)
            .args([
                "--inMemoryPersistence",
                "--disableTelemetry",
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                "0",
            ])
            .current_dir(directory.path())
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let url = loop {
            line.clear();
            let read = lines.read_line(&mut line).unwrap();
            assert!(read > 0, "Azurite ended before it listened");
            if let Some((_, url)) = line.split_once("successfully listens on ") {
                break url.trim().to_owned();
            }
        };
        // Its log is read to the end, so that the pipe never fills.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Some(Self {
            url,
            process,
            _directory: directory,
        })
    }

    /// Its endpoint, which names no account.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
