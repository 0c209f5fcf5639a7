//! The secret halves of keys, and the passwords that protect them.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use ct_codecs::{Base64, Decoder};
use floe_registry::{KeyId, PublicKey, Signature};
use minisign::{KeyPair, PError, SecretKey, SecretKeyBox};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::text;

/// The environment variable that has the password, where nobody can type it.
pub(super) const PASSWORD_VARIABLE: &str = "FLOE_KEY_PASSWORD";

/// The longest file that is read as a key, in bytes; a key's is below 400.
const MAX_BYTES: u64 = 16 * 1024;

/// The longest password that minisign's tools take.
const MAX_PASSWORD_BYTES: usize = 1024;

/// How the base64 of a secret key begins that is encrypted with a password: `Ed`, `Sc`, `B2`.
const PROTECTED: &str = "RWRTY0Iy";

/// How that of one begins that is not: `Ed`, two zeros, `B2`.
const BARE: &str = "RWQAAEIy";

/// Whether a secret key is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    Password,
    Nothing,
}

/// A secret key that can sign. It has no `Debug`: that of its inside prints the key.
pub(super) struct SigningKey {
    secret: SecretKey,
    public: PublicKey,
}

/// A new key pair, as it is written to files.
pub(super) struct NewKey {
    pub(super) public: PublicKey,
    pub(super) secret_text: String,
    pub(super) public_text: String,
}

impl SigningKey {
    /// Reads the file of a secret key, and asks for its password where it has one.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = text::path(path);
        let text = read(path).map_err(|error| {
            Failure::usage(format!("cannot read the secret key `{shown}`"))
                .caused_by(&error)
                .hint("name the file that `floe keygen` or `minisign -G` wrote")
        })?;
        let no_key = || {
            Failure::usage(format!(
                "`{shown}` is no secret key, expected a file that `floe keygen` or `minisign -G` wrote"
            ))
            .hint(match text.parse::<PublicKey>() {
                Ok(_) => "this is the public half of one: name the other file",
                Err(_) => "make one with `floe keygen`",
            })
        };
        let damaged = || {
            Failure::usage(format!(
                "the secret key `{shown}` is damaged, expected it as `floe keygen` or `minisign -G` wrote it"
            ))
            .hint("take it from a copy")
        };
        let line = text.lines().nth(1).unwrap_or_default();
        let secret = if line.starts_with(BARE) {
            bare(line).ok_or_else(damaged)?
        } else if line.starts_with(PROTECTED) {
            let password = password(&shown)?;
            SecretKeyBox::from(text.clone())
                .into_secret_key(Some(password))
                .map_err(|error| match error.kind() {
                    minisign::ErrorKind::Verify => wrong_password(&shown),
                    _ => damaged(),
                })?
        } else {
            return Err(no_key());
        };
        let public = minisign::PublicKey::from_secret_key(&secret)
            .map_err(|_| damaged())
            .and_then(|public| known(&public))?;
        let key = Self { secret, public };
        // A bare key's file need not say whether it is whole; that its halves belong together does.
        let trial = key.sign(io::empty(), "").ok();
        let trial = trial.and_then(|text| Signature::parse(&text).ok());
        let whole = trial.is_some_and(|trial| trial.verify(&key.public, io::empty()).is_ok());
        if whole { Ok(key) } else { Err(damaged()) }
    }

    /// The number of the key.
    pub(super) const fn id(&self) -> KeyId {
        self.public.id()
    }

    /// The key that tells its signatures.
    pub(super) const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The text of a signature over a content, with a trusted comment.
    pub(super) fn sign(&self, content: impl Read, comment: &str) -> Result<String, PError> {
        let untrusted = format!("signature from minisign secret key {}", self.id());
        minisign::sign(None, &self.secret, content, Some(comment), Some(&untrusted))
            .map(minisign::SignatureBox::into_string)
    }
}

impl NewKey {
    /// Makes a key pair; a password is asked for where it is to be protected by one.
    pub(super) fn make(protection: Protection) -> Result<Self, Failure> {
        let failed = |error: PError| Failure::failed("cannot make a key").caused_by(&error);
        let pair = match protection {
            Protection::Nothing => KeyPair::generate_unencrypted_keypair(),
            Protection::Password => KeyPair::generate_encrypted_keypair(Some(new_password()?)),
        };
        let KeyPair { pk, sk } = pair.map_err(failed)?;
        let public = known(&pk)?;
        let id = public.id();
        let comment = match protection {
            Protection::Password => format!("minisign encrypted secret key {id}"),
            Protection::Nothing => format!("minisign unencrypted secret key {id}"),
        };
        Ok(Self {
            secret_text: sk.to_box(Some(&comment)).map_err(failed)?.into_string(),
            public_text: format!("untrusted comment: minisign public key {id}\n{public}\n"),
            public,
        })
    }
}

/// A secret key that is not encrypted.
///
/// Not `SecretKeyBox::into_unencrypted_secret_key`: that asks for a checksum, and the keys of
/// `minisign -G -W` have none.
fn bare(line: &str) -> Option<SecretKey> {
    let bytes = Base64::decode_to_vec(line.trim(), None).ok()?;
    SecretKey::from_bytes(&bytes).ok()
}

/// A public key, as the registry knows it.
fn known(public: &minisign::PublicKey) -> Result<PublicKey, Failure> {
    public
        .to_base64()
        .parse()
        .map_err(|error| Failure::failed("the key's public half cannot be read").caused_by(&error))
}

/// Reads a file that may be a key, and no more of it than that.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    let length = file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if length as u64 > MAX_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {MAX_BYTES} bytes, a key has fewer"
        )));
    }
    Ok(text)
}

/// The password of a key that is there.
fn password(key: &str) -> Result<String, Failure> {
    match given()? {
        Some(password) => Ok(password),
        None => typed(&format!("Password of `{key}`: ")),
    }
}

/// The password of a key that is made.
fn new_password() -> Result<String, Failure> {
    if let Some(password) = given()? {
        return Ok(password);
    }
    let first = typed("Password of the new key: ")?;
    if first.is_empty() {
        return Err(refused("the password is empty").hint(
            "`--no-password` makes a key that needs none, for machines that sign by themselves",
        ));
    }
    check_length(&first)?;
    if typed("The same again: ")? != first {
        return Err(refused("the two passwords are not the same").hint("try again"));
    }
    Ok(first)
}

/// The password in the environment.
fn given() -> Result<Option<String>, Failure> {
    match env::var(PASSWORD_VARIABLE) {
        Ok(password) if !password.is_empty() => {
            check_length(&password)?;
            Ok(Some(password))
        }
        Ok(_) | Err(env::VarError::NotPresent) => Ok(None),
        // What it is instead is not shown.
        Err(env::VarError::NotUnicode(_)) => Err(refused(format!(
            "the password in `{PASSWORD_VARIABLE}` is not UTF-8"
        ))
        .hint("give the key another one")),
    }
}

fn typed(prompt: &str) -> Result<String, Failure> {
    let nobody = || {
        refused("the secret key needs a password, and there is no terminal to type it on").hint(
            format!(
                "set `{PASSWORD_VARIABLE}`, or use a key that was made with `floe keygen --no-password`"
            ),
        )
    };
    if !io::stdin().is_terminal() {
        return Err(nobody());
    }
    rpassword::prompt_password(prompt).map_err(|error| nobody().caused_by(&error))
}

fn check_length(password: &str) -> Result<(), Failure> {
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(refused(format!(
            "the password has {} bytes, expected at most {MAX_PASSWORD_BYTES}",
            password.len()
        ))
        .hint("choose a shorter one"));
    }
    Ok(())
}

fn wrong_password(key: &str) -> Failure {
    refused(format!("this is not the password of `{key}`")).hint(
        if env::var_os(PASSWORD_VARIABLE).is_some_and(|password| !password.is_empty()) {
            format!("it was taken from `{PASSWORD_VARIABLE}`: set the right one there")
        } else {
            "try again".to_owned()
        },
    )
}

fn refused(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, "password", message)
}
