//! `file.list`.

use std::ffi::OsString;

use floe_plugin_api::{CallContext, ErrorKind, Result, data};

use crate::Files;
use crate::directory::{Directory, Kind, Refused, Seen};
use crate::pattern::Pattern;
use crate::roots::Place;

/// The most names that are looked at in a call.
const MAX_VISITED: usize = 1_000_000;

/// How many names lie between two looks at whether anybody still waits.
const BETWEEN_CHECKS: usize = 1_000;

/// The deepest that a listing goes. Each level holds a directory open.
const DEEPEST: u32 = 64;

/// A directory to list.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    /// The directory, from the root; the root itself when not given.
    #[serde(default)]
    path: String,
    /// The root; may be left out where there is but one.
    #[serde(default)]
    root: Option<String>,
    /// Which names to give: `*` is any number of characters, `?` is one, `**` any number of
    /// directories. With a `/` it is about the path from the directory, else about the name alone.
    #[serde(default)]
    pattern: Option<String>,
    /// Whether to list what is in directories below too.
    #[serde(default)]
    recursive: bool,
    /// How many levels to list then; what is deeper is left out.
    #[serde(default = "levels")]
    #[schemars(range(min = 1, max = 64))]
    max_depth: u32,
    /// The most entries to give.
    #[serde(default = "entries")]
    #[schemars(range(min = 1, max = 100_000))]
    limit: usize,
}

const fn levels() -> u32 {
    16
}

const fn entries() -> usize {
    10_000
}

/// What is in a directory.
#[data]
pub(crate) struct Listing {
    /// Sorted by the names on their paths.
    entries: Vec<Entry>,
    /// How many there are here.
    count: usize,
    /// Whether there are more than were asked for.
    truncated: bool,
    /// How many directories could not be opened, and names are not UTF-8 and so cannot be given.
    skipped: usize,
}

/// Something in a directory.
#[data]
pub(crate) struct Entry {
    /// The path from the root.
    path: String,
    /// What it is. A link is not followed.
    kind: EntryKind,
    /// How long it is, of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// When it was last changed, in milliseconds since 1970.
    modified_ms: i64,
}

/// What an entry is.
#[data]
#[derive(Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a pipe or a socket.
    Other,
}

pub(crate) fn list(files: &Files, input: List, call: &CallContext<'_>) -> Result<Listing> {
    let place = files.roots.place(&input.path, input.root.as_deref())?;
    let directory =
        place
            .directory()
            .directory(place.relative())
            .map_err(|refused| match refused {
                Refused::Io(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                    place.refused(ErrorKind::ValidationFailed, "is not a directory; give one")
                }
                refused => place.failed(refused),
            })?;
    let mut walk = Walk {
        place: &place,
        call,
        pattern: input.pattern.as_deref().map(Pattern::new),
        levels: if input.recursive {
            input.max_depth.clamp(1, DEEPEST)
        } else {
            1
        },
        limit: input.limit,
        visited: 0,
        below: Vec::new(),
        found: Listing {
            entries: Vec::new(),
            count: 0,
            truncated: false,
            skipped: 0,
        },
    };
    let names = directory
        .names()
        .map_err(|error| place.failed(error.into()))?;
    walk.enter(&directory, names)?;
    let mut listing = walk.found;
    listing.count = listing.entries.len();
    Ok(listing)
}

struct Walk<'a, 'c> {
    place: &'a Place<'a>,
    call: &'a CallContext<'c>,
    pattern: Option<Pattern>,
    levels: u32,
    limit: usize,
    visited: usize,
    /// The names from the directory that is listed to where the walk is.
    below: Vec<String>,
    found: Listing,
}

impl Walk<'_, '_> {
    /// Lists a directory and, in their places between its names, those in it.
    fn enter(&mut self, directory: &Directory, mut names: Vec<OsString>) -> Result<()> {
        names.sort_unstable();
        for name in names {
            if self.visited.is_multiple_of(BETWEEN_CHECKS) {
                self.call.checkpoint()?;
            }
            self.visited += 1;
            if self.visited > MAX_VISITED {
                return Err(self.place.refused(
                    ErrorKind::ResourceExhausted,
                    &format!(
                        "holds more than `{MAX_VISITED}` names; list a directory in it, or fewer levels"
                    ),
                ));
            }
            let Some(text) = name.to_str() else {
                self.found.skipped += 1;
                continue;
            };
            // Removed since its name was read.
            let Ok(Some(seen)) = directory.look(&name) else {
                continue;
            };
            self.below.push(text.to_owned());
            self.add(&seen);
            let deeper = self.below.len() < self.levels as usize;
            if seen.kind == Kind::Directory && deeper && !self.found.truncated {
                match directory
                    .child(&name)
                    .and_then(|inner| Ok((inner.names()?, inner)))
                {
                    Ok((names, inner)) => self.enter(&inner, names)?,
                    Err(_) => self.found.skipped += 1,
                }
            }
            self.below.pop();
            if self.found.truncated {
                break;
            }
        }
        Ok(())
    }

    fn add(&mut self, seen: &Seen) {
        if let Some(pattern) = &self.pattern
            && !pattern.matches(&self.below)
        {
            return;
        }
        if self.found.entries.len() >= self.limit {
            self.found.truncated = true;
            return;
        }
        let above = self.place.relative().components();
        let above = above.map(|component| component.as_os_str().to_string_lossy());
        let below = self.below.iter().map(|name| name.as_str().into());
        let path: Vec<_> = above.chain(below).collect();
        self.found.entries.push(Entry {
            path: path.join("/"),
            kind: match seen.kind {
                Kind::File => EntryKind::File,
                Kind::Directory => EntryKind::Directory,
                Kind::Link => EntryKind::Link,
                Kind::Other => EntryKind::Other,
            },
            bytes: (seen.kind == Kind::File).then_some(seen.bytes),
            modified_ms: seen.modified_ms,
        });
    }
}
