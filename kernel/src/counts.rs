//! The counts of a whole input: tables merged, totals, the ways out to a top and to a partial.
//!
//! It reads no text and renders nothing.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::apart;
use crate::partial::{PartialError, PartialWriter, Totals};
use crate::parts::Parts;
use crate::settings::{CountSettings, Filters};
use crate::table::{Seed, Table};
use crate::top::{Row, TopBuilder};

/// Every different word of an input with its exact count.
#[derive(Debug)]
pub struct Counts {
    settings: CountSettings,
    /// Tables that may share words, until somebody asks for more than a top.
    apart: Mutex<Vec<Table>>,
    whole: OnceLock<Whole>,
    words: u64,
    bytes: u64,
    inputs: u64,
    /// The threads that counted and may sort, if there was more than one.
    pool: Option<ThreadPool>,
}

/// All words, each once.
#[derive(Debug, Default)]
struct Whole {
    /// No word is in two tables.
    tables: Vec<Table>,
    /// Short words, where they were written down instead of counted in tables.
    parts: Parts,
}

impl Whole {
    /// Adds up tables with the same seed that may share words.
    fn of(mut tables: Vec<Table>, pool: Option<&ThreadPool>) -> Self {
        let parts = Parts::of(&mut tables, pool);
        let distinct: usize = tables.iter().map(Table::len).sum();
        let one_order = !tables.iter().any(Table::is_reseeded);
        let by_parts = tables.len() > 2 && distinct > PARALLEL_WORDS_MIN && one_order;
        let tables = match pool {
            Some(pool) if by_parts => pool.install(|| merge_by_parts(tables)),
            pool => merge_into_one(tables, pool),
        };
        Self { tables, parts }
    }

    fn distinct(&self) -> u64 {
        let tables = self.tables.iter().map(|table| table.len() as u64);
        tables.sum::<u64>() + self.parts.len()
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let tables = self.tables.iter().flat_map(Table::iter);
        tables.chain(self.parts.iter())
    }
}

/// The first eight bytes of `word`, filled up with zeros, as a number of the same order.
fn first_bytes(word: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = word.len().min(8);
    bytes[..length].copy_from_slice(&word[..length]);
    u64::from_be_bytes(bytes)
}

/// 256 Ki words in all tables: below it one thread merges them in a few milliseconds.
const PARALLEL_WORDS_MIN: usize = 1 << 18;

/// Adds all tables to the largest, where it is: needs the least memory, and with two tables there is little to share out.
fn merge_into_one(mut tables: Vec<Table>, pool: Option<&ThreadPool>) -> Vec<Table> {
    tables.sort_by_key(|table| std::cmp::Reverse(table.len()));
    let mut tables = tables.into_iter();
    let mut whole: Vec<Table> = tables.next().into_iter().collect();
    if let Some(whole) = whole.first_mut() {
        for table in tables {
            whole.absorb(&table, pool);
        }
    }
    whole
}

/// Makes as many tables as there are, each of the words of one part of all hashes, by the threads of the pool it runs in.
fn merge_by_parts(tables: Vec<Table>) -> Vec<Table> {
    // A table each thread: far less than 2^32.
    let parts = u32::try_from(tables.len()).unwrap_or(u32::MAX);
    let merged: Vec<Option<Table>> = (0..parts as usize)
        .into_par_iter()
        .map(|index| Table::of_part(&tables, index, parts))
        .collect();
    merged.into_iter().flatten().collect()
}

/// `top` with `words`.
fn add_to<'a>(mut top: TopBuilder, words: impl Iterator<Item = (&'a [u8], u64)>) -> TopBuilder {
    // A loop in each piece, rather than asking piece after piece for one word.
    words.for_each(|(word, count)| top.push(word, count));
    top
}

impl Counts {
    /// Counts of tables with the same seed that may share words, to be merged by the threads of `pool`.
    pub(crate) fn merge(
        settings: CountSettings,
        tables: Vec<Table>,
        pool: Option<ThreadPool>,
        bytes: u64,
        inputs: u64,
    ) -> Self {
        Self {
            settings,
            words: tables.iter().map(Table::words).sum(),
            apart: Mutex::new(tables),
            whole: OnceLock::new(),
            bytes,
            inputs,
            pool,
        }
    }

    /// No counts.
    #[must_use]
    pub fn empty(settings: CountSettings) -> Self {
        Self::merge(settings, vec![Table::new(Seed::random())], None, 0, 0)
    }

    fn apart(&self) -> MutexGuard<'_, Vec<Table>> {
        self.apart.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All words, each once: added up the first time.
    fn whole(&self) -> &Whole {
        self.whole.get_or_init(|| {
            let tables = std::mem::take(&mut *self.apart());
            Whole::of(tables, self.pool.as_ref())
        })
    }

    /// Adds all counts and totals of `other`, which must have the same settings.
    pub fn absorb(&mut self, other: &Self) {
        debug_assert_eq!(self.settings, other.settings);
        self.whole();
        let mut whole = self.whole.take().unwrap_or_default();
        if whole.tables.len() > 1 {
            // A word of `other` would have to go to the table that has it.
            whole.tables = merge_into_one(whole.tables, None);
        }
        if let Some(table) = whole.tables.first_mut() {
            let others = other.whole();
            for one in &others.tables {
                table.absorb(one, None);
            }
            let parts = std::mem::take(&mut whole.parts);
            for (word, count) in parts.iter().chain(others.parts.iter()) {
                table.add(word, count);
            }
        }
        self.whole = OnceLock::from(whole);
        self.bytes += other.bytes;
        self.words += other.words;
        self.inputs += other.inputs;
    }

    /// What was counted.
    #[must_use]
    pub fn settings(&self) -> CountSettings {
        self.settings
    }

    /// The totals. The first time that they or [`iter`](Self::iter) are asked for, the tables of several threads are added up.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            words: self.words,
            distinct: self.whole().distinct(),
            bytes: self.bytes,
            inputs: self.inputs,
        }
    }

    /// Every word with its count, each once, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.whole().iter()
    }

    /// The `n` most frequent words that `filters` admit, 0 for all; count falling, then bytes rising.
    #[must_use]
    pub fn top(&self, n: u64, filters: &Filters) -> Vec<Row> {
        let pool = self.pool.as_ref();
        {
            let apart = self.apart();
            let is_written_down = apart.iter().any(|table| table.scattered().is_some());
            if apart.len() > 1
                && !is_written_down
                && let Some(rows) = apart::top(&apart, n, filters, pool)
            {
                return rows;
            }
        }
        let whole = self.whole();
        let builder = match pool {
            Some(pool) if whole.distinct() > PARALLEL_WORDS_MIN as u64 => pool.install(|| {
                let none = || TopBuilder::new(n, filters.clone());
                let tables = whole.tables.par_iter();
                let tables = tables.fold(none, |top, table| add_to(top, table.iter()));
                // One builder for many parts: what the top must have at least is soon more than most words have.
                let parts = whole.parts.pieces().par_iter();
                let parts = parts.fold(none, |top, part| add_to(top, part.iter()));
                tables.chain(parts).reduce(none, TopBuilder::join)
            }),
            _ => add_to(TopBuilder::new(n, filters.clone()), whole.iter()),
        };
        builder.finish()
    }

    /// Writes everything as the partial of `shard`.
    ///
    /// # Errors
    /// [`PartialError`] when writing fails or the id is too long.
    pub fn write_partial<W: Write>(&self, shard: &str, out: W) -> Result<W, PartialError> {
        // With the first eight bytes beside each word, most comparisons look no further.
        let mut words: Vec<(u64, &[u8], u64)> = self
            .iter()
            .map(|(word, count)| (first_bytes(word), word, count))
            .collect();
        match &self.pool {
            Some(pool) if words.len() > PARALLEL_WORDS_MIN => {
                pool.install(|| words.par_sort_unstable());
            }
            _ => words.sort_unstable(),
        }
        let mut writer = PartialWriter::new(out, self.settings, shard)?;
        for (_, word, count) in words {
            writer.push(word, count)?;
        }
        let (out, _) = writer.finish(self.bytes, self.inputs)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::WordMode;
    use proptest::prelude::*;

    /// The words of `text` in a table that writes none of them down.
    fn table_of(text: &str, seed: &Seed) -> Table {
        let mut table = Table::new(seed.clone());
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            table.add_one(word.as_bytes());
        }
        table
    }

    #[test]
    fn counts_in_several_tables_take_others_up() {
        let settings = CountSettings::new(WordMode::Whitespace, true);
        let words = |numbers: std::ops::Range<u32>| {
            let words: Vec<String> = numbers
                .map(|number| format!("{number:032} {number}"))
                .collect();
            words.join(" ")
        };
        let seed = Seed::random();
        let tables =
            [words(0..300), words(200..500), words(100..400)].map(|text| table_of(&text, &seed));
        let whole = Whole {
            tables: merge_by_parts(tables.into()),
            parts: Parts::default(),
        };
        assert_eq!(whole.tables.len(), 3);
        let mut counts = Counts::empty(settings);
        counts.whole = OnceLock::from(whole);
        counts.absorb(&crate::count::count_bytes(
            words(0..600).as_bytes(),
            settings,
        ));
        assert_eq!(counts.totals().distinct, 1200);
        let mut seen: Vec<(&[u8], u64)> = counts.iter().collect();
        seen.sort_unstable();
        seen.dedup_by_key(|(word, _)| *word);
        assert_eq!(seen.len(), 1200);
        assert_eq!(seen.iter().map(|(_, count)| count).sum::<u64>(), 3000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 60 }))]

        #[test]
        fn tables_merged_by_parts_are_tables_merged_into_one(
            texts in prop::collection::vec(
                prop::collection::vec((0_u32..4000, 1_usize..40), 0..1500),
                1..6,
            ),
        ) {
            let seed = Seed::random();
            let table = |words: &Vec<(u32, usize)>| {
                let words = words.iter();
                let text: Vec<String> =
                    words.map(|(number, length)| format!("{number:0length$x}")).collect();
                table_of(&text.join(" "), &seed)
            };
            let tables = || texts.iter().map(table).collect::<Vec<Table>>();
            let sorted = |tables: Vec<Table>| {
                let sum: u64 = tables.iter().map(Table::words).sum();
                let whole = Whole { tables, parts: Parts::default() };
                let mut words: Vec<(Vec<u8>, u64)> =
                    whole.iter().map(|(word, count)| (word.to_vec(), count)).collect();
                words.sort_unstable();
                (words, whole.distinct(), sum)
            };
            let parts = sorted(merge_by_parts(tables()));
            prop_assert_eq!(parts, sorted(merge_into_one(tables(), None)));
        }
    }
}
