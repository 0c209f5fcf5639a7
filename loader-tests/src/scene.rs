//! A plugin directory, a store, and a good plugin that must answer whatever else happens.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use floe_plugin_api::{Value, value};
use floe_registry::{
    CallError, Isolation, IsolationSettings, LookupError, Registry, RegistryBuilder, Rejection,
    TrustSettings,
};
use tempfile::TempDir;

use crate::fixtures::Fixture;
use crate::library::Library;
use crate::refusal::Refused;

/// The name of the plugin that is in every scene.
pub const GOOD: &str = "good";

/// The variable by which all scenes can be tried with workers: `worker`. Tests of what only happens in one
/// process fail then.
const EVERYWHERE: &str = "FLOE_TESTS_ISOLATION";

/// The program in which isolated plugins of the tests run.
pub fn worker() -> PathBuf {
    let own = std::env::current_exe().expect("the test's own program");
    let places = own.ancestors().skip(1).take(2);
    let mut places = places.map(|directory| directory.join("loader-tests-worker"));
    let there = places.find(|place| place.is_file());
    there.expect("`loader-tests-worker`, which cargo builds with the tests")
}

fn everywhere() -> IsolationSettings {
    match std::env::var(EVERYWHERE) {
        Ok(isolation) => {
            let isolation: Isolation = isolation.parse().expect("an isolation");
            IsolationSettings::new(isolation).program(worker())
        }
        Err(_) => IsolationSettings::default(),
    }
}

/// A plugin directory with a good plugin in it, and a store.
#[derive(Debug)]
pub struct Scene {
    root: TempDir,
    trust: TrustSettings,
    isolation: IsolationSettings,
}

impl Scene {
    /// A scene with the good plugin, installed so that it is met before and after others.
    #[track_caller]
    pub fn new() -> Self {
        let scene = Self::empty();
        scene.install("m-good", &Library::of(Fixture::Probe).named(GOOD));
        scene
    }

    /// A scene whose good plugin needs these others.
    #[track_caller]
    pub fn of_good_needing(others: &[&str]) -> Self {
        let scene = Self::empty();
        let good = Library::of(Fixture::Probe).named(GOOD);
        let good = others
            .iter()
            .fold(good, |good, other| good.needing(other, "*"));
        scene.install("m-good", &good);
        scene
    }

    /// A scene without any plugin.
    #[track_caller]
    pub fn empty() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(root.path().join("plugins")).expect("a directory");
        Self {
            root,
            trust: TrustSettings::default(),
            isolation: everywhere(),
        }
    }

    /// Sets what the scene's registries trust.
    pub fn trust(&mut self, trust: impl Into<TrustSettings>) {
        self.trust = trust.into();
    }

    /// Where everything of the scene is.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The plugin directory.
    pub fn plugins(&self) -> PathBuf {
        self.root().join("plugins")
    }

    /// The store's directory.
    pub fn store(&self) -> PathBuf {
        self.root().join("store")
    }

    /// The path of a library in the plugin directory, whether it is there or not.
    pub fn path(&self, name: &str) -> PathBuf {
        self.plugins().join(format!("{name}.so"))
    }

    /// Puts a library into the plugin directory.
    #[track_caller]
    pub fn install(&self, name: &str, library: &Library) -> PathBuf {
        self.write(name, library.bytes())
    }

    /// Puts bytes into the plugin directory, as a file with a library's name.
    #[track_caller]
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        write(&path, bytes);
        path
    }

    /// A builder of a registry of the scene.
    pub fn builder(&self) -> RegistryBuilder {
        Registry::builder()
            .directory(self.plugins())
            .store(self.store())
            .trust(self.trust.clone())
            .isolation(self.isolation.clone())
    }

    /// Sets where the plugins of the scene's registries run.
    pub fn isolation(&mut self, isolation: impl Into<IsolationSettings>) {
        self.isolation = isolation.into().program(worker());
    }

    /// A registry of the scene.
    #[track_caller]
    pub fn registry(&self) -> Registry {
        self.builder().build().expect("a loose scan never fails")
    }

    /// Checks that the good plugin is listed, loads and answers.
    #[track_caller]
    pub fn check_good(&self, registry: &Registry) {
        check_answers(registry, GOOD);
    }

    /// Checks that a file, which was put there before the registry was made, is refused, cannot be
    /// reached in any way, and hides nothing.
    #[track_caller]
    pub fn check_refused(&self, registry: &Registry, path: &Path, expected: &Refused) {
        expected.check(&self.refusal(registry, path));
        assert!(
            registry
                .list()
                .iter()
                .all(|plugin| plugin.path.as_deref() != Some(path)),
            "`{}` is refused and listed",
            path.display()
        );
        self.check_good(registry);
    }

    /// The one refusal of a file.
    #[track_caller]
    pub fn refusal(&self, registry: &Registry, path: &Path) -> Rejection {
        let refusals = registry.rejected();
        let mut of_path = refusals.iter().filter(|refusal| refusal.path == path);
        let refusal = of_path.next();
        let refusal = refusal.unwrap_or_else(|| {
            panic!(
                "`{}` is not refused; these are: {refusals:?}",
                path.display()
            )
        });
        assert!(
            of_path.next().is_none(),
            "two refusals of one file: {refusals:?}"
        );
        refusal.clone()
    }

    /// Checks that a file is a candidate that is refused when it is loaded, by whichever way it is
    /// first needed.
    #[track_caller]
    pub fn check_refused_at_load(&self, node_type: &str, path: &Path, expected: &Refused) {
        type Way = fn(&Registry, &str) -> Result<(), CallError>;
        let ways: [Way; 4] = [
            |registry, node_type| registry.call(node_type, &Value::Null).map(drop),
            |registry, node_type| registry.load(node_type),
            |registry, node_type| registry.describe(node_type).map(drop),
            |registry, node_type| registry.get(node_type)?.validate(&Value::Null),
        ];
        for way in ways {
            let registry = self.registry();
            assert!(registry.has(node_type), "{:?}", registry.rejected());
            // Twice: a refusal is not forgotten, and leaves nothing half-made.
            for _ in 0..2 {
                match way(&registry, node_type) {
                    Err(CallError::Rejected(refusal)) => {
                        expected.check(&refusal);
                        assert_eq!(refusal.path, path);
                    }
                    other => panic!("expected a refusal, found {other:?}"),
                }
            }
            let listed = registry.list();
            let plugin = listed
                .iter()
                .find(|plugin| plugin.path.as_deref() == Some(path));
            let plugin = plugin.expect("what was admitted is listed");
            assert_eq!(plugin.failed_at, Some(expected.stage));
            assert!(
                plugin
                    .reason
                    .as_ref()
                    .is_some_and(|reason| reason.contains(expected.found))
            );
            self.check_good(&registry);
        }
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a file that only its owner may change, whatever the umask is.
#[track_caller]
pub fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    set_mode(path, 0o644);
}

/// Sets the mode of a file or directory.
#[track_caller]
pub fn set_mode(path: &Path, mode: u32) {
    let set = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    set.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Checks that a copy of the probe is listed and answers.
#[track_caller]
pub fn check_answers(registry: &Registry, name: &str) {
    let listed = registry.list();
    assert!(
        listed
            .iter()
            .any(|plugin| plugin.name == name && plugin.active),
        "`{name}` is not among {:?}; refused: {:?}",
        listed.iter().map(|plugin| &plugin.name).collect::<Vec<_>>(),
        registry.rejected()
    );
    let input = value!({"n": 7, "text": "a text that is too long to be kept in place by a value"});
    match registry.call(&format!("{name}.echo"), &input) {
        Ok(output) => assert_eq!(output, input),
        Err(error) => panic!("`{name}` does not answer: {error}"),
    }
}

/// Checks that nothing public reaches a node type.
#[track_caller]
pub fn check_unreachable(registry: &Registry, node_type: &str) {
    let not_found = |error: &CallError| match error {
        CallError::Lookup(error) => matches!(**error, LookupError::NotFound { .. }),
        _ => false,
    };
    assert!(!registry.has(node_type), "{node_type}");
    assert!(registry.get(node_type).is_err(), "{node_type}");
    assert!(
        registry.get(&format!("{node_type}@*")).is_err(),
        "{node_type}"
    );
    assert!(registry.metadata(node_type).is_err(), "{node_type}");
    assert!(
        registry
            .call(node_type, &Value::Null)
            .is_err_and(|error| not_found(&error))
    );
    assert!(
        registry
            .load(node_type)
            .is_err_and(|error| not_found(&error))
    );
    assert!(
        registry
            .describe(node_type)
            .is_err_and(|error| not_found(&error))
    );
    assert!(
        registry
            .search(node_type)
            .iter()
            .all(|found| found.node_type != node_type)
    );
    assert!(
        registry
            .executors()
            .iter()
            .all(|found| found.node_type != node_type)
    );
}
