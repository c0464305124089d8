//! Owns the lower-casing of code points beyond ASCII where they stand, many at once.
//!
//! A code point whose lower case has another length, or depends on the word around it, stays: the
//! words that hold one take [`super::case::lower`].

use super::case::lower_alike;
use super::property::decode;
use crate::scan::{Means, Seconds, WINDOW};

/// A code point that begins within 61 bytes ends within the window; the next window begins there, wherever code points do, so
/// that it need not wait for this one.
const STRIDE: usize = WINDOW - 3;

/// The bytes of a window at which code points are looked at.
const LEADS: u64 = (1 << STRIDE) - 1;

/// Leads that some code point has which is not ASCII and which lower-casing changes: the first and the last of each row.
const LEADS_OF_CASED: [(u8, u8); 4] = [(0xC3, 0xD6), (0xE1, 0xE2), (0xEA, 0xEA), (0xEF, 0xF0)];

/// All second bytes there are.
const ANY: (u8, u8) = (0x80, 0xBF);

/// Second bytes with which lower-casing changes nothing: any, but after leads of code points that it changes; of those only what texts
/// are full of.
static PLAIN: Seconds = Seconds::new(
    ANY,
    &LEADS_OF_CASED,
    &[
        (0xC3, 0x9F, 0xBF), // à to ÿ
        (0xCE, 0xAC, 0xBF), // ά to ο
        (0xCF, 0x80, 0x8E), // π to ώ
        (0xD0, 0xB0, 0xBF), // а to п
        (0xD1, 0x80, 0x9F), // р to џ
        (0xE1, 0x90, 0xB1), // Khmer and others
        (0xE2, 0x80, 0x83), // punctuation
        (0xEA, 0xAE, 0xBF), // Cherokee, Meetei, Hangul
        (0xEF, 0x80, 0xBB), // Arabic forms
        (0xF0, 0x9F, 0xBF), // emoji, ideographs
    ],
);

/// Second bytes of code points of two bytes that it changes.
static CASED: Seconds = Seconds::new(
    ANY,
    &[(0xC0, 0xFF)],
    &[
        (0xC3, 0x80, 0x96), // À to Ö
        (0xCE, 0x91, 0xA1), // Α to Ρ
        (0xD0, 0x80, 0xAF), // Ѐ to Я
    ],
);

/// Puts the lower case of the code points of `cased` where they stand.
///
/// - `out`: a copy of `window`, perhaps with its ASCII lowered.
/// - `cased`: all bytes of whole code points that lower-casing changes and that are not ASCII.
/// - Result: the bytes of those that stay.
#[inline(never)]
pub(crate) fn lower_in_place(window: &[u8; WINDOW], out: &mut [u8; WINDOW], mut cased: u64) -> u64 {
    let mut stubborn = 0;
    while cased != 0 {
        let at = cased.trailing_zeros() as usize;
        let length = match window[at] {
            ..0xE0 => 2,
            0xE0..0xF0 => 3,
            _ => 4,
        };
        let bytes = ((1 << length) - 1) << at;
        match lower_alike(&window[at..at + length]) {
            Some(lowered) => out[at..at + length].copy_from_slice(&lowered[..length]),
            None => stubborn |= bytes,
        }
        cased &= !bytes;
    }
    stubborn
}

/// Puts the lower case of all code points of `text` beyond ASCII where they stand in `out`.
///
/// - `text`: any bytes; it may begin and end inside a code point, which then stays.
/// - `out`: a copy of `text`, perhaps with its ASCII lowered.
/// - Result: whether one stays although it is whole.
#[inline(always)]
pub(crate) fn lower_wide(means: impl Means, text: &[u8], out: &mut [u8]) -> bool {
    let mut is_stubborn = false;
    let mut at = 0;
    while let Some(window) = text[at..].first_chunk::<WINDOW>() {
        let cased = if means.mask(means.non_ascii(means.load(window))) & LEADS == 0 {
            0
        } else {
            cased_bytes(means, window)
        };
        if cased != 0
            && let Some(out) = out[at..].first_chunk_mut::<WINDOW>()
        {
            is_stubborn |= lower_in_place(window, out, cased) != 0;
        }
        at += STRIDE;
    }
    while at < text.len() {
        let (property, length) = decode(text, at);
        if property.is_cased() {
            match lower_alike(&text[at..at + length]) {
                Some(lowered) => out[at..at + length].copy_from_slice(&lowered[..length]),
                None => is_stubborn = true,
            }
        }
        at += length;
    }
    is_stubborn
}

/// The bytes of the code points that begin at [`LEADS`], are not ASCII, and that lower-casing changes.
#[inline(always)]
fn cased_bytes<M: Means>(means: M, window: &[u8; WINDOW]) -> u64 {
    let block = means.load(window);
    let leads = if M::SECONDS_AT_ONCE {
        means.between(block, 0xC0, 0xFF)
    } else {
        let [one, two, three, four] =
            LEADS_OF_CASED.map(|(first, last)| means.between(block, first, last));
        means.either(means.either(one, two), means.either(three, four))
    };
    let leads = means.mask(leads) & LEADS;
    if !M::SECONDS_AT_ONCE && leads == 0 {
        return 0;
    }
    let [plain, firsts] = means.with_seconds(window, leads, [&PLAIN, &CASED]);
    let mut cased = firsts | firsts << 1;
    let continued = means.mask(means.between(block, ANY.0, ANY.1)) >> 1;
    let mut one_by_one = leads & continued & !(plain | firsts);
    while one_by_one != 0 {
        let at = one_by_one.trailing_zeros() as usize;
        let (property, length) = decode(window, at);
        if property.is_cased() {
            cased |= ((1 << length) - 1) << at;
        }
        one_by_one &= one_by_one - 1;
    }
    cased
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::{Work, by_all_means};
    use crate::words::case::lower;
    use crate::words::conformance::rows_of_pieces;

    struct LowerWide<'a>(&'a [u8]);

    impl Work for LowerWide<'_> {
        type Output = (&'static str, bool, Vec<u8>);

        fn run<M: Means>(self, means: M) -> Self::Output {
            let mut out = self.0.to_ascii_lowercase();
            let is_stubborn = lower_wide(means, self.0, &mut out);
            (M::NAME, is_stubborn, out)
        }
    }

    /// Compares with the lower-casing of a word, part by part between what stays.
    fn assert_lowered(text: &[u8]) {
        let mut expected = Vec::new();
        let mut stays = false;
        for part in text.utf8_chunks() {
            for scalar in part.valid().chars() {
                let mut bytes = [0; 4];
                let bytes = scalar.encode_utf8(&mut bytes).as_bytes();
                let mut lowered = Vec::new();
                lower(bytes, &mut lowered);
                if lowered.len() == bytes.len() && scalar != 'Σ' {
                    expected.extend(lowered);
                } else {
                    expected.extend(bytes);
                    stays = true;
                }
            }
            expected.extend(part.invalid());
        }
        for (name, is_stubborn, found) in by_all_means(|| LowerWide(text)) {
            assert!(found == expected, "{name}: {text:02X?}");
            assert_eq!(is_stubborn, stays, "{name}: {text:02X?}");
        }
    }

    #[test]
    fn every_scalar_value_is_lowered_where_it_stands_or_stays() {
        let scalars = ('\0'..=char::MAX).step_by(if cfg!(miri) { 4_001 } else { 1 });
        let text: String = scalars.flat_map(|scalar| [scalar, ' ']).collect();
        for start in [0, 1, 2] {
            assert_lowered(&text.as_bytes()[start..]);
        }
    }

    #[test]
    fn the_bytes_of_what_is_cased_are_where_they_are_looked_for() {
        for scalar in ('\u{80}'..=char::MAX).step_by(if cfg!(miri) { 997 } else { 1 }) {
            let is_cased = !scalar.to_lowercase().eq([scalar]);
            let bytes = scalar.to_string().into_bytes();
            let (lead, second) = (bytes[0], bytes[1]);
            let is_in = |(first, last): (u8, u8), byte| first <= byte && byte <= last;
            if is_cased {
                let leads = LEADS_OF_CASED.iter();
                assert!(leads.copied().any(|leads| is_in(leads, lead)), "{scalar}");
                assert!(!is_in(PLAIN.of(lead), second), "{scalar}");
            } else {
                assert!(!is_in(CASED.of(lead), second), "{scalar}");
            }
        }
        for lead in 0xE0..=0xFF {
            let (first, last) = CASED.of(lead);
            assert!(first > last, "those of two bytes alone");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 2_000 }))]

        #[test]
        fn texts_are_lowered_where_they_stand(text in rows_of_pieces(0..60), cut in 0..4_usize) {
            assert_lowered(&text[cut.min(text.len())..]);
        }
    }
}
