//! Punctuation taken off the ends of words, by algebra on masks.
//!
//! What is a word and what is punctuation is decided elsewhere.

/// What is known of the text before a window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    /// Whether its last byte is of a word.
    word: u64,
    /// Whether that word has nothing but marks so far.
    bare: u64,
}

impl Before {
    /// The words of the next window without the marks that they begin with.
    ///
    /// - `words`: the bytes of words, marks among them.
    /// - `marks`: the bytes that are taken off.
    #[inline(always)]
    pub(crate) fn without_first(&mut self, words: u64, marks: u64) -> u64 {
        let marks = words & marks;
        let starts = words & !(words << 1 | self.word);
        // A sum carries through the marks that follow a start, also into the next window.
        let (sum, over) = marks.carrying_add(marks & starts, self.bare != 0);
        self.word = words >> 63;
        self.bare = u64::from(over);
        words & !(marks & !sum)
    }
}

/// Takes off the words of windows in a row the marks that they end with; a word that touches the end of the last goes on.
///
/// - `words`, `marks`: for each window. A mark between other bytes of a word stays.
#[inline(always)]
pub(crate) fn without_last(words: &mut [u64], marks: &[u64]) {
    // Whether the byte after the window is of a word, and whether it was taken off.
    let (mut word, mut off) = (1 << 63, 0);
    for (words, marks) in words.iter_mut().zip(marks).rev() {
        let marks = *words & marks;
        let mut last = marks & (!(*words >> 1 | word) | off);
        // Three marks more than one are common, others are not.
        last |= last >> 1 & marks;
        last |= last >> 1 & marks;
        last |= last >> 1 & marks;
        while last >> 1 & marks & !last != 0 {
            last |= last >> 1 & marks;
        }
        word = *words << 63;
        off = last << 63;
        *words &= !last;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masks(text: &[u8]) -> (Vec<u64>, Vec<u64>) {
        let mask = |window: &[u8], holds: fn(u8) -> bool| {
            let bits = window.iter().enumerate();
            bits.fold(0, |mask, (at, &byte)| mask | u64::from(holds(byte)) << at)
        };
        let windows = || text.chunks(64);
        (
            windows()
                .map(|window| mask(window, |byte| byte != b' '))
                .collect(),
            windows()
                .map(|window| mask(window, |byte| byte == b'.'))
                .collect(),
        )
    }

    proptest! {
        #[test]
        fn words_lose_the_marks_at_their_ends(
            pieces in prop::collection::vec((0..3_usize, 1..70_usize), 0..40),
        ) {
            let mut text: Vec<u8> = pieces.iter().flat_map(|&(kind, length)| {
                let length = if length < 60 { 1 + length % 5 } else { length };
                vec![b" .a"[kind]; length]
            }).collect();
            // A word at the end would go on.
            text.push(b' ');
            let (mut words, marks) = masks(&text);
            let mut before = Before::default();
            for (words, marks) in words.iter_mut().zip(&marks) {
                *words = before.without_first(*words, *marks);
            }
            without_last(&mut words, &marks);
            let mut expected = text.clone();
            for word in expected.split_mut(|&byte| byte == b' ') {
                let first = word.iter().position(|&byte| byte != b'.').unwrap_or(word.len());
                word[..first].fill(b' ');
                let last = word.iter().rposition(|&byte| byte != b'.' && byte != b' ').map_or(0, |at| at + 1);
                word[last..].fill(b' ');
            }
            prop_assert_eq!(words, masks(&expected).0);
        }
    }
}
