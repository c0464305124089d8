//! How a service behaves where real ones differ: how long nodes and tasks take, how late counts are, how many things there may be.
//!
//! It does nothing by itself; the parts of the service ask.

use std::time::Duration;

/// How long something takes: drawn evenly between two durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// At least.
    pub least: Duration,
    /// At most, not less than that.
    pub most: Duration,
}

impl Span {
    /// Always `duration`.
    #[must_use]
    pub fn of(duration: Duration) -> Self {
        Self {
            least: duration,
            most: duration,
        }
    }

    /// Reads seconds, as `2.5`, or two of them, as `1..10`; `None` for anything else.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let seconds = |text: &str| Duration::try_from_secs_f64(text.trim().parse().ok()?).ok();
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let span = Self {
            least: seconds(least)?,
            most: seconds(most)?,
        };
        (span.least <= span.most).then_some(span)
    }

    /// One of the durations.
    pub(crate) fn draw(self) -> Duration {
        let share: f64 = rand::random();
        self.least + (self.most.saturating_sub(self.least)).mul_f64(share)
    }
}

/// How a service behaves. The default: nodes boot in no time, tasks are processes, the clock is the machine's, counts are
/// exact, pages are full, and nothing is limited.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// How long a node takes to boot.
    pub boot: Span,
    /// How long a task takes that says nothing else. If given, tasks are simulated: they run no process and have no files.
    pub simulated: Option<Span>,
    /// The clock stands still until the caller advances it.
    pub is_frozen: bool,
    /// How old task counts are.
    pub counts_lag: Duration,
    /// Most items of a page, whatever was asked for.
    pub page_max: Option<usize>,
    /// Most pools of the account.
    pub pools_max: Option<usize>,
    /// Most jobs of the account that are not completed.
    pub jobs_max: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_drawn_from() {
        let span = Span::read("1..2.5").expect("valid");
        for _ in 0..100 {
            assert!((span.least..=span.most).contains(&span.draw()));
        }
        assert_eq!(
            Span::read("0.5").map(Span::draw),
            Some(Duration::from_millis(500))
        );
        for text in ["", "x", "-1", "2..1", "1..", "inf"] {
            assert_eq!(Span::read(text), None, "{text}");
        }
    }
}
