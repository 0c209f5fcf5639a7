//! The checks, and what came of them.

use std::fmt;

use floe_plugin_api::PanicStrategy;
use floe_plugin_api::abi::BOUNDARY;
use serde::Serialize;

use super::compat::Compatibility;
use super::trust::{self, Trust};
use crate::discover::Candidate;
use crate::error::{Rejection, Stage};

/// What a file must be to be admitted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Admission {
    /// What it must be built for.
    pub compatibility: Compatibility,
    /// Who must have put it there.
    pub trust: Trust,
    /// The number of the user of this process.
    user: u32,
}

impl Admission {
    /// What this host admits by default.
    #[must_use]
    pub fn host() -> Self {
        Self {
            compatibility: Compatibility::host(),
            trust: Trust::default(),
            user: user(),
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::host()
    }
}

/// The number of the user of this process.
#[cfg(unix)]
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The number of the user of this process, where users have none.
#[cfg(not(unix))]
pub(crate) fn user() -> u32 {
    0
}

/// A candidate that passed every check: the only thing that can be stored and mapped.
#[derive(Clone, Debug)]
pub struct Admitted(Candidate);

impl Admitted {
    /// The file.
    #[must_use]
    pub const fn candidate(&self) -> &Candidate {
        &self.0
    }
}

/// One question that was asked of a file, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// The name of the check.
    pub check: &'static str,
    /// Whether the file passed.
    pub passed: bool,
    /// What was found.
    pub found: String,
    /// What is accepted.
    pub expected: String,
    /// What to do, where it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Every question that was asked of a file, and whether it is admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether every check was passed.
    pub admitted: bool,
    /// The checks, in the order in which they are made.
    pub checks: Vec<Check>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.admitted { "admitted" } else { "refused" })
    }
}

/// A check: a predicate, and the words for what it looked at.
struct Rule {
    check: &'static str,
    holds: fn(&Candidate, &Admission) -> bool,
    found: fn(&Candidate, &Admission) -> String,
    expected: fn(&Candidate, &Admission) -> String,
    remedy: fn(&Candidate, &Admission) -> String,
}

/// The checks, the cheapest cause of a refusal first.
const RULES: &[Rule] = &[
    Rule {
        check: "platform",
        holds: |candidate, admission| candidate.platform() == admission.compatibility.platform,
        found: |candidate, _| format!("a library for `{}`", candidate.platform()),
        expected: |_, admission| format!("one for `{}`", admission.compatibility.platform),
        remedy: |_, _| "install the plugin's build for this platform".to_owned(),
    },
    Rule {
        check: "floe-api-version",
        holds: |candidate, admission| api(candidate, admission).is_ok(),
        found: |candidate, _| format!("floe api `{}`", candidate.manifest().floe_api_version),
        expected: |_, admission| {
            let Compatibility { api, minimum, .. } = admission.compatibility;
            if minimum == api {
                format!("`{api}`")
            } else {
                format!("`{minimum}` to `{api}`")
            }
        },
        remedy: |candidate, admission| {
            match api(candidate, admission) {
            Err(refused) if newer(refused) => "update this host, or install an older build of the plugin".to_owned(),
            _ => "rebuild the plugin against a current `floe-plugin-api`, or install a newer build of it".to_owned(),
        }
        },
    },
    Rule {
        check: "boundary",
        holds: |candidate, _| candidate.manifest().boundary == BOUNDARY,
        found: |candidate, _| {
            format!(
                "a boundary laid out by `{}`",
                shown(&candidate.manifest().boundary)
            )
        },
        expected: |_, _| format!("one laid out by `{BOUNDARY}`"),
        remedy: |_, _| "rebuild the plugin against this host's `floe-plugin-api`".to_owned(),
    },
    Rule {
        check: "panic-strategy",
        holds: |candidate, _| candidate.manifest().panic == PanicStrategy::Unwind,
        found: |candidate, _| format!("a build with `panic = \"{}\"`", candidate.manifest().panic),
        expected: |_, _| "one with `panic = \"unwind\"`, whose panics can be contained".to_owned(),
        remedy: |_, _| {
            "rebuild the plugin without `panic = \"abort\"` in its Cargo profile".to_owned()
        },
    },
    Rule {
        check: "file-owner",
        holds: |candidate, admission| {
            admission.trust == Trust::Any
                || trust::owner_may_install(candidate.ownership(), admission.user)
        },
        found: |candidate, _| {
            let owned = candidate.ownership();
            format!(
                "a file of user `{}` in a directory of user `{}`",
                owned.file_uid, owned.directory_uid
            )
        },
        expected: |_, admission| match admission.trust {
            Trust::Any => "a file of any user".to_owned(),
            Trust::Owner => {
                "a file of the directory's owner, of root or of this process's user".to_owned()
            }
        },
        remedy: |candidate, _| {
            format!(
                "if the file is what it should be, give it to the directory's owner with `chown {}`",
                candidate.ownership().directory_uid
            )
        },
    },
    Rule {
        check: "file-writable",
        holds: |candidate, admission| {
            admission.trust == Trust::Any || !trust::file_is_open_to_all(candidate.ownership())
        },
        found: |candidate, _| {
            format!(
                "a file of mode `{:04o}`",
                candidate.ownership().file_mode & 0o7777
            )
        },
        expected: |_, admission| writable(admission, "one that not everybody may write to"),
        remedy: |_, _| {
            "make sure that the file is what it should be, then `chmod o-w` it".to_owned()
        },
    },
    Rule {
        check: "directory-writable",
        holds: |candidate, admission| {
            admission.trust == Trust::Any || !trust::directory_is_open_to_all(candidate.ownership())
        },
        found: |candidate, _| {
            format!(
                "a directory of mode `{:04o}`",
                candidate.ownership().directory_mode & 0o7777
            )
        },
        expected: |_, admission| {
            writable(
                admission,
                "one that not everybody may write to, or a sticky one",
            )
        },
        remedy: |_, _| {
            "make sure that the files in it are what they should be, then `chmod o-w` the directory"
                .to_owned()
        },
    },
];

fn api(candidate: &Candidate, admission: &Admission) -> Result<(), floe_plugin_api::Incompatible> {
    let Compatibility { api, minimum, .. } = admission.compatibility;
    candidate
        .manifest()
        .floe_api_version
        .accepted_by(api, minimum)
}

fn newer(refused: floe_plugin_api::Incompatible) -> bool {
    refused.plugin > refused.host
}

fn writable(admission: &Admission, expected: &str) -> String {
    match admission.trust {
        Trust::Any => format!("any mode, as trust is `{}`", admission.trust.name()),
        Trust::Owner => expected.to_owned(),
    }
}

/// A text from a file, on one line and not too long.
fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

/// Asks every question of a file.
#[must_use]
pub fn judge(candidate: &Candidate, admission: &Admission) -> Verdict {
    let checks: Vec<Check> = RULES
        .iter()
        .map(|rule| {
            let passed = (rule.holds)(candidate, admission);
            Check {
                check: rule.check,
                passed,
                found: (rule.found)(candidate, admission),
                expected: (rule.expected)(candidate, admission),
                remedy: (!passed).then(|| (rule.remedy)(candidate, admission)),
            }
        })
        .collect();
    Verdict {
        admitted: checks.iter().all(|check| check.passed),
        checks,
    }
}

/// Admits a candidate, or says which check it failed first.
pub(crate) fn admit(
    candidate: Candidate,
    admission: &Admission,
) -> Result<Admitted, Box<Rejection>> {
    match RULES
        .iter()
        .find(|rule| !(rule.holds)(&candidate, admission))
    {
        None => Ok(Admitted(candidate)),
        Some(rule) => Err(Box::new(Rejection::new(
            Stage::Admit,
            rule.check,
            candidate.path(),
            (rule.found)(&candidate, admission),
            (rule.expected)(&candidate, admission),
            (rule.remedy)(&candidate, admission),
        ))),
    }
}
