//! Which node comes after which, as a map from each node to those after it.
//!
//! Editors write it so: for each node its ports, for each port its outputs, for each output the nodes
//! that come after it. All of these say the same:
//!
//! ```yaml
//! connections:
//!   A: { main: [[{ node: B, type: main, index: 0 }]] }
//!   A: { main: { "0": [B] } }
//!   A: { main: [B] }
//!   A: B
//! ```

use std::fmt;
use std::str::FromStr;

use super::fields;
use super::reader::{Reader, Spot};
use crate::nearest::nearest;
use crate::problem::{Problem, Rule};
use crate::source::Branch;

/// One arrow from a node to another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// Where it leaves: a node's id or its name.
    pub from: String,
    /// By which port.
    pub port: Port,
    /// Where it arrives: a node's id or its name.
    pub to: String,
    /// Where it is said, as a JSON pointer.
    pub pointer: String,
}

/// By which port a node is left.
///
/// It is written `main`, `main:1` or `error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Port {
    /// It went well, whichever its output.
    #[default]
    Main,
    /// It went well and took this output, from 0. Only a condition, whose 0 is `true` and whose 1 is
    /// `false`, and a switch have several.
    Output(u32),
    /// It failed.
    Error,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main => f.pad("main"),
            Self::Output(output) => f.pad(&format!("main:{output}")),
            Self::Error => f.pad("error"),
        }
    }
}

/// A text that names no port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no port, expected `main`, `error` or an output such as `main:1`; write one of those"
)]
pub struct ParsePortError(String);

impl FromStr for Port {
    type Err = ParsePortError;

    fn from_str(text: &str) -> Result<Self, ParsePortError> {
        let output = |text: &str| {
            let digits = text.strip_prefix("main:")?;
            let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_digits)
        };
        match text {
            "main" => Ok(Self::Main),
            "error" => Ok(Self::Error),
            _ => output(text)
                .map(Self::Output)
                .ok_or_else(|| ParsePortError(text.to_owned())),
        }
    }
}

/// Reads the map.
pub(super) fn read(reader: &mut Reader, map: &Spot<'_>) -> Vec<Connection> {
    let mut connections = Vec::new();
    for entry in reader.entries(map) {
        let spot = map.entry(entry);
        let mut leaving = Leaving {
            reader: &mut *reader,
            from: &entry.key,
            found: &mut connections,
        };
        leaving.ports(&spot);
    }
    connections
}

/// What leaves one node.
struct Leaving<'a> {
    reader: &'a mut Reader,
    from: &'a str,
    found: &'a mut Vec<Connection>,
}

impl Leaving<'_> {
    fn ports(&mut self, spot: &Spot<'_>) {
        let Branch::Map(entries) = &spot.tree.branch else {
            return self.outputs(spot, false);
        };
        if entries.iter().any(|entry| entry.key == "node") {
            return self.outputs(spot, false);
        }
        for entry in entries {
            let below = spot.entry(entry);
            match entry.key.as_str() {
                "main" => self.outputs(&below, false),
                "error" => self.outputs(&below, true),
                other => {
                    let message = format!(
                        "a node has no port `{}`, only `main` and `error`",
                        other.escape_debug()
                    );
                    let problem = Problem::new(Rule::Format, &below.pointer, entry.place, message);
                    let near = nearest(other, ["main", "error"]);
                    self.reader.push(problem.meant(near, "write `main`"));
                }
            }
        }
    }

    /// The outputs of a port: a list or a map of them, or what comes after the only one.
    fn outputs(&mut self, spot: &Spot<'_>, error: bool) {
        match &spot.tree.branch {
            Branch::List(items) if items.iter().any(is_output) => {
                for (index, item) in items.iter().enumerate() {
                    let port = self.port(spot, index, error);
                    if let Some(port) = port {
                        self.targets(&spot.item(index, item), port);
                    }
                }
            }
            Branch::Map(entries) if !entries.iter().any(|entry| entry.key == "node") => {
                for entry in entries {
                    let below = spot.entry(entry);
                    let Ok(index) = entry.key.parse::<usize>() else {
                        let message = format!(
                            "found `{}`, expected the number of an output, from `0`",
                            entry.key.escape_debug()
                        );
                        self.reader.push(Problem::new(
                            Rule::Format,
                            &below.pointer,
                            entry.place,
                            message,
                        ));
                        continue;
                    };
                    if let Some(port) = self.port(&below, index, error) {
                        self.targets(&below, port);
                    }
                }
            }
            _ => {
                if let Some(port) = self.port(spot, 0, error) {
                    self.targets(spot, port);
                }
            }
        }
    }

    fn port(&mut self, spot: &Spot<'_>, index: usize, error: bool) -> Option<Port> {
        match (error, u32::try_from(index)) {
            (false, Ok(output)) => Some(Port::Output(output)),
            (true, Ok(0)) => Some(Port::Error),
            _ => {
                let message = format!("found output {index}, expected no more than a port has");
                self.reader.report(spot, message);
                None
            }
        }
    }

    fn targets(&mut self, spot: &Spot<'_>, port: Port) {
        match &spot.tree.branch {
            Branch::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.target(&spot.item(index, item), port);
                }
            }
            _ if spot.tree.is_null() => {}
            _ => self.target(spot, port),
        }
    }

    fn target(&mut self, spot: &Spot<'_>, port: Port) {
        let to = match &spot.tree.branch {
            Branch::Map(_) => self.target_table(spot),
            _ if spot.tree.as_str().is_some() => {
                self.reader.name(spot).map(|to| (to, spot.pointer.clone()))
            }
            _ => {
                self.reader
                    .unexpected(spot, "a node's id or name, or `{ node: … }`");
                None
            }
        };
        if let Some((to, pointer)) = to {
            let from = self.from.to_owned();
            self.found.push(Connection {
                from,
                port,
                to,
                pointer,
            });
        }
    }

    fn target_table(&mut self, spot: &Spot<'_>) -> Option<(String, String)> {
        let reader = &mut *self.reader;
        let table = reader.table(spot, "a connection", &fields::TARGET)?;
        let node = reader.required(
            &table,
            "the connection",
            "node",
            "write `node`, the id or the name of a node",
        );
        if let Some(kind) = table.get("type") {
            reader.word(&kind, &[("main", ())])?;
        }
        if let Some(index) = table.get("index") {
            reader.count(&index)?;
        }
        let node = node?;
        Some((reader.name(&node)?, node.pointer))
    }
}

/// Whether an item of a list is an output of its own, and not one of the nodes after the only output.
fn is_output(item: &crate::source::Tree) -> bool {
    matches!(item.branch, Branch::List(_)) || item.is_null()
}
