//! A frame as bytes, and memory beside it where it is large.
//!
//! What goes through mapped memory and is large is written after the frame was sent, while the other side reads.

use std::fs::File;
use std::io::{self, IoSlice, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use floe_plugin_api::Value;
use serde::{Deserialize, Serialize};

use super::mapped::{Marks, RING, Shared};
use super::stream::{self, Source, WaitsOn, Writer};
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
pub(super) const LARGEST: u64 = 256 << 20;

/// The most bytes of a skeleton.
pub(super) const LARGEST_SKELETON: usize = 64 << 20;

/// The most pieces that are written as they lie.
const PIECES: usize = 64;

/// Where the pieces in a file begin: at a multiple of this. A copy that begins with a page is quicker.
pub(super) const PAGE: usize = 4 << 10;

/// What is before that.
const FILL: [u8; PAGE] = [0; PAGE];

/// Up to how many bytes all that goes through mapped memory is there before the frame is sent: to wake each other
/// for less would cost more than it gains.
const AT_ONCE: usize = 1 << 20;
const _: () = assert!(AT_ONCE <= RING, "what is written at once waits for nobody");

/// How values are passed: in the message, in a file that they fill, or through memory that the host has made for a
/// call.
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
    /// Memory for a call: what an earlier one had, if there is any.
    pub(crate) fn for_call(earlier: Option<Self>) -> Option<Self> {
        earlier.or_else(|| Shared::new().map(Self::Own))
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::File(file) => file.metadata().ok().map(|metadata| metadata.len()),
            Self::Own(_) | Self::Theirs(_) => Some(RING as u64),
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
    /// What goes through mapped memory when the frame was sent.
    later: Option<Later<'a>>,
}

/// What goes through mapped memory.
struct Later<'a> {
    skeleton: Vec<u8>,
    pieces: Vec<&'a [u8]>,
}

/// That all is in mapped memory, which the other side is yet to be told of.
#[must_use = "whoever reads it waits"]
pub(crate) struct Poured(Option<(Arc<Marks>, usize)>);

impl Poured {
    /// Tells the other side, which may put others into it from now on.
    pub(crate) fn tell(self) {
        if let Some((marks, at)) = self.0 {
            marks.written().set(at);
        }
    }
}

impl<'a> Packet<'a> {
    /// A frame of a head and its values.
    pub(crate) fn new(
        head: &impl Serialize,
        values: impl IntoIterator<Item = &'a Value>,
    ) -> Result<Self, Unsendable> {
        Self::in_memory(|| None, head, values)
    }

    /// The same; where it needs memory, it takes what it is given.
    pub(crate) fn in_memory(
        given: impl FnOnce() -> Option<Memory>,
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
            later: None,
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
        given: impl FnOnce() -> Option<Memory>,
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
        let given = given();
        if let Some(Memory::Own(shared) | Memory::Theirs(shared)) = &given {
            shared.marks().rewind();
            self.memory = given;
            self.later = Some(Later {
                skeleton,
                pieces: std::mem::take(&mut self.pieces),
            });
            if before + aside <= AT_ONCE {
                self.pour(&mut || false).tell();
            }
            return Ok(());
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
        self.later.is_none()
    }

    /// Writes what is not there yet, when the frame was sent, as the other side reads it. Where there is no room for
    /// more, whether to wait on is asked again and again; who does not find it all knows of nothing that is left.
    pub(crate) fn pour(&mut self, waits_on: WaitsOn<'_>) -> Poured {
        let (Some(later), Some(Memory::Own(shared) | Memory::Theirs(shared))) =
            (self.later.take(), &mut self.memory)
        else {
            return Poured(None);
        };
        let mut writer = Writer::new(shared, waits_on);
        let written = writer
            .write(&(later.skeleton.len() as u64).to_le_bytes())
            .and_then(|()| writer.write(&later.skeleton))
            .and_then(|()| writer.skip_to_page())
            .and_then(|()| {
                later
                    .pieces
                    .iter()
                    .try_for_each(|piece| writer.write(piece))
            });
        let at = writer.at();
        Poured(written.is_ok().then(|| (shared.marks().clone(), at)))
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
            (WITHIN, Some(memory), _) => stream::read(Source::Mapped(memory), waits_on),
            (WITHIN, None, _) => Err(Malformed::new(
                "values in memory that was not made for them",
            )),
            (BESIDE, _, Some(file)) => stream::read(Source::File(file), waits_on),
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
            let value = stream::read(Source::File(&file), &mut || true)?;
            return Ok((value, Some(Memory::File(file))));
        }
        let mapped = match kept() {
            Some(kept) if kept.is(&file) => Ok(kept),
            _ => Shared::of(file),
        };
        match mapped {
            Ok(shared) => {
                let value = stream::read(Source::Mapped(&shared), &mut || true)?;
                Ok((value, Some(Memory::Theirs(shared))))
            }
            // A limit may forbid to map it.
            Err((file, Some(marks))) => {
                let value = stream::read(Source::Passed(&file, &marks), &mut || true)?;
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

#[cfg(test)]
mod tests;
