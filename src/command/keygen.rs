//! `floe keygen`.

use std::fs;
use std::path::Path;

use floe_registry::KeyId;
use serde::Serialize;

use super::secret_key::{NewKey, Protection};
use super::whole_file::{self, Present, Readers};
use crate::arguments::Keygen;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::text;

#[derive(Serialize)]
struct Made {
    key_id: KeyId,
    /// The line that others verify with.
    public_key: String,
    secret_file: String,
    public_file: String,
    /// Whether the secret file is encrypted.
    password: bool,
    /// What to write into floe.toml.
    settings: String,
}

pub(crate) fn run(arguments: &Keygen, output: &Output) -> Result<Exit, Failure> {
    let Keygen {
        secret,
        public,
        no_password,
        force,
    } = arguments;
    if is_same(secret, public) {
        return Err(Failure::usage(format!(
            "`--secret` and `--public` are both `{}`",
            text::path(secret)
        ))
        .hint("name two files"));
    }
    let (present, protection) = (
        if *force {
            Present::Replaced
        } else {
            Present::Stays
        },
        if *no_password {
            Protection::Nothing
        } else {
            Protection::Password
        },
    );
    // Before a password is asked for. Who makes one of them in between is seen when they are written.
    if present == Present::Stays {
        refuse_present(secret, "--secret")?;
        refuse_present(public, "--public")?;
    }
    let key = NewKey::make(protection)?;
    // Both are there before either gets its name: half of a new pair in the place of an old one is none.
    let secret_text = key.secret_text.as_bytes();
    let new_secret = whole_file::prepare(secret, secret_text, Readers::Owner)?;
    let new_public = whole_file::prepare(public, key.public_text.as_bytes(), Readers::Usual)?;
    new_public.name(present)?;
    if let Err(failure) = new_secret.name(present) {
        if present == Present::Stays {
            let _ = fs::remove_file(public);
        }
        return Err(failure);
    }
    output.report(&Made {
        key_id: key.public.id(),
        public_key: key.public.to_string(),
        secret_file: secret.to_string_lossy().into_owned(),
        public_file: public.to_string_lossy().into_owned(),
        password: protection == Protection::Password,
        settings: format!(
            "[trust.keys.{}]\nkey = \"{}\"\nplugins = [\"*\"]\n",
            word(public),
            key.public
        ),
    })?;
    Ok(Exit::Done)
}

/// Whether two paths are of one file, however they are written.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()?;
        let path = parent.join(path.file_name()?);
        Some(fs::canonicalize(&path).unwrap_or(path))
    };
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

fn refuse_present(path: &Path, option: &str) -> Result<(), Failure> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the file `{}` is there, and may be somebody's only key",
        text::path(path)
    ))
    .hint(format!(
        "choose another one with `{option} FILE`, or put a new key in its place with `--force`"
    )))
}

/// What the key may be called in floe.toml: the name of its file, where a bare key of TOML can be that.
fn word(public: &Path) -> String {
    let stem = public.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !stem.is_empty() && stem.chars().all(plain) {
        stem.into_owned()
    } else {
        "mine".to_owned()
    }
}

impl Report for Made {
    fn render(&self, page: &mut Page) {
        page.line(&format!("Made the key {}.", self.key_id));
        page.blank();
        let secret = text::plain(&self.secret_file);
        let with = if self.password {
            "a password"
        } else {
            "no password"
        };
        page.fields(
            2,
            &[
                (
                    "secret",
                    format!("{secret} (with {with}; keep it to yourself)"),
                ),
                ("public", text::plain(&self.public_file)),
                ("key", self.public_key.clone()),
            ],
        );
        page.blank();
        page.line("Who trusts it writes into floe.toml:");
        page.blank();
        for line in self.settings.lines() {
            page.line(&format!("  {line}"));
        }
        page.blank();
        page.line("Next:");
        page.blank();
        page.line(&format!("  floe sign PLUGIN --key {secret}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_called_as_its_file() {
        for (path, expected) in [
            ("floe.pub", "floe"),
            ("keys/acme-1.pub", "acme-1"),
            ("a b.pub", "mine"),
            ("a.b.pub", "mine"),
            ("/", "mine"),
        ] {
            assert_eq!(word(Path::new(path)), expected);
        }
    }
}
