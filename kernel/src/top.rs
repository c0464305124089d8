//! The N most frequent words, in a total order: count falling, then word bytes rising.
//!
//! It keeps no counts: words arrive once each with their final count, from a table or from a merge.

use std::cmp::Ordering;

use crate::settings::Filters;

/// One word of an answer and how often it was counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The bytes of the word, lower-cased if the settings say so; any bytes but line breaks.
    pub word: Vec<u8>,
    /// How often, at least 1.
    pub count: u64,
}

/// The order of a top: count falling, then bytes rising.
fn order(left: (&[u8], u64), right: (&[u8], u64)) -> Ordering {
    right.1.cmp(&left.1).then_with(|| left.0.cmp(right.0))
}

impl Row {
    fn order(&self, other: &Self) -> Ordering {
        order((&self.word, self.count), (&other.word, other.count))
    }
}

/// Collects the top of words that arrive in any order.
///
/// - Words must be distinct; the result does not depend on the order in which they arrive.
/// - Memory: at most twice N rows; time: O(1) a word that is not among the top so far, amortised.
#[derive(Clone, Debug)]
pub struct TopBuilder {
    limit: Option<usize>,
    filters: Filters,
    rows: Vec<Row>,
    /// A word below this count cannot be in the top any more,
    count_min: u64,
    /// nor can a word of this count that comes after this one.
    word_max: Vec<u8>,
}

impl TopBuilder {
    /// A builder for the `n` most frequent words that `filters` admit; 0 is all of them.
    #[must_use]
    pub fn new(n: u64, filters: Filters) -> Self {
        Self {
            limit: (n != 0).then(|| usize::try_from(n).unwrap_or(usize::MAX)),
            filters,
            rows: Vec::new(),
            count_min: 0,
            word_max: Vec::new(),
        }
    }

    /// Offers `word`, which no earlier call offered, with its final `count`.
    #[inline]
    pub fn push(&mut self, word: &[u8], count: u64) {
        if count >= self.count_min {
            self.keep(word, count);
        }
    }

    fn keep(&mut self, word: &[u8], count: u64) {
        let late = count == self.count_min && word > &self.word_max[..] && count > 0;
        if late || !self.filters.admit(word) {
            return;
        }
        self.rows.push(Row {
            word: word.to_vec(),
            count,
        });
        if let Some(limit) = self.limit
            && self.rows.len() >= limit.saturating_mul(2).max(64)
        {
            self.prune(limit);
        }
    }

    /// Drops every row past the limit and raises the least count that is still of interest.
    fn prune(&mut self, limit: usize) {
        if self.rows.len() <= limit {
            return;
        }
        let (_, last, _) = self.rows.select_nth_unstable_by(limit - 1, Row::order);
        self.count_min = last.count;
        self.word_max.clone_from(&last.word);
        self.rows.truncate(limit);
    }

    /// Adds what another builder of the same limit and filters, over other words, has collected.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        for row in other.rows {
            if row.count >= self.count_min {
                self.rows.push(row);
            }
        }
        if let Some(limit) = self.limit {
            self.prune(limit);
        }
        self
    }

    /// The top: at most N rows, count falling, then bytes rising.
    #[must_use]
    pub fn finish(mut self) -> Vec<Row> {
        if let Some(limit) = self.limit {
            self.prune(limit);
        }
        self.rows.sort_unstable_by(Row::order);
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn top(n: u64, words: &[(&str, u64)]) -> Vec<(String, u64)> {
        let mut builder = TopBuilder::new(n, Filters::default());
        for &(word, count) in words {
            builder.push(word.as_bytes(), count);
        }
        builder
            .finish()
            .into_iter()
            .map(|row| (String::from_utf8(row.word).unwrap(), row.count))
            .collect()
    }

    #[test]
    fn ties_are_in_byte_order_and_cut_there() {
        let words: Vec<(String, u64)> = (0..1000).map(|i| (format!("w{i:03}"), 1)).collect();
        let mut falling: Vec<(&str, u64)> = words.iter().map(|(w, c)| (&**w, *c)).collect();
        falling.reverse();
        let expected = [("w000".to_owned(), 1), ("w001".to_owned(), 1)];
        assert_eq!(top(2, &falling), expected);
    }

    #[test]
    fn zero_is_all() {
        assert_eq!(top(0, &[("b", 1), ("a", 1), ("c", 2)]).len(), 3);
    }

    #[test]
    fn filters_act_before_the_cut() {
        let filters = Filters {
            min_length: 3,
            ..Filters::default()
        };
        let mut builder = TopBuilder::new(1, filters);
        builder.push("éa".as_bytes(), 9);
        builder.push("été".as_bytes(), 2);
        assert_eq!(builder.finish()[0].word, "été".as_bytes());
    }

    proptest! {
        #[test]
        fn a_top_is_a_sort_and_a_cut(
            words in prop::collection::hash_map(prop::collection::vec(any::<u8>(), 1..3), 1_u64..5, 0..300),
            n in 0_u64..200,
            split in 0_usize..300,
        ) {
            let mut left = TopBuilder::new(n, Filters::default());
            let mut right = left.clone();
            for (index, (word, count)) in words.iter().enumerate() {
                if index < split { left.push(word, *count) } else { right.push(word, *count) }
            }
            let mut expected: Vec<Row> =
                words.into_iter().map(|(word, count)| Row { word, count }).collect();
            expected.sort_by(|a, b| b.count.cmp(&a.count).then(a.word.cmp(&b.word)));
            if n != 0 { expected.truncate(usize::try_from(n).unwrap()); }
            prop_assert_eq!(left.join(right).finish(), expected);
        }
    }
}
