//! Owns the lower-casing of a word.
//!
//! Does not fold (`ß` stays `ß`) and does not cut words.

use super::property::{decode, lower_pair};

/// Appends `word` in lower case to `out`.
///
/// - `word`: any bytes. Each longest well-formed part becomes what `str::to_lowercase` makes of it,
///   final sigma included; ill-formed bytes stay as they are.
/// - Cost: O(bytes) time; no allocation beyond the growth of `out`, except for a word with a
///   capital sigma.
pub fn lower(word: &[u8], out: &mut Vec<u8>) {
    let begun = out.len();
    out.reserve(word.len());
    let mut at = 0;
    while at < word.len() {
        if word[at].is_ascii() {
            out.push(word[at].to_ascii_lowercase());
            at += 1;
            continue;
        }
        let (property, length) = decode(word, at);
        let bytes = &word[at..at + length];
        if !property.is_cased() {
            out.extend_from_slice(bytes);
        } else if let Some(lowered) = lower_alike(bytes) {
            out.extend_from_slice(&lowered[..length]);
        } else if bytes == SIGMA {
            out.truncate(begun);
            return lower_in_context(word, out);
        } else {
            out.extend_from_slice(String::from_utf8_lossy(bytes).to_lowercase().as_bytes());
        }
        at += length;
    }
}

/// Capital sigma: its lower case depends on what is around.
const SIGMA: &[u8] = "Σ".as_bytes();

/// The lower case of a code point that has as many bytes as the code point, if it depends on nothing
/// around: the first bytes of the result.
///
/// - `bytes`: the well-formed UTF-8 of one code point that is not ASCII.
#[inline]
pub(crate) fn lower_alike(bytes: &[u8]) -> Option<[u8; 4]> {
    let mut lowered = [0; 4];
    if let &[lead, second] = bytes {
        lowered[..2].copy_from_slice(&lower_pair(lead, second)?);
        return Some(lowered);
    }
    let mut scalars = std::str::from_utf8(bytes)
        .ok()?
        .chars()
        .flat_map(char::to_lowercase);
    let scalar = scalars.next()?;
    scalar.encode_utf8(&mut lowered);
    (scalar.len_utf8() == bytes.len() && scalars.next().is_none()).then_some(lowered)
}

/// [`lower`] by the standard library, part by part.
fn lower_in_context(word: &[u8], out: &mut Vec<u8>) {
    for part in word.utf8_chunks() {
        out.extend_from_slice(part.valid().to_lowercase().as_bytes());
        out.extend_from_slice(part.invalid());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowered(word: &[u8]) -> Vec<u8> {
        let mut out = b"kept".to_vec();
        lower(word, &mut out);
        assert!(out.starts_with(b"kept"), "what was there stays");
        out.split_off(4)
    }

    #[test]
    fn every_scalar_value_is_lowered_as_the_standard_library_does_it() {
        // Alone, and where a final sigma or an ASCII neighbour could matter.
        const CONTEXTS: [(&str, &str); 6] = [
            ("", ""),
            ("A", ""),
            ("", "Z"),
            ("Σ", "Σ"),
            ("éΣ", ""),
            ("ΑΣ", "A"),
        ];
        let contexts = if cfg!(miri) { 1 } else { CONTEXTS.len() };
        let mut word = String::new();
        for scalar in ('\0'..=char::MAX).step_by(if cfg!(miri) { 4_001 } else { 1 }) {
            for (before, after) in &CONTEXTS[..contexts] {
                word.clear();
                word.push_str(before);
                word.push(scalar);
                word.push_str(after);
                assert_eq!(
                    lowered(word.as_bytes()),
                    word.to_lowercase().as_bytes(),
                    "{word:?}"
                );
            }
        }
    }

    #[test]
    fn a_sigma_is_final_after_a_letter_and_before_none() {
        assert_eq!(lowered("ΌΔΟΣ".as_bytes()), "όδος".as_bytes());
        assert_eq!(lowered("ΣΑΣ.Α".as_bytes()), "σασ.α".as_bytes());
        assert_eq!(lowered("Σ".as_bytes()), "σ".as_bytes());
    }

    #[test]
    fn letters_whose_lower_case_has_another_length_are_lowered() {
        assert_eq!(
            lowered("İK\u{212A}Ⱥẞ".as_bytes()),
            "i\u{307}kkⱥß".as_bytes()
        );
    }

    #[test]
    fn ill_formed_bytes_stay_and_part_the_word_for_a_final_sigma() {
        assert_eq!(lowered(b"A\xFFB\xC3"), b"a\xFFb\xC3");
        assert_eq!(
            lowered(b"\xCE\x91\xCE\xA3\xFF\xCE\x91"),
            b"\xCE\xB1\xCF\x82\xFF\xCE\xB1"
        );
        assert_eq!(lowered(b"\xE2\x82X"), b"\xE2\x82x");
    }
}
