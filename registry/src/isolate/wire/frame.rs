//! What a host and its worker say to each other.
//!
//! ```text
//! offset  bytes  what
//! 0       4      how many bytes follow, little endian
//! 4       4      how many of them are the head and the skeleton of its values
//! 8       1      0: the pieces follow · 1: skeleton and pieces are in the file that comes with it · 2: they go
//!                through the memory that was made for the call
//! 9              the head, in postcard's encoding; the values' skeleton; the pieces
//! ```
//!
//! In the file, and through the memory, go the length of the skeleton in 8 bytes and the skeleton; then, from the next
//! multiple of 4,096 bytes on, the pieces.

use serde::{Deserialize, Serialize};

use crate::isolate::sandbox::Sandbox;

/// What both sides of a socket pair begin with.
pub(crate) const MAGIC: [u8; 8] = *b"floework";

/// The version of all that is said here; both sides have the same.
pub(crate) const PROTOCOL: u32 = 3;

/// Which release of this crate speaks: a worker of another one is not used.
pub(crate) const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// What a caller says of its call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saying<'a> {
    pub(crate) execution_id: &'a str,
    pub(crate) node_id: &'a str,
    pub(crate) tenant: &'a str,
    pub(crate) attempt: u32,
    pub(crate) remaining_ns: u64,
    /// Whether nobody waits for it any more already.
    pub(crate) cancelled: bool,
}

/// What the host says. After each, the values that it has.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ToWorker<'a> {
    /// The first word: who speaks, and what the worker is held to.
    Hello {
        magic: [u8; 8],
        protocol: u32,
        release: &'a str,
        sandbox: Sandbox,
        /// Where the library will be.
        library: &'a [u8],
    },
    /// A library to be mapped, with its file: an open descriptor of the verified copy.
    Load {
        /// The file that the copy was made of, for words.
        original: &'a [u8],
        /// The manifest that was admitted.
        note: &'a [u8],
    },
    /// Tell the schemas.
    Describe { request: u64 },
    /// Start the plugin. Value: its configuration.
    Create { request: u64, level: u8 },
    /// Call an executor. Value: its input.
    Call {
        request: u64,
        operation: u32,
        /// The most detailed level that the host's log wants.
        level: u8,
        #[serde(borrow)]
        said: Saying<'a>,
    },
    /// Nobody waits for the answer any more.
    Cancel { request: u64 },
    /// Say how the plugin is.
    Health { request: u64 },
    /// Stop the plugin.
    Stop { request: u64 },
    /// How far what the worker asked is; not a number where that is unknown.
    Progress {
        ask: u64,
        fraction: f64,
        message: &'a str,
    },
    /// What came of what the worker asked. Value: an output, or an error.
    Answer { ask: u64, failed: bool },
}

/// A line of progress, no longer than any that is read.
pub(crate) fn shortened(message: &str) -> &str {
    const LONGEST: usize = 4 << 10;

    let end = message.floor_char_boundary(LONGEST);
    message.get(..end).unwrap_or_default()
}

/// What the worker says. After each, the values that it has.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum FromWorker<'a> {
    /// The answer to the first word, with what this system could not hold it to.
    Welcome {
        magic: [u8; 8],
        protocol: u32,
        release: &'a str,
        missing: Vec<Missing>,
    },
    /// The library is mapped.
    Loaded,
    /// The library is refused.
    Refused {
        check: &'a str,
        found: &'a str,
        expected: &'a str,
        remedy: &'a str,
    },
    /// A request is done. Value: what came of it.
    Done { request: u64 },
    /// A request failed. Value: the error.
    Failed { request: u64 },
    /// How far a call is; not a number where that is unknown.
    Progress {
        request: u64,
        fraction: f64,
        message: &'a str,
    },
    /// A place in the plugin's source that logs.
    Callsite {
        number: u64,
        level: u8,
        name: &'a str,
        target: &'a str,
        file: Option<&'a str>,
        line: Option<u32>,
        module_path: Option<&'a str>,
        fields: Vec<&'a str>,
    },
    /// An event of the plugin's log: of each field, its place and whether it is written without quotes.
    /// Value: the list of the fields' values.
    Event {
        callsite: u64,
        fields: Vec<(u32, bool)>,
    },
    /// The plugin calls an executor, on the thread of a call or on its own. Value: the input.
    Ask {
        ask: u64,
        during: Option<u64>,
        node_type: &'a str,
        #[serde(borrow)]
        said: Saying<'a>,
    },
}

/// What a worker's system could not hold it to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Missing {
    pub(crate) name: String,
    pub(crate) detail: String,
    pub(crate) remedy: String,
}
