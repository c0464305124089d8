//! How far a count is, on standard error: a bar, plain lines, or JSON lines.
//!
//! It measures bytes, not time; answers never go here.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::settings::plain_text_wanted;

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum ProgressMode {
    /// a bar on a terminal, else nothing
    #[default]
    Auto,
    /// a bar
    Bar,
    /// a line for each tenth
    Plain,
    /// a JSON object for each tenth
    Json,
    /// nothing
    None,
}

/// Progress of one count; safe to tell from any thread.
#[derive(Debug)]
pub struct Progress {
    show: Show,
    total_bytes: u64,
    counted_bytes: AtomicU64,
}

#[derive(Debug)]
enum Show {
    Bar(indicatif::ProgressBar),
    Plain,
    Json,
    None,
}

impl Progress {
    /// Shows the way to `total_bytes`, which streams may pass, as `mode` says.
    #[must_use]
    pub fn new(mode: ProgressMode, total_bytes: u64) -> Self {
        let show = match mode {
            // 64 MiB: below it a bar would only flicker.
            ProgressMode::Auto
                if total_bytes >= 64 << 20
                    && std::io::stderr().is_terminal()
                    && !plain_text_wanted() =>
            {
                Show::Bar(bar(total_bytes))
            }
            ProgressMode::Auto | ProgressMode::None => Show::None,
            ProgressMode::Bar => Show::Bar(bar(total_bytes)),
            ProgressMode::Plain => Show::Plain,
            ProgressMode::Json => Show::Json,
        };
        Self {
            show,
            total_bytes,
            counted_bytes: AtomicU64::new(0),
        }
    }

    /// Tells that `bytes` more were counted.
    pub fn add(&self, bytes: u64) {
        let before = self.counted_bytes.fetch_add(bytes, Ordering::Relaxed);
        let now = before + bytes;
        match &self.show {
            Show::Bar(bar) => bar.inc(bytes),
            Show::None => {}
            Show::Plain | Show::Json => {
                if self.tenths(before) != self.tenths(now) {
                    self.line(now);
                }
            }
        }
    }

    fn tenths(&self, bytes: u64) -> u64 {
        bytes.saturating_mul(10) / self.total_bytes.max(1)
    }

    fn line(&self, now: u64) {
        let total = self.total_bytes;
        let line = match self.show {
            Show::Json => {
                format!("{{\"event\":\"count\",\"bytes\":{now},\"total_bytes\":{total}}}\n")
            }
            _ => format!("counted {now} of {total} bytes\n"),
        };
        // Progress that nobody can read stops nothing.
        drop(std::io::stderr().write_all(line.as_bytes()));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Show::Bar(bar) = &self.show {
            bar.finish_and_clear();
        }
    }
}

fn bar(total_bytes: u64) -> indicatif::ProgressBar {
    let template = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let style = indicatif::ProgressStyle::with_template(template)
        .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar());
    indicatif::ProgressBar::new(total_bytes).with_style(style)
}
