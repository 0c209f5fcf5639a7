//! The fixtures' lock file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use floe_loader_tests::fixtures::workspace;

/// The packages of a lock file that come from a registry, with their versions.
fn locked(file: &Path) -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(file).unwrap();
    let field = |package: &str, name: &str| {
        let line = package
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let packages = text
        .split("[[package]]")
        .filter(|package| package.contains("\nsource = "));
    packages
        .filter_map(|package| Some((field(package, "name")?, field(package, "version")?)))
        .collect()
}

/// What the workspace has downloaded is what the fixtures need: they are built without a network,
/// and what they are built from is what the plugins of the workspace are built from.
#[test]
fn the_fixtures_lock_nothing_that_the_workspace_does_not() {
    let ours = locked(&workspace().join("Cargo.lock"));
    let theirs = locked(&workspace().join("loader-tests/fixtures/Cargo.lock"));
    assert!(theirs.len() > 20, "{theirs:?}");
    let strange: Vec<_> = theirs.difference(&ours).collect();
    assert!(
        strange.is_empty(),
        "copy the workspace's Cargo.lock to loader-tests/fixtures/ and run `cargo metadata` there: {strange:?}"
    );
}
