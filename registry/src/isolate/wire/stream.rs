//! Values that are not in the message: the length of their skeleton in 8 bytes and the skeleton; from the next
//! multiple of 4,096 bytes on, the pieces.
//!
//! In a file that is all there is. Through mapped memory it goes as through a ring: who writes tells who reads how
//! far it has come, a stretch at a time, and waits where it would overtake; who reads does the same.

use std::fs::File;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use floe_plugin_api::Value;

use super::mapped::{Mark, Marks, RING, Shared};
use super::packet::{LARGEST, LARGEST_SKELETON, PAGE};
use super::value::{self, Aside, Malformed};

/// How many bytes of mapped memory are written, and read, at once: few enough that the other side soon has
/// something to do, and many enough that to say so costs little beside it.
pub(super) const STRETCH: usize = 256 << 10;
const _: () = assert!(
    2 * STRETCH <= RING,
    "one side writes while the other one reads"
);

/// How often whoever waits for the other side looks whether it goes on to wait.
const TICK: Duration = Duration::from_millis(5);

/// How often the other side says something that is not enough before it is no more listened to at once: one that
/// does so again and again would keep a thread of this side busy.
const WORDS: u32 = 100;

/// Whether whoever waits for the other side waits on.
pub(crate) type WaitsOn<'w> = &'w mut dyn FnMut() -> bool;

/// That nobody waits on for the other side.
#[derive(Debug)]
pub(super) struct GivenUp;

/// Waits until the other side has come so far, or until nobody waits on.
fn wait_for(mark: &Mark, end: usize, waits_on: WaitsOn<'_>) -> Result<(), GivenUp> {
    let (mut goes_on, mut words) = (true, 0);
    loop {
        let so_far = mark.get();
        if so_far >= end {
            return Ok(());
        }
        if !goes_on {
            return Err(GivenUp);
        }
        // Before the last look: what came meanwhile counts.
        goes_on = waits_on();
        if !goes_on {
            continue;
        }
        let began = Instant::now();
        if words < WORDS {
            mark.wait(so_far, TICK);
            words += u32::from(began.elapsed() < TICK);
        } else {
            thread::sleep(TICK);
        }
    }
}

/// How many bytes go through a ring at once, of so many from there on.
fn stretch(at: usize, left: usize) -> usize {
    left.min(STRETCH).min(RING - at % RING)
}

/// Where one side is in what goes through, and how far it has told the other one that it is.
#[derive(Default)]
struct Progress {
    at: usize,
    told: usize,
}

impl Progress {
    /// Tells the other side, if there is a stretch to tell of.
    fn tell_stretch(&mut self, mark: &Mark) {
        if self.at - self.told >= STRETCH {
            self.tell(mark);
        }
    }

    fn tell(&mut self, mark: &Mark) {
        if self.told < self.at {
            mark.set(self.at);
            self.told = self.at;
        }
    }
}

/// Writes what goes through mapped memory.
///
/// The last of it is not told: who has read all may put something else there, or have it read by another thread, and
/// a word that comes after that would be taken for one of what is there then.
pub(super) struct Writer<'m> {
    shared: &'m mut Shared,
    waits_on: WaitsOn<'m>,
    progress: Progress,
}

impl<'m> Writer<'m> {
    /// Begins; the marks have to be at the beginning, too.
    pub(super) fn new(shared: &'m mut Shared, waits_on: WaitsOn<'m>) -> Self {
        Self {
            shared,
            waits_on,
            progress: Progress::default(),
        }
    }

    /// How far it has come.
    pub(super) const fn at(&self) -> usize {
        self.progress.at
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), GivenUp> {
        while !bytes.is_empty() {
            // Before there is more, and never after the last.
            self.progress.tell_stretch(self.shared.marks().written());
            let at = self.progress.at;
            let length = stretch(at, bytes.len());
            let (now, later) = bytes.split_at(length);
            self.wait_for_room(length)?;
            // A stretch is within the ring.
            let _ = self.shared.write(at % RING, now);
            self.progress.at += length;
            bytes = later;
        }
        Ok(())
    }

    /// Goes on at the next page, whatever is before it.
    pub(super) fn skip_to_page(&mut self) -> Result<(), GivenUp> {
        let fill = self.progress.at.next_multiple_of(PAGE) - self.progress.at;
        self.wait_for_room(fill)?;
        self.progress.at += fill;
        Ok(())
    }

    /// Waits until so many bytes overwrite nothing that is not read yet.
    fn wait_for_room(&mut self, length: usize) -> Result<(), GivenUp> {
        let marks = self.shared.marks();
        let end = (self.progress.at + length).saturating_sub(RING);
        if marks.read().get() < end {
            self.progress.tell(marks.written());
            wait_for(marks.read(), end, self.waits_on)?;
        }
        Ok(())
    }
}

/// Where values are that are not in the message.
#[derive(Clone, Copy)]
pub(super) enum Source<'f> {
    /// A file that they fill.
    File(&'f File),
    /// Memory that was made for a call, through which they go; mapped, or not.
    Mapped(&'f Shared),
    Passed(&'f File, &'f Marks),
}

impl<'f> Source<'f> {
    /// How many bytes there may be.
    fn size(self) -> Result<usize, Malformed> {
        let size = match self {
            Self::File(file) => plain_size(file)?,
            Self::Mapped(_) | Self::Passed(..) => LARGEST,
        };
        Ok(usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// How far both sides have come; nothing where all of it is there.
    fn marks(self) -> Option<&'f Marks> {
        match self {
            Self::File(_) => None,
            Self::Mapped(shared) => Some(shared.marks()),
            Self::Passed(_, marks) => Some(marks),
        }
    }

    /// Reads so many bytes from there on, to the end of `onto`.
    fn read(self, at: usize, length: usize, onto: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Self::File(file) => read_file(file, at as u64, length, onto),
            Self::Passed(file, _) => {
                let mut part = Vec::with_capacity(length);
                read_file(file, at as u64, length, &mut part)?;
                onto.extend_from_slice(&part);
                Ok(())
            }
            Self::Mapped(shared) => shared
                .read(at, length, onto)
                .ok_or_else(|| Malformed::new("a piece that is not there")),
        }
    }
}

/// Reads a value.
pub(super) fn read(source: Source<'_>, waits_on: WaitsOn<'_>) -> Result<Value, Malformed> {
    let mut pieces = Beside {
        source,
        progress: Progress::default(),
        left: source.size()?,
        waits_on,
    };
    let length = pieces.next(8)?;
    let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
    let length = usize::try_from(length).map_err(|_| Malformed::new("a skeleton without end"))?;
    if length > LARGEST_SKELETON {
        return Err(Malformed::new(format!("a skeleton of {length} bytes")));
    }
    let skeleton = pieces.next(length)?;
    pieces.skip_to_page()?;
    let (value, rest) = value::decode(&skeleton, &mut pieces)?;
    let is_filled = matches!(source, Source::File(_));
    if !rest.is_empty() || (is_filled && pieces.left > 0) {
        return Err(Malformed::new("a frame with more than its values"));
    }
    Ok(value)
}

/// The pieces, in their order.
struct Beside<'f> {
    source: Source<'f>,
    progress: Progress,
    left: usize,
    waits_on: WaitsOn<'f>,
}

impl Beside<'_> {
    /// Goes on at the next page, whatever is before it.
    fn skip_to_page(&mut self) -> Result<(), Malformed> {
        let fill = self.progress.at.next_multiple_of(PAGE) - self.progress.at;
        let left = self.left.checked_sub(fill);
        self.left = left.ok_or_else(|| Malformed::new("a skeleton without its page"))?;
        self.progress.at += fill;
        Ok(())
    }

    /// Waits until so many bytes are there.
    fn wait_for(&mut self, length: usize, marks: &Marks) -> Result<(), Malformed> {
        let end = self.progress.at + length;
        if marks.written().get() < end {
            self.progress.tell(marks.read());
            wait_for(marks.written(), end, self.waits_on)
                .map_err(|GivenUp| Malformed::new("a value that ends before its end"))?;
        }
        Ok(())
    }
}

impl Aside for Beside<'_> {
    fn next(&mut self, length: usize) -> Result<Vec<u8>, Malformed> {
        let left = self.left.checked_sub(length);
        self.left = left.ok_or_else(|| Malformed::new("a piece that is not there"))?;
        // Not zeroed before: of a large piece that would cost as much as to read it.
        let mut piece = Vec::with_capacity(length);
        let Some(marks) = self.source.marks() else {
            self.source.read(self.progress.at, length, &mut piece)?;
            self.progress.at += length;
            return Ok(piece);
        };
        while piece.len() < length {
            let at = self.progress.at;
            let stretch = stretch(at, length - piece.len());
            self.wait_for(stretch, marks)?;
            self.source.read(at % RING, stretch, &mut piece)?;
            self.progress.at += stretch;
            self.progress.tell_stretch(marks.read());
        }
        Ok(piece)
    }
}

/// Reads bytes as what goes through memory that was made for a call, after four that are its mark. For fuzzing.
pub(super) fn fuzz(bytes: &[u8]) {
    let Some((mark, content)) = bytes.split_first_chunk() else {
        return;
    };
    let Some(mut shared) = Shared::new() else {
        return;
    };
    if shared.write(0, content).is_some() {
        shared
            .marks()
            .written()
            .set(u32::from_le_bytes(*mark) as usize);
        let _ = read(Source::Mapped(&shared), &mut || false);
    }
}

/// The size of a file from which can be read without waiting for anybody.
fn plain_size(file: &File) -> Result<u64, Malformed> {
    let unreadable =
        |error: io::Error| Malformed::new(format!("a file that cannot be read: {error}"));
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() || !is_memory(file) {
        return Err(Malformed::new("a file that is no memory"));
    }
    if metadata.len() > LARGEST {
        return Err(Malformed::new(format!(
            "values of {} bytes, and {LARGEST} is the most",
            metadata.len()
        )));
    }
    Ok(metadata.len())
}

/// Whether a file is memory, or this system has none to pass.
#[cfg(target_os = "linux")]
fn is_memory(file: &File) -> bool {
    use rustix::fs::{MemfdFlags, fcntl_get_seals, memfd_create};

    // Only memory knows of seals.
    fcntl_get_seals(file).is_ok() || memfd_create("floe", MemfdFlags::CLOEXEC).is_err()
}

#[cfg(not(target_os = "linux"))]
fn is_memory(_file: &File) -> bool {
    true
}

/// Reads so many bytes of a file, to the end of `onto`.
fn read_file(file: &File, at: u64, length: usize, onto: &mut Vec<u8>) -> Result<(), Malformed> {
    let unreadable =
        |error: io::Error| Malformed::new(format!("a piece that cannot be read: {error}"));
    let before = onto.len();
    onto.reserve(length);
    while onto.len() - before < length {
        let at = at + (onto.len() - before) as u64;
        let room = rustix::buffer::spare_capacity(onto);
        match rustix::io::pread(file, room, at) {
            Ok(0) => return Err(unreadable(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(unreadable(error.into())),
        }
    }
    // There may be more room than was asked for.
    onto.truncate(before + length);
    Ok(())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
