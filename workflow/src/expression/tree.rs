//! An expression as it is kept: what minijinja's tree says, owned, and only what is allowed.

use minijinja::Value as Jinja;
use minijinja::machinery::ast::{BinOpKind, CompareOpKind};

/// An expression and where in the text it is.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Constant(Jinja),
    Name(Box<str>),
    Field(Box<Expr>, Box<str>),
    Index(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(BinOpKind, Box<(Expr, Expr)>),
    Compare(Box<Expr>, Vec<(CompareOpKind, Expr)>),
    /// The condition, what it is if so, and what otherwise.
    Choice(Box<(Expr, Expr, Option<Expr>)>),
    Filter(Box<str>, Box<Expr>, Arguments),
    Test(Box<str>, Box<Expr>, Arguments),
    /// `range`, the one function.
    Range(Vec<Expr>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
}

/// What a filter or a test is given.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) by_place: Vec<Expr>,
    pub(super) by_name: Vec<(Box<str>, Expr)>,
}

impl Arguments {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Expr> {
        let by_name = self.by_name.iter().map(|(_, expr)| expr);
        self.by_place.iter().chain(by_name)
    }
}

/// A part of a text.
#[derive(Debug)]
pub(super) enum Statement {
    Raw(Box<str>),
    Emit(Expr),
    /// Names, values, condition, body, and what stands where there is no value.
    For {
        names: Vec<Box<str>>,
        over: Expr,
        only: Option<Expr>,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    If {
        condition: Expr,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    With(Vec<(Vec<Box<str>>, Expr)>, Vec<Statement>),
    Set(Vec<Box<str>>, Expr),
}
