//! A file before its judge: what is asked of it, and what speaks for it.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::Arc;

use super::compat::Compatibility;
use super::content::{Locked, Signed, Terms};
use super::lock::{LOCK_FILE, LockError, NotLocked};
use super::verdict::Judge;
use super::{Admission, KeyRefusal, Signature, SignatureError, Trust, TrustedKey};
use crate::discover::Candidate;
use crate::id::{Digest, PluginId};
use crate::isolation::Isolation;

/// A file and what is asked of it. What speaks for it is looked up when it is first asked for.
pub(super) struct Case<'a> {
    pub(super) candidate: &'a Candidate,
    pub(super) admission: &'a Admission,
    pub(super) trust: Trust,
    judge: &'a Judge<'a>,
    locked: OnceCell<Result<Digest, Unlocked<'a>>>,
    signature: OnceCell<Result<Arc<Signature>, SignatureError>>,
    key: OnceCell<Option<Result<&'a TrustedKey, KeyRefusal>>>,
}

/// Why the lock file does not vouch for a build.
pub(super) enum Unlocked<'a> {
    /// No lock file is set.
    NotSet,
    /// It cannot be used.
    File(&'a LockError),
    /// It has another build, or none.
    Build(NotLocked),
}

impl<'a> Case<'a> {
    pub(super) fn new(judge: &'a Judge<'a>, candidate: &'a Candidate) -> Self {
        Self {
            candidate,
            admission: judge.admission,
            trust: judge.trust_of(candidate),
            judge,
            locked: OnceCell::new(),
            signature: OnceCell::new(),
            key: OnceCell::new(),
        }
    }

    pub(super) fn checks_paths(&self) -> bool {
        self.admission.trust.checks_paths(self.trust)
    }

    pub(super) fn api(&self) -> Result<(), floe_plugin_api::Incompatible> {
        let Compatibility { api, minimum, .. } = self.admission.compatibility;
        let plugin = self.candidate.manifest().floe_api_version;
        plugin.accepted_by(api, minimum)
    }

    pub(super) fn plugin(&self) -> PluginId {
        let manifest = self.candidate.manifest();
        PluginId {
            kind: manifest.kind.clone(),
            name: manifest.name.clone(),
        }
    }

    /// Where it would run for nobody in particular. A tenant's worker is no reason to admit what others
    /// would run in process.
    pub(super) fn isolation(&self) -> Isolation {
        self.admission.isolation.load().of(&self.plugin())
    }

    /// Where the lock file is, or would be.
    pub(super) fn lock_path(&self) -> PathBuf {
        let path = self.admission.trust.lock.clone();
        path.unwrap_or_else(|| LOCK_FILE.into())
    }

    /// The digest that the lock file has for the build.
    pub(super) fn locked(&self) -> Result<Digest, &Unlocked<'a>> {
        let found = self.locked.get_or_init(|| self.look_up());
        found.as_ref().copied()
    }

    fn look_up(&self) -> Result<Digest, Unlocked<'a>> {
        let lock = match self.judge.lock() {
            None => return Err(Unlocked::NotSet),
            Some(Err(error)) => return Err(Unlocked::File(error)),
            Some(Ok(lock)) => lock,
        };
        let version = &self.candidate.manifest().version;
        lock.find(&self.plugin(), version, self.candidate.platform())
            .map_err(Unlocked::Build)
    }

    /// Speaks for the file with a signature that it had, whatever lies beside it now.
    pub(super) fn present(&self, signature: &Arc<Signature>) {
        // Nobody has asked for one yet.
        let _ = self.signature.set(Ok(signature.clone()));
    }

    pub(super) fn signature_path(&self) -> PathBuf {
        Signature::path_of(self.candidate.path())
    }

    /// The signature beside the file; nothing of it is verified.
    pub(super) fn signature(&self) -> Result<&Arc<Signature>, &SignatureError> {
        self.signature
            .get_or_init(|| Signature::read(&self.signature_path()).map(Arc::new))
            .as_ref()
    }

    /// The key that the signature names, if it may sign such a plugin; nothing where there is no
    /// signature.
    pub(super) fn key(&self) -> Option<Result<&'a TrustedKey, &KeyRefusal>> {
        let found = self.key.get_or_init(|| {
            let id = self.signature().ok()?.key_id();
            let name = &self.candidate.manifest().name;
            let keys = &self.admission.trust.keys;
            Some(keys.may_sign(id, name, self.judge.today))
        });
        found.as_ref().map(|found| found.as_ref().copied())
    }

    /// What the content must be, as far as that is known.
    pub(super) fn terms(&self) -> Terms {
        let locked = self.trust.asks_lock().then(|| self.locked().ok()).flatten();
        let signed = self.trust.asks_signature().then(|| {
            let key = self.key()?.ok()?;
            Some(Signed {
                signature: self.signature().ok()?.clone(),
                revoked: self.admission.trust.keys.revoked_from(key.key.id()),
                key: key.key.clone(),
                name: key.name.clone(),
                file: self.signature_path(),
            })
        });
        Terms {
            locked: locked.map(|digest| Locked {
                digest,
                file: self.lock_path(),
            }),
            signed: signed.flatten(),
            careful: self.checks_paths(),
            denied: self.admission.trust.denied.clone(),
            plugin: self.candidate.manifest().name.clone(),
        }
    }
}
