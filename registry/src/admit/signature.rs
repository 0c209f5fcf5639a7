//! Detached signatures of plugins, in minisign's format.
//!
//! A signature is a file of four lines beside the plugin's: a comment that nobody signs, the signature
//! over the file's BLAKE2b hash, the trusted comment, and the signature over the first one and that
//! comment. The cryptography is `minisign-verify`'s; here is what floe asks beyond it: that the hash
//! was signed, not the file (so that it can be checked while the file is read), and that the trusted
//! comment says what the file is.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::claims::{Claims, ClaimsError};
use super::key::{KeyId, PublicKey, head};
use crate::discover;

/// What the first line of a signature begins with.
const UNTRUSTED: &str = "untrusted comment: ";

/// What the third line of a signature begins with.
const TRUSTED: &str = "trusted comment: ";

/// A detached signature, as it was read. Nothing of it is verified yet.
#[derive(Clone)]
pub struct Signature {
    text: String,
    key: KeyId,
    claims: Result<Claims, ClaimsError>,
    decoded: minisign_verify::Signature,
}

impl Signature {
    /// What the name of a signature's file has after that of the plugin's.
    pub const SUFFIX: &'static str = ".minisig";

    /// The longest signature that is read, in bytes: minisign's own are below 9000.
    pub const MAX_BYTES: u64 = 16 * 1024;

    /// Where the signature of a plugin's file is: beside it.
    #[must_use]
    pub fn path_of(library: &Path) -> PathBuf {
        let mut path = library.as_os_str().to_owned();
        path.push(Self::SUFFIX);
        path.into()
    }

    /// Reads the text of a signature.
    ///
    /// # Errors
    ///
    /// It is too long, not a signature, or one of a kind that is not accepted. A trusted comment that
    /// does not say what the file is is none: [`claims`](Self::claims) tells that.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let malformed = |reason: &str| SignatureError::Malformed {
            reason: reason.to_owned(),
        };
        if text.len() as u64 > Self::MAX_BYTES {
            return Err(SignatureError::TooLong);
        }
        let lines: Vec<&str> = text.lines().collect();
        let [untrusted, signature, trusted, global] = *lines.as_slice() else {
            return Err(SignatureError::Malformed {
                reason: match lines.len() {
                    1 => "it has 1 line".to_owned(),
                    lines => format!("it has {lines} lines"),
                },
            });
        };
        if !untrusted.starts_with(UNTRUSTED) {
            return Err(malformed("its first line is not an untrusted comment"));
        }
        let Some(comment) = trusted.strip_prefix(TRUSTED) else {
            return Err(malformed("its third line is not a trusted comment"));
        };
        if comment.chars().any(|c| c.is_control() && c != '\t') {
            return Err(malformed("its trusted comment has control characters"));
        }
        // 74 and 64 bytes.
        for (number, line, length) in [("second", signature, 100), ("fourth", global, 88)] {
            if line.len() != length {
                return Err(SignatureError::Malformed {
                    reason: format!(
                        "its {number} line has {} characters, not {length}",
                        line.len()
                    ),
                });
            }
        }
        let not_base64 = || malformed("its second or fourth line is not base64");
        let (algorithm, key) = head(signature).ok_or_else(not_base64)?;
        match &algorithm {
            b"ED" => {}
            b"Ed" => return Err(SignatureError::Legacy),
            _ => return Err(malformed("its algorithm is not `ED`")),
        }
        let decoded = minisign_verify::Signature::decode(text).map_err(|_| not_base64())?;
        Ok(Self {
            claims: Claims::parse(comment),
            text: text.to_owned(),
            key,
            decoded,
        })
    }

    /// Reads a signature's file, or the one that a link of that name leads to. Only a regular file is
    /// opened.
    ///
    /// # Errors
    ///
    /// It is not there, cannot be read, or [`parse`](Self::parse) refuses it.
    pub fn read(path: &Path) -> Result<Self, SignatureError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => SignatureError::Missing {
                path: path.to_owned(),
            },
            _ => SignatureError::Io {
                path: path.to_owned(),
                source,
            },
        };
        // Where files are mounted, they are often links; a signature speaks for itself, wherever it is.
        let read = |path: &Path| discover::read_small(path, Self::MAX_BYTES);
        let bytes = read(path)
            .or_else(|error| match path.is_symlink() {
                true => read(&path.canonicalize()?),
                false => Err(error),
            })
            .map_err(failed)?
            .ok_or(SignatureError::TooLong)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| SignatureError::Malformed {
            reason: "it is not text".to_owned(),
        })?;
        Self::parse(text)
    }

    /// The number of the key that it says it was made with.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key
    }

    /// The trusted comment, as it is written.
    #[must_use]
    pub fn trusted_comment(&self) -> &str {
        self.decoded.trusted_comment()
    }

    /// What it says that the file is.
    ///
    /// # Errors
    ///
    /// The trusted comment does not say it.
    pub const fn claims(&self) -> Result<&Claims, &ClaimsError> {
        self.claims.as_ref()
    }

    /// Begins to verify it against a content that is read piece by piece.
    pub(crate) fn verifier<'a>(
        &'a self,
        key: &'a PublicKey,
    ) -> Result<Verifier<'a>, SignatureError> {
        if key.id() != self.key {
            return Err(SignatureError::OtherKey {
                expected: key.id(),
                found: self.key,
            });
        }
        let stream = key.verifier().verify_stream(&self.decoded);
        stream.map(Verifier).map_err(|_| SignatureError::Wrong)
    }

    /// Verifies that the content and the trusted comment are what was signed with the key.
    ///
    /// What the comment says is not compared with anything: see [`Claims::difference`].
    ///
    /// # Errors
    ///
    /// The signature is another key's, the content or the comment is not what was signed, or the
    /// content cannot be read.
    pub fn verify(&self, key: &PublicKey, mut content: impl Read) -> Result<(), SignatureError> {
        let mut verifier = self.verifier(key)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return verifier.finish(),
                Ok(read) => verifier.update(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(SignatureError::Content { source }),
            }
        }
    }

    /// All that it is, byte for byte: two of the same essence have the same outcome.
    pub(crate) const fn essence(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature")
            .field("key", &self.key)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Signature {}

/// Verifies a signature while the content is read.
pub(crate) struct Verifier<'a>(minisign_verify::StreamVerifier<'a>);

impl Verifier<'_> {
    /// Takes the next piece of the content.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Whether all that was taken is what was signed, and the trusted comment too.
    pub(crate) fn finish(mut self) -> Result<(), SignatureError> {
        self.0.finalize().map_err(|_| SignatureError::Wrong)
    }
}

/// Why a signature cannot be read, or is none of what it lies beside.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// It is not there.
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// It cannot be read.
    Io {
        /// Where it is.
        path: PathBuf,
        /// Why it cannot.
        source: io::Error,
    },
    /// The content that it would be verified against cannot be read.
    Content {
        /// Why it cannot.
        source: io::Error,
    },
    /// It is longer than [`Signature::MAX_BYTES`].
    TooLong,
    /// It is not a signature.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// It is one of the content itself, as early versions of minisign made them, not of its hash.
    Legacy,
    /// It was made with another key.
    OtherKey {
        /// The key that would have been accepted.
        expected: KeyId,
        /// The key that it was made with.
        found: KeyId,
    },
    /// The content or the trusted comment is not what was signed.
    Wrong,
    /// It does not say what the file is.
    Claims(
        /// What it says instead.
        #[from]
        ClaimsError,
    ),
}

impl SignatureError {
    /// What was found.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Self::Missing { path } => format!("no signature at `{}`", shown(path)),
            Self::Io { path, source } => {
                format!(
                    "that floe cannot read the signature `{}`: `{source}`",
                    shown(path)
                )
            }
            Self::Content { source } => format!("that floe cannot read the file: `{source}`"),
            Self::TooLong => format!("a signature of more than {} bytes", Signature::MAX_BYTES),
            Self::Malformed { reason } => format!("a file that is no signature: {reason}"),
            Self::Legacy => "a signature of minisign's legacy format".to_owned(),
            Self::OtherKey { found, .. } => format!("a signature of the key `{found}`"),
            Self::Wrong => {
                "another content, or another trusted comment, than was signed".to_owned()
            }
            Self::Claims(error) => format!("a signature whose trusted comment {error}"),
        }
    }

    /// What would have been accepted.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Missing { .. } => "a minisign signature beside the plugin".to_owned(),
            Self::Io { .. } => "a regular file that floe may read".to_owned(),
            Self::Content { .. } => "a file that floe may read".to_owned(),
            Self::TooLong | Self::Malformed { .. } => {
                "the four lines of a minisign signature".to_owned()
            }
            Self::Legacy => "one of the file's hash (`ED`)".to_owned(),
            Self::OtherKey { expected, .. } => format!("one of the key `{expected}`"),
            Self::Wrong => "the file and the comment that the signature was made of".to_owned(),
            Self::Claims(_) => {
                "one that says `name:`, `version:` and `floe_api_version:` of the plugin, each once"
                    .to_owned()
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing { .. } => {
                "get the signature from where the plugin is from, or sign the plugin with `floe sign`"
            }
            Self::Io { .. } => "put the file itself there, readable for this user",
            Self::Content { .. } => "make it readable for this user",
            Self::TooLong | Self::Malformed { .. } => {
                "get the signature again from where the plugin is from, or sign the plugin with `floe sign`"
            }
            Self::Legacy => "sign it again with `floe sign`, a current minisign, or `minisign -H`",
            Self::OtherKey { .. } => {
                "verify it with the key that it was made with if you trust that one, or get the plugin from whom you trust"
            }
            Self::Wrong => {
                "do not use the file: get plugin and signature again from where they are from, or sign it again if it is your own build"
            }
            Self::Claims(_) => "sign it again with `floe sign`, or give `minisign -t` a comment that says so",
        }
        .to_owned()
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = match self {
            // The source says why.
            Self::Io { path, .. } => {
                format!("that floe cannot read the signature `{}`", shown(path))
            }
            Self::Content { .. } => "that floe cannot read the file".to_owned(),
            _ => self.found(),
        };
        write!(
            f,
            "found {found}, expected {}; {}",
            self.expected(),
            self.remedy()
        )
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}

/// Reads bytes as a signature, a key, and the claims of one, for fuzzing: whatever they are, it must
/// not panic, and must not verify.
#[doc(hidden)]
pub fn fuzz_signature(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    drop(Claims::parse(&text));
    let one_line = |text: String| assert!(!text.contains('\n'), "a refusal is one line: {text}");
    if let Err(error) = text.parse::<PublicKey>() {
        one_line(error.to_string());
    }
    match Signature::parse(&text) {
        Err(error) => one_line(error.to_string()),
        Ok(signature) => {
            if let Err(error) = signature.claims() {
                one_line(error.to_string());
            }
            // The number of no key: the seeds' key signed the seeds, but no such content.
            let key: Result<PublicKey, _> = FUZZ_KEY.parse();
            let key = key.unwrap_or_else(|error| unreachable!("{error}"));
            if let Err(error) = signature.verify(&key, bytes) {
                one_line(error.to_string());
            } else {
                unreachable!("a signature of itself");
            }
        }
    }
}

/// The key of the seeds in `fuzz/corpus/signature`.
const FUZZ_KEY: &str = "RWTLLXNmJ/8PCM8gKDOgMoU+4oUKMNPyFSmkGMlJKYMhwDUdDrMteNzX";

#[cfg(test)]
pub(super) mod vectors {
    //! Made by minisign 0.11; the secret halves of the keys are gone.

    pub(crate) const KEY: &str = super::FUZZ_KEY;
    pub(crate) const KEY_FILE: &str = include_str!("../../fuzz/corpus/signature/key");
    pub(crate) const OTHER_KEY_FILE: &str = include_str!("../../fuzz/corpus/signature/other_key");
    pub(crate) const CONTENT: &[u8] = b"a small plugin\n";
    /// `minisign -S -t 'name:acme version:1.0.0 floe_api_version:1.0'`.
    pub(crate) const GOOD: &str = include_str!("../../fuzz/corpus/signature/good");
    /// The same with `-l`.
    pub(crate) const LEGACY: &str = include_str!("../../fuzz/corpus/signature/legacy");
    /// `minisign -S`, with the comment that it makes by itself.
    pub(crate) const PLAIN: &str = include_str!("../../fuzz/corpus/signature/plain");
    /// `GOOD` of the other key.
    pub(crate) const OTHER: &str = include_str!("../../fuzz/corpus/signature/other");
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::vectors::*;
    use super::*;

    fn key() -> PublicKey {
        KEY.parse().unwrap()
    }

    fn good() -> Signature {
        Signature::parse(GOOD).unwrap()
    }

    #[track_caller]
    fn said(error: &SignatureError, words: &str) {
        let text = error.to_string();
        assert!(text.contains(words), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }

    #[test]
    fn signatures_of_minisign_verify() {
        let signature = good();
        assert_eq!(signature.key_id(), key().id());
        assert_eq!(
            signature.verify(&key(), CONTENT).map_err(|e| e.to_string()),
            Ok(())
        );
        let claims = signature.claims().unwrap();
        assert_eq!(claims.name, "acme");
        assert_eq!(claims.version.to_string(), "1.0.0");
        assert_eq!(claims.floe_api_version.to_string(), "1.0");
        assert_eq!((&claims.kind, claims.timestamp), (&None, None));

        let windows = Signature::parse(&GOOD.replace('\n', "\r\n")).unwrap();
        assert!(windows.verify(&key(), CONTENT).is_ok());
        assert_ne!(windows, signature);
    }

    #[test]
    fn a_signature_verifies_but_says_nothing_of_the_file() {
        let signature = Signature::parse(PLAIN).unwrap();
        assert!(signature.verify(&key(), CONTENT).is_ok());
        let error = SignatureError::from(signature.claims().unwrap_err().clone());
        said(
            &error,
            "whose trusted comment does not say `name`, `version`, `floe_api_version`, expected one that says",
        );
    }

    #[test]
    fn another_content_and_another_comment() {
        for content in [
            "",
            "a small plugin",
            "a small plugin\n\n",
            "A small plugin\n",
        ] {
            let error = good().verify(&key(), content.as_bytes()).unwrap_err();
            said(&error, "found another content, or another trusted comment");
        }
        // The signature of the content is right here, that of the comment is not.
        let comment = GOOD.replace("version:1.0.0", "version:2.0.0");
        let signature = Signature::parse(&comment).unwrap();
        let error = signature.verify(&key(), CONTENT).unwrap_err();
        assert!(matches!(error, SignatureError::Wrong), "{error}");
        // The comment's signature is right for the comment, but of the other key.
        let lines: Vec<_> = GOOD.lines().take(3).chain(OTHER.lines().skip(3)).collect();
        let signature = Signature::parse(&lines.join("\n")).unwrap();
        let error = signature.verify(&key(), CONTENT).unwrap_err();
        assert!(matches!(error, SignatureError::Wrong), "{error}");
    }

    #[test]
    fn a_signature_of_another_key() {
        let other = Signature::parse(OTHER).unwrap();
        let error = other.verify(&key(), CONTENT).unwrap_err();
        said(
            &error,
            "found a signature of the key `EEDBDE0BA4DF15B9`, expected one of the key `080FFF2766732DCB`",
        );
        assert!(
            other
                .verify(&OTHER_KEY_FILE.parse().unwrap(), CONTENT)
                .is_ok()
        );
        // A key that only has the number of the right one.
        let twin: PublicKey = format!("{}A{}", &KEY[..20], &KEY[21..]).parse().unwrap();
        let error = good().verify(&twin, CONTENT).unwrap_err();
        assert!(matches!(error, SignatureError::Wrong), "{error}");
    }

    #[test]
    fn a_legacy_signature_is_refused() {
        let error = Signature::parse(LEGACY).unwrap_err();
        said(
            &error,
            "legacy format, expected one of the file's hash (`ED`); sign it again",
        );
        said(&error, "`minisign -H`");
    }

    #[track_caller]
    fn malformed(text: &str, reason: &str) {
        let error = Signature::parse(text).unwrap_err();
        assert!(matches!(error, SignatureError::Malformed { .. }), "{error}");
        said(
            &error,
            &format!("no signature: {reason}, expected the four lines"),
        );
    }

    #[test]
    fn files_that_are_none() {
        malformed("", "it has 0 lines");
        malformed(KEY_FILE, "it has 2 lines");
        malformed(&format!("{GOOD}{GOOD}"), "it has 8 lines");
        malformed(&format!("{GOOD}\n"), "it has 5 lines");
        malformed(
            &GOOD.replacen("un", "", 1),
            "its first line is not an untrusted comment",
        );
        malformed(
            &GOOD.replace("\ntrusted", "\nTrusted"),
            "its third line is not a trusted comment",
        );
        malformed(
            &GOOD.replace("name:", "\u{1b}[2J"),
            "its trusted comment has control characters",
        );
        malformed(
            &GOOD.replace("RUT", "RU"),
            "its second line has 99 characters, not 100",
        );
        malformed(
            &GOOD.replace("==", "="),
            "its fourth line has 87 characters, not 88",
        );
        malformed(
            &GOOD.replace("RUT", "-UT"),
            "its second or fourth line is not base64",
        );
        malformed(
            &GOOD.replace("oFz", "-Fz"),
            "its second or fourth line is not base64",
        );
        malformed(&GOOD.replace("RUT", "RVT"), "its algorithm is not `ED`");
        let long = "x".repeat(16 * 1024 + 1);
        said(
            &Signature::parse(&long).unwrap_err(),
            "more than 16384 bytes",
        );
    }

    #[test]
    fn a_file_beside_the_plugin() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("libacme.so");
        let path = Signature::path_of(&library);
        assert_eq!(path, directory.path().join("libacme.so.minisig"));
        let error = Signature::read(&path).unwrap_err();
        assert!(matches!(&error, SignatureError::Missing { path: at } if *at == path));
        said(
            &error,
            "libacme.so.minisig`, expected a minisign signature beside the plugin; get",
        );
        fs::write(&path, GOOD).unwrap();
        assert_eq!(Signature::read(&path).unwrap(), good());
        fs::write(&path, b"\xff").unwrap();
        said(&Signature::read(&path).unwrap_err(), "it is not text");
        fs::write(&path, vec![b' '; 1 << 20]).unwrap();
        let error = Signature::read(&path).unwrap_err();
        assert!(matches!(error, SignatureError::TooLong), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn only_a_regular_file_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("real");
        fs::write(&real, GOOD).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(Signature::read(&link).unwrap(), good());
        let fifo = directory.path().join("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let led = directory.path().join("led");
        std::os::unix::fs::symlink(&fifo, &led).unwrap();
        for path in [led, fifo, directory.path().to_owned()] {
            let error = Signature::read(&path).unwrap_err();
            assert!(matches!(error, SignatureError::Io { .. }), "{error}");
            assert!(
                error.found().contains("not a regular file"),
                "{}",
                error.found()
            );
            assert!(!error.to_string().contains("not a regular file"), "{error}");
        }
    }

    /// A content whose reading fails.
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }

    #[test]
    fn a_content_that_cannot_be_read() {
        let error = good().verify(&key(), Broken).unwrap_err();
        said(&error, "found that floe cannot read the file, expected");
        assert_eq!(error.found(), "that floe cannot read the file: `gone`");
    }

    /// Whether bytes are a signature of the content.
    fn verifies(bytes: &[u8]) -> bool {
        std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| Signature::parse(text).ok())
            .is_some_and(|signature| signature.verify(&key(), CONTENT).is_ok())
    }

    #[test]
    fn no_flipped_bit_verifies() {
        assert!(verifies(GOOD.as_bytes()));
        // Nobody signs what the first comment says, and nobody reads it.
        let unsigned = UNTRUSTED.len()..GOOD.find('\n').unwrap();
        for position in 0..GOOD.len() {
            for bit in 0..8 {
                let mut bytes = GOOD.as_bytes().to_vec();
                bytes[position] ^= 1 << bit;
                let verified = verifies(&bytes);
                assert!(
                    !verified || unsigned.contains(&position),
                    "{position} {bit}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn what_verifies_has_the_signed_lines(
            position in 0..GOOD.len(),
            removed in 0..4_usize,
            inserted in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut bytes = GOOD.as_bytes().to_vec();
            let end = bytes.len().min(position + removed);
            bytes.splice(position..end, inserted);
            if verifies(&bytes) {
                let text = String::from_utf8(bytes).unwrap();
                prop_assert!(text.lines().skip(1).eq(GOOD.lines().skip(1)));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            fuzz_signature(text.as_bytes());
        }
    }

    #[test]
    fn the_seeds_of_the_fuzz_target() {
        for seed in [KEY_FILE, OTHER_KEY_FILE, GOOD, LEGACY, PLAIN, OTHER] {
            fuzz_signature(seed.as_bytes());
        }
    }
}
