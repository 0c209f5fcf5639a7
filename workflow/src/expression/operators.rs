//! What operators do: minijinja's rules, and none of its surprises.

use minijinja::Value as Jinja;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{self, BinOpKind, CompareOpKind, Spanned, UnaryOpKind};
use minijinja::value::ValueKind;

use super::budget::ITEM;
use super::evaluator::{Evaluated, Evaluator};
use super::held::Held;
use super::text::Places;
use super::tree::Expr;
use super::{ExpressionError, text};

/// An operator between two values by minijinja's rules, or none where they do not fit it.
///
/// minijinja shows its operators nowhere but in the folding of constants.
fn folded(op: BinOpKind, left: Jinja, right: Jinja) -> Option<Jinja> {
    let (left, right) = (constant(left), constant(right));
    let tree = ast::BinOp { op, left, right };
    ast::Expr::BinOp(Spanned::new(tree, Span::default())).as_const()
}

pub(super) fn negative(value: Jinja) -> Option<Jinja> {
    let tree = ast::UnaryOp {
        op: UnaryOpKind::Neg,
        expr: constant(value),
    };
    ast::Expr::UnaryOp(Spanned::new(tree, Span::default())).as_const()
}

fn constant(value: Jinja) -> ast::Expr<'static> {
    ast::Expr::Const(Spanned::new(ast::Const { value }, Span::default()))
}

/// Whether there is an order between the two. minijinja has one between any values, by which
/// `"10" > 9`.
fn are_ordered(left: &Jinja, right: &Jinja) -> bool {
    let kind = |value: &Jinja| match value.kind() {
        ValueKind::Iterable => ValueKind::Seq,
        kind => kind,
    };
    let (left, right) = (kind(left), kind(right));
    left == right
        && matches!(
            left,
            ValueKind::Number | ValueKind::String | ValueKind::Bytes | ValueKind::Seq
        )
}

/// An operator as it is written.
const fn sign(op: BinOpKind) -> &'static str {
    match op {
        BinOpKind::Eq => "==",
        BinOpKind::Ne => "!=",
        BinOpKind::Lt => "<",
        BinOpKind::Lte => "<=",
        BinOpKind::Gt => ">",
        BinOpKind::Gte => ">=",
        BinOpKind::ScAnd => "and",
        BinOpKind::ScOr => "or",
        BinOpKind::Add => "+",
        BinOpKind::Sub => "-",
        BinOpKind::Mul => "*",
        BinOpKind::Div => "/",
        BinOpKind::FloorDiv => "//",
        BinOpKind::Rem => "%",
        BinOpKind::Pow => "**",
        BinOpKind::Concat => "~",
        BinOpKind::In => "in",
    }
}

/// A comparison as an operator between two values, and whether it is turned round.
const fn comparison(op: CompareOpKind) -> (BinOpKind, bool) {
    match op {
        CompareOpKind::Eq => (BinOpKind::Eq, false),
        CompareOpKind::Ne => (BinOpKind::Ne, false),
        CompareOpKind::Lt => (BinOpKind::Lt, false),
        CompareOpKind::Lte => (BinOpKind::Lte, false),
        CompareOpKind::Gt => (BinOpKind::Gt, false),
        CompareOpKind::Gte => (BinOpKind::Gte, false),
        CompareOpKind::In => (BinOpKind::In, false),
        CompareOpKind::NotIn => (BinOpKind::In, true),
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn compare(
        &mut self,
        first: &'a Expr,
        others: &'a [(CompareOpKind, Expr)],
        expr: &'a Expr,
    ) -> Evaluated<Held> {
        let held = self.expression(first)?;
        let mut left = self.jinja(held, first)?;
        for (op, other) in others {
            let held = self.expression(other)?;
            let right = self.jinja(held, other)?;
            let (op, turned) = comparison(*op);
            let holds = self.binary(op, left, right.clone(), expr)?.is_true();
            if holds == turned {
                return Ok(Held::Made(false.into()));
            }
            left = right;
        }
        Ok(Held::Made(true.into()))
    }

    /// The value of an operator, and a look at how much it makes before it does.
    pub(super) fn binary(
        &mut self,
        op: BinOpKind,
        left: Jinja,
        right: Jinja,
        expr: &Expr,
    ) -> Evaluated<Jinja> {
        use BinOpKind as Op;

        let offset = expr.start;
        match op {
            Op::Concat => {
                let mut joined = String::new();
                for side in [&left, &right] {
                    if side.is_none() {
                        let written = self.written(expr);
                        let message = format!("found null in `{written}`, expected text");
                        let error = ExpressionError::new(message, offset);
                        return Err(error.with_hint("write `(… | default(\"…\"))`"));
                    }
                    match side.as_str() {
                        Some(part) => {
                            self.budget.make(part.len(), offset)?;
                            text::append(part, &mut joined, offset)?;
                        }
                        None => {
                            let value = text::from_jinja(side, self.budget, offset)?;
                            text::write(&value, &mut joined, offset)?;
                        }
                    }
                }
                return Ok(joined.into());
            }
            Op::Lt | Op::Lte | Op::Gt | Op::Gte if !are_ordered(&left, &right) => {
                return Err(self.unfit(op, &left, &right, expr));
            }
            Op::Add | Op::Mul => {
                if let Some(made) = self.longer_list(op, &left, &right, offset)? {
                    return Ok(made);
                }
                let length = |value: &Jinja| value.as_str().map_or(0, str::len);
                let times = |value: &Jinja| value.as_usize().unwrap_or(1);
                let size = match op {
                    Op::Add => length(&left).saturating_add(length(&right)),
                    _ => length(&left)
                        .saturating_mul(times(&right))
                        .max(length(&right).saturating_mul(times(&left))),
                };
                self.budget.make(size, offset)?;
            }
            _ => {}
        }
        if matches!(
            op,
            Op::Eq | Op::Ne | Op::Lt | Op::Lte | Op::Gt | Op::Gte | Op::In
        ) {
            for side in [&left, &right] {
                text::walk(side, Places::Walked, usize::MAX, self.budget, offset)?;
            }
        }
        match folded(op, left.clone(), right.clone()) {
            Some(value) => Ok(value),
            None => Err(self.unfit(op, &left, &right, expr)),
        }
    }

    /// `list + list` and `list * integer`, made here and now: minijinja's are views of views, whose
    /// length doubles by each at no cost until someone walks them.
    fn longer_list(
        &mut self,
        op: BinOpKind,
        left: &Jinja,
        right: &Jinja,
        offset: usize,
    ) -> Evaluated<Option<Jinja>> {
        let is_list = |value: &Jinja| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
        let parts = match op {
            BinOpKind::Add if is_list(left) && is_list(right) => vec![left, right],
            BinOpKind::Mul if is_list(left) || is_list(right) => {
                let (list, times) = if is_list(left) {
                    (left, right)
                } else {
                    (right, left)
                };
                let Some(times) = times.as_usize() else {
                    return Ok(None);
                };
                self.budget.make(times.saturating_mul(ITEM), offset)?;
                vec![list; times]
            }
            _ => return Ok(None),
        };
        let mut items = Vec::new();
        for part in parts {
            for item in text::items(part, offset)? {
                self.budget.make(ITEM, offset)?;
                items.push(item);
            }
        }
        Ok(Some(Jinja::from(items)))
    }

    #[cold]
    fn unfit(&self, op: BinOpKind, left: &Jinja, right: &Jinja, expr: &Expr) -> ExpressionError {
        let (sign, written) = (sign(op), self.written(expr));
        let (left, right) = (text::type_name(left), text::type_name(right));
        let message = format!(
            "found {left} and {right} around `{sign}` in `{written}`, expected values that it fits"
        );
        ExpressionError::new(message, expr.start)
            .with_hint("make them alike first, as by `| int`, `| float` or `| string`")
    }

    pub(super) fn range(&mut self, bounds: &'a [Expr], expr: &Expr) -> Evaluated<Held> {
        /// How many numbers there may be.
        const NUMBERS: u64 = 100_000;

        let mut numbers = Vec::with_capacity(bounds.len());
        for bound in bounds {
            let held = self.expression(bound)?;
            let value = self.jinja(held, bound)?;
            match value.as_i64().filter(|_| value.is_integer()) {
                Some(number) => numbers.push(number),
                None => {
                    let found = text::type_name(&value);
                    let message = format!("found {found} in `range`, expected an integer");
                    let error = ExpressionError::new(message, bound.start);
                    return Err(error.with_hint("make it one by `| int`"));
                }
            }
        }
        let (first, end, step) = match *numbers {
            [end] => (0, end, 1),
            [first, end] => (first, end, 1),
            [first, end, step] if step != 0 => (first, end, step),
            _ => {
                let message =
                    "found other arguments of `range`, expected one to three, the step not `0`";
                let error = ExpressionError::new(message, expr.start);
                return Err(error.with_hint("write `range(first, end, step)`"));
            }
        };
        let distance = match step > 0 {
            true => i128::from(end) - i128::from(first),
            false => i128::from(first) - i128::from(end),
        };
        let count = u64::try_from(distance)
            .unwrap_or(0)
            .div_ceil(step.unsigned_abs());
        if count > NUMBERS {
            return Err(ExpressionError::new(
                format!("found a range of `{count}` numbers, expected at most `{NUMBERS}`"),
                expr.start,
            )
            .with_hint("loop over fewer"));
        }
        self.budget.make(
            usize::try_from(count)
                .unwrap_or(usize::MAX)
                .saturating_mul(ITEM),
            expr.start,
        )?;
        let numbers = (0..count).map_while(|place| {
            let place = i64::try_from(place).ok()?;
            first.checked_add(place.checked_mul(step)?)
        });
        Ok(Held::Made(numbers.collect()))
    }
}
