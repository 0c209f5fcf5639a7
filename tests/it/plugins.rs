//! Real plugins, made by `floe new` or the repository's own, built once for all tests.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use crate::sandbox::Sandbox;

/// The directory of a plugin as `floe new made` makes it, and of one that answers in every way.
pub(crate) fn directory() -> &'static str {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        install(
            "installed",
            &[("made", None), ("moody", Some(include_str!("moody.rs")))],
        )
    });
    DIRECTORY.to_str().unwrap()
}

/// Puts a plugin of the first of these directories into a directory of a place; gives its path there.
pub(crate) fn put(sandbox: &Sandbox, name: &str, into: &str) -> PathBuf {
    let file = format!("{DLL_PREFIX}floe_plugin_{name}{DLL_SUFFIX}");
    let content = fs::read(Path::new(directory()).join(&file)).unwrap();
    let path = Path::new(into).join(file);
    sandbox.file(&path, content);
    path
}

/// The directory of a plugin that needs the one that answers in every way, which is elsewhere.
pub(crate) fn directory_of_needy() -> &'static str {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        install(
            "installed-needy",
            &[("needy", Some(include_str!("needy.rs")))],
        )
    });
    DIRECTORY.to_str().unwrap()
}

/// The directory of a plugin that ends the process that it is in.
pub(crate) fn directory_of_crashy() -> &'static str {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        install(
            "installed-crashy",
            &[("crashy", Some(include_str!("crashy.rs")))],
        )
    });
    DIRECTORY.to_str().unwrap()
}

/// The directory of this repository's own plugins that the examples use.
pub(crate) fn directory_of_examples() -> &'static str {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let plugins = ["file", "fragile", "jq", "sqlite", "std", "text"];
        let _building = ONE_AT_A_TIME.lock();
        let root = root();
        let packages = plugins.map(|name| format!("--package=floe-plugin-{name}"));
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
        cargo(&root, workspace, "build", &packages);
        let installed = root.join("installed-examples");
        for name in plugins {
            copy(&root, name, &installed);
        }
        installed
    });
    DIRECTORY.to_str().unwrap()
}

/// Tests run at once, and what is built in one directory is built one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where plugins are built.
fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins-of-floe-new")
}

/// Builds plugins, and copies them into a directory.
fn install(directory: &str, plugins: &[(&str, Option<&str>)]) -> PathBuf {
    let _building = ONE_AT_A_TIME.lock();
    let root = root();
    let installed = root.join(directory);
    for (name, source) in plugins {
        build(&root, name, *source);
        copy(&root, name, &installed);
    }
    installed
}

/// Puts a plugin that was built into a directory.
fn copy(root: &Path, name: &str, installed: &Path) {
    fs::create_dir_all(installed).unwrap();
    let file = format!("{DLL_PREFIX}floe_plugin_{name}{DLL_SUFFIX}");
    // Renamed into place: another run of the tests may use the old one now.
    let copy = installed.join(format!("{file}.{}", std::process::id()));
    fs::copy(root.join("target/debug").join(&file), &copy).unwrap();
    fs::rename(copy, installed.join(file)).unwrap();
}

/// Makes a plugin's crate, puts another source in it, if there is one, and builds it below a directory,
/// outside of this workspace.
fn build(root: &Path, name: &str, source: Option<&str>) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
    let api = workspace.join("plugin-api");
    let sandbox = Sandbox::new();
    let made = sandbox.floe([
        "new".as_ref(),
        name.as_ref(),
        "--path=made".as_ref(),
        "--api-path".as_ref(),
        api.as_os_str(),
    ]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let package = root.join(name);
    for file in ["Cargo.toml", "src/lib.rs"] {
        let content = match (file, source) {
            ("src/lib.rs", Some(source)) => source.as_bytes().to_vec(),
            _ => fs::read(sandbox.work().join("made").join(file)).unwrap(),
        };
        update(&package.join(file), &content);
    }
    // The versions that this workspace has: nothing else need be fetched. Cargo takes out of its copy
    // what the plugin does not need, so that another one tells whether ours is new.
    let lock = fs::read(workspace.join("Cargo.lock")).unwrap();
    if update(&package.join("workspace.lock"), &lock) {
        fs::write(package.join("Cargo.lock"), &lock).unwrap();
    }
    // A plugin as it was made has to pass the tests that it was made with.
    let verbs: &[&str] = match source {
        None => &["test", "build"],
        Some(_) => &["build"],
    };
    for verb in verbs {
        cargo(root, &package, verb, &[]);
    }
}

/// Runs cargo in a package, or a workspace.
fn cargo(root: &Path, package: &Path, verb: &str, arguments: &[String]) {
    let built = Command::new(env!("CARGO"))
        .arg(verb)
        .args(arguments)
        .arg("--target-dir")
        .arg(root.join("target"))
        .current_dir(package)
        .env_remove("CARGO_BUILD_TARGET")
        // Small files: each is hashed by each test, by a program that is not optimized.
        .env("CARGO_PROFILE_DEV_DEBUG", "none")
        .env("CARGO_PROFILE_DEV_STRIP", "symbols")
        .output()
        .unwrap();
    let (told, package) = (String::from_utf8_lossy(&built.stderr), package.display());
    assert!(
        built.status.success(),
        "cargo {verb} in `{package}`: {told}"
    );
}

/// Writes a file where it has another content, as cargo builds again what is newer; says whether it had.
fn update(path: &Path, content: &[u8]) -> bool {
    if fs::read(path).is_ok_and(|old| old == content) {
        return false;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    true
}
