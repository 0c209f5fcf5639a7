//! Bounded access to the bytes of a file that nobody has vouched for.

use std::io;

use super::defect::Defect;
use super::platform::Endian;

/// How much of a file's start the first read takes.
///
/// Linkers put notes right after the program headers, at offset 0x2a8 in a Rust cdylib, which
/// leaves a manifest 3.3 KiB; a longer one takes the second read. With 8 KiB, a scan of 1,000
/// files takes 0.3 ms longer (measured on Linux with ext4).
pub(super) const HEAD_BYTES: usize = 4 << 10;

/// The most that the second read takes: the longest manifest, and room for its neighbours.
pub(super) const REACH_BYTES: u64 =
    floe_plugin_api::manifest::MAX_MANIFEST_BYTES as u64 + (64 << 10);

/// Something that is read at an offset: a file, or bytes in memory.
pub(super) trait Source {
    /// Fills `buffer` from `offset` on, and says how much there was: less only at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Source for &[u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..))
            .unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// The memory that files are read into, one after another.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// The part of a file that has been read: its head, and at most one other stretch.
///
/// The second stretch takes the only spare buffer, so a third read cannot be written.
pub(super) struct Window<'a> {
    source: &'a dyn Source,
    size: u64,
    head: &'a [u8],
    tail: (u64, &'a [u8]),
    spare: Option<&'a mut Vec<u8>>,
}

impl<'a> Window<'a> {
    /// Reads the head of a file of this size.
    pub(super) fn open(
        source: &'a dyn Source,
        size: u64,
        buffers: &'a mut Buffers,
    ) -> Result<Self, Defect> {
        let Buffers { head, tail } = buffers;
        let length = usize::try_from(size).map_or(HEAD_BYTES, |size| size.min(HEAD_BYTES));
        Ok(Self {
            source,
            size,
            head: fill(source, 0, length, head)?,
            tail: (0, &[]),
            spare: Some(tail),
        })
    }

    /// The size of the whole file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The first bytes of the file.
    pub(super) fn head(&self) -> &'a [u8] {
        self.head
    }

    /// Whether a stretch has been read.
    pub(super) fn holds(&self, offset: u64, length: u64) -> bool {
        self.get(offset, length).is_some()
    }

    /// A stretch that has been read.
    pub(super) fn get(&self, offset: u64, length: u64) -> Option<&'a [u8]> {
        let within = |start: u64, bytes: &'a [u8]| {
            let from = usize::try_from(offset.checked_sub(start)?).ok()?;
            let to = from.checked_add(usize::try_from(length).ok()?)?;
            bytes.get(from..to)
        };
        within(0, self.head).or_else(|| within(self.tail.0, self.tail.1))
    }

    /// Reads a second stretch, which must lie inside the file.
    ///
    /// Fails when it is longer than [`REACH_BYTES`], and when a second stretch has been read.
    pub(super) fn reach(&mut self, offset: u64, length: u64) -> Result<(), Defect> {
        let too_far = || Defect::OutOfReach { length };
        if length > REACH_BYTES {
            return Err(too_far());
        }
        let wanted = usize::try_from(length).map_err(|_| too_far())?;
        let spare = self.spare.take().ok_or_else(too_far)?;
        self.tail = (offset, fill(self.source, offset, wanted, spare)?);
        Ok(())
    }
}

fn fill<'a>(
    source: &dyn Source,
    offset: u64,
    length: usize,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], Defect> {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    let buffer = &mut buffer[..length];
    let count = source.read_at(offset, buffer).map_err(Defect::Read)?;
    if count < length {
        // The file was longer when it was measured: it is being written.
        return Err(Defect::Incomplete {
            have: offset.saturating_add(count as u64),
            need: offset.saturating_add(length as u64),
        });
    }
    Ok(buffer)
}

/// Numbers in a stretch of bytes, in the byte order of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    endian: Endian,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8], endian: Endian) -> Self {
        Self { bytes, endian }
    }

    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.array(at)?;
        Some(match self.endian {
            Endian::Little => u16::from_le_bytes(bytes),
            Endian::Big => u16::from_be_bytes(bytes),
        })
    }

    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.array(at)?;
        Some(match self.endian {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        })
    }

    pub(super) fn u64(&self, at: usize) -> Option<u64> {
        let bytes = self.array(at)?;
        Some(match self.endian {
            Endian::Little => u64::from_le_bytes(bytes),
            Endian::Big => u64::from_be_bytes(bytes),
        })
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }
}

/// The end of the furthest range that a file says it has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    end: u64,
}

impl Extent {
    /// Takes a range into account, unless its end is beyond any file.
    pub(super) fn cover(
        &mut self,
        what: &'static str,
        offset: u64,
        length: u64,
    ) -> Result<(), Defect> {
        let Some(end) = offset.checked_add(length) else {
            return Err(Defect::Malformed {
                found: format!("{what} at offset {offset:#x} of {length:#x} bytes"),
                expected: "an offset and a length whose sum fits 64 bits",
            });
        };
        self.end = self.end.max(end);
        Ok(())
    }

    /// Whether a file of this size holds all that was covered.
    pub(super) fn check(self, size: u64) -> Result<(), Defect> {
        if self.end > size {
            return Err(Defect::Incomplete {
                have: size,
                need: self.end,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_what_was_read_and_no_more() {
        let bytes: Vec<u8> = (0..20_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let source = bytes.as_slice();
        let mut buffers = Buffers::default();
        let mut window = Window::open(&source, 20_000, &mut buffers).unwrap();
        assert_eq!(window.head(), &bytes[..HEAD_BYTES]);
        assert!(!window.holds(HEAD_BYTES as u64, 1));
        assert!(!window.holds(u64::MAX, 2));
        assert!(!window.holds(1, u64::MAX));
        window.reach(10_000, 500).unwrap();
        assert_eq!(window.get(10_000, 500), Some(&bytes[10_000..10_500]));
        assert_eq!(window.get(10_499, 1), Some(&bytes[10_499..10_500]));
        assert!(!window.holds(10_000, 501));
        assert!(!window.holds(9_999, 2));
        let third = window.reach(12_000, 1).unwrap_err();
        assert!(matches!(third, Defect::OutOfReach { .. }), "{third:?}");
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_incomplete() {
        let source: &[u8] = &[0; 100];
        let mut buffers = Buffers::default();
        let refused = Window::open(&source, 300, &mut buffers).err();
        assert!(
            matches!(
                refused,
                Some(Defect::Incomplete {
                    have: 100,
                    need: 300
                })
            ),
            "{refused:?}"
        );
    }

    #[test]
    fn a_reused_buffer_shows_nothing_of_the_file_before() {
        let mut buffers = Buffers::default();
        let (long, short): (&[u8], &[u8]) = (&[1; 64], &[2; 3]);
        assert_eq!(
            Window::open(&long, 64, &mut buffers).unwrap().head().len(),
            64
        );
        assert_eq!(Window::open(&short, 3, &mut buffers).unwrap().head(), short);
    }

    #[test]
    fn numbers_follow_the_byte_order_and_end_with_the_bytes() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        let little = Fields::new(&bytes, Endian::Little);
        let big = Fields::new(&bytes, Endian::Big);
        assert_eq!((little.u16(0), big.u16(0)), (Some(0x0201), Some(0x0102)));
        assert_eq!(
            (little.u32(4), big.u32(4)),
            (Some(0x0807_0605), Some(0x0506_0708))
        );
        assert_eq!(big.u64(0), Some(0x0102_0304_0506_0708));
        assert_eq!((little.u64(1), little.u16(7)), (None, None));
        assert_eq!(little.u32(usize::MAX), None);
    }

    #[test]
    fn an_extent_neither_overflows_nor_forgets() {
        let mut extent = Extent::default();
        extent.cover("a", 10, 20).unwrap();
        extent.cover("b", 0, 5).unwrap();
        assert!(extent.check(30).is_ok());
        assert!(matches!(
            extent.check(29),
            Err(Defect::Incomplete { have: 29, need: 30 })
        ));
        let refused = extent.cover("c", u64::MAX, 1).unwrap_err();
        assert!(matches!(refused, Defect::Malformed { .. }), "{refused:?}");
    }
}
