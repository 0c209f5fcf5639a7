//! The files of a new plugin.

use floe_registry::api::Kind;

use super::name::Name;

/// What is put into the files.
pub(crate) struct Template<'a> {
    pub(crate) name: &'a Name,
    pub(crate) kind: &'a Kind,
    /// Where `floe-plugin-api` is, if not among the published crates.
    pub(crate) api: Option<&'a str>,
    pub(crate) library: &'a str,
}

impl Template<'_> {
    /// The files, by their paths.
    pub(crate) fn files(&self) -> [(&'static str, String); 4] {
        [
            (
                "Cargo.toml",
                self.fill(include_str!("template/Cargo.toml.in")),
            ),
            ("src/lib.rs", self.fill(include_str!("template/lib.rs.in"))),
            (
                "README.md",
                self.fill(include_str!("template/README.md.in")),
            ),
            (".gitignore", "/target\n".to_owned()),
        ]
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{{package}}", &self.name.package())
            .replace("{{name}}", &self.name.to_string())
            .replace("{{kind}}", self.kind.as_str())
            .replace("{{library}}", self.library)
            // Last, for a path may hold anything.
            .replace("{{api}}", &self.dependency())
    }

    fn dependency(&self) -> String {
        match self.api {
            Some(path) => format!("{{ path = {} }}", toml_string(path)),
            None => {
                let [major, minor] = [
                    env!("CARGO_PKG_VERSION_MAJOR"),
                    env!("CARGO_PKG_VERSION_MINOR"),
                ];
                format!("\"{major}.{minor}\"")
            }
        }
    }
}

/// A string as TOML has it: as JSON has it, but that a delete character is escaped too.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled() {
        let name = "acme".parse().unwrap();
        let template = Template {
            name: &name,
            kind: &Kind::STORAGE,
            api: Some("/a \"quoted\"/{{name}}"),
            library: "target/release/libx.so",
        };
        let [(_, cargo), others @ ..] = template.files();
        assert!(
            cargo.contains(r#"floe-plugin-api = { path = "/a \"quoted\"/{{name}}" }"#),
            "{cargo}"
        );
        for (file, content) in others {
            assert!(!content.contains("{{"), "{file}: {content}");
        }
    }
}
