//! What a lock file would have of what is in the search path.

use std::collections::BTreeSet;

use super::Registry;
use crate::admit::{Admission, Judge, LockedBuild};
use crate::discover::{self, Outcome};
use crate::error::{Rejection, Stage};
use crate::id::PluginId;

/// What could be locked of a search path. Made by [`Registry::lockable`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Lockable {
    /// The builds that are admitted but for the lock, in search-path order.
    pub builds: Vec<LockedBuild>,
    /// The files that would be refused whatever the lock file said.
    pub refused: Vec<Rejection>,
    /// The plugins that these files say they are. What is locked of them says nothing of whether it is
    /// there.
    pub unknown: BTreeSet<PluginId>,
}

impl Registry {
    /// What is in the search path now and could be loaded if the lock file had it: every file is read
    /// whole, its signature is verified where one is asked for, and nothing is mapped.
    #[must_use]
    pub fn lockable(&self) -> Lockable {
        let supervisor = self.supervisor();
        let admission = Admission {
            trust: supervisor.admission().trust.clone().without_lock(),
            ..supervisor.admission().clone()
        };
        let judge = Judge::new(&admission);
        let store = &supervisor.ground().store;
        let mut lockable = Lockable::default();
        for file in discover::scan(supervisor.directories()).files {
            let candidate = match file.outcome {
                Outcome::Candidate(candidate) => candidate,
                Outcome::Ignored(_) => continue,
                Outcome::Rejected(rejection) => {
                    lockable.refused.push(rejection);
                    continue;
                }
            };
            let manifest = candidate.manifest();
            let plugin = PluginId {
                kind: manifest.kind.clone(),
                name: manifest.name.clone(),
            };
            let judged = judge.checks_with_content(&candidate, store);
            let judged = judged.and_then(|(digest, checks)| {
                let path = candidate.path();
                let mut checks = checks.into_iter();
                checks.try_for_each(|check| check.refuse_at(Stage::Admit, path))?;
                Ok(digest)
            });
            let digest = match judged {
                Ok(digest) => digest,
                Err(rejection) => {
                    lockable.refused.push(*rejection);
                    lockable.unknown.insert(plugin);
                    continue;
                }
            };
            lockable.builds.push(LockedBuild::new(
                plugin,
                manifest.version.clone(),
                candidate.platform(),
                digest,
            ));
        }
        lockable
    }
}
