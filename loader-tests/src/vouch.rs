//! What speaks for a library: a lock file, a signature.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use floe_registry::{
    Claims, Digest, KeyId, LockFile, LockedBuild, Platform, PluginId, PublicKey, Signature,
    TrustedKey,
};
use semver::Version;
use sha2::{Digest as _, Sha256};

use crate::library::Library;
use crate::scene::write;

/// The SHA-256 of a content.
pub fn digest(content: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(content).into())
}

/// A library as a lock file would have it.
#[track_caller]
pub fn build_of(library: &Library) -> LockedBuild {
    build_with(library, digest(library.bytes()))
}

/// The same with another content.
#[track_caller]
pub fn build_with(library: &Library, digest: Digest) -> LockedBuild {
    let text = |field: &str| {
        let text = library.manifest()[field].as_str();
        text.unwrap_or_else(|| panic!("no `{field}` in the manifest"))
    };
    let plugin = PluginId {
        kind: text("kind").parse().expect("a good kind"),
        name: text("name").to_owned(),
    };
    let version: Version = text("version").parse().expect("a good version");
    LockedBuild::new(plugin, version, Platform::host(), digest)
}

/// Writes a lock file that has these builds and no other.
#[track_caller]
pub fn lock(path: &Path, builds: impl IntoIterator<Item = LockedBuild>) {
    let lock = LockFile::default().updated(builds, Platform::host(), |_| true);
    lock.write(path).expect("a lock file can be written");
}

/// Writes a lock file that has these libraries and no other.
#[track_caller]
pub fn lock_libraries(path: &Path, libraries: &[&Library]) {
    lock(path, libraries.iter().map(|library| build_of(library)));
}

/// Who signs libraries.
#[derive(Debug)]
pub struct Signer {
    pair: minisign::KeyPair,
}

impl Signer {
    /// Somebody with a new key.
    #[track_caller]
    pub fn new() -> Self {
        let pair = minisign::KeyPair::generate_unencrypted_keypair();
        Self {
            pair: pair.expect("a key can be made"),
        }
    }

    /// The key that tells their signatures.
    #[track_caller]
    pub fn key(&self) -> PublicKey {
        let text = self.pair.pk.to_base64();
        text.parse().expect("what one library writes another reads")
    }

    /// The key's number.
    pub fn id(&self) -> KeyId {
        self.key().id()
    }

    /// The key, trusted with all plugins.
    pub fn trusted(&self) -> TrustedKey {
        TrustedKey::new("house", self.key())
    }

    /// The text of a signature.
    #[track_caller]
    pub fn sign(&self, content: &[u8], comment: &str) -> String {
        let signed = minisign::sign(None, &self.pair.sk, content, Some(comment), None);
        signed.expect("a content can be signed").into_string()
    }

    /// The text of a signature that says what the library is.
    #[track_caller]
    pub fn sign_library(&self, library: &Library) -> String {
        self.sign(library.bytes(), &comment(library))
    }

    /// Puts a good signature beside a library.
    #[track_caller]
    pub fn vouch(&self, path: &Path, library: &Library) -> PathBuf {
        let beside = Signature::path_of(path);
        write(&beside, self.sign_library(library).as_bytes());
        beside
    }
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

/// The trusted comment that says what the library is.
#[track_caller]
pub fn comment(library: &Library) -> String {
    let text = library.manifest().to_string();
    let manifest = floe_plugin_api::Manifest::from_json(text.as_bytes()).expect("a good manifest");
    Claims::of(&manifest).to_comment(1_700_000_000, "plugin.so")
}

/// Signs a file with minisign's own program and a new key, which is put into a directory, and gives the
/// key; nothing where the program is not installed.
#[track_caller]
pub fn sign_with_minisign(directory: &Path, path: &Path, comment: &str) -> Option<String> {
    let [public, secret]: [PathBuf; 2] =
        ["pub", "sec"].map(|name| directory.join(format!("key.{name}")));
    let run = |arguments: &[&OsStr]| {
        let output = Command::new("minisign").args(arguments).output().ok()?;
        assert!(output.status.success(), "{output:?}");
        Some(())
    };
    let keys = [public.as_os_str(), "-s".as_ref(), secret.as_os_str()];
    run(&[&["-G".as_ref(), "-W".as_ref(), "-p".as_ref()], &keys[..]].concat())?;
    run(&[
        "-S".as_ref(),
        "-s".as_ref(),
        secret.as_os_str(),
        "-m".as_ref(),
        path.as_os_str(),
        "-t".as_ref(),
        comment.as_ref(),
    ])?;
    let text = fs::read_to_string(public).expect("minisign writes a key");
    text.lines().nth(1).map(str::to_owned)
}
