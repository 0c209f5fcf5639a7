//! What was asked of a file, and the answers.

use floe_registry::Check;

use super::table::Table;
use super::text;

/// A table of checks.
pub(crate) fn table(checks: &[Check]) -> Table {
    let mut table = Table::new(["", "check", "found", "expected"]);
    for check in checks {
        table.row([
            if check.passed { "ok" } else { "NO" }.to_owned(),
            check.check.to_owned(),
            text::plain(&check.found),
            text::plain(&check.expected),
        ]);
    }
    table
}
