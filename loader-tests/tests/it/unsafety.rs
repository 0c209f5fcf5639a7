//! Where `unsafe` may stand.

use std::fs;
use std::path::{Path, PathBuf};

use floe_loader_tests::fixtures::workspace;
use floe_loader_tests::source::{code_of, has_word, rust_files};

/// Measures what the system's loader takes by itself, which there is no safe way to call.
const MEASURED: &str = "benches";

/// The fenced modules.
const FENCED: [&str; 3] = [
    "registry/src/host",
    "registry/src/isolate",
    "plugin-api/src/abi",
];

/// The root of the crate that a file belongs to.
fn crate_root(file: &Path) -> Option<PathBuf> {
    let package = file
        .ancestors()
        .find(|directory| directory.join("Cargo.toml").is_file())?;
    let inside = file.strip_prefix(package).ok()?;
    let mut parts = inside.iter();
    let first = parts.next()?.to_str()?;
    match (first, parts.next(), parts.next()) {
        // A binary, a test or an example of one file, or of a directory with a `main.rs`.
        ("src", Some(bin), Some(name)) if bin == "bin" => Some(package.join("src/bin").join(name)),
        ("src", ..) => ["src/lib.rs", "src/main.rs"]
            .map(|root| package.join(root))
            .into_iter()
            .find(|root| root.is_file()),
        (kind, Some(name), Some(_)) => Some(package.join(kind).join(name).join("main.rs")),
        _ => Some(file.to_owned()),
    }
}

fn forbids(root: &Path) -> bool {
    let code = fs::read_to_string(root).unwrap_or_default();
    code_of(&code).contains("#![forbid(unsafe_code)]")
}

#[test]
fn unsafe_stands_in_the_fenced_modules_alone() {
    let workspace = fs::canonicalize(workspace()).unwrap();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for file in rust_files(&workspace) {
        let name = file
            .strip_prefix(&workspace)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        // Libraries that misbehave are a package, and a workspace, of their own.
        if name.starts_with("loader-tests/fixtures")
            || name.starts_with(MEASURED)
            || FENCED.iter().any(|fenced| name.starts_with(fenced))
        {
            continue;
        }
        seen += 1;
        let code = code_of(&fs::read_to_string(&file).unwrap());
        // A macro that writes it for another crate may quote it, where the compiler forbids its use.
        let forbidden = crate_root(&file).is_some_and(|root| forbids(&root));
        if has_word(&code, "unsafe") && !forbidden {
            wrong.push(name);
        }
    }
    assert!(seen > 30, "only {seen} files were found");
    assert!(
        wrong.is_empty(),
        "`unsafe` outside of the fenced modules: {wrong:?}"
    );
}

#[test]
fn every_fence_says_why() {
    let workspace = workspace();
    let mut files = Vec::new();
    for fenced in FENCED {
        files.extend(rust_files(&workspace.join(fenced)));
    }
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = code_of(&text);
        let blocks = code.matches("unsafe {").count() + code.matches("unsafe impl").count();
        let reasons = text.matches("// SAFETY:").count();
        assert!(
            reasons >= blocks,
            "{}: {blocks} blocks, {reasons} reasons",
            file.display()
        );
    }
}

#[test]
fn code_is_told_from_comments_and_texts() {
    let code = code_of(
        "a // unsafe\nb /* unsafe */ \"unsafe \\\" unsafe\" r#\"unsafe\"# '\"' unsafe_code c",
    );
    assert!(!has_word(&code, "unsafe"), "{code}");
    assert!(has_word(&code, "unsafe_code") && has_word(&code, "c"));
    assert!(has_word(&code_of("let x = unsafe { y };"), "unsafe"));
}
