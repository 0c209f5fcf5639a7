//! What a plugin is started with.

use std::fmt;

use floe_plugin_api::{Map, Value};

use super::environment;
use super::given::{Given, merge};
use crate::schema::{self, Invalid, Secrets, Subject};

/// A configuration that fits its plugin's schema, and all defaults in it.
pub(crate) struct Effective {
    /// The configuration.
    pub(crate) value: Value,
    /// What in it may not be shown.
    pub(crate) secrets: Secrets,
}

impl Default for Effective {
    fn default() -> Self {
        Self {
            value: Value::Map(Map::new()),
            secrets: Secrets::default(),
        }
    }
}

impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effective")
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

impl Given {
    /// The configuration that it comes to under the schema of its plugin, which is `of` in errors.
    pub(crate) fn resolve(
        &self,
        schema: &serde_json::Value,
        of: &str,
    ) -> Result<Effective, Box<Invalid>> {
        let (environment, mut violations) =
            environment::read(&self.environment, &self.plugin, schema);
        let nothing = || Value::Map(Map::new());
        let mut value = self.file.clone().unwrap_or_else(nothing);
        for layer in [&environment].into_iter().chain(&self.program) {
            value = merge(value, layer);
        }
        schema::fill(schema, &mut value);
        violations.extend(schema::violations(
            schema,
            &value,
            Subject::Configuration,
            of,
        ));
        if !violations.is_empty() {
            return Err(Box::new(Invalid {
                subject: Subject::Configuration,
                of: of.to_owned(),
                violations,
            }));
        }
        let secrets = Secrets::of(schema, &value);
        Ok(Effective { value, secrets })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use floe_plugin_api::{Secret, data, value};
    use serde_json::json;

    use super::*;
    use crate::config::{Environment, Sources};

    fn yes() -> bool {
        true
    }

    fn ten() -> u64 {
        10
    }

    /// What a vendor may well write.
    #[data]
    #[allow(dead_code, reason = "for its schema")]
    struct Config {
        path: String,
        #[serde(default = "ten")]
        #[schemars(range(min = 1, max = 100))]
        limit: u64,
        #[serde(default)]
        inner: Inner,
        maybe: Option<Inner>,
        #[serde(default)]
        many: Vec<Inner>,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        #[serde(default)]
        by_name: BTreeMap<String, Inner>,
        #[serde(default)]
        anything: Value,
        mode: Option<Mode>,
        target: Option<Target>,
        password: Option<Secret>,
        login: Option<Login>,
        #[serde(flatten)]
        flat: Flat,
    }

    #[data]
    #[derive(Default)]
    #[serde(default)]
    struct Inner {
        on: Option<bool>,
        count: u8,
    }

    #[data]
    #[allow(dead_code, reason = "for its schema")]
    struct Flat {
        #[serde(default = "yes")]
        read_only: bool,
    }

    #[data]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        /// One.
        Fast,
        /// Another.
        Slow,
    }

    #[data]
    #[serde(tag = "kind", rename_all = "lowercase")]
    #[allow(dead_code, reason = "for its schema")]
    enum Target {
        File { path: String },
        Server { host: String, port: u16 },
    }

    #[data]
    #[allow(dead_code, reason = "for its schema")]
    struct Login {
        user: String,
        token: Secret,
    }

    fn schema() -> serde_json::Value {
        schemars::schema_for!(Config).to_value()
    }

    fn sources(file: Value, variables: &[(&str, &str)], program: Option<Value>) -> Given {
        let variables = variables
            .iter()
            .map(|(name, text)| ((*name).into(), (*text).into()));
        let named = |value: Value| ("a".to_owned(), value);
        let program = program.map(named).into_iter().collect();
        Sources::new([named(file)].into(), Environment::new(variables), program).of("a")
    }

    #[track_caller]
    fn resolve(config: Value) -> Result<Effective, Box<Invalid>> {
        Given::default().with(config).resolve(&schema(), "a 1.0.0")
    }

    /// What is told of a configuration that lacks nothing else.
    #[track_caller]
    fn refused(config: Value) -> Vec<String> {
        let whole = merge(value!({"path": "p"}), &config);
        let invalid = resolve(whole).unwrap_err();
        invalid.violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_program_is_stronger_than_the_environment_and_that_than_the_file() {
        let file = value!({"path": "file", "limit": 1, "inner": {"on": false, "count": 1}, "read_only": false});
        let variables = [
            ("FLOE_PLUGINS__A__LIMIT", "2"),
            ("FLOE_PLUGINS__A__PATH", "2"),
            ("FLOE_PLUGINS__A__INNER__COUNT", "2"),
        ];
        let given = sources(file, &variables, Some(value!({"limit": 3})));
        let value = given.resolve(&schema(), "a").unwrap().value;
        assert_eq!(value.get("path"), Some(&value!("2")));
        assert_eq!(value.get("limit"), Some(&value!(3)));
        assert_eq!(value.get("inner"), Some(&value!({"on": false, "count": 2})));
        assert_eq!(value.get("read_only"), Some(&value!(false)));
        let over = given
            .with(value!({"limit": 4}))
            .resolve(&schema(), "a")
            .unwrap();
        assert_eq!(over.value.get("limit"), Some(&value!(4)));
        let invalid = given.with(value!([1])).resolve(&schema(), "a").unwrap_err();
        assert_eq!(invalid.violations[0].rule, "type");
        assert_eq!(invalid.violations[0].path, "");
    }

    #[test]
    fn defaults_are_there() {
        let value = resolve(
            value!({"path": "p", "maybe": {}, "many": [{}], "by_name": {"x": {"count": 2}}}),
        );
        assert_eq!(
            value.unwrap().value,
            value!({
                "path": "p", "limit": 10, "inner": {"on": null, "count": 0}, "maybe": {"on": null, "count": 0},
                "many": [{"on": null, "count": 0}], "labels": {}, "by_name": {"x": {"on": null, "count": 2}},
                "anything": null, "read_only": true,
            })
        );
    }

    #[test]
    fn numbers_are_kept() {
        for number in [
            value!(i64::MIN),
            value!(i64::MAX),
            value!(u64::MAX),
            value!(0.1),
            value!(1.0),
        ] {
            let value = resolve(value!({"path": "p", "anything": (number.clone())}))
                .unwrap()
                .value;
            assert_eq!(
                format!("{:?}", value.get("anything").unwrap()),
                format!("{number:?}")
            );
        }
    }

    #[test]
    fn what_is_open_stays_open() {
        for config in [
            value!({"labels": {"any": "thing"}}),
            value!({"by_name": {"any": {"on": true}}}),
            value!({"anything": {"any": {"thing": [{"at": "all"}]}}}),
            value!({"read_only": false}),
            value!({"mode": "fast"}),
            value!({"target": {"kind": "file", "path": "x"}}),
            value!({"target": {"kind": "server", "host": "x", "port": 1}}),
            value!({"maybe": null, "target": null, "password": null}),
        ] {
            let whole = merge(value!({"path": "p"}), &config);
            resolve(whole).unwrap();
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_known() {
        for (config, expected) in [
            (
                value!({"limt": 5}),
                &["at `/limt`: unknown key `limt`; did you mean `limit`?"][..],
            ),
            (
                value!({"Limit": 5}),
                &["at `/Limit`: unknown key `Limit`; did you mean `limit`?"],
            ),
            (
                value!({"readonly": true}),
                &["at `/readonly`: unknown key `readonly`; did you mean `read_only`?"],
            ),
            (
                value!({"inner": {"no": true}}),
                &["at `/inner/no`: unknown key `no`, expected one of `count`, `on`"],
            ),
            (
                value!({"maybe": {"cuont": 1}}),
                &["at `/maybe/cuont`: unknown key `cuont`; did you mean `count`?"],
            ),
            (
                value!({"many": [{}, {"cuont": 1}]}),
                &["at `/many/1/cuont`: unknown key `cuont`; did you mean `count`?"],
            ),
            (
                value!({"by_name": {"x/y": {"cuont": 1}}}),
                &["at `/by_name/x~1y/cuont`: unknown key `cuont`; did you mean `count`?"],
            ),
            (
                value!({"target": {"kind": "file", "path": "x", "prot": 1}}),
                &["at `/target/prot`: unknown key `prot`, expected one of `kind`, `path`"],
            ),
            (
                value!({"target": {"kind": "file", "path": "x", "port": 1}}),
                &["at `/target/port`: unknown key `port`, expected one of `kind`, `path`"],
            ),
            (
                value!({"maybe": {"cuont": 1, "count": -1}}),
                &[
                    "at `/maybe/count`: -1 is less than the minimum of 0",
                    "at `/maybe/cuont`: unknown key `cuont`; did you mean `count`?",
                ],
            ),
        ] {
            let told = refused(config);
            assert_eq!(told.len(), expected.len(), "{told:?}");
            for (told, expected) in told.iter().zip(expected) {
                assert!(told.starts_with(expected), "{told}, not {expected}");
            }
        }
        let invalid = resolve(value!({"path": "p", "limt": 5, "zzz": 1})).unwrap_err();
        let json = serde_json::to_value(&invalid.violations).unwrap();
        assert_eq!(json[0]["nearest"], "limit");
        assert_eq!(json[0]["rule"], "unevaluatedProperties");
        assert!(json[1].get("nearest").is_none());
    }

    #[test]
    fn every_error_is_told_at_once() {
        let told = refused(value!({
            "path": 3, "limit": 101, "inner": {"on": 1, "off": 2}, "maybe": {"count": 256}, "many": [1],
            "mode": "swift", "target": {"kind": "server", "host": "x", "port": "y"}, "zzz": 0,
        }));
        let mut paths: Vec<_> = told
            .iter()
            .filter_map(|told| told.split('`').nth(1))
            .collect();
        paths.sort_unstable();
        assert_eq!(
            paths,
            [
                "/inner/off",
                "/inner/on",
                "/limit",
                "/many/0",
                "/maybe/count",
                "/mode",
                "/path",
                "/target/port",
                "/zzz"
            ],
            "{told:?}"
        );
        let mode = told.iter().find(|told| told.contains("/mode")).unwrap();
        assert!(
            mode.contains("\"swift\" is none of \"fast\", \"slow\""),
            "{mode}"
        );
        let missing = Given::default().resolve(&schema(), "a").unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("\"path\" is a required property"),
            "{missing}"
        );
    }

    #[test]
    fn no_error_shows_a_secret() {
        const SECRET: &str = "s3cr3t-value";
        for config in [
            value!({"password": [SECRET]}),
            value!({"password": {"a": SECRET}}),
            value!({"pasword": SECRET}),
            value!({"login": {"token": SECRET}}),
            value!({"login": {"user": 1, "token": SECRET}}),
            value!({"login": {"user": "u", "token": [SECRET]}}),
            value!({"login": {"user": "u", "tokn": SECRET}}),
            value!({"login": SECRET}),
            value!({"login": [SECRET]}),
            value!({"password": SECRET, "path": null}),
            value!({"password": SECRET, "zzz": {"token": SECRET}, "many": [SECRET]}),
        ] {
            let whole = merge(value!({"path": "p"}), &config);
            let invalid = resolve(whole).unwrap_err();
            assert!(!invalid.violations.is_empty());
            for shown in [
                invalid.to_string(),
                format!("{invalid:?}"),
                serde_json::to_string(&invalid).unwrap(),
            ] {
                assert!(!shown.contains(SECRET), "{shown}");
            }
        }
        // A whole object that lacks something else.
        let invalid = resolve(value!({"password": SECRET})).unwrap_err();
        assert!(
            invalid.violations[0].value.contains("\"password\":\"***\""),
            "{invalid:?}"
        );
        let effective =
            resolve(value!({"path": "p", "login": {"user": "u", "token": SECRET}})).unwrap();
        assert!(!format!("{effective:?}").contains(SECRET));
        let text = format!("cannot log in with `{SECRET}`");
        assert_eq!(effective.secrets.mask(&text), "cannot log in with `***`");
    }

    #[test]
    fn an_unusable_schema_lets_everything_pass() {
        let given = Given::default().with(value!({"a": 1}));
        for schema in [
            json!({"type": 5}),
            json!({"$ref": "https://nowhere.test/x"}),
            json!(true),
        ] {
            assert_eq!(given.resolve(&schema, "a").unwrap().value, value!({"a": 1}));
        }
    }

    #[test]
    fn parts_that_are_composed_know_each_others_keys() {
        let schema = json!({
            "allOf": [{"$ref": "#/$defs/A"}, {"properties": {"b": {"properties": {"x": true}}}}],
            "properties": {"b": {"properties": {"y": true}}},
            "$defs": {"A": {"properties": {"a": true}}},
        });
        let resolve = |config| Given::default().with(config).resolve(&schema, "a");
        resolve(value!({"a": 1, "b": {"x": 1, "y": 1}})).unwrap();
        let invalid = resolve(value!({"a": 1, "b": {"x": 1, "z": 1}, "c": 1})).unwrap_err();
        let paths: Vec<_> = invalid
            .violations
            .iter()
            .map(|each| each.path.as_str())
            .collect();
        assert_eq!(paths, ["/b/z", "/c"]);
    }
}
