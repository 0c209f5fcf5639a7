//! The table of `floe.toml` that says where workflows are, and where their runs are put on record.

use std::path::{Path, PathBuf};

use serde::Deserialize;

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
}

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
            "[workflows]\ndirectories = [\"flows\", \"/srv/flows\"]\nruns = \"runs\"\nsync = \"always\"",
        )
        .unwrap();
        assert_eq!(
            read,
            WorkflowSettings {
                directories: vec!["/etc/floe/flows".into(), "/srv/flows".into()],
                runs: Some("/etc/floe/runs".into()),
                always_synced: true,
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
        ] {
            let refused = parse(&format!("[workflows]\n{line}")).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
    }
}
