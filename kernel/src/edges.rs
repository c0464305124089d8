//! Places where words begin and end, out of the bits of masks.
//!
//! Which bits are set is decided elsewhere; so is what is done at the places.

/// The places of the bits of each byte, in rising order; what follows them is of no meaning.
static PLACES: [[u16; 8]; 256] = places();

const fn places() -> [[u16; 8]; 256] {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        let mut count = 0;
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][count] = bit;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
}

/// Writes `offset` and the place of each bit of `edges` after the first `count` of `places`, and returns the new count.
///
/// - `places` has room for 72 more; what lies behind the new count is of no meaning.
/// - Eight places are written for each byte, of which those that are none are overwritten: a loop that ended with the last
///   bit would be mispredicted each time.
#[inline(always)]
pub(crate) fn write_edges(
    edges: u64,
    offset: usize,
    places: &mut [u16],
    mut count: usize,
) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "less than a tile has bytes"
    )]
    let mut base = offset as u16;
    for byte in edges.to_le_bytes() {
        if let Some(out) = places[count..].first_chunk_mut::<8>() {
            for (out, place) in out.iter_mut().zip(&PLACES[usize::from(byte)]) {
                *out = base.wrapping_add(*place);
            }
        }
        count += byte.count_ones() as usize;
        base = base.wrapping_add(8);
    }
    count
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_bit_has_its_place(edges in any::<u64>(), offset in 0..5_000_usize, count in 0..3_usize) {
            let mut places = [7; 80];
            let end = write_edges(edges, offset, &mut places, count);
            prop_assert!(places[..count].iter().all(|&place| place == 7));
            let expected: Vec<usize> = (0..64).filter(|bit| edges >> bit & 1 == 1).map(|bit| offset + bit).collect();
            let found: Vec<usize> = places[count..end].iter().map(|&place| usize::from(place)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
