//! Bringing memory near before it is needed.
#![cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "prefetches, which no program can see")
)]

#[cfg(all(target_arch = "x86_64", not(miri)))]
use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};

/// Brings the cache line of the `at`th of `items`, which may be past their end, near.
#[inline(always)]
pub(super) fn prefetch<T>(items: &[T], at: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    line::<_MM_HINT_T0>(items.as_ptr().wrapping_add(at).cast());
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (items, at);
}

/// As [`prefetch`], of a line that will be written.
#[inline(always)]
pub(super) fn prefetch_to_write<T>(items: &[T], at: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    line::<_MM_HINT_ET0>(items.as_ptr().wrapping_add(at).cast());
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (items, at);
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
fn line<const HINT: i32>(place: *const i8) {
    // SAFETY: a prefetch of any address is allowed, and has no effect that a program can see.
    unsafe { _mm_prefetch::<HINT>(place) }
}
