//! Spoiled seeds, for tests of what reads foreign bytes: each reader must give an error or a value, and never panic or hang.
//!
//! The same for each run: what fails once fails again.

/// How often a seed is spoiled. A round is a millisecond at most.
const ROUNDS: u64 = 4_000;

/// Calls `read` with each of `seeds`, and with what becomes of it when bytes are changed, cut out, doubled, moved and put in.
pub(crate) fn spoiled(seeds: &[&str], tokens: &[&str], mut read: impl FnMut(&[u8])) {
    for (seed, number) in seeds.iter().zip(1..) {
        read(seed.as_bytes());
        let mut dice = Dice(number);
        for _ in 0..ROUNDS {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..=dice.below(4) {
                spoil(&mut bytes, seeds, tokens, &mut dice);
            }
            read(&bytes);
        }
    }
    // Nested deeper than any stack that is used for it.
    for token in tokens {
        read(token.repeat(20_000).as_bytes());
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut roll = self.0;
        roll = (roll ^ (roll >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        roll = (roll ^ (roll >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((roll ^ (roll >> 31)) % (end.max(1) as u64)).unwrap_or(0)
    }
}

fn spoil(bytes: &mut Vec<u8>, seeds: &[&str], tokens: &[&str], dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + dice.below(12)).min(bytes.len());
    match dice.below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            let to = dice.below(bytes.len() + 1);
            bytes.splice(to..to, part);
        }
        3 => bytes.truncate(at),
        4 => {
            let token = tokens[dice.below(tokens.len())];
            bytes.splice(at..at, token.bytes());
        }
        5 => {
            let other = seeds[dice.below(seeds.len())].as_bytes();
            bytes.truncate(at);
            bytes.extend_from_slice(&other[dice.below(other.len() + 1)..]);
        }
        _ => {
            let odd = [
                &b"\0"[..],
                b"\xFF\xFE",
                "\u{feff}é𝄞".as_bytes(),
                b"18446744073709551616",
                b"-1",
            ];
            bytes.splice(at..at, odd[dice.below(odd.len())].iter().copied());
        }
    }
}
