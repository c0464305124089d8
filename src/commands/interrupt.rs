//! Ctrl-C and its like: a run that is interrupted ends in order, not in the middle.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Failure;
use crate::exit::Exit;

/// The signal that a person sends.
pub(crate) const CTRL_C: &str = "Ctrl-C";

/// The name of the signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interrupted(pub(crate) &'static str);

/// The signals that ask this process to end.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Interrupts {
    /// Takes over the signals: from now on they no longer end the process.
    ///
    /// # Errors
    /// Exit 9 when the system refuses.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Exit::LocalIo, error).context("listening for signals")
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for one of the signals.
    pub(crate) async fn next(&mut self) -> Interrupted {
        tokio::select! {
            _ = self.interrupt.recv() => Interrupted(CTRL_C),
            _ = self.terminate.recv() => Interrupted("SIGTERM"),
            _ = self.hang_up.recv() => Interrupted("SIGHUP"),
        }
    }

    /// Lets `work` go on until it ends or a signal arrives; then it is dropped where it waits.
    ///
    /// # Errors
    /// [`Interrupted`] with the signal's name.
    pub(crate) async fn stop<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<T, Interrupted> {
        tokio::select! {
            biased;
            interrupted = self.next() => Err(interrupted),
            done = work => Ok(done),
        }
    }
}
