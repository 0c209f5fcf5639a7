//! `floe doctor`.

use std::collections::{BTreeSet, HashMap};
use std::env;
use std::path::Path;

use floe_registry::worker::{self, WORKER_VARIABLE};
use floe_registry::{
    LockError, LockFile, Outcome, PATH_VARIABLE, PrivateError, Registry, Rejection, STATE_VARIABLE,
    STORE_VARIABLE, Trust, is_privileged, offers, scan,
};
use serde::Serialize;

use crate::command::secret_key::PASSWORD_VARIABLE;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::log;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::text;
use crate::session::Session;

/// What the names of all variables of floe begin with.
const PREFIX: &str = "FLOE_";

/// What this machine offers, and what is wrong with it.
#[derive(Default, Serialize)]
struct Examined {
    sections: Vec<Section>,
    problems: Vec<Problem>,
}

/// What was looked at of one thing.
#[derive(Serialize)]
struct Section {
    name: &'static str,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    name: String,
    /// Whether it is there, and as it must be.
    ok: bool,
    /// What was found; or why it is not there.
    detail: String,
}

/// What is wrong, and what to do about it.
#[derive(Serialize)]
struct Problem {
    /// The section.
    section: &'static str,
    /// Of what.
    name: String,
    found: String,
    remedy: String,
}

impl Examined {
    fn section(&mut self, name: &'static str) {
        self.sections.push(Section {
            name,
            items: Vec::new(),
        });
    }

    /// Adds to the section that was begun last.
    fn item(&mut self, name: impl Into<String>, ok: bool, detail: impl Into<String>) {
        if let Some(section) = self.sections.last_mut() {
            section.items.push(Item {
                name: name.into(),
                ok,
                detail: detail.into(),
            });
        }
    }

    fn ok(&mut self, name: impl Into<String>, detail: impl Into<String>) {
        self.item(name, true, detail);
    }

    fn missing(&mut self, name: impl Into<String>, detail: impl Into<String>) {
        self.item(name, false, detail);
    }

    fn problem(
        &mut self,
        name: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if let Some(section) = self.sections.last() {
            self.problems.push(Problem {
                section: section.name,
                name: name.into(),
                found: found.into(),
                remedy: remedy.into(),
            });
        }
    }

    /// Adds what is missing and must be there.
    fn lacks(&mut self, name: &str, found: String, remedy: impl Into<String>) {
        self.missing(name, found.clone());
        self.problem(name, found, remedy);
    }
}

pub(crate) fn run(session: &Session, output: &Output) -> Result<Exit, Failure> {
    let registry = session.loose_registry()?;
    let mut examined = Examined::default();
    isolation(session, &mut examined);
    sandbox(session, &mut examined);
    store(&registry, &mut examined);
    state(&registry, &mut examined);
    search_path(session, &registry, &mut examined);
    trust(session, &mut examined);
    policy(session, &registry, &mut examined);
    environment(session, &mut examined);
    output.report(&examined)?;
    Ok(if examined.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Who may call what, where that is said.
fn policy(session: &Session, registry: &Registry, examined: &mut Examined) {
    let policy = session.policy();
    if policy.tenants.is_empty() && session.audit_file().is_none() {
        return;
    }
    examined.section("policy");
    let tenants = policy.tenants.tenants.keys().map(|name| text::plain(name));
    let tenants: Vec<_> = tenants.collect();
    examined.ok("tenants", tenants.join(", "));
    if let Some(file) = session.audit_file() {
        examined.ok("audit log", text::path(&file));
    }
    for warning in registry.policy_warnings(&policy) {
        examined.problem(
            format!("{} of `{}`", warning.list, text::plain(&warning.tenant)),
            format!("`{}`: {}", warning.pattern, warning.reason),
            "mend it, or install the plugin that it is for",
        );
    }
}

fn isolation(session: &Session, examined: &mut Examined) {
    const WORKER: &str = "worker program";

    examined.section("isolation");
    match worker::check(session.isolation().program.as_deref()) {
        Ok(program) => examined.ok(WORKER, text::path(&program)),
        Err(rejection) => examined.lacks(WORKER, rejection.found, rejection.remedy),
    }
}

fn sandbox(session: &Session, examined: &mut Examined) {
    examined.section("sandbox");
    for offer in offers() {
        examined.item(offer.name, offer.given, offer.detail);
    }
    // What nobody asks for is shown, and no more.
    for offer in session.isolation().lacking() {
        examined.problem(offer.name, offer.detail, offer.remedy);
    }
}

fn store(registry: &Registry, examined: &mut Examined) {
    examined.section("store");
    let store = registry.store();
    match store.objects() {
        Ok(objects) => {
            directory(store.root(), examined);
            let bytes = objects.iter().map(|object| object.size).sum();
            let copies = match objects.len() {
                1 => "1 copy".to_owned(),
                copies => format!("{copies} copies"),
            };
            examined.ok("size", format!("{} in {copies}", text::bytes(bytes)));
        }
        Err(error) => unusable(&error, STORE_VARIABLE, store.root(), examined),
    }
}

fn state(registry: &Registry, examined: &mut Examined) {
    examined.section("state");
    let quarantine = registry.quarantine();
    let root = quarantine.path().parent().unwrap_or(Path::new(""));
    match quarantine.list() {
        Ok(listed) => {
            directory(root, examined);
            examined.ok("quarantined", text::count(listed.len(), "content"));
        }
        Err(error) => {
            // The damage is the same.
            unusable(&error, STATE_VARIABLE, root, examined);
            return;
        }
    }
    if let Some(damage) = quarantine.damage() {
        let remedy = format!(
            "mend or remove `{}`; what it said of contents is forgotten then",
            text::path(quarantine.path())
        );
        examined.lacks("quarantine", damage, remedy);
    }
}

/// A private directory that can be used, or made.
fn directory(path: &Path, examined: &mut Examined) {
    let shown = text::path(path);
    if path.exists() {
        examined.ok("path", shown);
        examined.ok("private", "nobody else may write to it");
    } else {
        examined.ok(
            "path",
            format!("{shown}, which is made when it is first needed"),
        );
    }
}

fn unusable(error: &PrivateError, variable: &str, path: &Path, examined: &mut Examined) {
    examined.ok("path", text::path(path));
    let name = match error {
        PrivateError::NotPrivate { .. } => "private",
        _ => "usable",
    };
    let mut found = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        found.push_str(&format!(": {cause}"));
    }
    examined.lacks(name, found, error.remedy(variable));
}

fn search_path(session: &Session, registry: &Registry, examined: &mut Examined) {
    examined.section("search path");
    let rejected = registry.rejected();
    let refused: HashMap<&Path, &Rejection> = rejected
        .iter()
        .map(|rejection| (rejection.path.as_path(), rejection))
        .collect();
    let directories = session.directories();
    let mut plugins = vec![0; directories.len()];
    let mut of_refused = vec![0; directories.len()];
    for file in scan(directories).files {
        let is_directory = |path| directories.iter().any(|each| each.path() == path);
        let counts = match file.outcome {
            _ if is_directory(file.path.as_path()) => continue,
            _ if refused.contains_key(file.path.as_path()) => &mut of_refused,
            Outcome::Candidate(_) => &mut plugins,
            _ => continue,
        };
        if let Some(count) = counts.get_mut(file.position) {
            *count += 1;
        }
    }
    for (directory, (plugins, of_refused)) in
        directories.iter().zip(plugins.into_iter().zip(of_refused))
    {
        let name = text::path(directory.path());
        if let Some(rejection) = refused.get(directory.path()) {
            examined.missing(name, text::plain(&rejection.found));
        } else if !directory.path().is_dir() {
            examined.missing(name, "not there, and need not be");
        } else {
            let plugins = text::count(plugins, "plugin");
            examined.ok(name, format!("{plugins}, {of_refused} refused"));
        }
    }
    for rejection in &rejected {
        examined.problem(
            text::path(&rejection.path),
            format!(
                "refused at {}, check `{}`: found {}, expected {}",
                rejection.stage, rejection.check, rejection.found, rejection.expected
            ),
            &rejection.remedy,
        );
    }
}

fn trust(session: &Session, examined: &mut Examined) {
    examined.section("trust");
    let trust = session.trust();
    let mut policy = trust.policy.name().to_owned();
    if !(trust.directories.is_empty() && trust.kinds.is_empty()) {
        policy.push_str(", and others for some directories or kinds");
    }
    examined.ok("policy", policy);

    let lock = session.lock_file();
    match LockFile::read(lock) {
        Ok(locked) => {
            let builds = text::count(locked.builds().count(), "build");
            examined.ok("lock file", format!("{}, with {builds}", text::path(lock)));
        }
        Err(error @ LockError::Missing { .. }) if trust.asks_lock() => examined.lacks(
            "lock file",
            error.to_string(),
            "`floe lock` writes it, once the plugins are those that are meant",
        ),
        Err(LockError::Missing { .. }) => {
            examined.missing("lock file", "none, and no policy asks for it");
        }
        Err(error) => examined.lacks(
            "lock file",
            error.to_string(),
            "mend it, or remove it and let `floe lock` write it anew",
        ),
    }

    let mut keys = text::count(trust.keys.trusted().count(), "key");
    let revoked: BTreeSet<_> = trust.keys.revoked().map(|(key, _)| key).collect();
    if !revoked.is_empty() {
        keys.push_str(&format!(", {} revoked", revoked.len()));
    }
    let directories = trust.directories.iter().map(|(_, trust)| trust);
    let mut policies = directories
        .chain(trust.kinds.values())
        .chain([&trust.policy]);
    match trust.keys.check() {
        Err(refusal) => examined.lacks("keys", refusal.found(), refusal.remedy()),
        Ok(())
            if trust.keys.is_empty() && policies.any(|policy| Trust::asks_signature(*policy)) =>
        {
            examined.lacks(
                "keys",
                "none, and a policy asks for signatures".to_owned(),
                "add those of the plugins' vendors to `[trust.keys]` of floe.toml",
            );
        }
        Ok(()) => examined.ok("keys", keys),
    }
}

fn environment(session: &Session, examined: &mut Examined) {
    examined.section("environment");
    match session.settings_file() {
        Some(file) => examined.ok("settings", text::path(file)),
        None => examined.missing(
            "settings",
            "no floe.toml from here upward, and none is needed",
        ),
    }
    if is_privileged() {
        examined.ok(
            "privileges",
            "this process has some that its caller has not: variables do not count",
        );
    }
    // Their values may be secret.
    let names: BTreeSet<String> = env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with(PREFIX))
        .collect();
    for name in names {
        let what = match name.as_str() {
            PATH_VARIABLE => "more directories with plugins",
            STORE_VARIABLE => "where the store is",
            STATE_VARIABLE => "where the state is",
            WORKER_VARIABLE => "the worker program",
            log::VARIABLE => "the log's filter",
            PASSWORD_VARIABLE => "the password of a secret key",
            _ if name.starts_with("FLOE_PLUGINS__") => "a key of a plugin's configuration",
            _ => "set, and floe knows of no such variable",
        };
        examined.ok(text::plain(&name), what);
    }
}

impl Report for Examined {
    fn render(&self, page: &mut Page) {
        for section in &self.sections {
            page.heading(section.name);
            let fields: Vec<(&str, String)> = section
                .items
                .iter()
                .map(|item| {
                    let state = if item.ok { "ok" } else { "missing" };
                    let detail = text::plain(&item.detail);
                    (item.name.as_str(), format!("{state:7}  {detail}"))
                })
                .collect();
            page.fields(2, &fields);
            page.blank();
        }
        let problems = match self.problems.len() {
            0 => "no problems".to_owned(),
            problems => text::count(problems, "problem"),
        };
        page.verdict(self.problems.is_empty(), &problems);
        for problem in &self.problems {
            page.paragraph(2, &format!("{}: {}", problem.section, problem.name));
            page.fields(
                4,
                &[
                    ("found", text::plain(&problem.found)),
                    ("to do", text::plain(&problem.remedy)),
                ],
            );
        }
    }
}
