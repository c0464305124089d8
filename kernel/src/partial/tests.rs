//! Tests of the partial format: it comes back, it merges exactly, it refuses whatever is damaged, its page is true.
//!
//! Nothing else is here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;

use super::{
    MergeError, MergeOptions, PartialError, PartialReader, PartialWriter, Totals, merge, merge_into,
};
use crate::settings::{CountSettings, WordMode};

type Words = BTreeMap<Vec<u8>, u64>;

fn encode(words: &Words, settings: CountSettings, shard: &str) -> Vec<u8> {
    let mut writer = PartialWriter::new(Vec::new(), settings, shard).unwrap();
    for (word, &count) in words {
        writer.push(word, count).unwrap();
    }
    writer.finish(words.len() as u64 * 10, 1).unwrap().0
}

fn decode(bytes: &[u8]) -> Result<(Words, Totals), PartialError> {
    let mut reader = PartialReader::new(bytes)?;
    let mut words = Words::new();
    while reader.advance()? {
        words.insert(reader.word().to_vec(), reader.count());
    }
    Ok((words, reader.totals().unwrap()))
}

fn words() -> impl Strategy<Value = Words> {
    let word = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 1..6),
        2 => "[ab]{1,12}".prop_map(String::into_bytes),
        1 => (1_usize..40_000).prop_map(|length| vec![b'x'; length]),
    ];
    let count = prop_oneof![
        Just(1),
        1_u64..1000,
        any::<u32>().prop_map(|n| u64::from(n) + 1)
    ];
    prop::collection::btree_map(word, count, 0..60)
}

fn example() -> Vec<u8> {
    let words: Words = [("na\u{ef}ve", 1), ("the", 300), ("them", 2), ("then", 7)]
        .into_iter()
        .map(|(word, count)| (word.as_bytes().to_vec(), count))
        .collect();
    let mut writer = PartialWriter::new(Vec::new(), CountSettings::default(), "7").unwrap();
    for (word, &count) in &words {
        writer.push(word, count).unwrap();
    }
    writer.finish(1517, 2).unwrap().0
}

#[test]
fn the_example_of_the_page_is_what_the_code_writes() {
    let page = include_str!("../../PARTIAL.md");
    let block = page.split("```hex\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let mut bytes = Vec::new();
    for line in block.lines() {
        // What follows two blanks and a semicolon explains.
        let hex = line.split(';').next().unwrap();
        for byte in hex.split_whitespace() {
            bytes.push(u8::from_str_radix(byte, 16).unwrap());
        }
    }
    assert_eq!(bytes, example());
    let (words, totals) = decode(&bytes).unwrap();
    assert_eq!(words[&b"them"[..]], 2);
    assert_eq!(
        totals,
        Totals {
            bytes: 1517,
            words: 310,
            distinct: 4,
            inputs: 2
        }
    );
}

#[test]
fn every_damaged_byte_and_every_short_file_is_refused() {
    let bytes = example();
    for at in 0..bytes.len() {
        assert!(decode(&bytes[..at]).is_err(), "short at {at}");
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(decode(&damaged).is_err(), "bit {bit} of byte {at}");
        }
    }
    let longer = [bytes, vec![0]].concat();
    assert!(matches!(decode(&longer), Err(PartialError::Malformed(_))));
}

#[test]
fn newer_versions_are_refused_by_number() {
    let mut bytes = example();
    bytes[8] = super::VERSION + 1;
    let error = decode(&bytes).unwrap_err().to_string();
    assert_eq!(error, "read it: version 2, this build reads 1 to 1");
}

#[test]
fn a_writer_refuses_what_no_reader_would_take() {
    let mut writer = PartialWriter::new(Vec::new(), CountSettings::default(), "").unwrap();
    writer.push(b"b", 1).unwrap();
    assert!(matches!(
        writer.push(b"b", 1),
        Err(PartialError::Unsorted { index: 1 })
    ));
    assert!(matches!(
        writer.push(b"a", 1),
        Err(PartialError::Unsorted { index: 1 })
    ));
    assert!(matches!(
        writer.push(b"c", 0),
        Err(PartialError::Malformed(_))
    ));
    assert!(matches!(
        writer.push(b"c", u64::MAX),
        Err(PartialError::Overflow)
    ));
    let long = "x".repeat(1025);
    assert!(PartialWriter::new(Vec::new(), CountSettings::default(), &long).is_err());
}

fn write_all(parts: &[Words]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let root = tempfile::tempdir().unwrap();
    let paths = parts
        .iter()
        .enumerate()
        .map(|(index, words)| {
            let path = root.path().join(format!("p{index}"));
            let bytes = encode(words, CountSettings::default(), &index.to_string());
            std::fs::write(&path, bytes).unwrap();
            path
        })
        .collect();
    (root, paths)
}

#[test]
fn a_merge_refuses_missing_doubled_and_foreign_shards() {
    let words: Words = [(b"a".to_vec(), 1)].into();
    let (_root, paths) = write_all(&[words.clone(), words.clone(), words]);
    let ids: Vec<String> = ["0", "1"].map(str::to_owned).to_vec();
    let run = |paths: &[PathBuf]| {
        let options = MergeOptions {
            expected: Some(&ids),
            ..MergeOptions::default()
        };
        merge(paths, &options, &mut |_, _| Ok(()))
    };
    assert!(run(&paths[..2]).is_ok());
    assert!(matches!(run(&paths[..1]), Err(MergeError::Missing { first, .. }) if first == "1"));
    assert!(matches!(run(&paths), Err(MergeError::Foreign { shard, .. }) if shard == "2"));
    let doubled = [paths[0].clone(), paths[1].clone(), paths[0].clone()];
    assert!(matches!(run(&doubled), Err(MergeError::Doubled { .. })));
    let none = merge(&[], &MergeOptions::default(), &mut |_, _| Ok(()));
    assert!(matches!(none, Err(MergeError::Empty)));
}

#[test]
fn a_merge_refuses_other_settings() {
    let words: Words = [(b"a".to_vec(), 1)].into();
    let (root, mut paths) = write_all(std::slice::from_ref(&words));
    let other = root.path().join("other");
    let settings = CountSettings::new(WordMode::Alpha, false);
    std::fs::write(&other, encode(&words, settings, "9")).unwrap();
    paths.push(other);
    let result = merge(&paths, &MergeOptions::default(), &mut |_, _| Ok(()));
    assert!(matches!(result, Err(MergeError::Settings { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 200 }))]

    #[test]
    fn words_come_back(words in words(), shard in "[ -~é]{0,20}") {
        let settings = CountSettings::new(WordMode::Tutorial, false);
        let bytes = encode(&words, settings, &shard);
        let reader = PartialReader::new(&bytes[..]).unwrap();
        prop_assert_eq!(reader.settings(), settings);
        prop_assert_eq!(reader.shard(), &shard);
        let (found, totals) = decode(&bytes).unwrap();
        prop_assert_eq!(totals.words, words.values().sum::<u64>());
        prop_assert_eq!(totals.distinct, words.len() as u64);
        prop_assert_eq!(found, words);
    }

    #[test]
    fn hostile_bytes_are_errors(
        words in words(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let good = encode(&words, CountSettings::default(), "s");
        let mut bytes = good.clone();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert!(bytes == good || decode(&bytes).is_err());
    }

    #[test]
    fn any_merge_in_any_rounds_is_the_sum(
        parts in prop::collection::vec(words(), 1..12),
        open_files_max in 2_usize..14,
    ) {
        let mut expected = Words::new();
        for part in &parts {
            for (word, count) in part {
                *expected.entry(word.clone()).or_insert(0) += count;
            }
        }
        let (root, paths) = write_all(&parts);
        let options = MergeOptions { open_files_max, temp_dir: root.path(), ..MergeOptions::default() };
        let mut found = Vec::new();
        let (_, totals) = merge(&paths, &options, &mut |word, count| {
            found.push((word.to_vec(), count));
            Ok(())
        })
        .unwrap();
        prop_assert_eq!(totals.inputs, parts.len() as u64);
        prop_assert_eq!(totals.distinct, expected.len() as u64);
        let (bytes, into) = merge_into(&paths, &options, "all", Vec::new()).unwrap();
        prop_assert_eq!(into, totals);
        prop_assert_eq!(decode(&bytes).unwrap().0, expected.clone());
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        let left = std::fs::read_dir(root.path()).unwrap().count();
        prop_assert_eq!(left, parts.len(), "temporary files stay");
    }
}
