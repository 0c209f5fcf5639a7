//! A whole file: read within a bound, and written so that no reader ever sees half of it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};

use floe_plugin_api::{CallContext, ErrorKind, Result, data};

use crate::Files;
use crate::directory::{Directory, Kind};
use crate::roots::Place;

/// How many bytes lie between two looks at whether anybody still waits.
const CHUNK: usize = 1 << 20;

/// How many names are tried for a temporary file: they are random, and a second is hardly needed.
const ATTEMPTS: usize = 16;

/// What to do about a file that is there already.
#[data]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Refuse.
    #[default]
    Create,
    /// Put the new one in its place, at once.
    Replace,
    /// Write at its end; make it where it is not there.
    Append,
}

/// What was written.
#[data]
pub(crate) struct Written {
    /// The root.
    root: String,
    /// The path, as it was given.
    path: String,
    /// How many bytes were written.
    bytes: u64,
}

impl Files {
    /// Reads a file whole.
    pub(crate) fn content(&self, place: &Place<'_>, call: &CallContext<'_>) -> Result<Vec<u8>> {
        let file = place
            .directory()
            .read(place.relative())
            .map_err(|refused| place.failed(refused))?;
        let failed = |error: std::io::Error| place.failed(error.into());
        let expected = file.metadata().map_err(failed)?.len();
        self.bounded(place, expected, "is")?;

        let mut content = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
        // One byte more than may be, to see that it is there: a file may grow while it is read.
        let mut file = file.take(self.max_bytes.saturating_add(1));
        loop {
            call.checkpoint()?;
            let read = (&mut file)
                .take(CHUNK as u64)
                .read_to_end(&mut content)
                .map_err(failed)?;
            if read == 0 {
                break;
            }
        }
        self.bounded(place, content.len() as u64, "has at least")?;
        Ok(content)
    }

    /// Reads a file whole that is a text.
    pub(crate) fn text(&self, place: &Place<'_>, call: &CallContext<'_>) -> Result<String> {
        String::from_utf8(self.content(place, call)?).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            place.refused(
                ErrorKind::ValidationFailed,
                &format!("is not utf-8 at its byte `{at}`; read it with `file.read` as bytes"),
            )
        })
    }

    /// Writes a file.
    pub(crate) fn put(
        &self,
        place: &Place<'_>,
        content: &[u8],
        mode: Mode,
        call: &CallContext<'_>,
    ) -> Result<Written> {
        place.writable()?;
        self.bounded(place, content.len() as u64, "would be")?;
        let Some(name) = place.relative().file_name() else {
            return Err(place.refused(
                ErrorKind::ValidationFailed,
                "is the root itself, expected a file in it",
            ));
        };
        let above = place.relative().parent().unwrap_or(place.relative());
        let directory = place.directory().directory(above).map_err(|refused| {
            if refused.is_not_found() {
                return place.refused(
                    ErrorKind::ValidationFailed,
                    "is in a directory that is not there; make that first",
                );
            }
            place.failed(refused)
        })?;

        if mode == Mode::Append {
            let file = directory
                .append(name)
                .map_err(|refused| place.failed(refused))?;
            write(place, file, content, call)?;
        } else {
            place_whole(place, &directory, name, content, mode, call)?;
        }
        Ok(Written {
            root: place.root_name().to_owned(),
            path: place.given().to_owned(),
            bytes: content.len() as u64,
        })
    }

    fn bounded(&self, place: &Place<'_>, bytes: u64, verb: &str) -> Result<()> {
        if bytes <= self.max_bytes {
            return Ok(());
        }
        Err(place
            .refused(
                ErrorKind::ResourceExhausted,
                &format!(
                    "{verb} `{bytes}` bytes long, more than `{}`; work on smaller files, or raise `max_bytes` in the configuration",
                    self.max_bytes
                ),
            )
            .with_detail("bytes", bytes)
            .with_detail("max_bytes", self.max_bytes))
    }
}

/// Writes to a temporary file beside the one that is meant, and gives it that one's name.
fn place_whole(
    place: &Place<'_>,
    directory: &Directory,
    name: &OsStr,
    content: &[u8],
    mode: Mode,
    call: &CallContext<'_>,
) -> Result<()> {
    let failed = |error: std::io::Error| place.failed(error.into());
    let before = directory.look(name).map_err(failed)?;
    match before.map(|seen| seen.kind) {
        None => {}
        Some(_) if mode == Mode::Create => {
            return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
        }
        Some(Kind::File) => {}
        Some(Kind::Link) => return Err(place.failed(crate::directory::Refused::Link)),
        Some(kind) => return Err(place.failed(crate::directory::Refused::Not(kind))),
    }

    let (temporary, file) = Temporary::create(directory).map_err(failed)?;
    if before.is_some() {
        // Where that fails, as in a sandbox, the file allows what any new one does.
        let _ = directory.allow_as(name, &file);
    }
    write(place, file, content, call)?;
    // The last moment at which nothing has happened.
    call.checkpoint()?;
    temporary.rename(name, mode).map_err(failed)?;
    // A directory that cannot be synced, as on some network file systems, is no reason to say that
    // the file was not written.
    let _ = directory.sync();
    Ok(())
}

fn write(place: &Place<'_>, mut file: File, content: &[u8], call: &CallContext<'_>) -> Result<()> {
    let failed = |error: std::io::Error| place.failed(error.into());
    for chunk in content.chunks(CHUNK) {
        call.checkpoint()?;
        file.write_all(chunk).map_err(failed)?;
    }
    file.sync_all().map_err(failed)
}

/// A file that is removed unless it is given a name.
struct Temporary<'a> {
    directory: &'a Directory,
    name: OsString,
}

impl<'a> Temporary<'a> {
    fn create(directory: &'a Directory) -> std::io::Result<(Self, File)> {
        let mut attempt = 0;
        loop {
            let name = OsString::from(format!(".floe-{:016x}.tmp", fastrand::u64(..)));
            match directory.create(&name) {
                Ok(file) => return Ok((Self { directory, name }, file)),
                Err(error)
                    if error.kind() == std::io::ErrorKind::AlreadyExists && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn rename(self, name: &OsStr, mode: Mode) -> std::io::Result<()> {
        if mode == Mode::Create {
            self.directory.name_anew(&self.name, name)?;
        } else {
            self.directory.replace(&self.name, name)?;
        }
        // The name is another's now, or nobody's.
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        let _ = self.directory.remove(&self.name);
    }
}
