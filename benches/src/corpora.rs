//! Texts of different character, made from seeds: the same bytes on every machine.
//!
//! Nothing is measured here.

use std::fmt::Write;

/// A text and its name in the results.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The name.
    pub name: &'static str,
    /// The bytes.
    pub text: Vec<u8>,
}

/// Every text, each of about `bytes`.
pub fn all(bytes: usize) -> [Corpus; 4] {
    [prose(bytes), mixed(bytes), distinct(bytes), long(bytes)]
}

/// xorshift64*: small, and good enough to make texts.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        let wide = u128::from(self.roll()) * limit as u128;
        usize::try_from(wide >> 64).expect("less than the limit")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A rank of `count`, about as words of a language are spread: the logarithm of the rank is even.
    fn rank(&mut self, count: usize) -> usize {
        let levels = count.ilog2() as usize + 1;
        let level = self.below(levels);
        ((1 << level) + self.below(1 << level) - 1).min(count - 1)
    }
}

/// Words of syllables out of `consonants` and `vowels`; frequent words are shorter.
fn vocabulary(dice: &mut Dice, count: usize, consonants: &[char], vowels: &[char]) -> Vec<String> {
    (0..count)
        .map(|rank| {
            let syllables = 1 + dice.below(1 + rank.max(1).ilog2() as usize / 4);
            let mut word = String::new();
            for _ in 0..syllables {
                word.push(consonants[dice.below(consonants.len())]);
                word.push(vowels[dice.below(vowels.len())]);
                if dice.one_in(2) {
                    word.push(consonants[dice.below(consonants.len())]);
                }
            }
            word
        })
        .collect()
}

fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// Adds sentences of words of `vocabulary` up to `bytes`.
fn sentences(dice: &mut Dice, vocabulary: &[String], bytes: usize, text: &mut String) {
    while text.len() < bytes {
        let words = 5 + dice.below(15);
        for index in 0..words {
            let word = &vocabulary[dice.rank(vocabulary.len())];
            if index == 0 || dice.one_in(25) {
                let mut rest = word.chars();
                text.extend(rest.next().into_iter().flat_map(char::to_uppercase));
                text.push_str(rest.as_str());
            } else {
                text.push_str(word);
            }
            match dice.below(40) {
                _ if index + 1 == words => text.push_str(".\n"),
                0..4 => text.push_str(", "),
                4 => text.push_str("; "),
                5 => text.push_str("'s "),
                6 => text.push('-'),
                _ => text.push(' '),
            }
        }
    }
}

/// Sentences of 30 000 words in ASCII.
pub fn prose(bytes: usize) -> Corpus {
    let mut dice = Dice(1);
    let consonants = letters("bcdfghjklmnprstvwz");
    let words = vocabulary(&mut dice, 30_000, &consonants, &letters("aeiou"));
    let mut text = String::new();
    sentences(&mut dice, &words, bytes, &mut text);
    Corpus {
        name: "prose",
        text: text.into_bytes(),
    }
}

/// Paragraphs in several scripts, with the quotes and dashes of print.
fn mixed(bytes: usize) -> Corpus {
    let mut dice = Dice(2);
    let scripts = [
        ("bcdfglmnprstvç", "aeiouéèàùê"),
        ("бвгдзклмнпрст", "аеиоуыэюя"),
        ("βγδζθκλμνξπρσ", "αεηιουωά"),
        ("bdfghklmnprstß", "aeiouäöü"),
    ];
    let vocabularies = scripts.map(|(consonants, vowels)| {
        vocabulary(&mut dice, 10_000, &letters(consonants), &letters(vowels))
    });
    let ideographs: Vec<char> = ('\u{4E00}'..'\u{5400}').collect();
    let mut text = String::new();
    while text.len() < bytes {
        let words = &vocabularies[dice.below(4)];
        let end = text.len() + 400;
        text.push('“');
        sentences(&mut dice, words, end, &mut text);
        text.push_str("” — ");
        if dice.one_in(4) {
            for _ in 0..100 {
                text.push(ideographs[dice.rank(ideographs.len())]);
                if dice.one_in(9) {
                    text.push('，');
                }
            }
            text.push('\n');
        }
    }
    Corpus {
        name: "mixed",
        text: text.into_bytes(),
    }
}

/// Numbers that hardly come twice.
fn distinct(bytes: usize) -> Corpus {
    let mut dice = Dice(3);
    let mut text = String::new();
    while text.len() < bytes {
        let end = if dice.one_in(8) { '\n' } else { ' ' };
        let number = dice.roll() >> 4;
        write!(text, "x{number:x}{end}").expect("a String takes any text");
    }
    Corpus {
        name: "distinct",
        text: text.into_bytes(),
    }
}

/// Paths and names of 25 to 60 bytes.
fn long(bytes: usize) -> Corpus {
    let mut dice = Dice(4);
    let consonants = letters("bcdfghjklmnprstvwz");
    let words = vocabulary(&mut dice, 1000, &consonants, &letters("aeiou"));
    let mut text = String::new();
    while text.len() < bytes {
        let length = 25 + dice.below(35);
        let end = text.len() + length;
        while text.len() < end {
            text.push_str(&words[dice.rank(words.len())]);
            text.push('_');
        }
        text.push('\n');
    }
    Corpus {
        name: "long",
        text: text.into_bytes(),
    }
}
