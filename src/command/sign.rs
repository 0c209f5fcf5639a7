//! `floe sign`.

use std::fs::File;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use floe_registry::{Claims, Inspection, KeyId, Registry, Signature};
use serde::Serialize;

use super::secret_key::SigningKey;
use super::whole_file::{self, Present, Readers};
use crate::arguments::Sign;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::text;
use crate::session::Session;

#[derive(Serialize)]
struct Signed {
    signed: Vec<SignedFile>,
}

#[derive(Serialize)]
struct SignedFile {
    file: String,
    signature: String,
    key_id: KeyId,
    trusted_comment: String,
}

pub(crate) fn run(arguments: &Sign, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let registry = session.registry_of_nothing()?;
    // All before the first is signed: a key signs what is meant, or nothing.
    let inspections = inspect(&registry, arguments)?;
    let key = SigningKey::read(&arguments.key)?;
    let mut signed = Vec::new();
    for (file, inspection) in arguments.files.iter().zip(&inspections) {
        signed.push(sign(&registry, file, inspection, &key)?);
    }
    output.report(&Signed { signed })?;
    Ok(Exit::Done)
}

fn inspect(registry: &Registry, arguments: &Sign) -> Result<Vec<Inspection>, Failure> {
    let mut inspections = Vec::new();
    let mut rejected = Vec::new();
    for file in &arguments.files {
        match registry.inspect(file) {
            Ok(inspection) => inspections.push(inspection),
            Err(rejection) => rejected.push(*rejection),
        }
    }
    if rejected.is_empty() {
        return Ok(inspections);
    }
    let message = match rejected.len() {
        1 => "nothing was signed, as 1 file was refused".to_owned(),
        many => format!("nothing was signed, as {many} files were refused"),
    };
    let mut failure = Failure::new(Exit::Refused, "rejected", message);
    failure.rejected = rejected;
    Err(failure)
}

fn sign(
    registry: &Registry,
    path: &Path,
    inspection: &Inspection,
    key: &SigningKey,
) -> Result<SignedFile, Failure> {
    let shown = text::path(path);
    let unsigned = || Failure::failed(format!("cannot sign `{shown}`"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let claims = Claims::of(&inspection.manifest);
    let comment = claims.to_comment(now, &name);
    let open = || File::open(path).map_err(|error| unsigned().caused_by(&error));
    let signed = key
        .sign(open()?, &comment)
        .map_err(|error| unsigned().caused_by(&error))?;

    // What the comment says was read from the file before it was signed: it must be the same one.
    let signature = Signature::parse(&signed).map_err(|error| unsigned().caused_by(&error))?;
    let same = registry.inspect(path)?.digest == inspection.digest
        && signature.verify(key.public(), open()?).is_ok();
    if !same {
        return Err(
            Failure::failed(format!("`{shown}` was changed while it was signed"))
                .hint("sign it again once nobody writes to it any more"),
        );
    }
    let target = Signature::path_of(path);
    whole_file::write(
        &target,
        signed.as_bytes(),
        Readers::Usual,
        Present::Replaced,
    )?;
    Ok(SignedFile {
        file: path.to_string_lossy().into_owned(),
        signature: target.to_string_lossy().into_owned(),
        key_id: key.id(),
        trusted_comment: comment,
    })
}

impl Report for Signed {
    fn render(&self, page: &mut Page) {
        for (index, signed) in self.signed.iter().enumerate() {
            if index > 0 {
                page.blank();
            }
            page.line(&text::plain(&signed.file));
            page.fields(
                2,
                &[
                    ("signature", text::plain(&signed.signature)),
                    ("key", signed.key_id.to_string()),
                    // Tabs tell its words apart, and are for programs.
                    (
                        "says",
                        text::plain(&signed.trusted_comment.replace('\t', " ")),
                    ),
                ],
            );
        }
    }
}
