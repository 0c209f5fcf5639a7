//! Why a journal cannot be used.

use std::io;
use std::path::PathBuf;

use crate::nearest::nearest;

/// Why a journal, or a run in it, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Its directory cannot be used.
    #[error("the journal's directory `{}` cannot be used", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its database cannot be read or written.
    #[error("the journal `{}` cannot be read or written", file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// An entry could not be written.
    #[error("the journal `{}` cannot be written: {why}", file.display())]
    Unwritten {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: String,
    },
    /// Its database is of another program, or of a later version of this one.
    #[error("`{}` is {found}, expected a journal of version {}: choose another directory", file.display(), super::open::VERSION)]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it is.
        found: String,
    },
    /// There is no such run.
    #[error("no run is called `{execution_id}`{}", meant(execution_id, known))]
    Unknown {
        /// What was asked for.
        execution_id: String,
        /// The last runs that there are.
        known: Vec<String>,
    },
    /// There is a run of this name already.
    #[error(
        "there is a run called `{execution_id}` already: resume it, or choose another execution id"
    )]
    Exists {
        /// The name.
        execution_id: String,
    },
    /// It cannot be called so.
    #[error(
        "a run cannot be called `{}`: expected a name of 1 to {LONGEST} bytes without control characters",
        shown(execution_id)
    )]
    Name {
        /// The name.
        execution_id: String,
    },
    /// Another run called it, and it goes with that one.
    #[error("the run `{execution_id}` was called by `{called_by}`, and goes with that one")]
    Called {
        /// The run.
        execution_id: String,
        /// The run that called it.
        called_by: String,
    },
    /// Somebody runs it.
    #[error("the run `{execution_id}` is being run, by this process or another one")]
    Held {
        /// The run.
        execution_id: String,
    },
    /// It ended well.
    #[error("the run `{execution_id}` ended well: nothing of it is left to be done")]
    Ended {
        /// The run.
        execution_id: String,
    },
    /// It is the run of another workflow.
    #[error(
        "the run `{execution_id}` was begun with another text of the workflow `{workflow}`: \
         what ended of it may mean something else here"
    )]
    OtherWorkflow {
        /// The run.
        execution_id: String,
        /// The workflow.
        workflow: String,
    },
    /// What is on record of a run cannot be.
    #[error("what is on record of the run `{execution_id}` is damaged: {found}")]
    Damaged {
        /// The run.
        execution_id: String,
        /// What was found.
        found: String,
    },
    /// A value cannot be put on record.
    #[error("what `{node}` gave cannot be put on record: {why}")]
    Unfit {
        /// The node.
        node: String,
        /// Why not.
        why: String,
    },
}

/// The longest name of a run, in bytes.
const LONGEST: usize = 256;

impl JournalError {
    /// Refuses what no run can be called. Names of called runs are made of others, and may be longer.
    pub(super) fn check_name(execution_id: &str) -> Result<(), Self> {
        let fits = (1..=LONGEST).contains(&execution_id.len());
        if fits && !execution_id.chars().any(char::is_control) {
            return Ok(());
        }
        Err(Self::Name {
            execution_id: execution_id.to_owned(),
        })
    }
}

fn shown(name: &str) -> String {
    let start: String = name.chars().take(40).collect();
    let more = if start.len() < name.len() { "…" } else { "" };
    format!("{}{more}", start.escape_debug())
}

fn meant(asked: &str, known: &[String]) -> String {
    match nearest(asked, known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => "; there is none yet".to_owned(),
        None => "; `floe runs` lists those that there are".to_owned(),
    }
}
