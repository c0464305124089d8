//! Ranges of second bytes, one for each lead byte.
//!
//! Which ranges, and what for, is decided elsewhere.

/// The first lead byte.
const LEAD_MIN: u8 = 0xC0;

/// A range of second bytes for each lead from 0xC0 on, in the order of leads.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Seconds {
    pub(super) firsts: [u8; 64],
    /// How many; 0 for none.
    pub(super) counts: [u8; 64],
}

impl Seconds {
    /// `others` for all leads but those in the ranges `none`, which have none unless `leads` tells theirs: a lead with its first and its
    /// last second byte.
    pub(crate) const fn new(others: (u8, u8), none: &[(u8, u8)], leads: &[(u8, u8, u8)]) -> Self {
        let mut seconds = Self {
            firsts: [others.0; 64],
            counts: [others.1 - others.0 + 1; 64],
        };
        let mut at = 0;
        while at < none.len() {
            let (first, last) = none[at];
            let mut place = (first - LEAD_MIN) as usize;
            while place <= (last - LEAD_MIN) as usize {
                (seconds.firsts[place], seconds.counts[place]) = (LEAD_MIN, 0);
                place += 1;
            }
            at += 1;
        }
        let mut at = 0;
        while at < leads.len() {
            let (lead, first, last) = leads[at];
            seconds.firsts[(lead - LEAD_MIN) as usize] = first;
            seconds.counts[(lead - LEAD_MIN) as usize] = last - first + 1;
            at += 1;
        }
        seconds
    }

    /// The first and the last second byte of `lead`; the last is one below the first for none.
    #[inline(always)]
    pub(crate) fn of(&self, lead: u8) -> (u8, u8) {
        let at = usize::from(lead.wrapping_sub(LEAD_MIN) % 64);
        let (first, count) = (self.firsts[at], self.counts[at]);
        (first, first.wrapping_add(count).wrapping_sub(1))
    }
}
