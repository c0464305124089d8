//! ISO 8601 durations as Batch writes them.
//!
//! Years and months have no fixed length and are refused.

use std::time::Duration;

/// How Batch writes "no limit": the largest span of .NET.
pub(super) const INFINITE: &str = "P10675199DT2H48M5.4775807S";

/// Reads `PnDTnHnMn.nS`; `None` if it is anything else.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest
        .split_once('T')
        .map_or((rest, None), |(days, time)| (days, Some(time)));
    if rest.is_empty() || time == Some("") {
        return None;
    }
    let mut seconds = 0.0;
    let mut units: &[(char, f64)] = &[('W', 604_800.0), ('D', 86_400.0)];
    for part in [days, time.unwrap_or_default()] {
        let mut number = String::new();
        for character in part.chars() {
            if character.is_ascii_digit() || character == '.' {
                number.push(character);
                continue;
            }
            let at = units.iter().position(|(unit, _)| *unit == character)?;
            seconds += number.parse::<f64>().ok()? * units.get(at)?.1;
            units = units.get(at + 1..)?;
            number.clear();
        }
        if !number.is_empty() {
            return None;
        }
        units = &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Writes `duration` as `PT1.5S`, with 7 digits at most.
pub(super) fn show_duration(duration: Duration) -> String {
    let (whole, ticks) = (duration.as_secs(), duration.subsec_nanos() / 100);
    if ticks == 0 {
        return format!("PT{whole}S");
    }
    let fraction = format!("{ticks:07}");
    format!("PT{whole}.{}S", fraction.trim_end_matches('0'))
}

/// Reads a limit: `None` for no limit, absent or too large to matter.
pub(super) fn limit(text: Option<&str>) -> Option<Duration> {
    /// 1,000 years: no process runs longer, and sums with it stay in range.
    const SECONDS_MAX: u64 = 1000 * 365 * 86_400;
    text.and_then(parse_duration)
        .filter(|duration| duration.as_secs() < SECONDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_the_service_and_its_clients_are_read() {
        let seconds = |text| parse_duration(text).map(|duration| duration.as_secs_f64());
        assert_eq!(seconds("PT15M"), Some(900.0));
        assert_eq!(seconds("P1D"), Some(86_400.0));
        assert_eq!(seconds("P1DT2H3M4.5S"), Some(93_784.5));
        assert_eq!(seconds("PT20M00S"), Some(1_200.0));
        assert!(parse_duration(INFINITE).is_some());
        assert_eq!(limit(Some(INFINITE)), None);
        for text in ["PT0S", "PT90S", "PT1.5S", "PT0.0000001S"] {
            assert_eq!(
                parse_duration(text).map(show_duration).as_deref(),
                Some(text)
            );
        }
        assert_eq!(limit(Some("PT1S")), Some(Duration::from_secs(1)));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "P", "PT", "15M", "P1M", "P1Y", "PT1M1H", "PT1", "PT-1S", "PTS", "P1H",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
