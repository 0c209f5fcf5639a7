//! What a workflow says in place of a value: `{{ … }}`.
//!
//! The language is Jinja's: minijinja reads it, and its operators, tests and most of its filters do
//! the work on values. The tree is evaluated here and not by minijinja's machine, for what that one
//! cannot give:
//!
//! - A bound on memory. Its fuel counts instructions, and `{% set a = a ~ a %}` thirty times over
//!   makes gigabytes with a hundred of them.
//! - A value's own type where a text is one expression, and no copy of what is only looked into.
//! - Where in the text a name is undefined, the whole path, and the nearest names that are known.
//!
//! What may call, load or repeat without an end is refused as the text is read: macros, imports,
//! inclusions, blocks, recursive loops, methods.

mod budget;
mod error;
mod evaluator;
mod filters;
mod held;
mod lookup;
mod operators;
mod parameters;
mod parser;
mod references;
mod scope;
mod statements;
#[cfg(test)]
mod tests;
mod text;
mod tree;

use std::sync::Arc;

use floe_plugin_api::Value;

use self::budget::Budget;
pub use self::error::ExpressionError;
use self::evaluator::Evaluator;
use self::held::Held;
pub use self::parameters::Parameters;
pub use self::references::{Reference, Root, UnknownName};
pub use self::scope::{Scope, Steps};
use self::tree::{Expr, Statement};

/// A text with expressions in it, read once and evaluated as often as needed.
///
/// A text that is one expression, `{{ steps.fetch.output.rows }}`, has the expression's value: a list
/// stays a list, an integer an integer, null is null. Any other text is text, in which strings stand
/// as they are, lists and maps as JSON, and what is undefined or null is an error. The filter
/// `default` takes the place of both.
#[derive(Clone, Debug)]
pub struct Template {
    text: Arc<str>,
    content: Arc<Content>,
    references: Arc<[Reference]>,
    unknown: Arc<[UnknownName]>,
}

#[derive(Debug)]
enum Content {
    /// No expression in it.
    Constant,
    /// One expression and nothing else.
    Value(Expr),
    /// Text with parts.
    Text(Vec<Statement>),
}

impl Content {
    /// One expression where there is nothing around it but white space and comments.
    fn of(mut statements: Vec<Statement>) -> Self {
        let blank = |statement: &Statement| match statement {
            Statement::Raw(text) => text.trim().is_empty(),
            _ => false,
        };
        let alone = statements
            .iter()
            .filter(|statement| !blank(statement))
            .count()
            == 1;
        let found = statements
            .iter()
            .position(|part| matches!(part, Statement::Emit(_)));
        match found
            .filter(|_| alone)
            .map(|place| statements.swap_remove(place))
        {
            Some(Statement::Emit(expr)) => Self::Value(expr),
            Some(other) => Self::Text(vec![other]),
            None => Self::Text(statements),
        }
    }
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// The text is not the language's, uses what is refused here, or is too large or nested too deep.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let constant = !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark));
        let content = if constant {
            Content::Constant
        } else {
            Content::of(parser::parse(text)?)
        };
        Ok(Self::new(text, content))
    }

    /// Reads a condition, which may do without the braces: `steps.a.output.count > 3`.
    ///
    /// # Errors
    ///
    /// As [`Template::parse`]; and the text is not one expression.
    pub fn parse_condition(text: &str) -> Result<Self, ExpressionError> {
        let trimmed = text.trim_start();
        if ["{{", "{%", "{#"]
            .iter()
            .any(|mark| trimmed.starts_with(mark))
        {
            let condition = Self::parse(text)?;
            if !matches!(*condition.content, Content::Value(_)) {
                return Err(ExpressionError::new(
                    "found text and expressions, expected one expression",
                    0,
                )
                .with_hint("write all of it without braces, as in `steps.a.output.count > 3`"));
            }
            return Ok(condition);
        }
        let expr = parser::parse_expression(text)?;
        Ok(Self::new(text, Content::Value(expr)))
    }

    fn new(text: &str, content: Content) -> Self {
        let found = match &content {
            Content::Constant => references::Found::default(),
            Content::Value(expr) => references::of_expression(expr),
            Content::Text(statements) => references::of_statements(statements),
        };
        Self {
            text: text.into(),
            content: content.into(),
            references: found.references.into(),
            unknown: found.unknown.into(),
        }
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is no expression in the text.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(*self.content, Content::Constant)
    }

    /// What the template looks up, as far as the text alone tells, in the text's order.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The names that are neither roots nor set by the template itself.
    #[must_use]
    pub fn unknown_names(&self) -> &[UnknownName] {
        &self.unknown
    }

    /// The value, in a run.
    ///
    /// # Errors
    ///
    /// A name is undefined, an operation does not fit its values, or a bound is reached.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        self.evaluate_within(scope, &mut Budget::new())
    }

    /// The value, in a run, out of a budget that others may share.
    fn evaluate_within(
        &self,
        scope: &Scope<'_>,
        budget: &mut Budget,
    ) -> Result<Value, ExpressionError> {
        let mut evaluator = Evaluator::new(&self.text, scope, budget);
        match &*self.content {
            Content::Constant => Ok(Value::from(&*self.text)),
            Content::Value(expr) => {
                let held = evaluator.expression(expr)?;
                evaluator.value(held, expr)
            }
            Content::Text(statements) => evaluator.text(statements).map(Value::from),
        }
    }

    /// The value, in a run, and no copy of it where it is all of a step's output or of an item.
    ///
    /// # Errors
    ///
    /// As [`Template::evaluate`].
    pub fn evaluate_shared(&self, scope: &Scope<'_>) -> Result<Arc<Value>, ExpressionError> {
        if let Content::Value(expr) = &*self.content {
            let mut budget = Budget::new();
            let mut evaluator = Evaluator::new(&self.text, scope, &mut budget);
            return match evaluator.expression(expr)? {
                Held::Scope(node) if node.is_whole() => Ok(node.into_root()),
                held => evaluator.value(held, expr).map(Arc::new),
            };
        }
        self.evaluate(scope).map(Arc::new)
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    ///
    /// As [`Template::evaluate`]; and the value is not a boolean.
    pub fn is_true(&self, scope: &Scope<'_>) -> Result<bool, ExpressionError> {
        let value = self.evaluate(scope)?;
        if let Value::Bool(holds) = value {
            return Ok(holds);
        }
        let hint = match &value {
            Value::String(text) if matches!(&**text, "true" | "false") => {
                "write one expression and nothing around it".to_owned()
            }
            Value::String(_) => "compare it, as in `… == \"done\"`".to_owned(),
            Value::List(_) | Value::Map(_) => {
                "compare its length, as in `… | length > 0`".to_owned()
            }
            Value::Null => "ask whether it is there, as in `… is not none`".to_owned(),
            _ => "compare it, as in `… > 0`".to_owned(),
        };
        let found = text::excerpt(&value);
        Err(ExpressionError::new(
            format!(
                "found the {} `{found}`, expected a boolean",
                value.type_name()
            ),
            0,
        )
        .with_hint(hint))
    }
}
