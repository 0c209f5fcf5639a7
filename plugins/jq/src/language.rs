//! The language: jq as the crates `jaq-*` implement it, without what reaches out of a filter, and
//! with loops that end when nobody waits for them.

use std::cell::{Cell, RefCell};

use floe_plugin_api::{CallContext, Error, ErrorKind, Result, tracing};
use jaq_core::data::HasLut;
use jaq_core::load::{self, Arena, File, Loader, lex, parse};
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Compiler, Ctx, DataT, Exn, Lut, Vars, compile};
use jaq_json::Val;
use jaq_std::ValT as _;

use crate::convert::{self, MAX_DEPTH};

/// Filters that would reach the process: its environment, its time zone, its standard error, its end.
/// `input` and its like, and the loading of modules, come from jaq's command line and are not here
/// anyway.
const LEFT_OUT: &[&str] = &[
    "env",
    "halt",
    "halt_error",
    "localtime",
    "stderr",
    "stderr_empty",
    "strflocaltime",
];

/// Native filters that `prelude.jq` wraps, and the names that it calls them by.
const WRAPPED: &[(&str, &str)] = &[("fromjson", "_fromjson"), ("range", "_range")];

/// How many turns a loop takes between two looks at whether the caller still waits.
const TURNS_BETWEEN_CHECKPOINTS: u32 = 128;

/// The longest message of a filter that is passed on, in characters: jaq quotes whole values.
const MAX_MESSAGE: usize = 400;

/// A compiled filter; threads may share it.
pub(crate) struct Filter(jaq_core::Filter<Data>);

impl Filter {
    /// Compiles a filter.
    pub(crate) fn compile(text: &str) -> Result<Self> {
        let arena = Arena::default();
        let file = File {
            code: text,
            path: (),
        };
        let modules = Loader::new(definitions())
            .load(&arena, file)
            .map_err(|errors| not_loaded(text, errors))?;
        load::import(&modules, |_data| Err(String::new()))
            .map_err(|errors| not_loaded(text, errors))?;
        Compiler::default()
            .with_funs(natives())
            .compile(modules)
            .map(Self)
            .map_err(|errors| not_compiled(text, errors))
    }

    /// Applies the filter to a value and hands each output to `take`, until there is none or `take`
    /// refuses one.
    pub(crate) fn run(
        &self,
        input: Val,
        call: &CallContext<'_>,
        mut take: impl FnMut(Val) -> Result<()>,
    ) -> Result<()> {
        let checkpoint = || call.checkpoint();
        let watch = Watch {
            lut: &self.0.lut,
            checkpoint: &checkpoint,
            turns: Cell::new(0),
            stopped: RefCell::new(None),
        };
        let context = Ctx::<Data>::new(&watch, Vars::new([]));
        for output in self.0.id.run((context, input)) {
            match output {
                Ok(output) => take(output)?,
                Err(exception) => {
                    return Err(watch
                        .stopped
                        .take()
                        .unwrap_or_else(|| failed(exception.get_err())));
                }
            }
        }
        Ok(())
    }
}

/// What native filters see of a run.
struct Watch<'a> {
    lut: &'a Lut<Data>,
    checkpoint: &'a dyn Fn() -> Result<()>,
    turns: Cell<u32>,
    /// Why a native filter ended the run.
    stopped: RefCell<Option<Error>>,
}

/// Tells jaq the types that a run works on.
struct Data;

impl DataT for Data {
    type V<'a> = Val;
    type Data<'a> = &'a Watch<'a>;
}

impl<'a> HasLut<'a, Data> for &'a Watch<'a> {
    fn lut(&self) -> &'a Lut<Data> {
        self.lut
    }
}

impl Watch<'_> {
    /// Counts a turn of a loop. What it gives on the way out is no error of jq's, so that no filter
    /// can catch it.
    fn turn(&self) -> std::result::Result<Val, Exn<'static, Val>> {
        self.turns.set(self.turns.get().wrapping_add(1));
        if self.turns.get().is_multiple_of(TURNS_BETWEEN_CHECKPOINTS)
            && let Err(error) = (self.checkpoint)()
        {
            self.stopped.replace(Some(error));
            return Err(Exn::halt(1));
        }
        Ok(Val::Null)
    }
}

fn definitions() -> impl Iterator<Item = parse::Def<&'static str>> {
    let ours = parse(include_str!("prelude.jq"), |parser| parser.defs()).unwrap_or_default();
    let replaced: Vec<_> = ours.iter().map(|def| (def.name, def.args.len())).collect();
    let theirs = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .filter(move |def| {
            !LEFT_OUT.contains(&def.name) && !replaced.contains(&(def.name, def.args.len()))
        });
    ours.into_iter().chain(theirs)
}

fn natives() -> impl Iterator<Item = Fun<Data>> {
    let theirs = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        .filter(|(name, ..)| !LEFT_OUT.contains(name) && *name != "debug_empty")
        .map(|(name, arguments, native)| {
            let wrapped = WRAPPED.iter().find(|(wrapped, _)| *wrapped == name);
            (wrapped.map_or(name, |(_, by)| by), arguments, native)
        });
    let ours = [
        run::<Data>(("_watch", v(0), |(context, _)| {
            Box::new(std::iter::once(context.data().turn()))
        })),
        run(("_shallow", v(0), |(_, text)| {
            let too_deep = text.as_bytes().is_some_and(convert::is_too_deep);
            bome(if too_deep {
                Err(jaq_core::Error::str(format_args!(
                    "the json text is nested deeper than {MAX_DEPTH}"
                )))
            } else {
                Ok(Val::Null)
            })
        })),
        run(("debug_empty", v(0), |(_, value)| {
            tracing::debug!(%value, "debug");
            Box::new(std::iter::empty())
        })),
    ];
    theirs.chain(ours)
}

fn failed(error: std::result::Result<jaq_core::Error<Val>, Exn<'_, Val>>) -> Error {
    let reason = match error.map(jaq_core::Error::into_val) {
        Ok(Val::TStr(text)) => String::from_utf8_lossy(&text).into_owned(),
        Ok(value) => value.to_string(),
        Err(_) => "it was halted".to_owned(),
    };
    Error::execution(format!("the filter fails: {}", shortened(&reason)))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn not_loaded(text: &str, errors: load::Errors<&str, ()>) -> Error {
    // The first one: what follows is often its consequence.
    match errors.into_iter().next().map(|(_, error)| error) {
        Some(load::Error::Lex(errors)) => match errors.into_iter().next() {
            Some((lex::Expect::Delim(open), found)) => {
                misplaced(text, &format!("what closes `{open}`"), found)
            }
            Some((expected, found)) => misplaced(text, expected.as_str(), found),
            None => wrong(text, None, "it does not parse"),
        },
        Some(load::Error::Parse(errors)) => match errors.into_iter().next() {
            Some((parse::Expect::Just(word), found)) => {
                misplaced(text, &format!("`{word}`"), found)
            }
            Some((expected, found)) => misplaced(text, expected.as_str(), found),
            None => wrong(text, None, "it does not parse"),
        },
        Some(load::Error::Io(errors)) => {
            let name = errors.first().map(|(name, _)| *name);
            wrong(text, name, "filters cannot import files")
        }
        None => wrong(text, None, "it does not parse"),
    }
}

fn misplaced(text: &str, expected: &str, found: &str) -> Error {
    let word: String = found
        .chars()
        .enumerate()
        .take_while(|(index, c)| *index == 0 || (*index < 20 && !c.is_whitespace()))
        .map(|(_, c)| c)
        .collect();
    let found_text = if word.is_empty() {
        "the end".to_owned()
    } else {
        format!("`{word}`")
    };
    wrong(
        text,
        Some(found),
        &format!("found {found_text}, expected {expected}"),
    )
}

fn not_compiled(text: &str, errors: compile::Errors<&str, ()>) -> Error {
    let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
    let Some((name, undefined)) = first else {
        return wrong(text, None, "it does not compile");
    };
    let reason = match undefined {
        compile::Undefined::Filter(_) if LEFT_OUT.contains(&name) => {
            format!("`{name}` is left out, because it would reach out of the filter")
        }
        compile::Undefined::Filter(arguments) => {
            format!("there is no filter `{name}` with `{arguments}` arguments")
        }
        other => format!("there is no {} `{name}`", other.as_str()),
    };
    wrong(text, Some(name), &reason)
}

/// An error at `part` of the filter's text.
fn wrong(text: &str, part: Option<&str>, reason: &str) -> Error {
    let kind = ErrorKind::InvalidParameters;
    let Some((line, column)) = part.and_then(|part| place(text, part)) else {
        return Error::new(kind, format!("the filter is wrong: {reason}"));
    };
    Error::new(
        kind,
        format!("the filter is wrong at line `{line}`, column `{column}`: {reason}"),
    )
    .with_detail("path", "filter")
    .with_detail("line", line)
    .with_detail("column", column)
}

/// The line and column of a part of a text, from 1; `None` if it is no part of it.
fn place(text: &str, part: &str) -> Option<(u32, u32)> {
    let offset = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let before = text.get(..offset)?;
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Some((u32::try_from(line).ok()?, u32::try_from(column).ok()?))
}
