//! The loader's list of libraries, `/etc/ld.so.cache`, as `ldconfig` writes it.
//!
//! The form is that of glibc's `dl-cache.h`: a header of 48 bytes, entries of 24 bytes, and strings
//! to which the entries point, counted from the header on. An older form may come before it.

use super::super::bytes::Fields;
use super::super::platform::Endian;
use super::image::string_at;

/// What the newer form starts with.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";

/// What the older form starts with.
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";

const HEADER: usize = 48;
const ENTRY: usize = 24;
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;

/// The most entries that are looked at; a workstation has some thousands.
const MOST_ENTRIES: usize = 1 << 17;

/// The most of the file that is read; a workstation's takes some 100 KiB.
pub(super) const LONGEST: u64 = 32 << 20;

/// The list, from the newer form's header on.
#[derive(Debug, Default)]
pub(super) struct Cache {
    bytes: Vec<u8>,
    start: usize,
    count: usize,
}

impl Cache {
    /// Finds the list in the bytes of the file; what is no list is an empty one.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let found = find(&bytes);
        let (start, count) = found.unwrap_or_default();
        Self {
            bytes,
            start,
            count,
        }
    }

    /// The paths of a library of this name: those for any processor first.
    pub(super) fn paths(&self, name: &[u8]) -> Vec<&[u8]> {
        let list = self.bytes.get(self.start..).unwrap_or_default();
        let fields = Fields::new(list, HOST);
        let paths = |for_any: bool| {
            (0..self.count).filter_map(move |index| {
                let at = HEADER + index * ENTRY;
                let key = u64::from(fields.u32(at + 4)?);
                let start = usize::try_from(key).ok()?;
                let rest = list.get(start..)?.strip_prefix(name)?;
                if rest.first() != Some(&0) || (fields.u64(at + 16)? == 0) != for_any {
                    return None;
                }
                string_at(list, fields.u32(at + 8)?.into())
            })
        };
        paths(true).chain(paths(false)).take(16).collect()
    }
}

const HOST: Endian = if cfg!(target_endian = "little") {
    Endian::Little
} else {
    Endian::Big
};

/// Where the newer form starts, and how many entries it has.
fn find(bytes: &[u8]) -> Option<(usize, usize)> {
    let start = if bytes.starts_with(MAGIC) {
        0
    } else if bytes.starts_with(OLD_MAGIC) {
        let count = Fields::new(bytes, HOST).u32(OLD_HEADER - 4)?;
        let entries = usize::try_from(count).ok()?.checked_mul(OLD_ENTRY)?;
        // Aligned as the newer form's numbers are, which depends on the machine.
        let end = entries.checked_add(OLD_HEADER)?;
        [4, 8].into_iter().find_map(|align: usize| {
            let start = end.checked_next_multiple_of(align)?;
            bytes.get(start..)?.starts_with(MAGIC).then_some(start)
        })?
    } else {
        return None;
    };
    let list = bytes.get(start..)?;
    let count = usize::try_from(Fields::new(list, HOST).u32(MAGIC.len())?).ok()?;
    let fits = list.len().checked_sub(HEADER)? / ENTRY;
    Some((start, count.min(fits).min(MOST_ENTRIES)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of names and paths, each for any processor or not.
    fn list(entries: &[(&str, &str, bool)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(u32::try_from(entries.len()).unwrap().to_ne_bytes());
        bytes.resize(HEADER, 0);
        let mut strings = Vec::new();
        let start = HEADER + entries.len() * ENTRY;
        for (name, path, for_any) in entries {
            let at = |strings: &Vec<u8>| u32::try_from(start + strings.len()).unwrap();
            bytes.extend(0x303_u32.to_ne_bytes());
            bytes.extend(at(&strings).to_ne_bytes());
            strings.extend(name.bytes().chain([0]));
            bytes.extend(at(&strings).to_ne_bytes());
            strings.extend(path.bytes().chain([0]));
            bytes.extend(0_u32.to_ne_bytes());
            bytes.extend(u64::from(!for_any).to_ne_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn a_library_is_found_by_its_whole_name_and_for_any_processor_first() {
        let bytes = list(&[
            ("libz.so.1", "/v3/libz.so.1", false),
            ("libz.so.1", "/usr/lib/libz.so.1", true),
            ("liba.so", "/usr/lib/liba.so", true),
        ]);
        let cache = Cache::new(bytes);
        assert_eq!(
            cache.paths(b"libz.so.1"),
            [b"/usr/lib/libz.so.1".as_slice(), b"/v3/libz.so.1"]
        );
        assert_eq!(cache.paths(b"liba.so"), [b"/usr/lib/liba.so"]);
        for name in ["libz.so", "libz.so.11", "z.so.1", "/v3/libz.so.1x"] {
            assert!(cache.paths(name.as_bytes()).is_empty(), "{name}");
        }
    }

    #[test]
    fn the_older_form_is_passed_over() {
        let mut bytes = OLD_MAGIC.to_vec();
        bytes.push(0);
        bytes.extend(3_u32.to_ne_bytes());
        bytes.resize(OLD_HEADER + 3 * OLD_ENTRY, 0);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(list(&[("liba.so", "/usr/lib/liba.so", true)]));
        assert_eq!(Cache::new(bytes).paths(b"liba.so"), [b"/usr/lib/liba.so"]);
    }

    #[test]
    fn a_list_that_is_cut_or_lies_is_read_as_far_as_it_goes() {
        let whole = list(&[
            ("liba.so", "/usr/lib/liba.so", true),
            ("libb.so", "/usr/lib/libb.so", true),
        ]);
        for length in 0..whole.len() {
            let _ = Cache::new(whole[..length].to_vec()).paths(b"libb.so");
        }
        let mut bytes = whole;
        bytes[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
        bytes[HEADER + 8..HEADER + 12].copy_from_slice(&u32::MAX.to_ne_bytes());
        let cache = Cache::new(bytes);
        assert!(cache.paths(b"liba.so").is_empty());
        assert_eq!(cache.paths(b"libb.so"), [b"/usr/lib/libb.so"]);
        assert!(Cache::new(b"no list".to_vec()).paths(b"").is_empty());
    }
}
