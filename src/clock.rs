//! The one door to time: wall clock, monotonic clock, sleeping.
//!
//! It decides nothing: time-outs, back-offs and deadlines belong to their users. Tests pause it with
//! `tokio::time::pause`.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock and sleeps"
)]

use std::time::Duration;

/// The current UTC time of this machine's clock, to the nanosecond; it may jump.
#[must_use]
pub fn now() -> time::OffsetDateTime {
    time::OffsetDateTime::now_utc()
}

/// A monotonic instant, for measuring how long something takes. Follows tokio's paused time.
#[must_use]
pub fn instant() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Waits for `duration`, at least.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
