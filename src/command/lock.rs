//! `floe lock`.

use std::path::PathBuf;

use floe_registry::{
    LockChange, LockError, LockFile, Lockable, LockedBuild, Platform, PluginId, Rejection, Trust,
};
use serde::Serialize;

use crate::arguments::Lock;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::{rejection, text};
use crate::session::Session;

#[derive(Serialize)]
struct Locked {
    /// The lock file.
    file: PathBuf,
    /// Whether it is as it should be: it was before, or has been written.
    locked: bool,
    changes: Vec<LockChange>,
    /// What cannot be locked, as it would be refused whatever the lock file said.
    refused: Vec<Rejection>,
    /// Whether anything is refused for what the lock file says.
    asked: bool,
    /// How many builds are locked.
    builds: usize,
    /// The policy with which something would be.
    #[serde(skip)]
    policy: Trust,
    #[serde(skip)]
    check: bool,
    #[serde(skip)]
    written: bool,
}

pub(crate) fn run(arguments: &Lock, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let file = session.lock_file().to_owned();
    let before = match LockFile::read(&file) {
        Ok(lock) => lock,
        Err(LockError::Missing { .. }) => LockFile::default(),
        Err(error) => {
            let hint = remedy(&error);
            return Err(Failure::failed(error.to_string()).hint(hint));
        }
    };
    let Lockable {
        builds,
        refused,
        unknown: untold,
        ..
    } = session.loose_registry()?.lockable();
    for plugin in &arguments.plugins {
        let mut known = builds.iter().cloned().chain(before.builds());
        if !known.any(|build| is_named(&build.plugin, plugin)) {
            return Err(unknown(plugin, refused));
        }
    }
    let wanted = |plugin: &PluginId| {
        let named = arguments.plugins.iter();
        let is_meant =
            arguments.plugins.is_empty() || named.clone().any(|name| is_named(plugin, name));
        // What is refused now for something else stays locked as it was.
        let is_there = builds.iter().any(|build| build.plugin == *plugin);
        is_meant && (is_there || !untold.contains(plugin))
    };
    let after = before.updated(builds.iter().cloned(), Platform::host(), wanted);
    let changes = before.changes_to(&after);
    let writes = !arguments.check && (!changes.is_empty() || !file.exists());
    if writes {
        after.write(&file).map_err(|error| {
            Failure::failed(format!("cannot write `{}`", file.display())).caused_by(&error)
        })?;
    }
    let locked = changes.is_empty() || writes;
    output.report(&Locked {
        builds: if locked { &after } else { &before }.builds().count(),
        file,
        locked,
        changes,
        refused,
        asked: session.trust().asks_lock(),
        policy: session.trust().policy.and(Trust::Locked),
        check: arguments.check,
        written: writes,
    })?;
    Ok(if locked { Exit::Done } else { Exit::Refused })
}

/// What to do about a lock file that cannot be used, and so is not overwritten.
const fn remedy(error: &LockError) -> &'static str {
    match error {
        LockError::Exposed { .. } => {
            "look at what it says first: what others have written into it would stay locked"
        }
        LockError::Format { .. } => {
            "update this floe; or, to lock what is there now whatever was locked before, remove the file first"
        }
        _ => {
            "restore it from version control; or, to lock what is there now whatever was locked before, remove it first"
        }
    }
}

fn is_named(plugin: &PluginId, name: &str) -> bool {
    plugin.name == name || plugin.to_string() == name
}

fn unknown(plugin: &str, refused: Vec<Rejection>) -> Failure {
    let message = format!("there is no plugin `{plugin}` to lock, and none is locked");
    let mut failure = Failure::new(Exit::Refused, "not-found", message);
    failure.rejected = refused;
    failure.hint("`floe list` shows what is there, and what was refused")
}

impl Report for Locked {
    fn render(&self, page: &mut Page) {
        if !self.changes.is_empty() {
            let mut table = Table::new(["", "plugin", "version", "platform", "sha256"]);
            for change in &self.changes {
                let (word, build, was) = match change {
                    LockChange::Added { build } => ("added", build, None),
                    LockChange::Removed { build } => ("removed", build, None),
                    LockChange::Changed { build, was } => ("changed", build, Some(was)),
                    _ => continue,
                };
                let was = was.map(|was| format!(", was {}", was.short()));
                let LockedBuild {
                    plugin,
                    version,
                    platform,
                    digest,
                    ..
                } = build;
                table.row([
                    word.to_owned(),
                    plugin.to_string(),
                    version.to_string(),
                    platform.clone(),
                    format!("{}{}", digest.short(), was.unwrap_or_default()),
                ]);
            }
            page.table(table);
            page.blank();
        }
        if !self.refused.is_empty() {
            page.heading(&format!(
                "Not locked, as refused in any case: {}",
                self.refused.len()
            ));
            for refused in &self.refused {
                rejection::render(refused, page);
            }
            page.blank();
        }
        let file = text::path(&self.file);
        let builds = text::count(self.builds, "build");
        let said = match (self.locked, self.written) {
            (true, false) => format!("`{file}` is up to date, with {builds}"),
            (true, true) => format!("`{file}` is written, with {builds}"),
            (false, _) => format!("`{file}` is not up to date: `floe lock` writes the changes"),
        };
        page.verdict(self.locked, &said);
        if !self.asked && !self.check {
            page.paragraph(
                2,
                &format!(
                    "nothing is refused for it yet: set `policy = \"{}\"` in `[trust]` of floe.toml",
                    self.policy
                ),
            );
        }
    }
}
