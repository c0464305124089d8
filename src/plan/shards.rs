//! Which bytes each map task counts: small files grouped whole, large files cut into slices.
//!
//! The plan's cuts are nominal (k × shard size). Where a file is really cut depends on its text and is found while it
//! is staged; [`plan_shards`] then takes the real cuts.

use std::path::PathBuf;
use std::time::SystemTime;

/// Largest shard unless the user says otherwise: a node counts it in well under a second and a lost task costs little.
pub const SHARD_BYTES_MAX_DEFAULT: u64 = 256 << 20;

/// Smallest shard that is made by default: below it a task's own cost is all that is seen.
pub const SHARD_BYTES_MIN_DEFAULT: u64 = 1 << 20;

/// Shards that the default size aims at: four tasks for each of four nodes, so that no node waits long for the last.
const SHARDS_DEFAULT: u64 = 16;

/// A file to count, as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is, as the user named it or as it was found below a directory.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last changed; a file whose size or time differs later is an error.
    pub modified: Option<SystemTime>,
}

/// A part of one file: all of it, or the bytes from `start` to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Place in the list of input files.
    pub file_index: usize,
    /// First byte.
    pub start: u64,
    /// First byte after it.
    pub end: u64,
}

impl Piece {
    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end - self.start
    }
}

/// What one map task counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// 1 for the first; also its task's id.
    pub number: u64,
    /// Its pieces, in input order: any number of whole files, or one slice.
    pub pieces: Vec<Piece>,
}

impl Shard {
    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.pieces.iter().map(Piece::bytes).sum()
    }

    /// Whether it is a slice after the first of its file, whose first bytes are no file's first bytes.
    #[must_use]
    pub fn is_later_slice(&self) -> bool {
        self.pieces.first().is_some_and(|piece| piece.start > 0)
    }

    /// Files that start in it: what its partial must say under `inputs`.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.pieces.iter().filter(|piece| piece.start == 0).count() as u64
    }
}

/// How files become shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardPolicy {
    /// Files smaller than this are grouped up to it; larger ones are cut near its multiples.
    pub shard_bytes: u64,
    /// Every file is a shard of its own or several: for answers per file.
    pub one_file_a_shard: bool,
    /// No file is cut: for an output per file that one task makes.
    pub uncut: bool,
}

/// Why files cannot become shards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// No file was found.
    #[error("no input files")]
    NoInput,
    /// A shard size of zero.
    #[error("a shard size of 0 bytes; the smallest is 1 byte")]
    ShardSizeZero,
    /// More tasks than a task id range can name.
    #[error("{shards} shards; the most is {max}: use a larger --shard-size")]
    TooMany {
        /// Shards that the plan would have.
        shards: u64,
        /// Shards that a run can have.
        max: u64,
    },
}

/// Most shards in a run: a task id range of Batch is of 32-bit integers, and a listing of more takes minutes.
const SHARDS_MAX: u64 = 1_000_000;

/// The shard size for `total_bytes` of input when the user names none: a sixteenth of it, within
/// [`SHARD_BYTES_MIN_DEFAULT`] and [`SHARD_BYTES_MAX_DEFAULT`].
#[must_use]
pub fn default_shard_bytes(total_bytes: u64) -> u64 {
    total_bytes
        .div_ceil(SHARDS_DEFAULT)
        .clamp(SHARD_BYTES_MIN_DEFAULT, SHARD_BYTES_MAX_DEFAULT)
}

/// The offsets near which a file of `file_bytes` is to be cut: the multiples of the shard size inside it.
///
/// Empty for a file that stays whole.
#[must_use]
pub fn nominal_cuts(file_bytes: u64, policy: &ShardPolicy) -> Vec<u64> {
    if policy.uncut || file_bytes <= policy.shard_bytes {
        return Vec::new();
    }
    (1..file_bytes.div_ceil(policy.shard_bytes))
        .map(|k| k * policy.shard_bytes)
        .collect()
}

/// Groups and cuts `files` into shards numbered from 1.
///
/// - `cuts`: for each file the offsets at which it is cut, rising, inside the file; empty keeps it whole.
/// - Result: every byte of every file is in exactly one piece, in input order; every empty file too, as a piece of no
///   bytes.
/// - Cost: O(files + cuts).
///
/// # Errors
/// [`ShardError`] when there is no file, no shard size, or more than a million shards.
pub fn plan_shards(
    files: &[InputFile],
    cuts: &[Vec<u64>],
    policy: &ShardPolicy,
) -> Result<Vec<Shard>, ShardError> {
    if files.is_empty() {
        return Err(ShardError::NoInput);
    }
    if policy.shard_bytes == 0 {
        return Err(ShardError::ShardSizeZero);
    }
    let mut shards = Vec::new();
    let mut group: Vec<Piece> = Vec::new();
    let mut group_bytes = 0;
    let mut close = |pieces: Vec<Piece>| {
        if !pieces.is_empty() {
            let number = shards.len() as u64 + 1;
            shards.push(Shard { number, pieces });
        }
    };
    for (file_index, file) in files.iter().enumerate() {
        let whole = Piece {
            file_index,
            start: 0,
            end: file.bytes,
        };
        let own = cuts.get(file_index).map_or(&[][..], Vec::as_slice);
        if !own.is_empty() {
            close(std::mem::take(&mut group));
            group_bytes = 0;
            let starts = std::iter::once(0).chain(own.iter().copied());
            let ends = own.iter().copied().chain(std::iter::once(file.bytes));
            for (start, end) in starts.zip(ends) {
                close(vec![Piece {
                    file_index,
                    start,
                    end,
                }]);
            }
        } else {
            if policy.one_file_a_shard
                || policy.uncut
                || group_bytes + file.bytes > policy.shard_bytes
            {
                close(std::mem::take(&mut group));
                group_bytes = 0;
            }
            group.push(whole);
            group_bytes += file.bytes;
        }
    }
    close(group);
    let count = shards.len() as u64;
    if count > SHARDS_MAX {
        return Err(ShardError::TooMany {
            shards: count,
            max: SHARDS_MAX,
        });
    }
    Ok(shards)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn files(sizes: &[u64]) -> Vec<InputFile> {
        let file = |(n, bytes): (usize, &u64)| InputFile {
            path: format!("f{n}").into(),
            bytes: *bytes,
            modified: None,
        };
        sizes.iter().enumerate().map(file).collect()
    }

    fn policy(shard_bytes: u64) -> ShardPolicy {
        ShardPolicy {
            shard_bytes,
            one_file_a_shard: false,
            uncut: false,
        }
    }

    fn plan(sizes: &[u64], policy: &ShardPolicy) -> Vec<Shard> {
        let files = files(sizes);
        let cuts: Vec<_> = files
            .iter()
            .map(|file| nominal_cuts(file.bytes, policy))
            .collect();
        plan_shards(&files, &cuts, policy).unwrap()
    }

    fn sizes_of(shards: &[Shard]) -> Vec<Vec<u64>> {
        shards
            .iter()
            .map(|shard| shard.pieces.iter().map(Piece::bytes).collect())
            .collect()
    }

    #[test]
    fn small_files_are_grouped_whole_up_to_the_shard_size() {
        let shards = plan(&[40, 50, 20, 100, 0, 1], &policy(100));
        assert_eq!(
            sizes_of(&shards),
            [vec![40, 50], vec![20], vec![100, 0], vec![1]]
        );
        assert_eq!(shards[2].inputs(), 2);
    }

    #[test]
    fn a_large_file_is_cut_near_multiples_of_the_shard_size() {
        let shards = plan(&[10, 250, 10], &policy(100));
        assert_eq!(
            sizes_of(&shards),
            [vec![10], vec![100], vec![100], vec![50], vec![10]]
        );
        let later: Vec<_> = shards.iter().map(Shard::is_later_slice).collect();
        assert_eq!(later, [false, false, true, true, false]);
        let inputs: Vec<_> = shards.iter().map(Shard::inputs).collect();
        assert_eq!(inputs, [1, 1, 0, 0, 1]);
    }

    #[test]
    fn per_file_answers_keep_files_apart_and_uncut_files_stay_whole() {
        let apart = ShardPolicy {
            one_file_a_shard: true,
            ..policy(100)
        };
        assert_eq!(
            sizes_of(&plan(&[1, 2, 150], &apart)),
            [vec![1], vec![2], vec![100], vec![50]]
        );
        let uncut = ShardPolicy {
            uncut: true,
            ..policy(100)
        };
        assert_eq!(
            sizes_of(&plan(&[1, 2, 150], &uncut)),
            [vec![1], vec![2], vec![150]]
        );
    }

    #[test]
    fn nothing_to_count_and_no_shard_size_are_refused() {
        assert_eq!(plan_shards(&[], &[], &policy(1)), Err(ShardError::NoInput));
        assert_eq!(
            plan_shards(&files(&[1]), &[], &policy(0)),
            Err(ShardError::ShardSizeZero)
        );
    }

    #[test]
    fn the_default_shard_size_gives_work_to_every_node_and_stays_in_its_bounds() {
        assert_eq!(default_shard_bytes(0), SHARD_BYTES_MIN_DEFAULT);
        assert_eq!(default_shard_bytes(64 << 20), 4 << 20);
        assert_eq!(default_shard_bytes(u64::MAX), SHARD_BYTES_MAX_DEFAULT);
    }

    proptest! {
        #[test]
        fn every_byte_of_every_file_is_in_exactly_one_piece(
            sizes in proptest::collection::vec(0_u64..500, 1..40), shard_bytes in 1_u64..300,
            one_file_a_shard: bool, uncut: bool
        ) {
            let policy = ShardPolicy { shard_bytes, one_file_a_shard, uncut };
            let shards = plan(&sizes, &policy);
            let mut at = vec![None; sizes.len()];
            for (n, shard) in shards.iter().enumerate() {
                prop_assert_eq!(shard.number, n as u64 + 1);
                prop_assert!(!shard.pieces.is_empty());
                if !uncut {
                    prop_assert!(shard.bytes() <= shard_bytes);
                }
                if one_file_a_shard {
                    prop_assert_eq!(shard.pieces.len(), 1);
                }
                for piece in &shard.pieces {
                    prop_assert_eq!(at[piece.file_index].unwrap_or(0), piece.start);
                    at[piece.file_index] = Some(piece.end);
                }
            }
            for (size, end) in sizes.iter().zip(at) {
                prop_assert_eq!(end, Some(*size));
            }
            prop_assert_eq!(shards.iter().map(Shard::inputs).sum::<u64>(), sizes.len() as u64);
        }
    }
}
