//! `floe verify`.

use std::fs::File;
use std::path::{Path, PathBuf};

use floe_registry::{
    Claims, Difference, KeyId, KeyRefusal, Keys, PublicKey, Registry, Rejection, Signature,
    SignatureError, TrustedKey,
};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::secret_key;
use crate::arguments::Verify;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::text;
use crate::session::Session;

#[derive(Serialize)]
struct Verified {
    /// Whether all are.
    verified: bool,
    files: Vec<VerifiedFile>,
}

#[derive(Serialize)]
struct VerifiedFile {
    file: String,
    signature: String,
    verified: bool,
    /// The key that the signature says it was made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<KeyId>,
    /// What the key is called, where it is one that may sign the plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// What the signature says; there only where it is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Claims>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

/// Why a file is not verified.
#[derive(Serialize)]
struct Refused {
    check: &'static str,
    found: String,
    expected: String,
    remedy: String,
}

pub(crate) fn run(arguments: &Verify, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let keys = if arguments.keys.is_empty() {
        session.trust().keys.clone()
    } else {
        keys(&arguments.keys)?
    };
    if keys.is_empty() {
        return Err(Failure::usage("no key is given, and floe.toml trusts none").hint(
            "name whom you trust with `--key`, the line that begins with `RW` or the `.pub` file, or in `[trust.keys]` of floe.toml",
        ));
    }
    let registry = session.registry_of_nothing()?;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let files = arguments.files.iter();
    let files: Vec<_> = files
        .map(|file| VerifiedFile::of(file, &registry, &keys, today))
        .collect();
    let verified = files.iter().all(|file| file.verified);
    output.report(&Verified { verified, files })?;
    Ok(if verified { Exit::Done } else { Exit::Refused })
}

/// The keys that are given, each of which may sign everything.
fn keys(given: &[String]) -> Result<Keys, Failure> {
    let mut keys = Keys::default();
    for text in given {
        keys = keys.trust(key(text)?);
    }
    keys.check()
        .map_err(|refusal| Failure::usage(refusal.to_string()))?;
    Ok(keys)
}

/// A key by its line or its file.
fn key(given: &str) -> Result<TrustedKey, Failure> {
    if let Ok(key) = given.parse::<PublicKey>() {
        return Ok(TrustedKey::new(key.id().to_string(), key));
    }
    let shown = text::plain(given);
    let hint = "name the line that begins with `RW`, or the `.pub` file that `floe keygen` or `minisign -G` wrote";
    let text = secret_key::read(Path::new(given)).map_err(|error| {
        Failure::usage(format!("`{shown}` is no public key, and no file with one"))
            .caused_by(&error)
            .hint(hint)
    })?;
    let key: PublicKey = text.parse().map_err(|error| {
        Failure::usage(format!("the file `{shown}` has no public key in it"))
            .caused_by(&error)
            .hint(hint)
    })?;
    Ok(TrustedKey::new(given, key))
}

impl VerifiedFile {
    fn of(path: &Path, registry: &Registry, keys: &Keys, today: Date) -> Self {
        let signature = Signature::path_of(path);
        let mut file = Self {
            file: path.to_string_lossy().into_owned(),
            signature: signature.to_string_lossy().into_owned(),
            verified: false,
            key_id: None,
            key: None,
            claims: None,
            refused: None,
        };
        match file.check(path, signature, registry, keys, today) {
            Ok(()) => file.verified = true,
            Err(refused) => file.refused = Some(refused),
        }
        file
    }

    fn check(
        &mut self,
        path: &Path,
        signature: PathBuf,
        registry: &Registry,
        keys: &Keys,
        today: Date,
    ) -> Result<(), Refused> {
        let inspection = registry.inspect(path)?;
        let signature = Signature::read(&signature)?;
        self.key_id = Some(signature.key_id());
        let key = keys.may_sign(signature.key_id(), &inspection.manifest.name, today)?;
        self.key = Some(key.name.clone());
        let content = File::open(path).map_err(|source| SignatureError::Content { source })?;
        signature.verify(&key.key, content)?;
        let claims = signature
            .claims()
            .map_err(|error| SignatureError::from(error.clone()))?;
        if let Some(difference) = claims.difference(&inspection.manifest) {
            return Err(difference.into());
        }
        // The manifest that was compared is that of the content that was verified.
        if registry.inspect(path)?.digest != inspection.digest {
            return Err(Refused {
                check: "unchanged",
                found: "another content than a moment ago".to_owned(),
                expected: "a file that nobody writes to".to_owned(),
                remedy: "verify it again once it is whole".to_owned(),
            });
        }
        self.claims = Some(claims.clone());
        Ok(())
    }
}

impl From<Box<Rejection>> for Refused {
    fn from(rejection: Box<Rejection>) -> Self {
        Self {
            check: rejection.check,
            found: rejection.found,
            expected: rejection.expected,
            remedy: rejection.remedy,
        }
    }
}

impl From<SignatureError> for Refused {
    fn from(error: SignatureError) -> Self {
        let check = match error {
            SignatureError::Wrong => "signature-content",
            SignatureError::Claims(_) => "signature-claims",
            SignatureError::OtherKey { .. } => "signature-key",
            _ => "signature",
        };
        Self {
            check,
            found: error.found(),
            expected: error.expected(),
            remedy: error.remedy(),
        }
    }
}

impl From<KeyRefusal> for Refused {
    fn from(refusal: KeyRefusal) -> Self {
        Self {
            check: "signature-key",
            found: refusal.found(),
            expected: refusal.expected(),
            remedy: refusal.remedy(),
        }
    }
}

impl From<Difference> for Refused {
    fn from(difference: Difference) -> Self {
        let Difference {
            field,
            signed,
            manifest,
            ..
        } = difference;
        Self {
            check: "signature-claims",
            found: format!("a signature of `{field}` `{signed}`"),
            expected: format!("one of `{manifest}`, as the file says"),
            remedy: "get plugin and signature again from where they are from, or sign the plugin again with `floe sign`".to_owned(),
        }
    }
}

impl Report for Verified {
    fn render(&self, page: &mut Page) {
        for (index, file) in self.files.iter().enumerate() {
            if index > 0 {
                page.blank();
            }
            page.line(&text::plain(&file.file));
            let mut fields = Vec::new();
            if let Some(id) = file.key_id {
                let name = file.key.as_deref().filter(|name| *name != id.to_string());
                let name = name.map(|name| format!(" ({})", text::plain(name)));
                fields.push(("key", format!("{id}{}", name.unwrap_or_default())));
            }
            if let Some(claims) = &file.claims {
                fields.push(("plugin", said(claims)));
                let signed = claims
                    .timestamp
                    .and_then(|second| i64::try_from(second).ok());
                let signed = signed.and_then(|second| Timestamp::from_second(second).ok());
                fields.extend(
                    signed.map(|time| ("signed", format!("{time}, by the signer's clock"))),
                );
            }
            if let Some(refused) = &file.refused {
                fields.push(("check", refused.check.to_owned()));
                fields.push(("found", text::plain(&refused.found)));
                fields.push(("expected", text::plain(&refused.expected)));
                fields.push(("to do", text::plain(&refused.remedy)));
            }
            page.fields(2, &fields);
            page.verdict(
                file.verified,
                if file.verified { "verified" } else { "refused" },
            );
        }
    }
}

fn said(claims: &Claims) -> String {
    let Claims {
        kind,
        name,
        version,
        floe_api_version,
        ..
    } = claims;
    let kind = kind
        .as_ref()
        .map(|kind| format!("{kind}/"))
        .unwrap_or_default();
    format!("{kind}{name} {version}, floe api {floe_api_version}")
}
