//! A private directory of what is remembered from one run to the next.
//!
//! ```text
//! ROOT/                     0700, owned by the user of the process
//!   quarantine.json         which contents are left alone, and why
//!   quarantine.lock         held by who changes it
//!   schemas/DIGEST.json     what the plugin's `describe` answered
//! ```
//!
//! It is made when something is first remembered, and any number of processes may share it. What is
//! in it may be deleted at any time: all that is lost is what was remembered.

use std::path::{Path, PathBuf};

use crate::discover;
use crate::id::Digest;
use crate::private::{self, PrivateDirectory, PrivateError, Temporary};

/// How long what a plugin's `describe` answered may be to be read again.
const SCHEMAS_LIMIT: u64 = 16 << 20;

/// The directory of what is remembered.
#[derive(Clone, Debug)]
pub(crate) struct State {
    directory: PrivateDirectory,
}

impl State {
    /// The state in this directory, which is made when it is first needed.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            directory: PrivateDirectory::new(root),
        }
    }

    /// The directory.
    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Makes the directory where it is missing, and checks that it is private.
    pub(super) fn prepare(&self) -> Result<(), PrivateError> {
        self.directory.prepare()
    }

    /// Checks that it is there, and private: what others could have written is not believed.
    pub(super) fn check(&self) -> Result<(), PrivateError> {
        self.directory.check()
    }

    /// What a plugin's `describe` answered, if that is known of this content and nobody else can have
    /// put it there.
    pub(crate) fn schemas(&self, digest: Digest) -> Option<String> {
        self.check().ok()?;
        let text = discover::read_small(&self.schema_file(digest), SCHEMAS_LIMIT);
        String::from_utf8(text.ok()??).ok()
    }

    /// Remembers what a plugin's `describe` answered.
    pub(crate) fn remember_schemas(&self, digest: Digest, text: &str) -> Result<(), PrivateError> {
        self.prepare()?;
        let directory = self.root().join("schemas");
        private::make(&directory)?;
        private::sweep(&directory);
        let temporary = Temporary::new(&directory)?;
        temporary.write(text.as_bytes())?;
        // Not synced: what is lost, or left empty, when the power is, is asked for again.
        temporary.publish(&self.schema_file(digest), 0o600)
    }

    fn schema_file(&self, digest: Digest) -> PathBuf {
        self.root().join("schemas").join(format!("{digest}.json"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn schemas_are_remembered_by_content() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(directory.path().join("state"));
        let [one, other] = [1, 2].map(|byte| Digest::from_bytes([byte; 32]));
        assert_eq!(state.schemas(one), None);
        assert!(!state.root().exists());
        state.remember_schemas(one, "{}").unwrap();
        state.remember_schemas(one, r#"{"a":1}"#).unwrap();
        assert_eq!(state.schemas(one).as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(state.schemas(other), None);
        assert!(State::new(state.root()).schemas(one).is_some());
    }

    #[test]
    fn schemas_that_are_too_long_or_no_text_are_not_known() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(directory.path().join("state"));
        let digest = Digest::from_bytes([1; 32]);
        state.remember_schemas(digest, "{}").unwrap();
        let file = state.schema_file(digest);
        for (length, is_known) in [(SCHEMAS_LIMIT, true), (SCHEMAS_LIMIT + 1, false)] {
            File::create(&file).unwrap().set_len(length).unwrap();
            assert_eq!(state.schemas(digest).is_some(), is_known, "{length}");
        }
        std::fs::write(&file, b"\xff").unwrap();
        assert_eq!(state.schemas(digest), None);
    }
}
