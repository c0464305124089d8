//! Dates as HTTP and the services write them: RFC 1123 in headers, ISO 8601 in bodies and SAS.
//!
//! It does not know the time; it only writes and reads it.

use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// `at` as in a `Date` header: `Fri, 20 Nov 2026 10:15:30 GMT`.
#[must_use]
pub fn to_http(at: OffsetDateTime) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let at = at.to_offset(UtcOffset::UTC);
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[usize::from(at.weekday().number_days_from_monday())],
        at.day(),
        MONTHS[usize::from(u8::from(at.month())) - 1],
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Reads a `Date` header; nothing if `text` is not one.
#[must_use]
pub fn from_http(text: &str) -> Option<OffsetDateTime> {
    let form = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    PrimitiveDateTime::parse(text.trim(), form)
        .ok()
        .map(PrimitiveDateTime::assume_utc)
}

/// `at` to the second as in a SAS or a formula: `2026-11-20T10:15:30Z`.
#[must_use]
pub fn to_iso(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Reads an ISO 8601 date and time with an offset; nothing if `text` is not one.
#[must_use]
pub fn from_iso(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc3339).ok()
}

/// `duration` as an ISO 8601 duration in whole seconds, rounded up: `PT2H`, `P1DT30M`, `PT0S`.
#[must_use]
pub fn to_iso_duration(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    if seconds == 0 {
        return "PT0S".to_owned();
    }
    let part = |n: u64, unit: &str| {
        if n == 0 {
            String::new()
        } else {
            format!("{n}{unit}")
        }
    };
    let days = part(seconds / 86_400, "D");
    let time = [
        part(seconds % 86_400 / 3_600, "H"),
        part(seconds % 3_600 / 60, "M"),
        part(seconds % 60, "S"),
    ]
    .concat();
    if time.is_empty() {
        format!("P{days}")
    } else {
        format!("P{days}T{time}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn http_dates_are_written_and_read() {
        let at = datetime!(2026-11-20 10:15:30 UTC);
        assert_eq!(to_http(at), "Fri, 20 Nov 2026 10:15:30 GMT");
        assert_eq!(from_http("Fri, 20 Nov 2026 10:15:30 GMT"), Some(at));
        assert_eq!(from_http("yesterday"), None);
        assert_eq!(to_http(datetime!(2026-11-20 11:15:30 +1)), to_http(at));
    }

    #[test]
    fn iso_dates_are_written_to_the_second_and_read_with_fractions() {
        let at = datetime!(2026-11-20 10:15:30.9 UTC);
        assert_eq!(to_iso(at), "2026-11-20T10:15:30Z");
        assert_eq!(
            from_iso("2026-11-20T10:15:30.1234567Z")
                .map(to_iso)
                .as_deref(),
            Some("2026-11-20T10:15:30Z")
        );
        assert_eq!(from_iso("2026-13-40"), None);
    }

    #[test]
    fn durations_are_iso_8601() {
        let shown = |s| to_iso_duration(Duration::from_secs(s));
        assert_eq!(shown(0), "PT0S");
        assert_eq!(shown(7_200), "PT2H");
        assert_eq!(shown(900), "PT15M");
        assert_eq!(shown(86_400), "P1D");
        assert_eq!(shown(88_261), "P1DT31M1S");
        assert_eq!(to_iso_duration(Duration::from_millis(1)), "PT1S");
    }

    #[test]
    fn a_spoiled_date_is_read_or_refused() {
        let seeds = [
            "Fri, 20 Nov 2026 10:15:30 GMT",
            "2026-11-20T10:15:30.1234567Z",
            "+999999-12-31T23:59:60+99:99",
        ];
        crate::spoil::spoiled(&seeds, &["-", ":", ".", "T", " ", "Z"], |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let read = from_http(&text).or_else(|| from_iso(&text));
            assert!(read.is_none_or(|at| at.year() <= 9999));
        });
    }
}
