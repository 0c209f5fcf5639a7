//! Texts that look like expressions where none is evaluated.

use super::Check;
use crate::executors::Executors;
use crate::problem::{Problem, Rule};
use crate::source::{Branch, Tree, escaped};

/// What an expression begins with.
const MARK: &str = "{{";

impl<E: Executors> Check<'_, E> {
    /// Warns of what looks like an expression at a pointer or below it.
    pub(super) fn plain(&mut self, pointer: &str, what: &str, hint: &str) {
        let source = self.source;
        if let Some(tree) = source.tree(pointer) {
            self.plain_tree(tree, &mut pointer.to_owned(), what, hint);
        }
    }

    fn plain_tree(&mut self, tree: &Tree, pointer: &mut String, what: &str, hint: &str) {
        if self.is_full() {
            return;
        }
        let outer = pointer.len();
        match &tree.branch {
            Branch::Scalar(value) => {
                if value.as_str().is_some_and(|text| text.contains(MARK)) {
                    let message = format!("found `{MARK}`, but {what} not evaluated");
                    let problem = Problem::new(Rule::Expression, pointer, tree.place, message);
                    self.push(problem.warning().hint(hint));
                }
            }
            Branch::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                    self.plain_tree(item, pointer, what, hint);
                    pointer.truncate(outer);
                }
            }
            Branch::Map(entries) => {
                for entry in entries {
                    pointer.push('/');
                    pointer.push_str(&escaped(&entry.key));
                    self.plain_tree(&entry.value, pointer, what, hint);
                    pointer.truncate(outer);
                }
            }
        }
    }
}
