//! The table of `floe.toml` that says where workflows are, and where their runs are put on record.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::Deserializer;

use super::isolation::{Amount, size};

/// Where workflows find those that they call, and where their runs are put on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkflowSettings {
    /// The directories of the workflows that others call by their ids.
    pub directories: Vec<PathBuf>,
    /// The directory of the journal of runs; `runs` in the state directory where none is set.
    pub runs: Option<PathBuf>,
    /// Whether what is written to the journal is on the disk before a run goes on.
    pub always_synced: bool,
    /// The largest document in bytes, where it is another one than usual.
    pub max_bytes: Option<u64>,
    /// How many nodes a workflow may have, where it is another number than usual.
    pub max_nodes: Option<u64>,
    /// How deep lists and maps of a document may be in each other, where it is less than usual.
    pub max_depth: Option<u64>,
}

impl WorkflowSettings {
    /// The directory of the journal of runs, where this is the state directory.
    #[must_use]
    pub fn runs_in(&self, state: &Path) -> PathBuf {
        match &self.runs {
            Some(runs) => runs.clone(),
            None => state.join("runs"),
        }
    }
}

/// `[workflows]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WorkflowsTable {
    directories: Vec<PathBuf>,
    runs: Option<PathBuf>,
    sync: Sync,
    max_bytes: Option<Bytes>,
    max_nodes: Option<Nodes>,
    max_depth: Option<Depth>,
}

/// A number within a range.
macro_rules! amount {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $range:expr, $read:expr) => {
        $(#[$doc])*
        struct $name(u64);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let amount = Amount {
                    expected: $expected,
                    range: $range,
                    read: $read,
                };
                deserializer.deserialize_any(amount).map(Self)
            }
        }
    };
}

amount!(
    /// The size of a document.
    Bytes,
    "a number of bytes, or a size such as `8MiB`, of at most `1GiB`",
    1..=1 << 30,
    Some(size)
);
amount!(
    /// How many nodes there may be.
    Nodes,
    "a number from 1 to 1000000",
    1..=1_000_000,
    None
);
amount!(
    /// How deep a document may be.
    Depth,
    "a number from 1 to 128",
    1..=128,
    None
);

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sync {
    #[default]
    Checkpoint,
    Always,
}

impl WorkflowsTable {
    /// What the table says; its paths are taken from a directory.
    pub(super) fn settings(self, base: &Path) -> WorkflowSettings {
        WorkflowSettings {
            directories: self
                .directories
                .iter()
                .map(|path| base.join(path))
                .collect(),
            runs: self.runs.map(|runs| base.join(runs)),
            always_synced: self.sync == Sync::Always,
            max_bytes: self.max_bytes.map(|Bytes(bytes)| bytes),
            max_nodes: self.max_nodes.map(|Nodes(nodes)| nodes),
            max_depth: self.max_depth.map(|Depth(depth)| depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn parse(text: &str) -> Result<WorkflowSettings, String> {
        Settings::parse(Path::new("/etc/floe/floe.toml"), text).map(|settings| settings.workflows)
    }

    #[test]
    fn every_key_is_read() {
        let plain = parse("").unwrap();
        assert_eq!(plain, WorkflowSettings::default());
        assert_eq!(plain.runs_in(Path::new("/state")), Path::new("/state/runs"));
        let read = parse(
            "[workflows]\ndirectories = [\"flows\", \"/srv/flows\"]\nruns = \"runs\"\nsync = \"always\"\n\
             max_bytes = \"1MiB\"\nmax_nodes = 50\nmax_depth = 9",
        )
        .unwrap();
        assert_eq!(
            read,
            WorkflowSettings {
                directories: vec!["/etc/floe/flows".into(), "/srv/flows".into()],
                runs: Some("/etc/floe/runs".into()),
                always_synced: true,
                max_bytes: Some(1 << 20),
                max_nodes: Some(50),
                max_depth: Some(9),
            }
        );
        assert_eq!(
            read.runs_in(Path::new("/state")),
            Path::new("/etc/floe/runs")
        );
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (line, part) in [
            ("sync = \"never\"", "expected `checkpoint` or `always`"),
            ("journal = \"a\"", "unknown field `journal`"),
            ("max_bytes = \"2GiB\"", "of at most `1GiB`"),
            ("max_nodes = 0", "expected a number from 1 to 1000000"),
            ("max_depth = 129", "expected a number from 1 to 128"),
        ] {
            let refused = parse(&format!("[workflows]\n{line}")).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
    }
}
