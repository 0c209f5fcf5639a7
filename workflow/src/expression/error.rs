//! Why an expression cannot be read or has no value.

use std::fmt;

/// Why an expression cannot be read or has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// Where it is, in bytes from the start of the text.
    pub offset: usize,
    /// What to do.
    pub hint: Option<String>,
    /// Whether it is for the want of a value, which `default` may give.
    pub(super) missing: bool,
}

impl ExpressionError {
    pub(super) fn new(message: impl Into<String>, offset: usize) -> Self {
        Self {
            message: message.into(),
            offset,
            hint: None,
            missing: false,
        }
    }

    pub(super) fn missing(message: impl Into<String>, offset: usize) -> Self {
        Self {
            missing: true,
            ..Self::new(message, offset)
        }
    }

    #[must_use]
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the nearest of the known names, or all of them where none is near and they are few.
    #[must_use]
    pub(super) fn with_nearest<'a>(
        self,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        /// How many names are looked at, and how many are told.
        const LOOKED_AT: usize = 1000;
        const TOLD: usize = 8;
        /// How alike two names are by Jaro and Winkler that are a slip of each other.
        const ALIKE: f64 = 0.75;

        let known: Vec<&str> = known.into_iter().take(LOOKED_AT).collect();
        let near = known
            .iter()
            .map(|known| (strsim::jaro_winkler(name, known), known))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        if let Some((_, near)) = near {
            return self.with_hint(format!("did you mean `{near}`?"));
        }
        if known.is_empty() {
            return self;
        }
        let more = known.len().saturating_sub(TOLD);
        let told: Vec<String> = known
            .iter()
            .take(TOLD)
            .map(|name| format!("`{name}`"))
            .collect();
        let told = told.join(", ");
        self.with_hint(match more {
            0 => format!("use one of {told}"),
            _ => format!("use one of {told} and {more} more"),
        })
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExpressionError {}
