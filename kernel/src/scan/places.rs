//! The places of the bits of a mask, by a table of bytes.
//!
//! Which bits are set is decided elsewhere; so is what is done at the places.

/// Room for the places of a window: as many as it has bytes, and eight that are written too far.
pub(crate) const PLACES_ROOM: usize = 72;

/// The places of the bits of each byte, in rising order; what follows them is of no meaning.
pub(super) static PLACES: [[u16; 8]; 256] = places();

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

/// Writes `offset` and the place of each bit of `bits`; what follows in `out` is of no meaning.
///
/// Eight places are written for each byte, of which those that are none are overwritten: a loop that ended with the last
/// bit would be mispredicted each time.
#[inline(always)]
pub(super) fn write_places(bits: u64, offset: u16, out: &mut [u16; PLACES_ROOM]) {
    let mut count = 0;
    let mut base = offset;
    for byte in bits.to_le_bytes() {
        if let Some(out) = out[count..].first_chunk_mut::<8>() {
            for (out, place) in out.iter_mut().zip(&PLACES[usize::from(byte)]) {
                *out = base.wrapping_add(*place);
            }
        }
        count += byte.count_ones() as usize;
        base = base.wrapping_add(8);
    }
}
