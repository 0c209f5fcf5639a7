//! A frame as bytes, and memory beside it where it is large.

use std::fs::File;
use std::io::{self, IoSlice, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};

use floe_plugin_api::Value;
use serde::{Deserialize, Serialize};

use super::mapped::Shared;
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
        let mut slices = Vec::with_capacity(self.pieces.len() + 3);
        slices.push(IoSlice::new(&length));
        slices.push(IoSlice::new(&skeleton));
        slices.push(IoSlice::new(
            FILL.get(..before - 8 - skeleton.len()).unwrap_or_default(),
        ));
        let pieces = std::mem::take(&mut self.pieces);
        slices.extend(pieces.iter().map(|piece| IoSlice::new(piece)));
        let mut given = given(before + aside);
        let is_put = match &mut given {
            Some(Memory::Own(shared) | Memory::Theirs(shared)) => put(shared, &slices).is_some(),
            _ => false,
        };
        if is_put {
            self.memory = given;
            return Ok(());
        }
        let earlier = match given {
            Some(Memory::File(file)) => Some(file),
            _ => None,
        };
        let file = file_with(earlier, size, &mut slices)?;
        self.memory = Some(Memory::File(file));
        Ok(())
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

/// Copies slices into mapped memory, one after the other; nothing where they have no room in it.
fn put(shared: &mut Shared, slices: &[IoSlice<'_>]) -> Option<()> {
    let mut at = 0;
    for slice in slices {
        shared.write(at, slice)?;
        at += slice.len();
    }
    Some(())
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
        self.one_within(None)
    }

    /// The one value, which may be in memory that this side has made for it.
    pub(crate) fn one_within(self, memory: Option<&Shared>) -> Result<Value, Malformed> {
        match (self.form, memory, &self.file) {
            (WITHIN, Some(memory), _) => read_value(Source::Mapped(memory)),
            (WITHIN, None, _) => Err(Malformed::new(
                "values in memory that was not made for them",
            )),
            (BESIDE, _, Some(file)) => read_value(Source::File(file)),
            _ => self.one_behind(),
        }
    }

    /// The one value, and the memory that it was in, where this side may pass another one in it. Memory that is
    /// kept is taken where that is what was passed.
    pub(crate) fn one_and_memory(
        mut self,
        kept: impl FnOnce() -> Option<Shared>,
    ) -> Result<(Value, Option<Memory>), Malformed> {
        let Some(file) = self.file.take_if(|_| self.form != BEHIND) else {
            return Ok((self.one()?, None));
        };
        if self.form == BESIDE {
            let value = read_value(Source::File(&file))?;
            return Ok((value, Some(Memory::File(file))));
        }
        let mapped = match kept() {
            Some(kept) if kept.is(&file) => Ok(kept),
            _ => Shared::of(file),
        };
        match mapped {
            Ok(shared) => {
                let value = read_value(Source::Mapped(&shared))?;
                Ok((value, Some(Memory::Theirs(shared))))
            }
            // A limit may forbid to map it.
            Err(file) => Ok((read_value(Source::Passed(&file))?, None)),
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

/// Where values are that are not in the message.
#[derive(Clone, Copy)]
enum Source<'f> {
    /// A file that they fill.
    File(&'f File),
    /// Memory that was made for a call and has room for more than they are; mapped, or not.
    Mapped(&'f Shared),
    Passed(&'f File),
}

impl Source<'_> {
    fn size(self) -> Result<u64, Malformed> {
        match self {
            Self::File(file) | Self::Passed(file) => plain_size(file),
            Self::Mapped(shared) => Ok(shared.length() as u64),
        }
    }

    fn read(self, at: u64, length: usize) -> Result<Vec<u8>, Malformed> {
        match self {
            Self::File(file) | Self::Passed(file) => read_file(file, at, length),
            Self::Mapped(shared) => usize::try_from(at)
                .ok()
                .and_then(|at| shared.read(at, length))
                .ok_or_else(|| Malformed::new("a piece that is not there")),
        }
    }
}

fn read_value(source: Source<'_>) -> Result<Value, Malformed> {
    let mut pieces = Beside {
        source,
        at: 0,
        left: source.size()?,
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
        let piece = self.source.read(self.at, length)?;
        self.at += length as u64;
        self.left -= length as u64;
        Ok(piece)
    }
}

/// Reads so many bytes of a file.
fn read_file(file: &File, at: u64, length: usize) -> Result<Vec<u8>, Malformed> {
    let unreadable =
        |error: io::Error| Malformed::new(format!("a piece that cannot be read: {error}"));
    // Not zeroed before: of a large piece that would cost as much as to read it.
    let mut piece = Vec::with_capacity(length);
    while piece.len() < length {
        let at = at + piece.len() as u64;
        let room = rustix::buffer::spare_capacity(&mut piece);
        match rustix::io::pread(file, room, at) {
            Ok(0) => return Err(unreadable(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(unreadable(error.into())),
        }
    }
    // There may be more room than was asked for.
    piece.truncate(length);
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 200_000;

    fn bytes(length: usize) -> Value {
        Value::Bytes(vec![7_u8; length].into())
    }

    /// A value as it comes, and the memory that it was in.
    fn pass(given: Option<Memory>, value: &Value) -> (Value, Option<Memory>) {
        let mut packet = Packet::in_memory(|_| given, &1_u8, [value]).unwrap();
        let file = packet.file().map(|file| file.try_clone_to_owned().unwrap());
        let mut slices = Vec::new();
        packet.slices(&mut slices);
        let message: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        let came = Came::new(&message, file.map(File::from)).unwrap();
        let (head, values) = came.open::<u8>().unwrap();
        assert_eq!(head, 1);
        match packet.memory.take() {
            Some(Memory::Theirs(shared)) => {
                let value = values.one_within(Some(&shared)).unwrap();
                (value, Some(Memory::Theirs(shared)))
            }
            _ => values.one_and_memory(|| None).unwrap(),
        }
    }

    fn several() -> Value {
        Value::from(vec![bytes(LARGE), Value::from("x".repeat(LARGE)), bytes(0)])
    }

    #[test]
    fn one_file_passes_several_values() {
        let mut memory = None;
        for length in [LARGE, 2 * LARGE, LARGE] {
            let value = bytes(length);
            let (came, passed_in) = pass(memory.take(), &value);
            assert_eq!(came, value);
            assert!(matches!(passed_in, Some(Memory::File(_))));
            memory = passed_in;
        }
        assert_eq!(pass(memory, &several()).0, several());
    }

    #[test]
    fn a_small_value_leaves_the_memory() {
        let (value, passed_in) = pass(Some(Memory::File(memory().unwrap())), &bytes(64));
        assert_eq!(value, bytes(64));
        assert!(passed_in.is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn mapped_memory_passes_a_call_and_its_answer() {
        let own = Memory::for_call(None, 2 * LARGE);
        let (came, theirs) = pass(own, &bytes(2 * LARGE));
        assert_eq!(came, bytes(2 * LARGE));
        assert!(matches!(theirs, Some(Memory::Theirs(_))));
        // What is left there of the longer value is no part of the shorter one.
        let (came, theirs) = pass(theirs, &bytes(LARGE));
        assert_eq!(came, bytes(LARGE));
        let (came, theirs) = pass(theirs, &several());
        assert_eq!(came, several());
        // What has no room goes in a file.
        let (came, file) = pass(theirs, &bytes(2 << 20));
        assert_eq!(came, bytes(2 << 20));
        assert!(matches!(file, Some(Memory::File(_))));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_that_is_kept_is_taken_where_it_was_passed() {
        let own = Memory::for_call(None, LARGE);
        let length = own.as_ref().and_then(Memory::length);
        let again = Memory::for_call(own, LARGE);
        assert_eq!(again.as_ref().and_then(Memory::length), length);
        let input = bytes(LARGE);
        let packet = Packet::in_memory(|_| again, &1_u8, [&input]).unwrap();
        let message = packet.bytes.clone();
        let file = File::from(packet.file().unwrap().try_clone_to_owned().unwrap());
        for kept in [
            Shared::of(file.try_clone().unwrap()).ok(),
            Shared::with_room(LARGE),
        ] {
            let came = Came::new(&message, Some(file.try_clone().unwrap())).unwrap();
            let (_, values) = came.open::<u8>().unwrap();
            let (value, memory) = values.one_and_memory(|| kept).unwrap();
            assert_eq!(value, bytes(LARGE));
            assert!(memory.unwrap().shared().unwrap().is(&file));
        }
        // Where it cannot be mapped, it is read.
        assert_eq!(read_value(Source::Passed(&file)).unwrap(), bytes(LARGE));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_answer_in_memory_that_says_what_is_not_is_refused() {
        let mut shared = Shared::with_room(LARGE).unwrap();
        let length = shared.length();
        let refused = |shared: &Shared| read_value(Source::Mapped(shared)).unwrap_err().to_string();
        assert_eq!(refused(&shared), "a value that is cut short");
        for (skeleton, found) in [
            (length - 7, "a piece that is not there"),
            (LARGEST_SKELETON + 1, "a skeleton of 67108865 bytes"),
        ] {
            shared.write(0, &(skeleton as u64).to_le_bytes()).unwrap();
            assert_eq!(refused(&shared), found);
        }
        // A skeleton that has one value of bytes, one more than there are.
        let more = postcard::to_stdvec(&(length - PAGE + 1)).unwrap();
        shared
            .write(0, &(1 + more.len() as u64).to_le_bytes())
            .unwrap();
        shared.write(8, &[11]).unwrap();
        shared.write(9, &more).unwrap();
        assert_eq!(refused(&shared), "a piece that is not there");
    }

    #[test]
    fn an_answer_in_memory_that_nobody_made_is_refused() {
        let message = [6, 0, 0, 0, 1, 0, 0, 0, WITHIN, 1];
        let (_, values) = Came::new(&message, None).unwrap().open::<u8>().unwrap();
        assert_eq!(
            values.one().unwrap_err().to_string(),
            "values in memory that was not made for them"
        );
    }

    #[test]
    fn a_file_that_is_cut_is_refused() {
        let (_, passed_in) = pass(None, &bytes(LARGE));
        let Some(Memory::File(file)) = passed_in else {
            panic!("{passed_in:?}")
        };
        for length in [0, 4, 8, 10, 12, PAGE as u64, LARGE as u64] {
            file.set_len(length).unwrap();
            let found = read_value(Source::File(&file)).unwrap_err().to_string();
            let expected = ["a piece that is not there", "a skeleton without its page"];
            assert!(expected.contains(&found.as_str()), "{length}: {found}");
            // As it was, but for what was cut.
            file.set_len((PAGE + LARGE) as u64).unwrap();
            if length < 13 {
                let again = Memory::File(file.try_clone().unwrap());
                assert!(pass(Some(again), &bytes(LARGE)).1.is_some());
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn whoever_has_the_file_cannot_forbid_to_write() {
        use rustix::fs::{SealFlags, fcntl_add_seals};

        let file = memory().unwrap();
        let refused = fcntl_add_seals(&file, SealFlags::WRITE);
        assert_eq!(refused, Err(rustix::io::Errno::PERM));
    }
}
