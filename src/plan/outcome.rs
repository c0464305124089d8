//! Whether what came back is what the plan asked for.
//!
//! A partial that is missing, doubled, foreign or short is an error, never a smaller answer. Reading partials is the
//! kernel's work; this judges what they say of themselves.

use super::names::RunId;
use super::shards::Shard;

/// What a partial says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialCheck {
    /// The shard id in its header.
    pub shard_id: String,
    /// Bytes of text that were counted.
    pub bytes: u64,
    /// Files that start in the shard.
    pub inputs: u64,
}

/// Why partials are not those of the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeError {
    /// The header names another shard.
    #[error(
        "partial of shard {number}: it says that it is shard `{found}`, the plan says `{expected}`"
    )]
    Foreign {
        /// The shard's number in the plan.
        number: u64,
        /// The id in the partial.
        found: String,
        /// The id in the plan.
        expected: String,
    },
    /// Other bytes were counted than were staged.
    #[error("partial of shard {number}: {found} {what} counted, {expected} planned")]
    Differs {
        /// The shard's number in the plan.
        number: u64,
        /// What is counted: bytes or files.
        what: &'static str,
        /// The number in the partial.
        found: u64,
        /// The number in the plan.
        expected: u64,
    },
    /// Not one partial for each shard.
    #[error("{found} partials for {expected} shards")]
    Count {
        /// Partials that came back.
        found: usize,
        /// Shards of the plan.
        expected: usize,
    },
}

/// Checks what one partial says of itself against its shard.
///
/// # Errors
/// [`OutcomeError::Foreign`] or [`OutcomeError::Differs`].
pub fn check_partial(
    run: &RunId,
    shard: &Shard,
    partial: &PartialCheck,
) -> Result<(), OutcomeError> {
    let number = shard.number;
    let expected = run.shard_id(number);
    if partial.shard_id != expected {
        return Err(OutcomeError::Foreign {
            number,
            found: partial.shard_id.clone(),
            expected,
        });
    }
    for (what, found, expected) in [
        ("bytes", partial.bytes, shard.bytes()),
        ("files", partial.inputs, shard.inputs()),
    ] {
        if found != expected {
            return Err(OutcomeError::Differs {
                number,
                what,
                found,
                expected,
            });
        }
    }
    Ok(())
}

/// Checks that there is exactly one partial for each shard, in the plan's order, and each is right.
///
/// # Errors
/// The first [`OutcomeError`].
pub fn check_shards(
    run: &RunId,
    shards: &[Shard],
    partials: &[PartialCheck],
) -> Result<(), OutcomeError> {
    if shards.len() != partials.len() {
        return Err(OutcomeError::Count {
            found: partials.len(),
            expected: shards.len(),
        });
    }
    shards
        .iter()
        .zip(partials)
        .try_for_each(|(shard, partial)| check_partial(run, shard, partial))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::plan::Piece;

    fn run() -> RunId {
        RunId::new(datetime!(2026-11-22 09:15:30 UTC), 0)
    }

    fn shards() -> Vec<Shard> {
        let piece = |start, end| Piece {
            file_index: 0,
            start,
            end,
        };
        vec![
            Shard {
                number: 1,
                pieces: vec![piece(0, 70)],
            },
            Shard {
                number: 2,
                pieces: vec![piece(70, 100)],
            },
        ]
    }

    fn partials() -> Vec<PartialCheck> {
        let partial = |number, bytes, inputs| PartialCheck {
            shard_id: run().shard_id(number),
            bytes,
            inputs,
        };
        vec![partial(1, 70, 1), partial(2, 30, 0)]
    }

    #[test]
    fn the_partials_of_the_plan_pass() {
        assert_eq!(check_shards(&run(), &shards(), &partials()), Ok(()));
    }

    #[test]
    fn a_missing_partial_is_an_error() {
        let error = check_shards(&run(), &shards(), &partials()[..1]).unwrap_err();
        assert_eq!(error.to_string(), "1 partials for 2 shards");
    }

    #[test]
    fn a_doubled_or_foreign_partial_is_an_error() {
        let mut doubled = partials();
        doubled[1] = doubled[0].clone();
        let error = check_shards(&run(), &shards(), &doubled).unwrap_err();
        assert!(
            matches!(error, OutcomeError::Foreign { number: 2, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_short_partial_is_an_error_with_both_numbers() {
        let mut short = partials();
        short[1].bytes = 29;
        let error = check_shards(&run(), &shards(), &short).unwrap_err();
        assert_eq!(
            error.to_string(),
            "partial of shard 2: 29 bytes counted, 30 planned"
        );
    }
}
