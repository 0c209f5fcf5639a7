//! Memory that a host shares with its worker, and that both have mapped.
//!
//! - The host made it. Its length is sealed before anybody else has it: who reads or writes it cannot be ended by
//!   another one who cuts it. A worker's file is never mapped by a host.
//! - The worker may change it at any time, also while the host copies from it. So there is never a reference to
//!   what is in it: bytes are copied in and out once, and the copy is what is looked at.
#![expect(
    unsafe_code,
    reason = "maps memory that was made for it, and copies into it and out of it"
)]

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat,
    ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// What the length of such memory is a multiple of: the next value may be a little longer.
const STEP: usize = 1 << 20;

/// Seals of memory whose length stays, whatever another process does; nor can that one add others.
const SEALS: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW);

/// Mapped memory, for one call at a time.
#[derive(Debug)]
pub(crate) struct Shared {
    file: File,
    start: NonNull<u8>,
    length: usize,
    /// Whether this process made it, and gives its pages back.
    own: bool,
}

// SAFETY: it owns its mapping, which belongs to the process and to no thread.
unsafe impl Send for Shared {}

// SAFETY: what is behind `&Shared` is only read, and copied; who writes has `&mut Shared`.
unsafe impl Sync for Shared {}

impl Shared {
    /// New memory that has room for so many bytes; nothing where the system does not give such memory.
    pub(crate) fn with_room(least: usize) -> Option<Self> {
        let length = least.checked_next_multiple_of(STEP)?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("floe", flags).ok()?;
        ftruncate(&file, length as u64).ok()?;
        fcntl_add_seals(&file, SEALS).ok()?;
        Self::map(file.into(), length, true).ok()
    }

    /// Maps what another process has made, or gives it back where it cannot be mapped.
    pub(crate) fn of(file: File) -> Result<Self, File> {
        let sealed = fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SEALS));
        let length = file.metadata().ok().filter(|_| sealed);
        match length.and_then(|metadata| usize::try_from(metadata.len()).ok()) {
            Some(length) => Self::map(file, length, false),
            None => Err(file),
        }
    }

    /// Maps memory of this length, which is sealed.
    fn map(file: File, length: usize, own: bool) -> Result<Self, File> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is asked for, so nothing that is mapped is replaced.
        let start = unsafe { mmap(ptr::null_mut(), length, access, MapFlags::SHARED, &file, 0) };
        match start.ok().and_then(|start| NonNull::new(start.cast())) {
            Some(start) => Ok(Self {
                file,
                start,
                length,
                own,
            }),
            None => Err(file),
        }
    }

    /// How many bytes it has.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// Whether a file is this memory.
    pub(crate) fn is(&self, file: &File) -> bool {
        match (fstat(&self.file), fstat(file)) {
            (Ok(own), Ok(other)) => (own.st_dev, own.st_ino) == (other.st_dev, other.st_ino),
            _ => false,
        }
    }

    /// The place of so many bytes, if all of them are in it.
    fn place(&self, at: usize, length: usize) -> Option<NonNull<u8>> {
        let end = at.checked_add(length)?;
        // SAFETY: it is in the mapping, or where that ends.
        (end <= self.length).then(|| unsafe { self.start.add(at) })
    }

    /// Copies bytes into it; nothing where there is no room for them.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) -> Option<()> {
        let place = self.place(at, bytes.len())?;
        // SAFETY: so many bytes are in the mapping from there on, which stays as long as `self`. Nothing
        // refers to them, as nothing ever does, so `bytes` lie elsewhere.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_ptr(), bytes.len()) };
        Some(())
    }

    /// Copies bytes out of it; nothing where it has not so many.
    pub(crate) fn read(&self, at: usize, length: usize) -> Option<Vec<u8>> {
        let place = self.place(at, length)?;
        let mut bytes = Vec::with_capacity(length);
        // SAFETY: so many bytes are in the mapping from there on, whose length is sealed, and there is room
        // for them. Whatever another process writes meanwhile, each byte that is copied is some byte.
        unsafe { ptr::copy_nonoverlapping(place.as_ptr(), bytes.as_mut_ptr(), length) };
        // SAFETY: there is room for them, and they were just written.
        unsafe { bytes.set_len(length) };
        Some(bytes)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.own {
            // The other side may keep its mapping for the next call, and the pages with it.
            let all = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = fallocate(&self.file, all, 0, self.length as u64);
        }
        // SAFETY: it is the mapping that was made for it, and nothing refers to what is in it.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_length_stays_whatever_who_has_it_does() {
        let mut own = Shared::with_room(1).unwrap();
        own.write(0, b"abc").unwrap();
        let file = File::from(own.as_fd().try_clone_to_owned().unwrap());
        assert_eq!(ftruncate(&file, 0), Err(rustix::io::Errno::PERM));
        assert_eq!(
            ftruncate(&file, 2 * STEP as u64),
            Err(rustix::io::Errno::PERM)
        );
        let refused = fcntl_add_seals(&file, SealFlags::WRITE);
        assert_eq!(refused, Err(rustix::io::Errno::PERM));
        // The one way to take pages away: they are there again, and empty.
        let all = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&file, all, 0, STEP as u64).unwrap();
        assert_eq!(own.read(0, 3).unwrap(), [0; 3]);
    }

    #[test]
    fn what_is_not_in_it_is_neither_read_nor_written() {
        let mut own = Shared::with_room(1).unwrap();
        for (at, length) in [(0, STEP + 1), (STEP, 1), (STEP + 1, 0), (usize::MAX, 2)] {
            assert!(own.read(at, length).is_none(), "{at} {length}");
        }
        assert!(own.write(STEP - 1, b"ab").is_none());
        assert!(own.read(STEP, 0).unwrap().is_empty());
        assert!(Shared::with_room(usize::MAX).is_none());
    }

    #[test]
    fn both_sides_see_it_and_the_pages_go_with_whoever_made_it() {
        let mut own = Shared::with_room(1).unwrap();
        let file = File::from(own.as_fd().try_clone_to_owned().unwrap());
        let other = Shared::of(file).unwrap();
        own.write(7, b"abc").unwrap();
        assert_eq!(other.read(7, 3).unwrap(), b"abc");
        drop(own);
        assert_eq!(other.read(7, 3).unwrap(), [0; 3]);
    }

    #[test]
    fn what_is_not_sealed_is_not_mapped() {
        let file = memfd_create("floe", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, STEP as u64).unwrap();
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::SEAL).unwrap();
        assert!(Shared::of(file.into()).is_err());
        assert!(Shared::of(tempfile::tempfile().unwrap()).is_err());
    }

    #[test]
    fn what_another_changes_meanwhile_is_some_bytes() {
        let own = Shared::with_room(1).unwrap();
        let file = File::from(own.as_fd().try_clone_to_owned().unwrap());
        let mut other = Shared::of(file).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for round in 0..200_u8 {
                    other.write(0, &vec![round; STEP]).unwrap();
                }
            });
            for _ in 0..200 {
                assert!(own.read(0, STEP).unwrap().iter().all(|byte| *byte < 200));
            }
        });
    }
}
