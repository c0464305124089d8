//! Sizes and durations as users write them: `256M`, `1GiB`, `90s`, `2h`, `PT5M`.
//!
//! Only reading; how they are shown is `progress`.

use std::time::Duration;

/// Why a text is no size or duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a size.
    #[error("`{0}` is not a size; a size looks like `64K`, `256MiB` or `1G` (powers of 1024)")]
    Size(String),
    /// Not a duration.
    #[error("`{0}` is not a duration; a duration looks like `90s`, `30m`, `2h`, `1d` or `PT2H`")]
    Duration(String),
}

/// Reads a size in bytes: digits, then `K`, `M`, `G` or `T` with or without `iB` or `B`; powers of 1024, any case.
///
/// # Errors
/// [`QuantityError::Size`] for anything else, zero included, and for more than 2^63 - 1 bytes.
pub fn read_size(text: &str) -> Result<u64, QuantityError> {
    let fail = || QuantityError::Size(text.to_owned());
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits]
        .parse()
        .map_err(|_error: std::num::ParseIntError| fail())?;
    let shift = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(fail()),
    };
    let bytes = u128::from(number) << shift;
    u64::try_from(bytes)
        .ok()
        .filter(|bytes| (1..=i64::MAX.cast_unsigned()).contains(bytes))
        .ok_or_else(fail)
}

/// Reads a duration: a whole number of `s`, `m`, `h` or `d`, several in falling order (`1h30m`), or ISO 8601 (`PT1H30M`,
/// `P1DT12H`).
///
/// # Errors
/// [`QuantityError::Duration`] for anything else, zero included, and for more than 180 days, the longest life of a task
/// in Batch.
pub fn read_duration(text: &str) -> Result<Duration, QuantityError> {
    const SECONDS_MAX: u64 = 180 * 86_400;
    let fail = || QuantityError::Duration(text.to_owned());
    let lower = text.to_ascii_lowercase();
    let (body, iso) = match lower.strip_prefix('p') {
        Some(rest) => (rest, true),
        None => (lower.as_str(), false),
    };
    let mut total: u64 = 0;
    let mut digits = String::new();
    let mut smallest_so_far = u64::MAX;
    let mut after_t = false;
    for c in body.chars() {
        if iso && c == 't' && !after_t && digits.is_empty() {
            after_t = true;
            continue;
        }
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(fail()),
        };
        // In ISO 8601 the time stands behind a T, and an M before it would be months.
        if unit >= smallest_so_far || (iso && (unit == 86_400) == after_t) {
            return Err(fail());
        }
        smallest_so_far = unit;
        let number: u64 = digits
            .parse()
            .map_err(|_error: std::num::ParseIntError| fail())?;
        total = number
            .checked_mul(unit)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(fail)?;
        digits.clear();
    }
    if digits.is_empty() && (1..=SECONDS_MAX).contains(&total) {
        Ok(Duration::from_secs(total))
    } else {
        Err(fail())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("1", 1),
            ("17b", 17),
            ("4K", 4096),
            ("256MiB", 256 << 20),
            ("1g", 1 << 30),
            ("2TB", 2 << 40),
        ] {
            assert_eq!(read_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "0",
            "-1",
            "1.5G",
            "G",
            "1 G",
            "1X",
            "99999999999999999999",
            "9999999999T",
            "8e3",
        ] {
            assert_eq!(read_size(text), Err(QuantityError::Size(text.to_owned())));
        }
    }

    #[test]
    fn durations_are_short_forms_or_iso_8601() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1800),
            ("2h", 7200),
            ("1h30m", 5400),
            ("1d", 86_400),
            ("PT5M", 300),
            ("P1DT12H", 129_600),
        ] {
            assert_eq!(
                read_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "0s",
            "5",
            "m",
            "1m1h",
            "1h1h",
            "P1M",
            "PT1D",
            "P",
            "PT",
            "1y",
            "181d",
            "99999999999999999999s",
        ] {
            assert_eq!(
                read_duration(text),
                Err(QuantityError::Duration(text.to_owned())),
                "{text}"
            );
        }
    }
}
