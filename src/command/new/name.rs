//! The name of a plugin that is to be made.

use std::fmt;
use std::str::FromStr;

use floe_registry::api::manifest::MAX_NAME_BYTES;

/// What a plugin's package is called before the plugin's own name.
const PREFIX: &str = "floe-plugin-";

/// A plugin's name, without the prefix of its package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// The name of the plugin's package.
    pub(crate) fn package(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let short = text
            .strip_prefix(PREFIX)
            .or_else(|| text.strip_prefix("floe_plugin_"))
            .unwrap_or(text);
        if is_name(short) {
            return Ok(Self(short.to_owned()));
        }
        let mut refusal = format!(
            "`{text}` is not a plugin name, expected up to {MAX_NAME_BYTES} of `a-z`, `0-9`, `-`, `_`, beginning with a letter"
        );
        let like = like(short);
        if is_name(&like) {
            refusal.push_str(&format!("; how about `{like}`?"));
        }
        Err(refusal)
    }
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    text.len() <= MAX_NAME_BYTES
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(plain)
}

/// The name that is most like a text.
fn like(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_matches(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == '-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_not_part_of_the_name() {
        for text in ["acme", "floe-plugin-acme", "floe_plugin_acme"] {
            let name: Name = text.parse().unwrap();
            assert_eq!(name.to_string(), "acme");
            assert_eq!(name.package(), "floe-plugin-acme");
        }
    }

    #[test]
    fn a_bad_name_is_refused_with_a_better_one() {
        for (text, better) in [
            ("Acme Tools", "acme-tools"),
            ("./acme", "acme"),
            ("2fast", "fast"),
            ("floe-plugin-X", "x"),
        ] {
            let refusal = text.parse::<Name>().unwrap_err();
            assert!(
                refusal.ends_with(&format!("how about `{better}`?")),
                "{refusal}"
            );
        }
        for text in ["", "-", "floe-plugin-", "é", &"a".repeat(129)] {
            let refusal = text.parse::<Name>().unwrap_err();
            assert!(refusal.ends_with("beginning with a letter"), "{refusal}");
        }
    }
}
