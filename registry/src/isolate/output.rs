//! What a worker writes to its standard output and errors.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdout};

use parking_lot::Mutex;

use super::log::{Log, Stream};

/// How many of the last lines of a worker's errors are kept.
const KEPT_LINES: usize = 10;

/// The longest line of a worker's output that is kept whole, in bytes.
const LONGEST_LINE: usize = 4 << 10;

/// How much of a worker's output is taken at once, so that none has a host read for ever.
const AT_A_TIME: usize = 256 << 10;

/// The two pipes that a worker writes to.
pub(super) struct Output(Mutex<Pipes>);

struct Pipes {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// The lines that have begun and not ended.
    partial: [Vec<u8>; 2],
    /// The last lines of its errors, without what is secret.
    last: VecDeque<String>,
}

impl Output {
    /// What a process that was started writes to.
    pub(super) fn of(child: &mut Child) -> io::Result<Self> {
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let streams = stdout.iter().map(AsFd::as_fd);
        for stream in streams.chain(stderr.iter().map(AsFd::as_fd)) {
            rustix::io::ioctl_fionbio(stream, true)?;
        }
        Ok(Self(Mutex::new(Pipes {
            stdout,
            stderr,
            partial: Default::default(),
            last: VecDeque::new(),
        })))
    }

    /// What can be looked at, to see whether something is there.
    pub(super) fn descriptors(&self) -> Vec<OwnedFd> {
        let pipes = self.0.lock();
        let streams = pipes.stdout.iter().map(AsFd::as_fd);
        let streams = streams.chain(pipes.stderr.iter().map(AsFd::as_fd));
        streams
            .filter_map(|stream| stream.try_clone_to_owned().ok())
            .collect()
    }

    /// The last lines of its errors.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.0.lock().last.iter().cloned().collect()
    }

    /// Takes what is there into the log.
    pub(super) fn read(&self, log: &Log) {
        let mut pipes = self.0.lock();
        let Pipes {
            stdout,
            stderr,
            partial: [out, err],
            last,
        } = &mut *pipes;
        let mut lines = Vec::new();
        if let Some(stream) = stdout
            && !take_lines(stream, out, |line| {
                lines.push((Stream::Out, log.mask(&line)));
            })
        {
            *stdout = None;
        }
        if let Some(stream) = stderr
            && !take_lines(stream, err, |line| {
                lines.push((Stream::Err, log.mask(&line)));
            })
        {
            *stderr = None;
        }
        for (stream, line) in &lines {
            if *stream == Stream::Err {
                if last.len() == KEPT_LINES {
                    last.pop_front();
                }
                last.push_back(line.clone());
            }
        }
        // Not under the lock: a subscriber may ask for more.
        drop(pipes);
        for (stream, line) in lines {
            log.line(stream, &line);
        }
    }
}

/// Takes whole lines from a stream; false where it has ended.
fn take_lines(stream: &mut impl Read, partial: &mut Vec<u8>, mut each: impl FnMut(String)) -> bool {
    let mut chunk = [0; 8 << 10];
    let mut taken = 0;
    let open = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break false,
            Ok(count) => {
                taken += count;
                for &byte in chunk.get(..count).unwrap_or_default() {
                    if byte == b'\n' || partial.len() == LONGEST_LINE {
                        each(String::from_utf8_lossy(partial).into_owned());
                        partial.clear();
                    }
                    if byte != b'\n' {
                        partial.push(byte);
                    }
                }
                if taken >= AT_A_TIME {
                    break true;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
        }
    };
    if !open && !partial.is_empty() {
        each(String::from_utf8_lossy(partial).into_owned());
        partial.clear();
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_where_they_are_too_long_and_the_last_counts() {
        let mut text = b"one\n\ntwo\n".to_vec();
        text.extend(vec![b'x'; LONGEST_LINE + 1]);
        let (mut lines, mut partial) = (Vec::new(), Vec::new());
        let open = take_lines(&mut text.as_slice(), &mut partial, |line| lines.push(line));
        assert!(!open);
        let lengths: Vec<usize> = lines.iter().map(String::len).collect();
        assert_eq!(lengths, [3, 0, 3, LONGEST_LINE, 1]);
    }
}
