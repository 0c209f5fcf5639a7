//! Which program this is: the file that this code was mapped from.

use std::sync::OnceLock;

use crate::discover::FileIdentity;

/// The looks of the file that this code runs from, an executable or a shared library of one; `None`
/// where the system does not tell, or where the file is no longer the one that runs.
pub(super) fn identity() -> Option<FileIdentity> {
    static IDENTITY: OnceLock<Option<FileIdentity>> = OnceLock::new();
    *IDENTITY.get_or_init(find)
}

#[cfg(target_os = "linux")]
fn find() -> Option<FileIdentity> {
    use std::fs::{self, File};

    let here: fn() -> Option<FileIdentity> = find;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let mapping = maps
        .lines()
        .find_map(|line| Mapping::holding(line, here as usize))?;
    let file = File::open(mapping.path).ok()?;
    let looks = FileIdentity::of(&file, mapping.path.as_ref()).ok()?;
    // The name may belong to another file by now.
    (looks.inode == mapping.inode).then_some(looks)
}

#[cfg(not(target_os = "linux"))]
fn find() -> Option<FileIdentity> {
    None
}

/// A line of `/proc/self/maps`: `START-END RIGHTS OFFSET DEVICE INODE   PATH`.
#[cfg(target_os = "linux")]
struct Mapping<'a> {
    inode: u64,
    path: &'a str,
}

#[cfg(target_os = "linux")]
impl<'a> Mapping<'a> {
    /// The mapping of a line, if it holds an address.
    fn holding(line: &'a str, address: usize) -> Option<Self> {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let bound = |text| usize::from_str_radix(text, 16).ok();
        if !(bound(start)?..bound(end)?).contains(&address) {
            return None;
        }
        let path = rest.find('/').and_then(|at| rest.get(at..))?;
        let inode = rest.split_whitespace().nth(3)?.parse().ok()?;
        Some(Self { inode, path })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_program_that_runs() {
        let program = std::env::current_exe().unwrap();
        let file = std::fs::File::open(&program).unwrap();
        assert_eq!(identity(), FileIdentity::of(&file, &program).ok());
    }

    #[test]
    fn lines_without_a_file_or_without_the_address_are_passed_over() {
        let line = "1000-2000 r-xp 00000000 fe:01 77   /opt/a program";
        let mapping = Mapping::holding(line, 0x1fff).unwrap();
        assert_eq!((mapping.inode, mapping.path), (77, "/opt/a program"));
        assert!(Mapping::holding(line, 0x2000).is_none());
        assert!(Mapping::holding("1000-2000 rw-p 00000000 00:00 0   [heap]", 0x1000).is_none());
        assert!(Mapping::holding("", 0).is_none());
    }
}
