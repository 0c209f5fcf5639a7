//! Copies what is large, into the processor's cache or past it.
//!
//! What is written to the ring stays in the cache, for the other side. What is read from there does not: a plain copy
//! would first fetch each line that it is about to overwrite, and then keep it in the place of the ring's.
//!
//! The C library has one copy for all, and for some hundred kilobytes one that takes a tenth longer than this one
//! does into the cache, and a third longer than past it.
#![expect(
    unsafe_code,
    reason = "writes with instructions that the language has no other words for"
)]

use std::ptr;

/// Where to the bytes of a copy go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// The memory, and the cache.
    Cache,
    /// The memory, past the cache where the processor can.
    PastCache,
}

/// The bytes of a line of the cache.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Below that, the C library's copy is quicker.
#[cfg(target_arch = "x86_64")]
const LEAST: usize = 64 << 10;

/// Copies bytes.
///
/// # Safety
///
/// So many bytes can be read from `from` on, and written from `to` on, and the two do not overlap. Whoever has one of
/// them mapped, too, may change what is there at any time: each byte that is copied is then some byte.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
pub(super) unsafe fn copy(how: To, from: *const u8, to: *mut u8, length: usize) {
    use std::arch::x86_64::{__m128i, _mm_sfence, _mm_store_si128, _mm_stream_si128};

    const WORD: usize = size_of::<__m128i>();

    if length < LEAST {
        // SAFETY: as it was promised.
        return unsafe { ptr::copy_nonoverlapping(from, to, length) };
    }
    let before = to.align_offset(LINE).min(length);
    // SAFETY: as it was promised, of the bytes before the first whole line.
    unsafe { ptr::copy_nonoverlapping(from, to, before) };
    let after = length - (length - before) % LINE;
    for at in (before..after).step_by(LINE) {
        let line = from.wrapping_add(at).cast::<[__m128i; LINE / WORD]>();
        // SAFETY: a whole line from there on is in the bytes that were promised.
        let line = unsafe { line.read_unaligned() };
        let place = to.wrapping_add(at).cast::<__m128i>();
        // One after the other: a line that is written whole past the cache is not fetched before.
        for (word, bytes) in line.into_iter().enumerate() {
            let place = place.wrapping_add(word);
            match how {
                // SAFETY: it is in the bytes that were promised, and begins where a word may.
                To::Cache => unsafe { _mm_store_si128(place, bytes) },
                // SAFETY: it is in the bytes that were promised, and begins where a word may.
                To::PastCache => unsafe { _mm_stream_si128(place, bytes) },
            }
        }
    }
    // What was written past the cache is seen by whoever sees what is written from now on.
    _mm_sfence();
    let (from, to) = (from.wrapping_add(after), to.wrapping_add(after));
    // SAFETY: as it was promised, of the bytes after the last whole line.
    unsafe { ptr::copy_nonoverlapping(from, to, length - after) };
}

/// Copies bytes.
///
/// # Safety
///
/// So many bytes can be read from `from` on, and written from `to` on, and the two do not overlap. Whoever has one of
/// them mapped, too, may change what is there at any time: each byte that is copied is then some byte.
#[cfg(not(target_arch = "x86_64"))]
pub(super) unsafe fn copy(_how: To, from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: as it was promised.
    unsafe { ptr::copy_nonoverlapping(from, to, length) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_copied_and_no_other_one() {
        const MOST: usize = 3 * (64 << 10);

        let from: Vec<u8> = (0..MOST + 200)
            .map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1])
            .collect();
        let lengths = [0, 1, 63, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, MOST];
        for (how, length) in lengths
            .iter()
            .flat_map(|length| [(To::Cache, *length), (To::PastCache, *length)])
        {
            for (source, place) in [
                (0, 0),
                (0, 1),
                (1, 0),
                (3, 63),
                (64, 16),
                (17, 65),
                (100, 100),
            ] {
                let mut to = vec![99; MOST + 200];
                let from = &from[source..source + length];
                // SAFETY: both slices have so many bytes, and are different vectors'.
                unsafe { copy(how, from.as_ptr(), to[place..].as_mut_ptr(), length) };
                assert_eq!(
                    &to[place..place + length],
                    from,
                    "{length} {source} {place}"
                );
                let others = to[..place].iter().chain(&to[place + length..]);
                assert!(
                    others.into_iter().all(|byte| *byte == 99),
                    "{length} {source} {place}"
                );
            }
        }
    }
}
