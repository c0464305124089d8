//! Words that workers wrote down, counted part by part, each part by one thread.
//!
//! How words are written down is in `table`.

use std::sync::{Mutex, PoisonError};

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::table::{Counter, Records, Seed, Sum, Table, by_part};

/// Different words with their counts.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    records: Vec<Records>,
    distinct: u64,
}

impl Parts {
    /// All short words of `tables`, which began with one seed, if any of them wrote words down; they are taken out.
    ///
    /// Cost: each record is read once and written once, on the threads of `pool`.
    pub(crate) fn of(tables: &mut [Table], pool: Option<&ThreadPool>) -> Self {
        let Some(seed) = tables.iter().find_map(Table::scattered).cloned() else {
            return Self::default();
        };
        let take = |table: &mut Table| table.take_records(&seed);
        let mut records: Vec<(usize, Records)> = match pool {
            Some(pool) => pool.install(|| tables.par_iter_mut().flat_map_iter(take).collect()),
            None => tables.iter_mut().flat_map(take).collect(),
        };
        let parts = Mutex::new(by_part(&mut records));
        let done = match pool {
            Some(pool) => pool.broadcast(|_| sum(&parts, &seed)),
            None => vec![sum(&parts, &seed)],
        };
        let mut whole = Self::default();
        for (distinct, records) in done {
            whole.records.extend(records);
            whole.distinct += distinct as u64;
        }
        whole
    }

    /// How many different words there are.
    pub(crate) fn len(&self) -> u64 {
        self.distinct
    }

    /// The records, in pieces; no word is in two of them.
    pub(crate) fn pieces(&self) -> &[Records] {
        &self.records
    }

    /// Every word with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.records.iter().flat_map(Records::iter)
    }
}

/// Takes one of `parts` after the other and counts it, until none is left; how many words they have, and their records.
fn sum<'a>(
    parts: &Mutex<impl Iterator<Item = &'a mut [(usize, Records)]>>,
    seed: &Seed,
) -> (usize, Vec<Records>) {
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let (mut sum, mut counter) = (Sum::default(), Counter::new(seed));
    while let Some(part) = next() {
        sum.add(part, &mut counter);
    }
    sum.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write;

    use proptest::prelude::*;

    use crate::count::count_text;
    use crate::counts::Counts;
    use crate::settings::{CountSettings, Filters, WordMode};
    use crate::table::{Seed, Table};

    /// A text of words by numbers: `fresh` of 1000 are new, the others one of `known`.
    fn text(words: usize, fresh: u64, known: u64, number: &mut u64) -> String {
        let mut text = String::new();
        let mut random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(*number + 1);
        for _ in 0..words {
            random = random.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1);
            if (random >> 32) % 1000 < fresh {
                *number += 1;
                write!(text, "{:x} ", number.wrapping_mul(0x9E37_79B9)).unwrap();
            } else {
                write!(text, "known-{} ", (random >> 40) % known).unwrap();
            }
            match random >> 57 {
                0 => text += "a-word-that-is-too-long-for-a-slot ",
                1 => text += "\u{c9}t\u{e9}\u{3a3} ",
                _ => {}
            }
        }
        text
    }

    #[test]
    fn words_are_written_down_while_most_are_new() {
        let settings = CountSettings::new(WordMode::Whitespace, true);
        let mut table = Table::new(Seed::random());
        let new: Vec<String> = (0..20_000).map(|number| format!("{number:x}")).collect();
        count_text(new.join(" ").as_bytes(), settings, &mut table);
        assert!(table.scattered().is_some());
        // 100 words, over and over: in the end a table of all of them is small.
        let known: Vec<String> = (0..9000)
            .map(|number| format!("{}", number % 100))
            .collect();
        let mut table = Table::new(Seed::random());
        count_text(new[..500].join(" ").as_bytes(), settings, &mut table);
        assert!(table.scattered().is_some());
        count_text(known.join(" ").as_bytes(), settings, &mut table);
        assert!(table.scattered().is_none());
    }

    #[test]
    fn words_that_were_frequent_fill_the_table_and_each_is_in_one_part_alone() {
        let settings = CountSettings::new(WordMode::Whitespace, true);
        let mut table = Table::new(Seed::random());
        let mut expected = BTreeMap::new();
        // Every word comes again at once, so each has a count when the others begin to be written down.
        for round in 0..3 {
            for width in [1, 20] {
                let numbers = 0..if cfg!(miri) { 400 } else { 4000 };
                let words: Vec<String> =
                    numbers.map(|number| format!("{number:0width$x}")).collect();
                let mut text = String::new();
                for word in &words {
                    let times = if round == 0 && word.ends_with('1') {
                        1
                    } else {
                        2
                    };
                    text.extend(std::iter::repeat_n(format!("{word} "), times));
                    *expected.entry(word.clone().into_bytes()).or_insert(0) += times as u64;
                }
                count_text(text.as_bytes(), settings, &mut table);
            }
            let fresh = format!("new-{round}");
            count_text(fresh.as_bytes(), settings, &mut table);
            expected.insert(fresh.into_bytes(), 1);
        }
        let counts = Counts::merge(settings, vec![table], None, 0, 0);
        let found: Vec<(Vec<u8>, u64)> = counts
            .iter()
            .map(|(word, count)| (word.to_vec(), count))
            .collect();
        assert_eq!(found.len(), expected.len(), "a word is there twice");
        assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 40 }))]

        #[test]
        fn tables_that_write_words_down_count_as_a_map_does(
            texts in prop::collection::vec((0..6000_usize, 0..=1000_u64, 1..3000_u64), 1..5),
            pooled in any::<bool>(),
            split in any::<bool>(),
        ) {
            let settings = CountSettings::new(WordMode::Whitespace, false);
            let seed = Seed::random();
            let (mut tables, mut expected) = (Vec::new(), BTreeMap::new());
            let (mut number, mut words) = (0, 0);
            for (length, fresh, known) in texts {
                let mut table = Table::new(seed.clone());
                // What comes first is all new; later it may be known words only, or the other way.
                for fresh in [1000, fresh] {
                    let length = if cfg!(miri) { length / 4 + 500 } else { length };
                    let text = text(length, fresh, known, &mut number);
                    count_text(text.as_bytes(), settings, &mut table);
                    for word in text.split_ascii_whitespace() {
                        words += 1;
                        *expected.entry(word.to_lowercase().into_bytes()).or_insert(0) += 1;
                    }
                }
                if !split { number = 0; }
                tables.push(table);
            }
            let pool = pooled.then(|| rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap());
            let mut counts = Counts::merge(settings, tables, pool, 0, 0);
            let found = |counts: &Counts| {
                let found: Vec<(Vec<u8>, u64)> = counts.iter().map(|(word, count)| (word.to_vec(), count)).collect();
                let map: BTreeMap<_, _> = found.iter().cloned().collect();
                (found.len(), map)
            };
            prop_assert_eq!(found(&counts), (expected.len(), expected.clone()));
            prop_assert_eq!(counts.totals().words, words);
            prop_assert_eq!(counts.totals().distinct, expected.len() as u64);
            let mut rows: Vec<(u64, Vec<u8>)> = expected.iter().map(|(word, count)| (*count, word.clone())).collect();
            rows.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            rows.truncate(20);
            let top = counts.top(20, &Filters::default());
            let top: Vec<(u64, Vec<u8>)> = top.into_iter().map(|row| (row.count, row.word)).collect();
            prop_assert_eq!(top, rows);
            // Taken up by others, they are counts as any.
            let other = crate::count::count_bytes(b"known-0 new", settings);
            counts.absorb(&other);
            for word in ["known-0", "new"] {
                *expected.entry(word.into()).or_insert(0) += 1;
            }
            prop_assert_eq!(found(&counts), (expected.len(), expected));
        }
    }
}
