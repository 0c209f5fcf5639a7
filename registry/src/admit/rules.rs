//! The checks of a file that need not read all of it: what each asks, and how it says so.

use floe_plugin_api::PanicStrategy;
use floe_plugin_api::abi::BOUNDARY;

use super::case::{Case, Unlocked};
use super::compat::Compatibility;
use super::lock::{LockError, NotLocked};
use super::signature::SignatureError;
use super::trust;
use super::verdict::Check;
use crate::isolation::Isolation;

/// A check: where it applies, a predicate, and the words for what it looked at.
pub(super) struct Rule {
    pub(super) check: &'static str,
    pub(super) applies: fn(&Case<'_>) -> bool,
    pub(super) holds: fn(&Case<'_>) -> bool,
    pub(super) found: fn(&Case<'_>) -> String,
    pub(super) expected: fn(&Case<'_>) -> String,
    pub(super) remedy: fn(&Case<'_>) -> String,
}

impl Rule {
    pub(super) fn ask(&self, case: &Case<'_>) -> Check {
        Check::new(
            self.check,
            (self.holds)(case),
            (self.found)(case),
            (self.expected)(case),
            || (self.remedy)(case),
        )
    }
}

const ALWAYS: fn(&Case<'_>) -> bool = |_| true;
const WHERE_LOCKED: fn(&Case<'_>) -> bool = |case| case.trust.asks_lock();
const WHERE_SIGNED: fn(&Case<'_>) -> bool = |case| case.trust.asks_signature();

/// The checks, the cheapest cause of a refusal first.
pub(super) const RULES: &[Rule] = &[
    Rule {
        check: "platform",
        applies: ALWAYS,
        holds: |case| case.candidate.platform() == case.admission.compatibility.platform,
        found: |case| format!("a library for `{}`", case.candidate.platform()),
        expected: |case| format!("one for `{}`", case.admission.compatibility.platform),
        remedy: |_| "install the plugin's build for this platform".to_owned(),
    },
    Rule {
        check: "floe-api-version",
        applies: ALWAYS,
        holds: |case| case.api().is_ok(),
        found: |case| format!("floe api `{}`", case.candidate.manifest().floe_api_version),
        expected: |case| {
            let Compatibility { api, minimum, .. } = case.admission.compatibility;
            if minimum == api {
                format!("`{api}`")
            } else {
                format!("`{minimum}` to `{api}`")
            }
        },
        remedy: |case| {
            match case.api() {
            Err(refused) if refused.plugin > refused.host => {
                "update this host, or install an older build of the plugin".to_owned()
            }
            _ => "rebuild the plugin against a current `floe-plugin-api`, or install a newer build of it".to_owned(),
        }
        },
    },
    Rule {
        check: "boundary",
        applies: ALWAYS,
        holds: |case| case.candidate.manifest().boundary == BOUNDARY,
        found: |case| {
            format!(
                "a boundary laid out by `{}`",
                shown(&case.candidate.manifest().boundary)
            )
        },
        expected: |_| format!("one laid out by `{BOUNDARY}`"),
        remedy: |_| "rebuild the plugin against this host's `floe-plugin-api`".to_owned(),
    },
    Rule {
        check: "panic-strategy",
        applies: ALWAYS,
        holds: |case| {
            case.candidate.manifest().panic == PanicStrategy::Unwind
                || case.isolation() == Isolation::Worker
        },
        found: |case| {
            format!(
                "a build with `panic = \"{}\"`",
                case.candidate.manifest().panic
            )
        },
        expected: |case| {
            match case.isolation() {
            Isolation::InProcess => {
                "one with `panic = \"unwind\"`, whose panics can be contained, or a worker to run it in"
            }
            Isolation::Worker => "any, as it runs in a worker",
        }
        .to_owned()
        },
        remedy: |case| {
            format!(
                "rebuild the plugin without `panic = \"abort\"` in its Cargo profile, or run it in a worker: `{} = \"worker\"` in `[isolation.plugins]`",
                case.candidate.manifest().name
            )
        },
    },
    Rule {
        check: "file-owner",
        applies: ALWAYS,
        holds: |case| {
            !case.checks_paths()
                || trust::owner_may_install(case.candidate.ownership(), case.admission.user)
        },
        found: |case| {
            let owned = case.candidate.ownership();
            let below = if owned.root_uid == owned.directory_uid {
                String::new()
            } else {
                format!(", below a search directory of user `{}`", owned.root_uid)
            };
            format!(
                "a file of user `{}` in a directory of user `{}`{below}",
                owned.file_uid, owned.directory_uid
            )
        },
        expected: |case| {
            if case.checks_paths() {
                "a file of the search directory's owner, of root or of this process's user"
                    .to_owned()
            } else {
                "a file of any user".to_owned()
            }
        },
        remedy: |case| {
            format!(
                "if the file is what it should be, give it and its directory to the search directory's owner with `chown {}`",
                case.candidate.ownership().root_uid
            )
        },
    },
    Rule {
        check: "file-writable",
        applies: ALWAYS,
        holds: |case| {
            !case.checks_paths() || !trust::file_is_open_to_all(case.candidate.ownership())
        },
        found: |case| {
            format!(
                "a file of mode `{:04o}`",
                case.candidate.ownership().file_mode & 0o7777
            )
        },
        expected: |case| writable(case, "one that not everybody may write to"),
        remedy: |_| "make sure that the file is what it should be, then `chmod o-w` it".to_owned(),
    },
    Rule {
        check: "directory-writable",
        applies: ALWAYS,
        holds: |case| {
            let open = trust::directory_is_open_to_all(case.candidate.ownership());
            !case.checks_paths() || !(open || case.candidate.exposed().is_some())
        },
        found: |case| match case.candidate.exposed() {
            Some((above, mode)) if !trust::directory_is_open_to_all(case.candidate.ownership()) => {
                format!(
                    "`{}` of mode `{:04o}` above its directory",
                    shown(&above.to_string_lossy()),
                    mode & 0o7777
                )
            }
            _ => format!(
                "a directory of mode `{:04o}`",
                case.candidate.ownership().directory_mode & 0o7777
            ),
        },
        expected: |case| writable(case, "one that not everybody may write to, or a sticky one"),
        remedy: |case| {
            match case.candidate.exposed() {
            Some((above, _)) if !trust::directory_is_open_to_all(case.candidate.ownership()) => {
                format!(
                    "make sure that what is in it is what it should be, then `chmod o-w {}`",
                    shown(&above.to_string_lossy())
                )
            }
            _ => "make sure that the files in it are what they should be, then `chmod o-w` the directory".to_owned(),
        }
        },
    },
    Rule {
        check: "lock-file",
        applies: WHERE_LOCKED,
        holds: |case| !matches!(case.locked(), Err(Unlocked::NotSet | Unlocked::File(_))),
        found: |case| match case.locked() {
            Err(Unlocked::NotSet) => "that no lock file is set".to_owned(),
            Err(Unlocked::File(error)) => format!("that {}", on_one_line(&error.to_string())),
            _ => format!("`{}`", case.lock_path().display()),
        },
        expected: |case| format!("one that can be relied on, as trust is `{}`", case.trust),
        remedy: |case| {
            match case.locked() {
            Err(Unlocked::File(LockError::Exposed { .. })) => {
                "make sure that it is what it should be, then let nobody else write to it".to_owned()
            }
            Err(Unlocked::File(LockError::Damaged { .. } | LockError::Unreadable { .. })) => {
                "restore it from version control, or remove it and write it anew with `floe lock`".to_owned()
            }
            Err(Unlocked::File(LockError::Format { .. })) => {
                "update this floe, or write the file anew with this one: remove it, then `floe lock`".to_owned()
            }
            Err(Unlocked::NotSet) => {
                "name it in `lock` of `[trust]`, or put a `floe.lock` beside `floe.toml` with `floe lock`".to_owned()
            }
            _ => "write it with `floe lock`".to_owned(),
        }
        },
    },
    Rule {
        check: "locked",
        applies: WHERE_LOCKED,
        holds: |case| case.locked().is_ok(),
        found: |case| {
            let manifest = case.candidate.manifest();
            let title = format!("`{}/{}` {}", manifest.kind, manifest.name, manifest.version);
            match case.locked() {
                Err(Unlocked::Build(NotLocked::Downgrade(_))) => {
                    format!("{title}, below the version that is locked")
                }
                Err(Unlocked::Build(NotLocked::Platform(_))) => {
                    format!("{title} for `{}`", case.candidate.platform())
                }
                _ => title,
            }
        },
        expected: |case| {
            let lock = case.lock_path();
            let lock = lock.display();
            match case.locked() {
                Ok(digest) => format!("what `{lock}` has, with the SHA-256 `{digest}`"),
                Err(Unlocked::Build(
                    NotLocked::Downgrade(versions) | NotLocked::Newer(versions),
                )) => format!("version {}, which `{lock}` has", any_of(versions)),
                Err(Unlocked::Build(NotLocked::Platform(platforms))) => {
                    format!("a build for {}, which `{lock}` has", any_of(platforms))
                }
                Err(_) => format!("a plugin that `{lock}` has"),
            }
        },
        remedy: |case| {
            let name = &case.candidate.manifest().name;
            match case.locked() {
                Err(Unlocked::NotSet | Unlocked::File(_)) => {
                    "see to the lock file first".to_owned()
                }
                _ => format!("if this build is meant, accept it with `floe lock {name}`"),
            }
        },
    },
    Rule {
        check: "signature",
        applies: WHERE_SIGNED,
        holds: |case| case.signature().is_ok(),
        found: |case| match case.signature() {
            Ok(signature) => format!("a signature of the key `{}`", signature.key_id()),
            Err(error) => on_one_line(&error.found()),
        },
        expected: |case| match case.signature() {
            Err(error) if !matches!(error, SignatureError::Missing { .. }) => error.expected(),
            _ => format!(
                "a minisign signature at `{}`, as trust is `{}`",
                shown_path(&case.signature_path()),
                case.trust
            ),
        },
        remedy: |case| match case.signature() {
            Err(error) => error.remedy(),
            Ok(_) => String::new(),
        },
    },
    Rule {
        check: "signature-key",
        applies: |case| WHERE_SIGNED(case) && case.key().is_some(),
        holds: |case| matches!(case.key(), Some(Ok(_))),
        found: |case| match case.key() {
            Some(Ok(key)) => format!("the key `{}`, which is `{}`", key.key.id(), key.name),
            Some(Err(refusal)) => on_one_line(&refusal.found()),
            None => String::new(),
        },
        expected: |case| match case.key() {
            Some(Err(refusal)) => on_one_line(&refusal.expected()),
            _ => format!(
                "a key of `[trust.keys]` that may sign `{}`",
                case.candidate.manifest().name
            ),
        },
        remedy: |case| match case.key() {
            Some(Err(refusal)) => on_one_line(&refusal.remedy()),
            _ => String::new(),
        },
    },
    Rule {
        check: "signed-manifest",
        applies: |case| WHERE_SIGNED(case) && case.signature().is_ok(),
        holds: |case| {
            case.signature().is_ok_and(|signature| {
                signature
                    .claims()
                    .is_ok_and(|claims| claims.difference(case.candidate.manifest()).is_none())
            })
        },
        found: |case| match case.signature().map(|signature| signature.claims()) {
            Ok(Ok(claims)) => match claims.difference(case.candidate.manifest()) {
                Some(difference) => format!(
                    "a signature for {} `{}`",
                    difference.field,
                    shown(&difference.signed)
                ),
                None => format!("a signature for `{}` {}", claims.name, claims.version),
            },
            Ok(Err(error)) => format!(
                "a signature whose trusted comment {}",
                on_one_line(&error.to_string())
            ),
            Err(_) => String::new(),
        },
        expected: |case| {
            let manifest = case.candidate.manifest();
            format!(
                "one that says `{}` {}, floe api `{}`, as the manifest does",
                manifest.name, manifest.version, manifest.floe_api_version
            )
        },
        remedy: |_| {
            "install the signature that was made for this very build, or have it signed again with `floe sign`".to_owned()
        },
    },
];

fn writable(case: &Case<'_>, expected: &str) -> String {
    if case.checks_paths() {
        expected.to_owned()
    } else {
        format!("any mode, as trust is `{}`", case.trust)
    }
}

/// A text from a file, on one line and not too long.
fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

fn shown_path(path: &std::path::Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}

fn on_one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn any_of<T: std::fmt::Display>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(|each| format!("`{each}`")).collect();
    all.join(" or ")
}
