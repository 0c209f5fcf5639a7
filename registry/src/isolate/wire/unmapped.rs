//! The twin of `mapped` where the system does not seal memory: there is none to map.

use std::convert::Infallible;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

/// How many bytes it would have.
pub(crate) const RING: usize = 2 << 20;

/// Mapped memory, of which there is none.
#[derive(Debug)]
pub(crate) struct Shared(Infallible);

impl Shared {
    pub(crate) const fn new() -> Option<Self> {
        None
    }

    pub(crate) const fn of(file: File) -> Result<Self, (File, Option<Marks>)> {
        Err((file, None))
    }

    pub(crate) const fn marks(&self) -> &Arc<Marks> {
        match self.0 {}
    }

    pub(crate) const fn is(&self, _file: &File) -> bool {
        match self.0 {}
    }

    pub(crate) const fn write(&mut self, _at: usize, _bytes: &[u8]) -> Option<()> {
        match self.0 {}
    }

    pub(crate) const fn read(&self, _at: usize, _length: usize, _onto: &mut Vec<u8>) -> Option<()> {
        match self.0 {}
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}

/// What is freed here is the system's at once, or when the C library likes.
pub(crate) const fn give_back() {}

/// The numbers at the end of mapped memory, of which there is none.
#[derive(Debug)]
pub(crate) struct Marks(Infallible);

impl Marks {
    pub(crate) const fn written(&self) -> &Mark {
        match self.0 {}
    }

    pub(crate) const fn read(&self) -> &Mark {
        match self.0 {}
    }

    pub(crate) const fn rewind(&self) {
        match self.0 {}
    }
}

/// How far one side has come.
#[derive(Debug)]
pub(crate) struct Mark(Infallible);

impl Mark {
    pub(crate) const fn get(&self) -> usize {
        match self.0 {}
    }

    pub(crate) const fn set(&self, _so_far: usize) {
        match self.0 {}
    }

    pub(crate) const fn wait(&self, _seen: usize, _at_most: Duration) {
        match self.0 {}
    }
}
