//! What every refusal must tell.

use floe_registry::{Rejection, Stage};

/// Checks that a refusal can be acted on: it names the file, the stage, what was found, what was
/// expected and what to do, each in plain words on one line.
#[track_caller]
pub fn check_words(refusal: &Rejection) {
    assert!(!refusal.path.as_os_str().is_empty(), "no path: {refusal:?}");
    let hyphenated = |c: char| c.is_ascii_lowercase() || c == '-';
    assert!(
        !refusal.check.is_empty() && refusal.check.chars().all(hyphenated),
        "a check's name is words joined by hyphens: {refusal:?}"
    );
    for text in [&refusal.found, &refusal.expected, &refusal.remedy] {
        check_line(text, refusal);
    }
    let line = refusal.to_string();
    check_line(&line, refusal);
    assert!(line.contains(&refusal.stage.to_string()), "{line}");
    assert!(line.contains(&refusal.found), "{line}");
    assert!(line.contains(&refusal.expected), "{line}");
    assert!(line.contains(&refusal.remedy), "{line}");
}

#[track_caller]
fn check_line(text: &str, refusal: &Rejection) {
    assert!(!text.trim().is_empty(), "an empty text: {refusal:?}");
    assert!(
        !text.chars().any(char::is_control),
        "a control character in `{}`",
        text.escape_debug()
    );
    assert!(!text.ends_with('.'), "a full stop: `{text}`");
    // What a name such as `ELF` or a quotation begins with is not the sentence's to choose.
    let first = text.split(' ').next().unwrap_or_default();
    let sentence = first.starts_with(char::is_uppercase) && first.chars().any(char::is_lowercase);
    assert!(!sentence, "not in lower case: `{text}`");
    for dump in [
        "Some(", "None", "Ok(", "Err(", "Os {", "Error {", "Error(", "\\\"", "{:?}", "PathBuf",
    ] {
        assert!(!text.contains(dump), "`{dump}` in `{text}`");
    }
}

/// What a refusal is expected to say.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// The stage.
    pub stage: Stage,
    /// The name of the check.
    pub check: &'static str,
    /// A part of what was found.
    pub found: &'static str,
    /// A part of what was expected.
    pub expected: &'static str,
    /// A part of what to do.
    pub remedy: &'static str,
}

impl Refused {
    /// A refusal by a check of a stage.
    pub const fn at(stage: Stage, check: &'static str) -> Self {
        Self {
            stage,
            check,
            found: "",
            expected: "",
            remedy: "",
        }
    }

    /// A refusal by a check of the stage that finds files.
    pub const fn discover(check: &'static str) -> Self {
        Self::at(Stage::Discover, check)
    }

    /// A refusal by a check of the stage that decides.
    pub const fn admit(check: &'static str) -> Self {
        Self::at(Stage::Admit, check)
    }

    /// A refusal by a check of the stage that maps.
    pub const fn load(check: &'static str) -> Self {
        Self::at(Stage::Load, check)
    }

    /// It says, among other things, that this was found.
    #[must_use]
    pub const fn found(mut self, found: &'static str) -> Self {
        self.found = found;
        self
    }

    /// It says, among other things, that this was expected.
    #[must_use]
    pub const fn expected(mut self, expected: &'static str) -> Self {
        self.expected = expected;
        self
    }

    /// It says, among other things, to do this.
    #[must_use]
    pub const fn remedy(mut self, remedy: &'static str) -> Self {
        self.remedy = remedy;
        self
    }

    /// Checks a refusal against this, and its words.
    #[track_caller]
    pub fn check(&self, refusal: &Rejection) {
        check_words(refusal);
        assert_eq!(
            (refusal.stage, refusal.check),
            (self.stage, self.check),
            "{refusal}"
        );
        for (part, whole) in [
            (self.found, &refusal.found),
            (self.expected, &refusal.expected),
            (self.remedy, &refusal.remedy),
        ] {
            assert!(
                whole.contains(part),
                "`{part}` is not in `{whole}`: {refusal}"
            );
        }
    }
}
