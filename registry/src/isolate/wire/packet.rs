//! A frame as bytes, and a file beside it where it is large.

use std::fs::File;
use std::io::{self, IoSlice, Seek, Write};
use std::os::fd::OwnedFd;

use floe_plugin_api::Value;
use serde::{Deserialize, Serialize};

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

/// How values are passed.
const BEHIND: u8 = 0;
const BESIDE: u8 = 1;

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
    pub(crate) file: Option<OwnedFd>,
}

impl<'a> Packet<'a> {
    /// A frame of a head and its values.
    pub(crate) fn new(
        head: &impl Serialize,
        values: impl IntoIterator<Item = &'a Value>,
    ) -> Result<Self, Unsendable> {
        Self::in_place_of(|| None, head, values)
    }

    /// The same; where it needs a file, it takes the one that an earlier frame had.
    pub(crate) fn in_place_of(
        earlier: impl FnOnce() -> Option<File>,
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
            file: None,
        };
        if packet.bytes.len() + aside > LONGEST {
            packet.put_beside(earlier(), head, aside)?;
        } else if packet.pieces.len() > PIECES {
            for piece in std::mem::take(&mut packet.pieces) {
                packet.bytes.extend_from_slice(piece);
            }
            packet.seal(packet.bytes.len() - PREFIX - aside, 0, BEHIND);
            return Ok(packet);
        }
        let form = if packet.file.is_some() {
            BESIDE
        } else {
            BEHIND
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
        earlier: Option<File>,
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
        self.file = Some(shared(earlier, size, &mut slices)?.into());
        Ok(())
    }

    /// What goes through the socket, in order.
    pub(crate) fn slices<'b>(&'b self, onto: &mut Vec<IoSlice<'b>>) {
        onto.push(IoSlice::new(&self.bytes));
        onto.extend(self.pieces.iter().map(|piece| IoSlice::new(piece)));
    }
}

/// Writes slices to memory that can be passed to another process.
///
/// It may be changed by that process, also while it is read: whoever reads copies each byte once, and looks at
/// the copy. So one file serves a call and its answer, and then the next call: most of what a large value costs
/// would be to have the system find and give back pages.
fn shared(earlier: Option<File>, size: u64, mut slices: &mut [IoSlice<'_>]) -> io::Result<File> {
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
    beside: bool,
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
            BEHIND => {}
            BESIDE if file.is_some() => {}
            _ => return Err(Malformed::new("a frame whose values are not where it says")),
        }
        Ok(Self {
            head,
            pieces,
            beside: form == BESIDE,
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
            beside: self.beside,
            file: self.file,
        };
        Ok((head, values))
    }
}

/// What comes after a head.
pub(crate) struct Values<'b> {
    skeleton: &'b [u8],
    pieces: &'b [u8],
    beside: bool,
    file: Option<File>,
}

impl Values<'_> {
    /// The one value.
    pub(crate) fn one(self) -> Result<Value, Malformed> {
        Ok(self.one_and_file()?.0)
    }

    /// The one value, and the file that it was in.
    pub(crate) fn one_and_file(self) -> Result<(Value, Option<File>), Malformed> {
        if let Some(file) = self.file.filter(|_| self.beside) {
            return Ok((from_file(&file)?, Some(file)));
        }
        let mut pieces = Behind(self.pieces);
        let (value, rest) = if self.pieces.is_empty() {
            value::decode(self.skeleton, &mut Nothing)?
        } else {
            value::decode(self.skeleton, &mut pieces)?
        };
        if !rest.is_empty() || !pieces.0.is_empty() {
            return Err(Malformed::new("a frame with more than its values"));
        }
        Ok((value, None))
    }

    /// Whether they are in a file.
    pub(crate) const fn are_in_a_file(&self) -> bool {
        self.beside
    }

    /// The file that its values are in, if they are in one.
    pub(crate) fn into_values_file(self) -> Option<File> {
        self.file.filter(|_| self.beside)
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

fn from_file(file: &File) -> Result<Value, Malformed> {
    let size = plain_size(file)?;
    let mut pieces = Beside {
        file,
        at: 0,
        left: size,
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
    if !rest.is_empty() || pieces.left > 0 {
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

/// Pieces that are in a file.
struct Beside<'f> {
    file: &'f File,
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
        let unreadable =
            |error: io::Error| Malformed::new(format!("a piece that cannot be read: {error}"));
        if length as u64 > self.left {
            return Err(Malformed::new("a piece that is not there"));
        }
        // Not zeroed before: of a large piece that would cost as much as to read it.
        let mut piece = Vec::with_capacity(length);
        while piece.len() < length {
            let at = self.at + piece.len() as u64;
            let room = rustix::buffer::spare_capacity(&mut piece);
            match rustix::io::pread(self.file, room, at) {
                Ok(0) => return Err(unreadable(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(unreadable(error.into())),
            }
        }
        // There may be more room than was asked for.
        piece.truncate(length);
        self.at += length as u64;
        self.left -= length as u64;
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 200_000;

    fn bytes(length: usize) -> Value {
        Value::Bytes(vec![7_u8; length].into())
    }

    /// A value as it comes, and the file that it was in.
    fn pass(earlier: Option<File>, value: &Value) -> (Value, Option<File>) {
        let mut packet = Packet::in_place_of(|| earlier, &1_u8, [value]).unwrap();
        let mut slices = Vec::new();
        packet.slices(&mut slices);
        let message: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        let came = Came::new(&message, packet.file.take().map(File::from)).unwrap();
        let (head, values) = came.open::<u8>().unwrap();
        assert_eq!(head, 1);
        values.one_and_file().unwrap()
    }

    #[test]
    fn one_file_passes_several_values() {
        let mut file = None;
        for length in [LARGE, 2 * LARGE, LARGE] {
            let value = bytes(length);
            let (came, passed_in) = pass(file.take(), &value);
            assert_eq!(came, value);
            file = passed_in;
        }
        let several = Value::from(vec![bytes(LARGE), Value::from("x".repeat(LARGE)), bytes(0)]);
        assert_eq!(pass(file, &several).0, several);
    }

    #[test]
    fn a_small_value_leaves_the_file() {
        let (value, passed_in) = pass(Some(memory().unwrap()), &bytes(64));
        assert_eq!(value, bytes(64));
        assert!(passed_in.is_none());
    }

    #[test]
    fn a_file_that_is_cut_is_refused() {
        let (_, file) = pass(None, &bytes(LARGE));
        let file = file.unwrap();
        for length in [0, 4, 8, 10, 12, PAGE as u64, LARGE as u64] {
            file.set_len(length).unwrap();
            let found = from_file(&file).unwrap_err().to_string();
            let expected = ["a piece that is not there", "a skeleton without its page"];
            assert!(expected.contains(&found.as_str()), "{length}: {found}");
            // As it was, but for what was cut.
            file.set_len((PAGE + LARGE) as u64).unwrap();
            if length < 13 {
                let (_, again) = pass(Some(file.try_clone().unwrap()), &bytes(LARGE));
                assert!(again.is_some());
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
