//! A frame as bytes, and memory beside it where it is large.
//!
//! What is in mapped memory and is large is written after the frame was sent, a stretch at a time: whoever
//! reads it copies a stretch while the next one is being written.

use std::fs::File;
use std::io::{self, IoSlice, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use floe_plugin_api::Value;
use serde::{Deserialize, Serialize};

use super::mapped::{Mark, Shared};
use super::value::{self, Aside, Malformed, Nothing, Place, TooMuch};

/// The bytes before the head.
const PREFIX: usize = 9;

/// The longest message that goes through the socket; values that make it longer go beside it.
///
/// A socket takes messages up to its buffer, which is 208 KiB by default. From about 64 KiB on, a file that is
/// passed is quicker than a message.
pub(crate) const LONGEST: usize = 72 << 10;

/// The most bytes that one frame may have in all.
///
/// Who writes it may leave it empty and pay for none of it; who reads it pays for all.
const LARGEST: u64 = 256 << 20;

/// The most bytes of a skeleton.
const LARGEST_SKELETON: usize = 64 << 20;

/// The most pieces that are written as they lie.
const PIECES: usize = 64;

/// Where the pieces in a file begin: at a multiple of this. A copy that begins with a page is quicker.
const PAGE: usize = 4 << 10;

/// What is before that.
const FILL: [u8; PAGE] = [0; PAGE];

/// How many bytes of mapped memory are written, and read, at once: few enough that they are in the processor's
/// cache when the other side copies them, and many enough that to say so costs little beside it.
const STRETCH: usize = 1 << 20;

/// How often whoever waits for the next stretch looks whether it goes on to wait.
const TICK: Duration = Duration::from_millis(5);

/// How values are passed: in the message, in a file that they fill, or in memory that the host has made for a
/// call, whose length stays.
const BEHIND: u8 = 0;
const BESIDE: u8 = 1;
const WITHIN: u8 = 2;

/// Memory that values were passed in, and others can be.
#[derive(Debug)]
pub(crate) enum Memory {
    /// A file, which is written and read.
    File(File),
    /// What this side has made and mapped, and passes.
    Own(Shared),
    /// What the other side has made, and has.
    Theirs(Shared),
}

impl Memory {
    /// Memory for a call that has so many bytes: what an earlier one had, where they have room in it.
    pub(crate) fn for_call(earlier: Option<Self>, size: usize) -> Option<Self> {
        match earlier {
            Some(memory) if memory.may_have(size) => Some(memory),
            _ => Shared::with_room(size).map(Self::Own),
        }
    }

    /// Whether so many bytes may have room in it.
    pub(crate) fn may_have(&self, size: usize) -> bool {
        self.shared().is_none_or(|shared| size <= shared.length())
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::File(file) => file.metadata().ok().map(|metadata| metadata.len()),
            Self::Own(shared) | Self::Theirs(shared) => Some(shared.length() as u64),
        }
    }

    /// What both sides have mapped of it.
    pub(crate) const fn shared(&self) -> Option<&Shared> {
        match self {
            Self::File(_) => None,
            Self::Own(shared) | Self::Theirs(shared) => Some(shared),
        }
    }
}

/// Why a frame cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsendable {
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    #[error("the values have {0} bytes, and a worker takes {LARGEST} at most")]
    TooLarge(u64),
    #[error(
        "the values without long texts and bytes have {0} bytes, and a worker takes {LARGEST_SKELETON} at most"
    )]
    TooMany(usize),
    #[error("the names that go with it have {0} bytes, and a worker takes {LONGEST} at most")]
    HeadTooLong(usize),
    #[error("a path that goes with it is no UTF-8 text")]
    Head,
    #[error("no memory to pass the values in: {0}")]
    NoMemory(#[from] io::Error),
}

/// A frame, ready to be sent.
pub(crate) struct Packet<'a> {
    bytes: Vec<u8>,
    pieces: Vec<&'a [u8]>,
    pub(crate) memory: Option<Memory>,
    /// What is written into mapped memory when the frame was sent, and where.
    later: Vec<&'a [u8]>,
    at: usize,
}

/// That all is written into mapped memory, which the other side is yet to be told of.
#[must_use = "whoever reads it waits"]
pub(crate) struct Poured(Option<(Arc<Mark>, usize)>);

impl Poured {
    /// Tells the other side, which may put others into it from now on.
    pub(crate) fn tell(self) {
        if let Some((mark, at)) = self.0 {
            mark.set(at);
        }
    }
}

impl<'a> Packet<'a> {
    /// A frame of a head and its values.
    pub(crate) fn new(
        head: &impl Serialize,
        values: impl IntoIterator<Item = &'a Value>,
    ) -> Result<Self, Unsendable> {
        Self::in_memory(|_| None, head, values)
    }

    /// The same; where it needs memory of so many bytes, it takes what it is given, if that has room.
    pub(crate) fn in_memory(
        given: impl FnOnce(usize) -> Option<Memory>,
        head: &impl Serialize,
        values: impl IntoIterator<Item = &'a Value>,
    ) -> Result<Self, Unsendable> {
        let mut bytes = Vec::with_capacity(256);
        bytes.resize(PREFIX, 0);
        let mut bytes = postcard::to_extend(head, bytes).map_err(|_| Unsendable::Head)?;
        let head = bytes.len();
        let mut pieces = Vec::new();
        for each in values {
            value::encode(each, Place::Aside, &mut bytes, &mut pieces)?;
        }
        let aside: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut packet = Self {
            bytes,
            pieces,
            memory: None,
            later: Vec::new(),
            at: 0,
        };
        if packet.bytes.len() + aside > LONGEST {
            packet.put_beside(given, head, aside)?;
        } else if packet.pieces.len() > PIECES {
            for piece in std::mem::take(&mut packet.pieces) {
                packet.bytes.extend_from_slice(piece);
            }
            packet.seal(packet.bytes.len() - PREFIX - aside, 0, BEHIND);
            return Ok(packet);
        }
        let form = match packet.memory {
            None => BEHIND,
            Some(Memory::File(_)) => BESIDE,
            Some(Memory::Own(_) | Memory::Theirs(_)) => WITHIN,
        };
        let behind = if form == BEHIND { aside } else { 0 };
        packet.seal(packet.bytes.len() - PREFIX, behind, form);
        Ok(packet)
    }

    /// Writes the prefix.
    fn seal(&mut self, skeleton: usize, behind: usize, form: u8) {
        let length = self.bytes.len() - 4 + behind;
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        if let Some((prefix, _)) = self.bytes.split_first_chunk_mut::<PREFIX>() {
            let [a, b, c, d] = number(length);
            let [e, f, g, h] = number(skeleton);
            *prefix = [a, b, c, d, e, f, g, h, form];
        }
    }

    fn put_beside(
        &mut self,
        given: impl FnOnce(usize) -> Option<Memory>,
        head: usize,
        aside: usize,
    ) -> Result<(), Unsendable> {
        if head > LONGEST {
            return Err(Unsendable::HeadTooLong(head));
        }
        let skeleton = self.bytes.split_off(head);
        let before = (8 + skeleton.len()).next_multiple_of(PAGE);
        let size = (before + aside) as u64;
        if size > LARGEST {
            return Err(Unsendable::TooLarge(size));
        }
        if skeleton.len() > LARGEST_SKELETON {
            return Err(Unsendable::TooMany(skeleton.len()));
        }
        let length = (skeleton.len() as u64).to_le_bytes();
        let mut given = given(before + aside);
        if let Some(Memory::Own(shared) | Memory::Theirs(shared)) = &mut given
            && before + aside <= shared.length()
            && shared.write(0, &length).is_some()
            && shared.write(length.len(), &skeleton).is_some()
        {
            shared.mark().set(before);
            self.memory = given;
            self.later = std::mem::take(&mut self.pieces);
            self.at = before;
            if aside < 2 * STRETCH {
                self.pour().tell();
            }
            return Ok(());
        }
        let mut slices = Vec::with_capacity(self.pieces.len() + 3);
        slices.push(IoSlice::new(&length));
        slices.push(IoSlice::new(&skeleton));
        slices.push(IoSlice::new(
            FILL.get(..before - 8 - skeleton.len()).unwrap_or_default(),
        ));
        let pieces = std::mem::take(&mut self.pieces);
        slices.extend(pieces.iter().map(|piece| IoSlice::new(piece)));
        let earlier = match given {
            Some(Memory::File(file)) => Some(file),
            _ => None,
        };
        let file = file_with(earlier, size, &mut slices)?;
        self.memory = Some(Memory::File(file));
        Ok(())
    }

    /// Whether all of it is there for whoever it is sent to.
    pub(crate) const fn is_whole(&self) -> bool {
        self.later.is_empty()
    }

    /// Writes what is not there yet, when the frame was sent.
    pub(crate) fn pour(&mut self) -> Poured {
        let later = std::mem::take(&mut self.later);
        let Some(Memory::Own(shared) | Memory::Theirs(shared)) = &mut self.memory else {
            return Poured(None);
        };
        let mut told = self.at;
        for stretch in later.iter().flat_map(|piece| piece.chunks(STRETCH)) {
            if self.at - told >= STRETCH {
                shared.mark().set(self.at);
                told = self.at;
            }
            // There is room for all of it, or it would be elsewhere.
            let _ = shared.write(self.at, stretch);
            self.at += stretch.len();
        }
        Poured((!later.is_empty()).then(|| (shared.mark().clone(), self.at)))
    }

    /// The file that goes with it.
    pub(crate) fn file(&self) -> Option<BorrowedFd<'_>> {
        match self.memory.as_ref()? {
            Memory::File(file) => Some(file.as_fd()),
            Memory::Own(shared) => Some(shared.as_fd()),
            Memory::Theirs(_) => None,
        }
    }

    /// What goes through the socket, in order.
    pub(crate) fn slices<'b>(&'b self, onto: &mut Vec<IoSlice<'b>>) {
        onto.push(IoSlice::new(&self.bytes));
        onto.extend(self.pieces.iter().map(|piece| IoSlice::new(piece)));
    }
}

/// Writes slices to a file that can be passed to another process.
///
/// It may be changed by that process, also while it is read: whoever reads copies each byte once, and looks at
/// the copy. So one file serves a call and its answer, and then the next call: most of what a large value costs
/// would be to have the system find and give back pages.
fn file_with(earlier: Option<File>, size: u64, mut slices: &mut [IoSlice<'_>]) -> io::Result<File> {
    // The other side has it, too, and may have left it anyhow.
    let again = |mut file: File| {
        file.set_len(size)
            .and_then(|()| file.rewind())
            .map(|()| file)
    };
    let mut file = match earlier.map(again) {
        Some(Ok(file)) => file,
        Some(Err(_)) | None => memory()?,
    };
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        // The system takes 1,024 slices at once.
        let some = slices.len().min(1_000);
        let written = file.write_vectored(slices.get(..some).unwrap_or_default())?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(file)
}

#[cfg(target_os = "linux")]
fn memory() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    match memfd_create("floe", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING) {
        Ok(file) => {
            // Whoever has it cannot forbid others to write.
            fcntl_add_seals(&file, SealFlags::SEAL)?;
            Ok(file.into())
        }
        // A container may forbid it.
        Err(_) => tempfile::tempfile(),
    }
}

#[cfg(not(target_os = "linux"))]
fn memory() -> io::Result<File> {
    tempfile::tempfile()
}

/// A frame that came.
pub(crate) struct Came<'b> {
    head: &'b [u8],
    pieces: &'b [u8],
    form: u8,
    file: Option<File>,
}

impl<'b> Came<'b> {
    /// Looks whether a message is a whole frame.
    pub(crate) fn new(message: &'b [u8], file: Option<File>) -> Result<Self, Malformed> {
        let cut = || Malformed::new("a frame that is cut short");
        let (prefix, body) = message.split_first_chunk::<PREFIX>().ok_or_else(cut)?;
        let [a, b, c, d, e, f, g, h, form] = *prefix;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let skeleton = u32::from_le_bytes([e, f, g, h]) as usize;
        if length != message.len() - 4 {
            return Err(Malformed::new(format!(
                "a frame of {} bytes that says it has {length}",
                message.len() - 4
            )));
        }
        let (head, pieces) = body.split_at_checked(skeleton).ok_or_else(cut)?;
        match form {
            BEHIND | WITHIN => {}
            BESIDE if file.is_some() => {}
            _ => return Err(Malformed::new("a frame whose values are not where it says")),
        }
        Ok(Self {
            head,
            pieces,
            form,
            file,
        })
    }

    /// Reads the head; the values come after it.
    pub(crate) fn open<T: Deserialize<'b>>(self) -> Result<(T, Values<'b>), Malformed> {
        let (head, skeleton) = postcard::take_from_bytes(self.head)
            .map_err(|error| Malformed::new(format!("a frame whose head is none: {error}")))?;
        let values = Values {
            skeleton,
            pieces: self.pieces,
            form: self.form,
            file: self.file,
        };
        Ok((head, values))
    }
}

/// What comes after a head.
pub(crate) struct Values<'b> {
    skeleton: &'b [u8],
    pieces: &'b [u8],
    form: u8,
    file: Option<File>,
}

impl Values<'_> {
    /// The one value.
    pub(crate) fn one(self) -> Result<Value, Malformed> {
        self.one_within(None, &mut || false)
    }

    /// The one value, which may be in memory that this side has made for it. Where it is not all there, whether
    /// to wait on is asked again and again.
    pub(crate) fn one_within(
        self,
        memory: Option<&Shared>,
        waits_on: WaitsOn<'_>,
    ) -> Result<Value, Malformed> {
        match (self.form, memory, &self.file) {
            (WITHIN, Some(memory), _) => read_value(Source::Mapped(memory), waits_on),
            (WITHIN, None, _) => Err(Malformed::new(
                "values in memory that was not made for them",
            )),
            (BESIDE, _, Some(file)) => read_value(Source::File(file), waits_on),
            _ => self.one_behind(),
        }
    }

    /// The one value, and the memory that it was in, where this side may pass another one in it. Memory that is
    /// kept is taken where that is what was passed. However long what is not there takes, it is waited for.
    pub(crate) fn one_and_memory(
        mut self,
        kept: impl FnOnce() -> Option<Shared>,
    ) -> Result<(Value, Option<Memory>), Malformed> {
        let Some(file) = self.file.take_if(|_| self.form != BEHIND) else {
            return Ok((self.one()?, None));
        };
        if self.form == BESIDE {
            let value = read_value(Source::File(&file), &mut || true)?;
            return Ok((value, Some(Memory::File(file))));
        }
        let mapped = match kept() {
            Some(kept) if kept.is(&file) => Ok(kept),
            _ => Shared::of(file),
        };
        match mapped {
            Ok(shared) => {
                let value = read_value(Source::Mapped(&shared), &mut || true)?;
                Ok((value, Some(Memory::Theirs(shared))))
            }
            // A limit may forbid to map it.
            Err((file, Some(mark))) => {
                let value = read_value(Source::Passed(&file, &mark), &mut || true)?;
                Ok((value, None))
            }
            Err((_, None)) => Err(Malformed::new("memory whose end cannot be mapped")),
        }
    }

    fn one_behind(self) -> Result<Value, Malformed> {
        let mut pieces = Behind(self.pieces);
        let (value, rest) = if self.pieces.is_empty() {
            value::decode(self.skeleton, &mut Nothing)?
        } else {
            value::decode(self.skeleton, &mut pieces)?
        };
        if !rest.is_empty() || !pieces.0.is_empty() {
            return Err(Malformed::new("a frame with more than its values"));
        }
        Ok(value)
    }

    /// Whether they are in the message.
    pub(crate) const fn are_in_the_message(&self) -> bool {
        self.form == BEHIND
    }

    /// The file that its values are in, if they are in one.
    pub(crate) fn into_values_file(self) -> Option<File> {
        self.file.filter(|_| self.form == BESIDE)
    }

    /// The file that came, whatever is in it.
    pub(crate) fn into_file(self) -> Option<File> {
        self.file
    }
}

/// Pieces that follow in the message.
struct Behind<'b>(&'b [u8]);

impl Aside for Behind<'_> {
    fn next(&mut self, length: usize) -> Result<Vec<u8>, Malformed> {
        let (piece, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| Malformed::new("a piece that is not there"))?;
        self.0 = rest;
        Ok(piece.to_vec())
    }
}

/// Whether whoever waits for more of a value waits on.
pub(crate) type WaitsOn<'w> = &'w mut dyn FnMut() -> bool;

/// Where values are that are not in the message.
#[derive(Clone, Copy)]
enum Source<'f> {
    /// A file that they fill.
    File(&'f File),
    /// Memory that was made for a call and has room for more than they are; mapped, or not.
    Mapped(&'f Shared),
    Passed(&'f File, &'f Mark),
}

impl<'f> Source<'f> {
    fn size(self) -> Result<u64, Malformed> {
        match self {
            Self::File(file) => plain_size(file),
            Self::Mapped(shared) => Ok(shared.length() as u64),
            Self::Passed(_, mark) => Ok(mark.before() as u64),
        }
    }

    /// How far it is written; nothing where all of it is.
    fn mark(self) -> Option<&'f Mark> {
        match self {
            Self::File(_) => None,
            Self::Mapped(shared) => Some(shared.mark()),
            Self::Passed(_, mark) => Some(mark),
        }
    }

    /// Reads so many bytes from there on, to the end of `onto`.
    fn read(self, at: u64, length: usize, onto: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Self::File(file) | Self::Passed(file, _) => read_file(file, at, length, onto),
            Self::Mapped(shared) => usize::try_from(at)
                .ok()
                .and_then(|at| shared.read(at, length, onto))
                .ok_or_else(|| Malformed::new("a piece that is not there")),
        }
    }
}

/// Waits until so many bytes are written, or until nobody waits on.
fn wait_for(mark: &Mark, end: u64, waits_on: WaitsOn<'_>) -> Result<(), Malformed> {
    let mut goes_on = true;
    loop {
        let so_far = mark.get();
        if so_far as u64 >= end {
            return Ok(());
        }
        if !goes_on {
            return Err(Malformed::new("a value that ends before its end"));
        }
        // Before the last look: what came meanwhile counts.
        goes_on = waits_on();
        if goes_on {
            mark.wait(so_far, TICK);
        }
    }
}

fn read_value(source: Source<'_>, waits_on: WaitsOn<'_>) -> Result<Value, Malformed> {
    let mut pieces = Beside {
        source,
        at: 0,
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

/// Reads bytes as what is in memory that was made for a call, after four that are its mark. For fuzzing.
pub(super) fn fuzz_within(bytes: &[u8]) {
    let Some((mark, content)) = bytes.split_first_chunk() else {
        return;
    };
    let Some(mut shared) = Shared::with_room(content.len()) else {
        return;
    };
    if shared.write(0, content).is_some() {
        shared.mark().set(u32::from_le_bytes(*mark) as usize);
        let _ = read_value(Source::Mapped(&shared), &mut || false);
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

/// Pieces that are not in the message.
struct Beside<'f> {
    source: Source<'f>,
    at: u64,
    left: u64,
    waits_on: WaitsOn<'f>,
}

impl Beside<'_> {
    /// Goes on at the next page, whatever is before it.
    fn skip_to_page(&mut self) -> Result<(), Malformed> {
        let fill = self.at.next_multiple_of(PAGE as u64) - self.at;
        let left = self.left.checked_sub(fill);
        self.left = left.ok_or_else(|| Malformed::new("a skeleton without its page"))?;
        self.at += fill;
        Ok(())
    }
}

impl Aside for Beside<'_> {
    fn next(&mut self, length: usize) -> Result<Vec<u8>, Malformed> {
        if length as u64 > self.left {
            return Err(Malformed::new("a piece that is not there"));
        }
        // Not zeroed before: of a large piece that would cost as much as to read it.
        let mut piece = Vec::with_capacity(length);
        match self.source.mark() {
            None => self.source.read(self.at, length, &mut piece)?,
            Some(mark) => {
                while piece.len() < length {
                    let stretch = STRETCH.min(length - piece.len());
                    let at = self.at + piece.len() as u64;
                    wait_for(mark, at + stretch as u64, self.waits_on)?;
                    self.source.read(at, stretch, &mut piece)?;
                }
            }
        }
        self.at += length as u64;
        self.left -= length as u64;
        Ok(piece)
    }
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
mod tests;
