//! Memory that a host shares with its worker, and that both have mapped.
//!
//! - The host made it. Its length is sealed before anybody else has it: who reads or writes it cannot be ended by
//!   another one who cuts it. A worker's file is never mapped by a host.
//! - The worker may change it at any time, also while the host copies from it. So there is never a reference to
//!   what is in it: bytes are copied in and out once, and the copy is what is looked at.
//! - It is a ring: a value of any size goes through it (`stream`), so that it stays in the processor's cache
//!   whatever goes through.
//! - At its end is a page with two numbers alone, the *marks*: how far who writes has come, so that who reads
//!   copies what is there while the rest is being written, and how far who reads has come, so that there is room
//!   for that. They are read and written as atomics, and not believed either.
#![expect(
    unsafe_code,
    reason = "maps memory that was made for it, copies into it and out of it, and gives back what is freed"
)]

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat,
    ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::thread::futex;
use rustix::time::Timespec;

use super::copy::{To, copy};

/// How many bytes it has for values: few enough that they stay in the cache that two processors share.
pub(crate) const RING: usize = 2 << 20;

/// How many bytes the marks have at the end of it: a page, of any system.
const END: usize = 64 << 10;

/// Seals of memory whose length stays, whatever another process does; nor can that one add others.
const SEALS: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW);

/// Mapped memory, for one call at a time.
#[derive(Debug)]
pub(crate) struct Shared {
    file: File,
    start: NonNull<u8>,
    marks: Arc<Marks>,
    /// Whether this process made it, and gives its pages back.
    own: bool,
}

// SAFETY: it owns its mapping, which belongs to the process and to no thread.
unsafe impl Send for Shared {}

// SAFETY: what is behind `&Shared` is only read, and copied; who writes has `&mut Shared`.
unsafe impl Sync for Shared {}

impl Shared {
    /// New memory; nothing where the system does not give such memory.
    pub(crate) fn new() -> Option<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("floe", flags).ok()?;
        ftruncate(&file, (RING + END) as u64).ok()?;
        fcntl_add_seals(&file, SEALS).ok()?;
        let marks = Marks::of(&file)?;
        Self::map(file.into(), marks, true).ok()
    }

    /// Maps what another process has made, or gives it back where it cannot be mapped: with its marks, which are
    /// small, unless even they cannot be.
    pub(crate) fn of(file: File) -> Result<Self, (File, Option<Marks>)> {
        match Marks::of(&file) {
            Some(marks) => {
                Self::map(file, marks, false).map_err(|(file, marks)| (file, Some(marks)))
            }
            None => Err((file, None)),
        }
    }

    /// Maps memory which is sealed, and whose marks are mapped.
    fn map(file: File, marks: Marks, own: bool) -> Result<Self, (File, Marks)> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is asked for, so nothing that is mapped is replaced.
        let start = unsafe { mmap(ptr::null_mut(), RING, access, MapFlags::SHARED, &file, 0) };
        match start.ok().and_then(|start| NonNull::new(start.cast())) {
            Some(start) => Ok(Self {
                file,
                start,
                marks: Arc::new(marks),
                own,
            }),
            None => Err((file, marks)),
        }
    }

    /// How far who writes and who reads have come.
    pub(crate) const fn marks(&self) -> &Arc<Marks> {
        &self.marks
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
        (end <= RING).then(|| unsafe { self.start.add(at) })
    }

    /// Copies bytes into it; nothing where there is no room for them.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) -> Option<()> {
        let place = self.place(at, bytes.len())?;
        // SAFETY: so many bytes are in the mapping from there on, which stays as long as `self`. Nothing
        // refers to them, as nothing ever does, so `bytes` lie elsewhere.
        unsafe { copy(To::Cache, bytes.as_ptr(), place.as_ptr(), bytes.len()) };
        Some(())
    }

    /// Copies bytes out of it, to the end of `onto`; nothing where it has not so many.
    pub(crate) fn read(&self, at: usize, length: usize, onto: &mut Vec<u8>) -> Option<()> {
        let place = self.place(at, length)?;
        onto.reserve(length);
        let room = onto.spare_capacity_mut().as_mut_ptr();
        // SAFETY: so many bytes are in the mapping from there on, whose length is sealed, and there is room
        // for them. Whatever another process writes meanwhile, each byte that is copied is some byte.
        unsafe { copy(To::PastCache, place.as_ptr(), room.cast(), length) };
        let filled = onto.len() + length;
        // SAFETY: there is room for them, and they were just written.
        unsafe { onto.set_len(filled) };
        Some(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.own {
            // The other side may keep its mapping for the next call, and the pages with it.
            let all = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = fallocate(&self.file, all, 0, (RING + END) as u64);
        }
        // SAFETY: it is the mapping that was made for it, and nothing refers to what is in it.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), RING) };
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Gives what this process has freed back to the system, as far as the C library lets go of it: of what lies at
/// the end of a thread's memory, this thread's alone.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        /// The most that the C library takes from a thread's memory, and twice that: what it would come to itself
        /// when such a value was freed. It learns no more once it is told.
        const LARGEST: libc::c_int = 32 << 20;
        const KEPT: libc::c_int = 2 * LARGEST;
        const NEARLY_NONE: libc::c_int = 128 << 10;
        /// So much is freed that it looks at what it keeps of this thread's memory.
        const LOOKED_AT: usize = 96 << 10;

        tell_allocator(libc::M_MMAP_THRESHOLD, LARGEST);
        tell_allocator(libc::M_TRIM_THRESHOLD, NEARLY_NONE);
        drop(std::hint::black_box(Vec::<u8>::with_capacity(LOOKED_AT)));
        tell_allocator(libc::M_TRIM_THRESHOLD, KEPT);
        // SAFETY: it takes a number, may be called at any time on any thread, and leaves what is in use as it is.
        unsafe { libc::malloc_trim(0) };
    }
}

/// Tells the C library how many bytes it is to map, or to keep, and not to take or give back.
#[cfg(target_env = "gnu")]
fn tell_allocator(what: libc::c_int, bytes: libc::c_int) {
    // SAFETY: it takes two numbers, may be called at any time on any thread, and leaves what is in use as it is.
    unsafe { libc::mallopt(what, bytes) };
}

/// The numbers at the end of such memory, as the other side says them.
#[derive(Debug)]
pub(crate) struct Marks(NonNull<Pair>);

/// How they lie there: far enough from each other that two processors do not take one line from each other.
#[derive(Debug)]
#[repr(C)]
struct Pair {
    written: Mark,
    read: Mark,
}

// SAFETY: it owns its mapping, which belongs to the process and to no thread.
unsafe impl Send for Marks {}

// SAFETY: what is in the mapping is reached as atomics alone.
unsafe impl Sync for Marks {}

impl Marks {
    /// Maps the end of a file that is sealed, and is as long as such memory is.
    fn of(file: impl AsFd) -> Option<Self> {
        let sealed = fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SEALS));
        let metadata = fstat(&file).ok().filter(|_| sealed)?;
        if usize::try_from(metadata.st_size) != Ok(RING + END) {
            return None;
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is asked for, so nothing that is mapped is replaced.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                END,
                access,
                MapFlags::SHARED,
                file,
                RING as u64,
            )
        };
        NonNull::new(start.ok()?.cast()).map(Self)
    }

    fn pair(&self) -> &Pair {
        // SAFETY: it is at the beginning of a page that stays mapped as long as `self`, and whose length is
        // sealed. There are atomics alone in it; whatever another process writes there, they are some numbers.
        unsafe { self.0.as_ref() }
    }

    /// How far who writes has come.
    pub(crate) fn written(&self) -> &Mark {
        &self.pair().written
    }

    /// How far who reads has come.
    pub(crate) fn read(&self) -> &Mark {
        &self.pair().read
    }

    /// Begins at the beginning: nothing is written, and nothing is read.
    pub(crate) fn rewind(&self) {
        self.read().0.store(0, Ordering::Relaxed);
        self.written().0.store(0, Ordering::Release);
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        // SAFETY: it is the mapping that was made for it, and nothing refers to what is in it.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), END) };
    }
}

/// How far one side has come.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Mark(AtomicU32);

impl Mark {
    /// How far it says that it has come.
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Acquire) as usize
    }

    /// Says how far it has come, and wakes whoever waits for it.
    pub(crate) fn set(&self, so_far: usize) {
        // No value is longer than that.
        let so_far = u32::try_from(so_far).unwrap_or(u32::MAX);
        self.0.store(so_far, Ordering::Release);
        let _ = futex::wake(&self.0, futex::Flags::empty(), u32::MAX >> 1);
    }

    /// Waits until it is another one than was seen, or is said again; for a time at most.
    pub(crate) fn wait(&self, seen: usize, at_most: Duration) {
        let (Ok(seen), Ok(at_most)) = (u32::try_from(seen), Timespec::try_from(at_most)) else {
            return;
        };
        // Whoever waits looks again, whyever it waits no more.
        let _ = futex::wait(&self.0, futex::Flags::empty(), seen, Some(&at_most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of it, copied.
    fn read(shared: &Shared, at: usize, length: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        shared.read(at, length, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn its_length_stays_whatever_who_has_it_does() {
        let mut own = Shared::new().unwrap();
        own.write(0, b"abc").unwrap();
        let file = File::from(own.as_fd().try_clone_to_owned().unwrap());
        assert_eq!(ftruncate(&file, 0), Err(rustix::io::Errno::PERM));
        assert_eq!(
            ftruncate(&file, 2 * RING as u64),
            Err(rustix::io::Errno::PERM)
        );
        let refused = fcntl_add_seals(&file, SealFlags::WRITE);
        assert_eq!(refused, Err(rustix::io::Errno::PERM));
        // The one way to take pages away: they are there again, and empty.
        let all = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&file, all, 0, RING as u64).unwrap();
        assert_eq!(read(&own, 0, 3).unwrap(), [0; 3]);
    }

    #[test]
    fn what_is_not_in_it_is_neither_read_nor_written() {
        let mut own = Shared::new().unwrap();
        for (at, length) in [(0, RING + 1), (RING, 1), (RING + 1, 0), (usize::MAX, 2)] {
            assert!(read(&own, at, length).is_none(), "{at} {length}");
        }
        assert!(own.write(RING - 1, b"ab").is_none());
        assert!(read(&own, RING, 0).unwrap().is_empty());
    }

    #[test]
    fn both_sides_see_it_and_the_pages_go_with_whoever_made_it() {
        let mut own = Shared::new().unwrap();
        let file = File::from(own.as_fd().try_clone_to_owned().unwrap());
        let other = Shared::of(file).unwrap();
        own.write(7, b"abc").unwrap();
        assert_eq!(read(&other, 7, 3).unwrap(), b"abc");
        drop(own);
        assert_eq!(read(&other, 7, 3).unwrap(), [0; 3]);
    }

    #[test]
    fn what_is_not_sealed_is_not_mapped() {
        let file = memfd_create("floe", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, (RING + END) as u64).unwrap();
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::SEAL).unwrap();
        assert!(Shared::of(file.into()).is_err());
        assert!(Shared::of(tempfile::tempfile().unwrap()).is_err());
    }

    #[test]
    fn what_another_changes_meanwhile_is_some_bytes() {
        const LENGTH: usize = RING / 2;
        let own = Shared::new().unwrap();
        let file = File::from(own.as_fd().try_clone_to_owned().unwrap());
        let mut other = Shared::of(file).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for round in 0..200_u8 {
                    other.write(0, &vec![round; LENGTH]).unwrap();
                }
            });
            for _ in 0..200 {
                assert!(
                    read(&own, 0, LENGTH)
                        .unwrap()
                        .iter()
                        .all(|byte| *byte < 200)
                );
            }
        });
    }

    #[test]
    fn what_is_read_comes_after_what_was_read_before() {
        let mut own = Shared::new().unwrap();
        own.write(0, b"abcdef").unwrap();
        let mut bytes = Vec::new();
        own.read(0, 2, &mut bytes).unwrap();
        own.read(3, 3, &mut bytes).unwrap();
        assert_eq!(bytes, b"abdef");
    }

    #[test]
    fn the_marks_are_no_part_of_what_is_before_them() {
        let mut own = Shared::new().unwrap();
        own.marks().written().set(7);
        own.marks().read().set(8);
        own.write(0, &vec![255; RING]).unwrap();
        let said = |own: &Shared| (own.marks().written().get(), own.marks().read().get());
        assert_eq!(said(&own), (7, 8));
        own.marks().written().set(usize::MAX);
        assert_eq!(read(&own, 0, RING).unwrap(), vec![255; RING]);
        own.marks().rewind();
        assert_eq!(said(&own), (0, 0));
    }

    #[test]
    fn both_sides_have_the_marks_and_one_wakes_the_other() {
        /// Longer than any test takes: who is not woken would wait for it.
        const LONG: Duration = Duration::from_secs(3_600);

        let own = Shared::new().unwrap();
        let file = File::from(own.as_fd().try_clone_to_owned().unwrap());
        let other = Shared::of(file).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=1_000 {
                    own.marks().written().set(round);
                    while own.marks().read().get() != round {
                        own.marks().read().wait(round - 1, LONG);
                    }
                }
            });
            for round in 1..=1_000 {
                loop {
                    let seen = other.marks().written().get();
                    if seen == round {
                        break;
                    }
                    other.marks().written().wait(seen, LONG);
                }
                other.marks().read().set(round);
            }
        });
        // Where it is another one already, nobody waits.
        own.marks().read().wait(1, LONG);
    }

    #[test]
    fn of_a_file_that_has_another_length_nothing_is_mapped() {
        for length in [0, 1, END, RING, RING + END - 1, RING + 2 * END] {
            let file = memfd_create("floe", MemfdFlags::ALLOW_SEALING).unwrap();
            ftruncate(&file, length as u64).unwrap();
            fcntl_add_seals(&file, SEALS).unwrap();
            assert!(Shared::of(file.into()).is_err(), "{length}");
        }
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn what_is_freed_is_kept_after_a_rest_as_before() {
        const TIMES: u64 = 20;

        /// How many pages this thread was given.
        fn faults() -> u64 {
            let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let (_, rest) = text.rsplit_once(')').unwrap();
            rest.split_ascii_whitespace()
                .nth(7)
                .unwrap()
                .parse()
                .unwrap()
        }

        let pages = std::thread::spawn(|| {
            let value = |length: usize| drop(std::hint::black_box(vec![1_u8; length]));
            value(100 << 10);
            give_back();
            // So that there is something to keep.
            (0..4).for_each(|_| value(8 << 20));
            let before = faults();
            (0..TIMES).for_each(|_| value(8 << 20));
            (faults() - before) / TIMES
        });
        let pages = pages.join().unwrap();
        assert!(pages < 100, "{pages} pages for each value");
    }
}
