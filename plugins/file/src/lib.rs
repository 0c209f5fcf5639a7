//! The plugin `file`: reads, writes and lists files, CSV and JSON below the directories it is given.
//!
//! * `directory` is a directory that is open, and all that is done to files: nothing in it leads out.
//! * `roots` is what an operator allows: which directory a path is in, and what went wrong there.
//! * `content` reads a file whole and puts one in its place; `whole` is `file.read` and `file.write`.
//! * `listing` is `file.list`, and `pattern` what it looks for.
//! * `csv_read`, `csv_write` and `json` are the formats; `field` is what a field of a CSV file means.
#![forbid(unsafe_code)]

mod content;
mod csv_read;
mod csv_write;
mod directory;
mod field;
mod json;
mod listing;
mod pattern;
mod roots;
#[cfg(test)]
mod tests;
mod whole;

use floe_plugin_api::{Health, HostRef, Plugin, Result, data, export_plugin};

use crate::roots::{RootConfig, Roots};

/// What an operator may set.
#[data]
#[serde(deny_unknown_fields)]
struct Config {
    /// The directories that callers may use. Nothing outside them can be read, written or seen.
    #[schemars(length(min = 1))]
    roots: Vec<RootConfig>,
    /// The most bytes that are read from a file, or written to one, in a call.
    #[serde(default = "Config::max_bytes")]
    #[schemars(range(min = 1))]
    max_bytes: u64,
}

impl Config {
    const fn max_bytes() -> u64 {
        16 << 20
    }
}

struct Files {
    roots: Roots,
    max_bytes: u64,
}

impl Plugin for Files {
    type Config = Config;

    fn start(config: Config, _host: HostRef) -> Result<Self> {
        Ok(Self {
            roots: Roots::open(config.roots)?,
            max_bytes: config.max_bytes,
        })
    }

    fn health(&self) -> Health {
        match self.roots.gone() {
            None => Health::healthy(),
            Some(root) => Health::unhealthy(format!(
                "the directory of the root `{root}` was removed; make it and start the plugin anew"
            )),
        }
    }
}

export_plugin! {
    plugin: Files,
    name: "file",
    kind: "storage",
    category: "files",
    executors: [
        /// Reads a file as text or as bytes.
        "file.read" => whole::read { tags: ["read"], idempotent: true },
        /// Writes text or bytes to a file: a new one, in the place of another, or at its end.
        "file.write" => whole::write { tags: ["write"], idempotent: false },
        /// Lists what is in a directory, and below it where that is asked for.
        "file.list" => listing::list { tags: ["read"], idempotent: true },
        /// Reads the rows of a CSV file, with numbers and booleans where a column holds nothing else.
        "csv.read" => csv_read::read { tags: ["csv", "read"], idempotent: true },
        /// Writes rows to a CSV file, in the place of what was there.
        "csv.write" => csv_write::write { tags: ["csv", "write"], idempotent: true },
        /// Reads a JSON file and gives its value.
        "json.read" => json::read { tags: ["json", "read"], idempotent: true },
        /// Writes a value to a JSON file, in the place of what was there.
        "json.write" => json::write { tags: ["json", "write"], idempotent: true },
    ],
}
