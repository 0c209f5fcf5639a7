//! What a vendor is told who made a mistake.

use std::process::Command;

/// The compiler that the `.stderr` files in `ui/typed` were written by.
const COMPILER: &str = "rustc 1.95.";

/// The words are the macros' own, whatever the compiler; and so are those in `ui/typed`, but the
/// compiler adds notes to them that differ from version to version, and are compared with those
/// of one version alone.
#[test]
fn mistakes_are_named_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/export/*.rs");
    cases.compile_fail("tests/ui/data/*.rs");
    if compiler().starts_with(COMPILER) {
        cases.compile_fail("tests/ui/typed/*.rs");
    }
}

fn compiler() -> String {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    #[expect(clippy::disallowed_methods, reason = "a test, and the compiler itself")]
    let output = Command::new(program).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
