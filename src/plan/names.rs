//! The run id and every name that is derived from it.
//!
//! No byte of a user's path reaches a name: a blob is named after its shard and its place in it, a task after its shard.

use std::fmt;

use time::OffsetDateTime;
use time::macros::format_description;

/// Letters of the random part: lower-case and digits without `i`, `l`, `o`, `u`, `0`, `1`, which read alike or spell words.
const ALPHABET: &[u8; 30] = b"abcdefghjkmnpqrstvwxyz23456789";

/// Random letters in a run id: 30^6 is 7 × 10^8 for each second.
const RANDOM_LETTERS: u32 = 6;

/// The id of a run: `fo-` + UTC time + random letters, such as `fo-20261122t091500z-k3v9qa`.
///
/// - Always 26 characters of `a`-`z`, `0`-`9` and single dashes, so that it is a valid pool id, job id and, with a
///   suffix, container name (3 to 63 characters, no capital, no double dash).
/// - Sorts by time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

/// Why a text is not a run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run id; a run id looks like `fo-20261122t091500z-k3v9qa`")]
pub struct RunIdError(String);

impl RunId {
    /// The id of a run planned at `now`, with `random` as its random part.
    ///
    /// - `now`: converted to UTC, cut to seconds.
    /// - `random`: any number; ids made from numbers drawn evenly are distributed evenly.
    #[must_use]
    pub fn new(now: OffsetDateTime, random: u64) -> Self {
        let stamp = now
            .to_offset(time::UtcOffset::UTC)
            .format(format_description!(
                "[year][month][day]t[hour][minute][second]z"
            ))
            .unwrap_or_else(|_| "00000000t000000z".to_owned());
        let mut id = format!("fo-{stamp}-");
        let mut rest = random;
        for _ in 0..RANDOM_LETTERS {
            let letter = usize::try_from(rest % ALPHABET.len() as u64).unwrap_or(0);
            id.push(char::from(ALPHABET[letter]));
            rest /= ALPHABET.len() as u64;
        }
        Self(id)
    }

    /// Reads a run id that a user or the service gave.
    ///
    /// # Errors
    /// [`RunIdError`] for anything that [`RunId::new`] cannot have made.
    pub fn parse(text: &str) -> Result<Self, RunIdError> {
        let shape = |(at, byte): (usize, u8)| match at {
            0..3 => byte == b"fo-"[at],
            11 => byte == b't',
            18 => byte == b'z',
            19 => byte == b'-',
            3..18 => byte.is_ascii_digit(),
            _ => ALPHABET.contains(&byte),
        };
        if text.len() == 26 && text.bytes().enumerate().all(shape) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RunIdError(text.to_owned()))
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The container of the program: `RUN-app`.
    #[must_use]
    pub fn app_container(&self) -> String {
        format!("{}-app", self.0)
    }

    /// The container of the shards: `RUN-in`.
    #[must_use]
    pub fn in_container(&self) -> String {
        format!("{}-in", self.0)
    }

    /// The container of what the tasks made: `RUN-out`.
    #[must_use]
    pub fn out_container(&self) -> String {
        format!("{}-out", self.0)
    }

    /// The three containers, in the order in which they are created.
    #[must_use]
    pub fn containers(&self) -> [String; 3] {
        [
            self.app_container(),
            self.in_container(),
            self.out_container(),
        ]
    }

    /// The shard id that is written into the partial of the task `task_id`: `RUN.TASK`.
    #[must_use]
    pub fn shard_id(&self, task_id: u64) -> String {
        format!("{}.{task_id}", self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_run_id_carries_its_time_and_its_random_part() {
        let id = RunId::new(datetime!(2026-11-22 10:15:30 +01:00), 31);
        assert_eq!(id.as_str(), "fo-20261122t091530z-bbaaaa");
        assert_eq!(id.in_container(), "fo-20261122t091530z-bbaaaa-in");
        assert_eq!(id.shard_id(12), "fo-20261122t091530z-bbaaaa.12");
    }

    #[test]
    fn what_is_not_a_run_id_is_refused_by_name() {
        for text in [
            "",
            "fo-",
            "fo-20261122t091530z-bbaaa",
            "fo-20261122t091530z-bbaaaaa",
            "fo-20261122t091530z-BBAAAA",
            "fo-20261122t091530z-bb/../",
            "xx-20261122t091530z-bbaaaa",
            "fo-2026112é091530z-bbaaaa",
        ] {
            let error = RunId::parse(text).unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_run_id_is_read_back_and_valid_in_every_azure_name(
            seconds in 0_i64..4_000_000_000, random in any::<u64>()
        ) {
            let id = RunId::new(OffsetDateTime::from_unix_timestamp(seconds).unwrap(), random);
            prop_assert_eq!(&RunId::parse(id.as_str()).unwrap(), &id);
            for container in id.containers() {
                prop_assert!((3..=63).contains(&container.len()));
                prop_assert!(container.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert!(!container.contains("--"));
            }
        }
    }
}
