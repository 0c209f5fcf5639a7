//! One end of the socket pair between a host and its worker.
//!
//! The socket keeps messages apart, so any number of threads may send, and as many may wait for the next
//! message: each message comes to one of them, whole.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair, sockopt,
};

use super::packet::{LONGEST, Packet};

/// A socket that keeps messages apart and tells when the other end is gone.
#[cfg(not(target_vendor = "apple"))]
const TYPE: SocketType = SocketType::SEQPACKET;
#[cfg(target_vendor = "apple")]
const TYPE: SocketType = SocketType::DGRAM;

/// One end of a socket pair.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// What a look for a message gave.
pub(crate) enum Received {
    /// A message of this length, and the file that came with it.
    Message(usize, Option<File>),
    /// Nothing came in the time that was set.
    Nothing,
    /// The other end is gone.
    End,
}

thread_local! {
    static BUFFERS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// The place that a message is taken to: this thread's own, which it keeps for the next one.
pub(crate) struct Buffer(Box<[u8]>);

impl Buffer {
    pub(crate) fn take() -> Self {
        let kept = BUFFERS.with(|buffers| buffers.borrow_mut().pop());
        // Longer than the longest, to tell what is longer.
        Self(kept.unwrap_or_else(|| vec![0; LONGEST + 16].into_boxed_slice()))
    }

    /// The first bytes of it.
    pub(crate) fn message(&self, length: usize) -> &[u8] {
        self.0.get(..length).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // A thread that ends has no place to keep it.
        let _ = BUFFERS.try_with(|buffers| buffers.borrow_mut().push(buffer));
    }
}

impl Channel {
    /// The two ends of a new one. Neither is inherited by other processes.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        #[cfg(not(target_vendor = "apple"))]
        let flags = SocketFlags::CLOEXEC;
        #[cfg(target_vendor = "apple")]
        let flags = SocketFlags::empty();
        let (own, other) = socketpair(AddressFamily::UNIX, TYPE, flags, None)?;
        #[cfg(target_vendor = "apple")]
        for end in [&own, &other] {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
        }
        Ok((Self(own), other))
    }

    pub(crate) const fn new(end: OwnedFd) -> Self {
        Self(end)
    }

    /// Whether a descriptor is the end of such a socket pair.
    pub(crate) fn is_one(descriptor: BorrowedFd<'_>) -> bool {
        sockopt::socket_type(descriptor).is_ok_and(|found| found == TYPE)
    }

    /// Sets how long a look for a message, or for room for one, waits at most.
    pub(crate) fn set_patience(&self, patience: Duration) -> io::Result<()> {
        sockopt::set_socket_timeout(&self.0, sockopt::Timeout::Recv, Some(patience))?;
        sockopt::set_socket_timeout(&self.0, sockopt::Timeout::Send, Some(patience))?;
        Ok(())
    }

    /// Sends a frame. [`io::ErrorKind::WouldBlock`] where there was no room in the time that was set.
    pub(crate) fn send(&self, packet: &Packet<'_>) -> io::Result<()> {
        self.send_with(packet, packet.file())
    }

    /// Sends a frame, and a file with it.
    pub(crate) fn send_with(
        &self,
        packet: &Packet<'_>,
        file: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(4);
        packet.slices(&mut slices);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let files = file.map(|file| [file]);
        if let Some(files) = &files {
            control.push(SendAncillaryMessage::ScmRights(files));
        }
        rustix::io::retry_on_intr(|| sendmsg(&self.0, &slices, &mut control, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// Waits for a message.
    pub(crate) fn receive(&self, buffer: &mut Buffer) -> io::Result<Received> {
        self.receive_as(buffer, RecvFlags::empty())
    }

    /// Waits until there is a message, or for a time at most; false where none came.
    pub(crate) fn waits_for(&self, at_most: Duration) -> io::Result<bool> {
        let at_most = Timespec::try_from(at_most).ok();
        let mut polled = [PollFd::new(&self.0, PollFlags::IN)];
        match poll(&mut polled, at_most.as_ref()) {
            Ok(found) => Ok(found > 0),
            // Whoever waits looks again.
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a message that is there.
    pub(crate) fn take(&self, buffer: &mut Buffer) -> io::Result<Received> {
        self.receive_as(buffer, RecvFlags::DONTWAIT)
    }

    fn receive_as(&self, buffer: &mut Buffer, flags: RecvFlags) -> io::Result<Received> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        let received = rustix::io::retry_on_intr(|| {
            recvmsg(
                &self.0,
                &mut [IoSliceMut::new(&mut buffer.0)],
                &mut control,
                flags,
            )
        });
        let received = match received {
            Ok(received) => received,
            Err(Errno::AGAIN) => return Ok(Received::Nothing),
            Err(Errno::CONNRESET) => return Ok(Received::End),
            Err(error) => return Err(error.into()),
        };
        let mut files = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                files.extend(descriptors);
            }
        }
        if received.bytes == 0 {
            return Ok(Received::End);
        }
        if received.flags.contains(ReturnFlags::TRUNC) || files.len() > 1 {
            // A length that no frame has: the message is refused where it is read.
            return Ok(Received::Message(0, None));
        }
        Ok(Received::Message(
            received.bytes,
            files.pop().map(File::from),
        ))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
