//! What a run tells on stderr: steps, notes, warnings and bars; never an answer, never a secret.
//!
//! It decides only how things are shown. A bar appears on a terminal; off it, with `NO_COLOR`, `CI` or `TERM=dumb`,
//! lines are plain.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock;
use crate::secret::redact;
use crate::settings::Environment;

/// Steps of a run, as they are numbered in everything that is shown.
pub const STEPS: u8 = 9;

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, plain lines off it.
    #[default]
    Auto,
    /// Bars, also off a terminal.
    Bar,
    /// Plain lines.
    Plain,
    /// One JSON object a line.
    Json,
    /// Nothing but warnings and errors.
    None,
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only errors.
    Quiet,
    /// Steps.
    Normal,
    /// Steps and what they do in detail.
    Detailed,
}

/// Tells what a run does, on stderr. A clone tells it to the same place.
#[derive(Debug, Clone)]
pub struct Narrator {
    mode: ProgressMode,
    verbosity: Verbosity,
    started: tokio::time::Instant,
    bars: indicatif::MultiProgress,
}

impl Narrator {
    /// A narrator for this process's stderr.
    #[must_use]
    pub fn new(mode: ProgressMode, verbosity: Verbosity, environment: Environment<'_>) -> Self {
        let plain = !std::io::stderr().is_terminal()
            || environment("NO_COLOR").is_some()
            || environment("CI").is_some()
            || environment("TERM").is_some_and(|term| term == "dumb");
        let mode = match mode {
            ProgressMode::Auto if plain => ProgressMode::Plain,
            ProgressMode::Auto => ProgressMode::Bar,
            other => other,
        };
        let target = match mode {
            ProgressMode::Bar => ProgressDrawTarget::stderr(),
            _ => ProgressDrawTarget::hidden(),
        };
        Self {
            mode,
            verbosity,
            started: clock::instant(),
            bars: indicatif::MultiProgress::with_draw_target(target),
        }
    }

    /// A step of the run begins or has something to say; `number` is 1 to [`STEPS`], or 0 before the first.
    pub fn step(&self, number: u8, name: &str, text: impl Display) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        match self.mode {
            ProgressMode::None => {}
            ProgressMode::Json => self.json("step", Some((number, name)), &text.to_string()),
            _ if number == 0 => self.line(&format!("{:>7}      {name:<10} {text}", self.elapsed())),
            _ => self.line(&format!(
                "{:>7}  {number}/{STEPS} {name:<10} {text}",
                self.elapsed()
            )),
        }
    }

    /// A detail, told with `-v`.
    pub fn detail(&self, text: impl Display) {
        if self.verbosity < Verbosity::Detailed {
            return;
        }
        match self.mode {
            ProgressMode::None => {}
            ProgressMode::Json => self.json("detail", None, &text.to_string()),
            _ => self.line(&format!("{:>7}      {text}", self.elapsed())),
        }
    }

    /// Something that the user should know although the run goes on; told also with `-q`.
    pub fn warn(&self, text: impl Display) {
        match self.mode {
            ProgressMode::Json => self.json("warning", None, &text.to_string()),
            _ => self.line(&format!("warning: {text}")),
        }
    }

    /// A bar of `total` bytes or things; hidden unless bars are shown.
    #[must_use]
    pub fn bar(&self, name: &'static str, total: u64, unit: Unit) -> ProgressBar {
        if self.mode != ProgressMode::Bar || self.verbosity == Verbosity::Quiet {
            return ProgressBar::hidden();
        }
        let template = match unit {
            Unit::Bytes => "  {msg:10} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            Unit::Tasks => "  {msg:10} [{bar:30}] {pos}/{len} tasks {elapsed}",
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bars
            .add(ProgressBar::new(total).with_style(style).with_message(name))
    }

    fn elapsed(&self) -> String {
        seconds(self.started.elapsed())
    }

    fn line(&self, text: &str) {
        let text = redact(text);
        // A reader of stderr that is gone must not end the run.
        self.bars
            .suspend(|| drop(writeln!(std::io::stderr(), "{text}")));
    }

    fn json(&self, event: &str, step: Option<(u8, &str)>, text: &str) {
        let mut object = serde_json::json!({
            "event": event,
            "elapsed_ms": u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "text": redact(text),
        });
        if let Some((number, name)) = step {
            object["step"] = number.into();
            object["name"] = name.into();
        }
        drop(writeln!(std::io::stderr(), "{object}"));
    }
}

/// What a bar counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Tasks.
    Tasks,
}

/// `duration` for people: `850 ms`, `12.3 s`, `4 m 05 s`, `2 h 00 m`.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} m {:02} s", ms / 60_000, ms % 60_000 / 1000),
        _ => format!("{} h {:02} m", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// `bytes` for people: `17 B`, `3.4 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_short_and_have_units() {
        assert_eq!(seconds(Duration::from_millis(850)), "850 ms");
        assert_eq!(seconds(Duration::from_millis(12_345)), "12.3 s");
        assert_eq!(seconds(Duration::from_secs(245)), "4 m 05 s");
        assert_eq!(seconds(Duration::from_secs(7260)), "2 h 01 m");
        assert_eq!(size(17), "17 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(3_600_000), "3.4 MiB");
        assert_eq!(size(u64::MAX), "16383.9 PiB");
    }
}
