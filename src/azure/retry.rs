//! Which failures are repeated, when, and how often: the one policy of every service, as data.
//!
//! It sends nothing and waits for nothing (`transport` does). Whether a create that was repeated is ours is found out
//! by the operations, which read the thing again.

use std::time::Duration;

use time::OffsetDateTime;

use crate::azure::http_date;

/// One way in which a try can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An answer with this status.
    Status(u16),
    /// Nobody listens at the address.
    ConnectionRefused,
    /// The name of the host could not be resolved.
    NameNotResolved,
    /// The certificate was not accepted, or TLS was not spoken.
    Certificate,
    /// No connection for another reason, a time-out included.
    NotConnected,
    /// The connection ended, or time ran out, before an answer came.
    NoAnswer,
    /// What came is no HTTP, or its head is too long.
    NotHttp,
    /// The answer's body ended early or stalled.
    BodyCut,
    /// The answer's body is longer than the operation allows.
    BodyTooLong,
    /// The request could not be built or signed.
    NotBuilt,
}

/// When a failure is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Never.
    Never,
    /// Only if this service has answered before: then it is an outage, else a wrong setting.
    IfMet,
    /// Always.
    Always,
}

/// The statuses that are repeated. Every other is final.
pub const STATUSES: [u16; 6] = [408, 429, 500, 502, 503, 504];

/// What is repeated when no status came.
pub const RULES: [(Failure, Repeat); 9] = [
    (Failure::ConnectionRefused, Repeat::IfMet),
    (Failure::NameNotResolved, Repeat::IfMet),
    (Failure::Certificate, Repeat::Never),
    (Failure::NotConnected, Repeat::Always),
    (Failure::NoAnswer, Repeat::Always),
    (Failure::NotHttp, Repeat::IfMet),
    (Failure::BodyCut, Repeat::Always),
    (Failure::BodyTooLong, Repeat::Never),
    (Failure::NotBuilt, Repeat::Never),
];

/// Whether `failure` is worth another try; `met` says whether this service has answered before.
#[must_use]
pub fn is_retryable(failure: Failure, met: bool) -> bool {
    if let Failure::Status(status) = failure {
        return STATUSES.contains(&status);
    }
    match RULES.iter().find(|(f, _)| *f == failure) {
        Some((_, Repeat::Always)) => true,
        Some((_, Repeat::IfMet)) => met,
        Some((_, Repeat::Never)) | None => false,
    }
}

/// How often and how patiently a request is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first included.
    pub attempts_max: u32,
    /// The upper bound of the first wait; it doubles with every try. Each wait is drawn between zero and its bound,
    /// so that many clients do not come back together.
    pub delay_base: Duration,
    /// The bound at which the doubling ends.
    pub delay_max: Duration,
    /// The longest `Retry-After` that is obeyed; a longer one is cut to this.
    pub retry_after_max: Duration,
    /// No try starts later than this after the first.
    pub total_max: Duration,
}

impl Default for RetryPolicy {
    /// 10 tries within 90 seconds, waits from 0.5 to 20 s: longer than a throttled or restarting service needs, short
    /// enough that a person waits for it.
    fn default() -> Self {
        Self {
            attempts_max: 10,
            delay_base: Duration::from_millis(500),
            delay_max: Duration::from_secs(20),
            retry_after_max: Duration::from_secs(60),
            total_max: Duration::from_secs(90),
        }
    }
}

impl RetryPolicy {
    /// One try and no more.
    #[must_use]
    pub fn once() -> Self {
        Self {
            attempts_max: 1,
            ..Self::default()
        }
    }

    /// How long to wait before the next try, or nothing if there is none.
    ///
    /// - `attempts`: tries so far, at least 1; `elapsed`: since the first began.
    /// - `retry_after`: what the answer asked for; it is obeyed up to [`Self::retry_after_max`], with up to a tenth more.
    /// - `roll`: a random number from 0 up to 1.
    #[must_use]
    pub fn delay(
        &self,
        attempts: u32,
        elapsed: Duration,
        retry_after: Option<Duration>,
        roll: f64,
    ) -> Option<Duration> {
        if attempts >= self.attempts_max {
            return None;
        }
        let roll = roll.clamp(0.0, 1.0);
        let delay = match retry_after {
            Some(asked) => {
                let asked = asked.min(self.retry_after_max);
                asked + asked.mul_f64(roll / 10.0)
            }
            None => {
                let doublings = attempts.saturating_sub(1).min(16);
                let bound = self
                    .delay_base
                    .saturating_mul(1 << doublings)
                    .min(self.delay_max);
                bound.mul_f64(roll)
            }
        };
        (elapsed.saturating_add(delay) <= self.total_max).then_some(delay)
    }
}

/// Reads a `Retry-After` header: whole seconds or a date, from which `now` is subtracted. A date in the past is zero;
/// anything else is nothing.
#[must_use]
pub fn read_retry_after(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = http_date::from_http(text)?;
    Some(Duration::try_from(at - now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn statuses_that_pass_are_repeated_and_refusals_are_not() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(is_retryable(Failure::Status(status), false), "{status}");
        }
        for status in [
            200, 304, 400, 401, 403, 404, 409, 411, 412, 413, 416, 501, 505,
        ] {
            assert!(!is_retryable(Failure::Status(status), true), "{status}");
        }
    }

    #[test]
    fn a_service_that_never_answered_fails_fast_and_one_that_did_is_waited_for() {
        for failure in [
            Failure::ConnectionRefused,
            Failure::NameNotResolved,
            Failure::NotHttp,
        ] {
            assert!(!is_retryable(failure, false));
            assert!(is_retryable(failure, true));
        }
        assert!(!is_retryable(Failure::Certificate, true));
        assert!(!is_retryable(Failure::BodyTooLong, true));
        assert!(is_retryable(Failure::NoAnswer, false));
    }

    #[test]
    fn waits_double_up_to_their_bound_and_are_drawn_from_zero() {
        let policy = RetryPolicy::default();
        let bound = |n| policy.delay(n, Duration::ZERO, None, 1.0);
        assert_eq!(bound(1), Some(Duration::from_millis(500)));
        assert_eq!(bound(2), Some(Duration::from_millis(1000)));
        assert_eq!(bound(5), Some(Duration::from_secs(8)));
        assert_eq!(bound(9), Some(Duration::from_secs(20)));
        assert_eq!(bound(10), None);
        assert_eq!(
            policy.delay(3, Duration::ZERO, None, 0.0),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn retry_after_is_obeyed_up_to_its_bound_and_the_budget_ends_it() {
        let policy = RetryPolicy::default();
        let asked = |s, elapsed| {
            policy.delay(
                1,
                Duration::from_secs(elapsed),
                Some(Duration::from_secs(s)),
                0.0,
            )
        };
        assert_eq!(asked(7, 0), Some(Duration::from_secs(7)));
        assert_eq!(asked(3600, 0), Some(Duration::from_secs(60)));
        assert_eq!(asked(7, 84), None);
        assert_eq!(policy.delay(1, Duration::from_secs(91), None, 0.0), None);
        assert_eq!(
            RetryPolicy::once().delay(1, Duration::ZERO, None, 0.0),
            None
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = datetime!(2026-11-20 10:15:30 UTC);
        assert_eq!(read_retry_after(" 12 ", now), Some(Duration::from_secs(12)));
        assert_eq!(
            read_retry_after("Fri, 20 Nov 2026 10:16:00 GMT", now),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            read_retry_after("Fri, 20 Nov 2026 10:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(read_retry_after("soon", now), None);
        assert_eq!(read_retry_after("-1", now), None);
    }
}
