//! The top of tables that share words, without adding them up.
//!
//! A word of the top has a certain share of its count in one of the tables at least: only words that are so frequent in one are
//! looked up in all. Whoever wants to know how many words are different has to add all of them up.

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::settings::Filters;
use crate::table::Table;
use crate::top::{Row, TopBuilder};

/// Of so many words one is looked up in all tables at most: with more, adding them up costs less.
const WORDS_A_CANDIDATE: usize = 16;

/// The `n` most frequent words of `tables` that `filters` admit; none where that takes adding all words up, and for 0.
///
/// Let the `n`th most frequent word of one table be there `least` times: then no word of the top comes less often in all, nor less
/// than `least / tables` times in each.
pub(crate) fn top(
    tables: &[Table],
    n: u64,
    filters: &Filters,
    pool: Option<&ThreadPool>,
) -> Option<Vec<Row>> {
    if n == 0 || tables.is_empty() {
        return None;
    }
    let least = each(tables, pool, &|_, table| least(table, n, filters));
    let least = least.into_iter().max()?;
    let in_one = least.div_ceil(tables.len() as u64);
    let candidates = each(tables, pool, &|index, table| {
        // A word that is a candidate of a table before is one there.
        let before = &tables[..index];
        let is_new = |word: &[u8]| before.iter().all(|table| table.count(word) < in_one);
        let most = table.len() / WORDS_A_CANDIDATE + 100;
        let mut words = Vec::new();
        table.iter().for_each(|(word, count)| {
            if count >= in_one && words.len() < most && filters.admit(word) && is_new(word) {
                words.push(word);
            }
        });
        (words.len() < most).then_some(words)
    });
    let candidates: Option<Vec<Vec<&[u8]>>> = candidates.into_iter().collect();
    let mut builder = TopBuilder::new(n, Filters::default());
    for word in candidates?.into_iter().flatten() {
        let count = tables.iter().map(|table| table.count(word)).sum();
        builder.push(word, count);
    }
    Some(builder.finish())
}

/// How often the `n`th most frequent word of `table` comes; at least 1 where there is none.
fn least(table: &Table, n: u64, filters: &Filters) -> u64 {
    let mut builder = TopBuilder::new(n, filters.clone());
    table
        .iter()
        .for_each(|(word, count)| builder.push(word, count));
    let rows = builder.finish();
    let all = rows.len() as u64 == n;
    rows.last().filter(|_| all).map_or(1, |row| row.count)
}

/// What `work` makes of each of `tables` and its index, by the threads of `pool`.
fn each<'a, T: Send>(
    tables: &'a [Table],
    pool: Option<&ThreadPool>,
    work: &(dyn Fn(usize, &'a Table) -> T + Sync),
) -> Vec<T> {
    let tables_with_index = tables.iter().enumerate();
    match pool {
        Some(pool) => pool.install(|| {
            let tables = tables.par_iter().enumerate();
            tables.map(|(index, table)| work(index, table)).collect()
        }),
        None => tables_with_index
            .map(|(index, table)| work(index, table))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::table::Seed;

    fn table(words: &[u16], seed: &Seed) -> Table {
        let mut table = Table::new(seed.clone());
        for word in words {
            // Short, longer and long ones.
            let width = usize::from(word % 40);
            table.add_one(format!("{word:0width$}").as_bytes());
        }
        table
    }

    /// Some words often, most hardly.
    fn words() -> impl Strategy<Value = Vec<u16>> {
        let word = prop_oneof![4 => 0..12_u16, 2 => 0..60_u16, 1 => 0..3000_u16];
        prop::collection::vec(word, 0..2500)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 300 }))]

        #[test]
        fn the_top_of_tables_apart_is_that_of_their_sum(
            texts in prop::collection::vec(words(), 1..5),
            n in 1_u64..40,
            min_length in 0_u64..4,
            pooled in any::<bool>(),
        ) {
            let seed = Seed::random();
            let tables: Vec<Table> = texts.iter().map(|words| table(words, &seed)).collect();
            let filters = Filters { min_length, ..Filters::default() };
            let mut sums = BTreeMap::new();
            for (word, count) in tables.iter().flat_map(Table::iter) {
                *sums.entry(word).or_insert(0) += count;
            }
            let mut expected = TopBuilder::new(n, filters.clone());
            for (word, count) in sums {
                expected.push(word, count);
            }
            let pool = pooled.then(|| rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
            if let Some(found) = top(&tables, n, &filters, pool.as_ref()) {
                prop_assert_eq!(found, expected.finish());
            }
        }
    }

    #[test]
    fn few_frequent_words_are_found_apart_and_equal_ones_are_not() {
        let seed = Seed::random();
        let mut often: Vec<u16> = (0..3000).collect();
        often.extend((0..4000).map(|number| number % 10));
        let tables = [table(&often, &seed), table(&often, &seed)];
        let found = top(&tables, 10, &Filters::default(), None).unwrap();
        assert_eq!(found.iter().map(|row| row.count).sum::<u64>(), 2 * 4010);
        let once: Vec<u16> = (0..3000).collect();
        let tables = [table(&once, &seed), table(&once, &seed)];
        assert!(top(&tables, 10, &Filters::default(), None).is_none());
        assert!(top(&tables, 0, &Filters::default(), None).is_none());
    }
}
