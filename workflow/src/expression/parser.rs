//! From a text to a tree of what is allowed.

use minijinja::machinery::ast::{self, CallArg};
use minijinja::machinery::{Token, parse as parse_template, parse_expr, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::ExpressionError;
use super::filters::{FILTERS, TESTS};
use super::tree::{Arguments, Expr, Kind, Statement};

/// How long a text with expressions may be.
const TEXT: usize = 1 << 20;

/// How many words and signs one pair of braces may have. minijinja reads `a.b.b.b…` in a loop into a tree
/// that is as deep as it is long, and drops it by recursion.
const TOKENS: usize = 1000;

/// How many statements `{% … %}` a text may have: `elif` and the bodies of loops nest.
const BLOCKS: usize = 250;

/// How deep a tree may be, which is evaluated by recursion.
const DEPTH: usize = 128;

/// How many parts of a text may put a value into another one, which is as deep as such a value gets.
const NESTING: usize = 250;

/// Reads a text with expressions.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>, ExpressionError> {
    admit(text, false)?;
    let tree = parse_template(text, "", syntax()?).map_err(|error| explain(&error, text))?;
    let ast::Stmt::Template(template) = tree else {
        return Ok(Vec::new());
    };
    Reader::new(text).statements(&template.children)
}

/// Reads an expression without braces.
pub(super) fn parse_expression(text: &str) -> Result<Expr, ExpressionError> {
    admit(text, true)?;
    let tree = parse_expr(text).map_err(|error| explain(&error, text))?;
    Reader::new(text).expr(&tree)
}

/// A text's last line break is the text's own.
fn syntax() -> Result<SyntaxConfig, ExpressionError> {
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    syntax.map_err(|error| explain(&error, ""))
}

/// Refuses what could not be read, or dropped, within a thread's stack.
fn admit(text: &str, expression: bool) -> Result<(), ExpressionError> {
    if text.len() > TEXT {
        return Err(ExpressionError::new(
            format!(
                "found a text of `{}` bytes, expected at most `{TEXT}`",
                text.len()
            ),
            0,
        )
        .with_hint("put the text into a variable or a file and only its parts here"));
    }
    let (mut tokens, mut blocks) = (0, 0);
    // What is wrong with a token, the parser tells.
    for (token, span) in tokenize(text, expression, syntax()?).map_while(Result::ok) {
        match token {
            Token::TemplateData(_) | Token::VariableStart => tokens = 0,
            Token::BlockStart => {
                tokens = 0;
                blocks += 1;
            }
            _ => tokens += 1,
        }
        let (found, limit, what) = match (tokens > TOKENS, blocks > BLOCKS) {
            (true, _) => (tokens, TOKENS, "words and signs in an expression"),
            (_, true) => (blocks, BLOCKS, "statements in a text"),
            _ => continue,
        };
        return Err(ExpressionError::new(
            format!("found `{found}` {what} or more, expected at most `{limit}`"),
            span.start_offset as usize,
        )
        .with_hint("make it in a step, and refer to the step's output"));
    }
    Ok(())
}

fn explain(error: &minijinja::Error, text: &str) -> ExpressionError {
    let line = error.line().unwrap_or(1).saturating_sub(1);
    let start = text.split_inclusive('\n').take(line).map(str::len).sum();
    let offset = error
        .range()
        .map_or(start, |range| range.start.min(text.len()));
    let detail = error
        .detail()
        .unwrap_or("found no expression that can be read");
    ExpressionError::new(format!("the expression cannot be read: {detail}"), offset).with_hint(
        "mend it, or write `{% raw %}…{% endraw %}` around braces that are meant as text",
    )
}

struct Reader<'a> {
    text: &'a str,
    depth: usize,
    nesting: usize,
}

type Read<T> = Result<T, ExpressionError>;

impl<'a> Reader<'a> {
    const fn new(text: &'a str) -> Self {
        Self {
            text,
            depth: 0,
            nesting: 0,
        }
    }

    /// Goes one level down, and counts it.
    fn deeper<T>(&mut self, offset: usize, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEPTH {
            return Err(ExpressionError::new(
                format!("found an expression nested deeper than `{DEPTH}`, expected less"),
                offset,
            )
            .with_hint("make it in a step, and refer to the step's output"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn statements(&mut self, statements: &[ast::Stmt<'_>]) -> Read<Vec<Statement>> {
        let mut result = Vec::with_capacity(statements.len());
        for statement in statements {
            result.push(self.deeper(offset_of(statement), |reader| reader.statement(statement))?);
        }
        Ok(result)
    }

    fn statement(&mut self, statement: &ast::Stmt<'_>) -> Read<Statement> {
        let refused = match statement {
            ast::Stmt::EmitRaw(raw) => return Ok(Statement::Raw(raw.raw.into())),
            ast::Stmt::EmitExpr(emit) => return self.expr(&emit.expr).map(Statement::Emit),
            ast::Stmt::IfCond(choice) => {
                return Ok(Statement::If {
                    condition: self.expr(&choice.expr)?,
                    body: self.statements(&choice.true_body)?,
                    otherwise: self.statements(&choice.false_body)?,
                });
            }
            ast::Stmt::ForLoop(each) if !each.recursive => {
                return Ok(Statement::For {
                    names: self.names(&each.target)?,
                    over: self.expr(&each.iter)?,
                    only: each
                        .filter_expr
                        .as_ref()
                        .map(|expr| self.expr(expr))
                        .transpose()?,
                    body: self.statements(&each.body)?,
                    otherwise: self.statements(&each.else_body)?,
                });
            }
            ast::Stmt::Set(set) => {
                return Ok(Statement::Set(
                    self.names(&set.target)?,
                    self.expr(&set.expr)?,
                ));
            }
            ast::Stmt::WithBlock(with) => {
                let mut values = Vec::with_capacity(with.assignments.len());
                for (target, expr) in &with.assignments {
                    values.push((self.names(target)?, self.expr(expr)?));
                }
                return Ok(Statement::With(values, self.statements(&with.body)?));
            }
            ast::Stmt::ForLoop(_) => "recursive loop",
            ast::Stmt::SetBlock(_) => "`set` with a body",
            ast::Stmt::AutoEscape(_) => "`autoescape`",
            ast::Stmt::FilterBlock(_) => "`filter` with a body",
            ast::Stmt::Do(_) => "`do`",
            ast::Stmt::Template(_) => "template",
            // Which further ones there are depends on minijinja's features.
            _ => "statement that loads, defines or calls",
        };
        Err(ExpressionError::new(
            format!(
                "found a {refused}, expected text, `{{{{ … }}}}`, `for`, `if`, `set` or `with`"
            ),
            offset_of(statement),
        )
        .with_hint("leave the work to a step"))
    }

    /// The names that a loop or an assignment sets.
    fn names(&mut self, target: &ast::Expr<'_>) -> Read<Vec<Box<str>>> {
        let items = match target {
            ast::Expr::Var(name) => return Ok(vec![name.id.into()]),
            ast::Expr::List(list) => &list.items,
            ast::Expr::Tuple(tuple) => &tuple.items,
            _ => &Vec::new(),
        };
        let names: Option<Vec<Box<str>>> = items
            .iter()
            .map(|item| match item {
                ast::Expr::Var(name) => Some(name.id.into()),
                _ => None,
            })
            .collect();
        names.filter(|names| !names.is_empty()).ok_or_else(|| {
            ExpressionError::new(
                "found another target, expected a name or names with commas between them",
                target.span().start_offset as usize,
            )
            .with_hint("set a plain name")
        })
    }

    fn boxed(&mut self, expr: &ast::Expr<'_>) -> Read<Box<Expr>> {
        self.expr(expr).map(Box::new)
    }

    fn option(&mut self, expr: Option<&ast::Expr<'_>>) -> Read<Option<Box<Expr>>> {
        expr.map(|expr| self.boxed(expr)).transpose()
    }

    fn list(&mut self, items: &[ast::Expr<'_>]) -> Read<Vec<Expr>> {
        items.iter().map(|item| self.expr(item)).collect()
    }

    fn expr(&mut self, expr: &ast::Expr<'_>) -> Read<Expr> {
        let span = expr.span();
        let (start, end) = (span.start_offset as usize, span.end_offset as usize);
        let kind = self.deeper(start, |reader| reader.kind(expr, start))?;
        // minijinja's span of `a.b.c` begins at the last but one of its parts.
        let start = match &kind {
            Kind::Field(first, _)
            | Kind::Index(first, _)
            | Kind::Slice(first, _)
            | Kind::Compare(first, _)
            | Kind::Filter(_, first, _)
            | Kind::Test(_, first, _) => first.start.min(start),
            Kind::Binary(_, both) => both.0.start.min(start),
            Kind::Choice(choice) => choice.1.start.min(start),
            _ => start,
        };
        Ok(Expr { start, end, kind })
    }

    fn kind(&mut self, expr: &ast::Expr<'_>, start: usize) -> Read<Kind> {
        Ok(match expr {
            ast::Expr::Const(constant) => Kind::Constant(constant.value.clone()),
            ast::Expr::Var(name) => Kind::Name(name.id.into()),
            ast::Expr::GetAttr(field) => Kind::Field(self.boxed(&field.expr)?, field.name.into()),
            ast::Expr::GetItem(item) => {
                Kind::Index(self.boxed(&item.expr)?, self.boxed(&item.subscript_expr)?)
            }
            ast::Expr::Slice(slice) => Kind::Slice(
                self.boxed(&slice.expr)?,
                [
                    self.option(slice.start.as_ref())?,
                    self.option(slice.stop.as_ref())?,
                    self.option(slice.step.as_ref())?,
                ],
            ),
            ast::Expr::UnaryOp(unary) => match unary.op {
                ast::UnaryOpKind::Not => Kind::Not(self.boxed(&unary.expr)?),
                ast::UnaryOpKind::Neg => Kind::Negative(self.boxed(&unary.expr)?),
            },
            ast::Expr::BinOp(binary) => Kind::Binary(
                binary.op,
                Box::new((self.expr(&binary.left)?, self.expr(&binary.right)?)),
            ),
            ast::Expr::Compare(compare) => {
                let first = self.boxed(&compare.expr)?;
                let mut others = Vec::with_capacity(compare.ops.len());
                for other in &compare.ops {
                    others.push((other.op, self.expr(&other.expr)?));
                }
                Kind::Compare(first, others)
            }
            ast::Expr::IfExpr(choice) => Kind::Choice(Box::new((
                self.expr(&choice.test_expr)?,
                self.expr(&choice.true_expr)?,
                choice
                    .false_expr
                    .as_ref()
                    .map(|expr| self.expr(expr))
                    .transpose()?,
            ))),
            ast::Expr::Filter(filter) => {
                known(filter.name, FILTERS, "filter", start)?;
                self.nest(start)?;
                let Some(of) = &filter.expr else {
                    return Err(ExpressionError::new(
                        format!(
                            "found filter `{}` of nothing, expected a value",
                            filter.name
                        ),
                        start,
                    ));
                };
                Kind::Filter(
                    filter.name.into(),
                    self.boxed(of)?,
                    self.arguments(&filter.args)?,
                )
            }
            ast::Expr::Test(test) => {
                known(test.name, TESTS, "test", start)?;
                Kind::Test(
                    test.name.into(),
                    self.boxed(&test.expr)?,
                    self.arguments(&test.args)?,
                )
            }
            ast::Expr::List(list) => {
                self.nest(start)?;
                Kind::List(self.list(&list.items)?)
            }
            ast::Expr::Tuple(tuple) => {
                self.nest(start)?;
                Kind::List(self.list(&tuple.items)?)
            }
            ast::Expr::Map(map) => {
                self.nest(start)?;
                let mut entries = Vec::with_capacity(map.keys.len());
                for (key, value) in map.keys.iter().zip(&map.values) {
                    entries.push((self.expr(key)?, self.expr(value)?));
                }
                Kind::Map(entries)
            }
            ast::Expr::Call(call) => return self.call(call, start),
        })
    }

    fn call(&mut self, call: &ast::Call<'_>, start: usize) -> Read<Kind> {
        match &call.expr {
            ast::Expr::Var(name) if name.id == "range" => {
                let arguments = self.arguments(&call.args)?;
                if arguments.by_name.is_empty() {
                    return Ok(Kind::Range(arguments.by_place));
                }
                Err(
                    ExpressionError::new("found a named argument, expected numbers", start)
                        .with_hint("write `range(first, end, step)`"),
                )
            }
            other => {
                let span = other.span();
                let name = self
                    .text
                    .get(span.start_offset as usize..span.end_offset as usize);
                let name = name.unwrap_or("…");
                Err(ExpressionError::new(
                    format!("found a call of `{name}`, expected `range`, the one function"),
                    start,
                )
                .with_hint("use a filter, as in `… | length`, or leave the work to a step"))
            }
        }
    }

    fn nest(&mut self, offset: usize) -> Read<()> {
        self.nesting += 1;
        if self.nesting <= NESTING {
            return Ok(());
        }
        Err(ExpressionError::new(
            format!(
                "found more than `{NESTING}` lists, maps and filters in a text, expected fewer"
            ),
            offset,
        )
        .with_hint("make the value in a step"))
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) -> Read<Arguments> {
        let mut read = Arguments::default();
        for argument in arguments {
            match argument {
                CallArg::Pos(expr) => read.by_place.push(self.expr(expr)?),
                CallArg::Kwarg(name, expr) => read.by_name.push(((*name).into(), self.expr(expr)?)),
                CallArg::PosSplat(expr) | CallArg::KwargSplat(expr) => {
                    let offset = expr.span().start_offset as usize;
                    let error = ExpressionError::new("found `*`, expected an argument", offset);
                    return Err(error.with_hint("write each argument"));
                }
            }
        }
        Ok(read)
    }
}

/// Refuses a name that is none of those known.
pub(super) fn known(name: &str, names: &[&str], what: &str, offset: usize) -> Read<()> {
    if names.contains(&name) {
        return Ok(());
    }
    let error = ExpressionError::new(format!("found {what} `{name}`, which there is not"), offset);
    Err(error.with_nearest(name, names.iter().copied()))
}

fn offset_of(statement: &ast::Stmt<'_>) -> usize {
    let span = match statement {
        ast::Stmt::Template(at) => at.span(),
        ast::Stmt::EmitExpr(at) => at.span(),
        ast::Stmt::EmitRaw(at) => at.span(),
        ast::Stmt::ForLoop(at) => at.span(),
        ast::Stmt::IfCond(at) => at.span(),
        ast::Stmt::WithBlock(at) => at.span(),
        ast::Stmt::Set(at) => at.span(),
        ast::Stmt::SetBlock(at) => at.span(),
        ast::Stmt::AutoEscape(at) => at.span(),
        ast::Stmt::FilterBlock(at) => at.span(),
        ast::Stmt::Block(at) => at.span(),
        ast::Stmt::Import(at) => at.span(),
        ast::Stmt::FromImport(at) => at.span(),
        ast::Stmt::Extends(at) => at.span(),
        ast::Stmt::Include(at) => at.span(),
        ast::Stmt::Macro(at) => at.span(),
        ast::Stmt::CallBlock(at) => at.span(),
        ast::Stmt::Do(at) => at.span(),
    };
    span.start_offset as usize
}
