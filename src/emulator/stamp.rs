//! Times and `ETag`s as the service writes them.
//!
//! It reads no clock: times come in as arguments.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// 100 ns ticks between 0001-01-01 and 1970-01-01, the epoch that `ETag`s count from.
const TICKS_TO_UNIX_EPOCH: i128 = 621_355_968_000_000_000;

/// `time` as `2026-11-20T10:15:31.1234567Z`.
pub(crate) fn iso(time: OffsetDateTime) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");
    time.to_offset(time::UtcOffset::UTC)
        .format(format)
        .unwrap_or_default()
}

/// `time` as `Fri, 20 Nov 2026 10:15:30 GMT` (RFC 1123).
pub(crate) fn http_date(time: OffsetDateTime) -> String {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    time.to_offset(time::UtcOffset::UTC)
        .format(format)
        .unwrap_or_default()
}

/// Reads an RFC 1123 date.
pub(crate) fn parse_http_date(text: &str) -> Option<OffsetDateTime> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    time::PrimitiveDateTime::parse(text.trim(), format)
        .ok()
        .map(time::PrimitiveDateTime::assume_utc)
}

/// Reads an ISO 8601 time: with seconds and offset, or the shorter UTC forms that a SAS may carry.
pub(crate) fn parse_iso(text: &str) -> Option<OffsetDateTime> {
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(time);
    }
    let minutes = format_description!("[year]-[month]-[day]T[hour]:[minute]Z");
    if let Ok(time) = time::PrimitiveDateTime::parse(text, minutes) {
        return Some(time.assume_utc());
    }
    let day = format_description!("[year]-[month]-[day]");
    time::Date::parse(text, day)
        .ok()
        .map(|date| date.midnight().assume_utc())
}

/// The version of a resource: a number that only grows, shown as an `ETag`, and when it last changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    ticks: i128,
    /// When the resource last changed.
    pub(crate) modified: OffsetDateTime,
}

impl Stamp {
    /// The stamp of a resource made at `now`.
    pub(crate) fn new(now: OffsetDateTime) -> Self {
        Self {
            ticks: ticks(now),
            modified: now,
        }
    }

    /// Marks a change at `now`; the `ETag` differs from every earlier one even if the clock stood still.
    pub(crate) fn touch(&mut self, now: OffsetDateTime) {
        self.ticks = ticks(now).max(self.ticks + 1);
        self.modified = now;
    }

    /// The `ETag` without quotation marks, as Batch sends it; Blob adds them.
    pub(crate) fn etag(&self) -> String {
        format!("0x{:X}", self.ticks)
    }
}

fn ticks(time: OffsetDateTime) -> i128 {
    time.unix_timestamp_nanos() / 100 + TICKS_TO_UNIX_EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn times_are_written_as_the_service_writes_them() {
        let time = datetime!(2026-11-20 10:15:31.123_456_7 UTC);
        assert_eq!(iso(time), "2026-11-20T10:15:31.1234567Z");
        assert_eq!(http_date(time), "Fri, 20 Nov 2026 10:15:31 GMT");
        assert_eq!(
            parse_http_date("Fri, 20 Nov 2026 10:15:31 GMT"),
            Some(datetime!(2026-11-20 10:15:31 UTC))
        );
    }

    #[test]
    fn the_three_forms_of_a_sas_time_are_read() {
        assert_eq!(
            parse_iso("2026-11-20T10:15:31Z"),
            Some(datetime!(2026-11-20 10:15:31 UTC))
        );
        assert_eq!(
            parse_iso("2026-11-20T10:15Z"),
            Some(datetime!(2026-11-20 10:15 UTC))
        );
        assert_eq!(
            parse_iso("2026-11-20"),
            Some(datetime!(2026-11-20 0:00 UTC))
        );
        assert_eq!(parse_iso("tomorrow"), None);
    }

    #[test]
    fn an_etag_changes_although_the_clock_stands_still() {
        let now = datetime!(2026-11-20 10:15:31 UTC);
        let mut stamp = Stamp::new(now);
        let first = stamp.etag();
        stamp.touch(now);
        assert_ne!(stamp.etag(), first);
        assert!(first.starts_with("0x8D"));
    }
}
