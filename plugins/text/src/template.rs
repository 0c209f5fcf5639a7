//! `text.template`: Jinja templates, with bounds.

use std::collections::BTreeMap;
use std::io;

use floe_plugin_api::{CallContext, Error, ErrorKind, Result, Value, data};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use crate::{TextPlugin, bounded};

/// How many steps a template may take: a row of a large table takes about ten, an endless template
/// ends within seconds.
const FUEL: u64 = 10_000_000;

/// How deep macros may call each other.
const RECURSION: usize = 200;

/// How many pieces of output are written between two looks at whether the caller still waits.
const PIECES_BETWEEN_CHECKPOINTS: u32 = 256;

/// What all renderings share.
pub(crate) struct Renderer(Environment<'static>);

impl Renderer {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_name| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        // It is where an error finds the name of what is undefined.
        environment.set_debug(true);
        Self(environment)
    }
}

/// A template and its values.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    /// The template, in the language of Jinja: `Hello {{ name }}`.
    template: String,
    /// The values that the template may use, by name.
    #[schemars(with = "BTreeMap<String, Value>")]
    values: Value,
}

pub(crate) fn render(
    plugin: &TextPlugin,
    input: Template,
    call: &CallContext<'_>,
) -> Result<String> {
    if input.values.as_map().is_none() {
        return Err(Error::invalid("values", "a map", input.values));
    }
    let template = plugin
        .renderer
        .0
        .template_from_str(&input.template)
        .map_err(|error| explain(&error))?;
    let mut output = Output {
        text: Vec::new(),
        pieces: 0,
        call,
        stopped: None,
    };
    let rendered = template.render_captured_to(to_jinja(input.values), &mut output);
    match (output.stopped, rendered) {
        (Some(stopped), _) => Err(stopped),
        (None, Err(error)) => Err(explain(&error)),
        (None, Ok(_state)) => Ok(String::from_utf8(output.text)?),
    }
}

/// The text so far, which refuses to grow past the bound or when nobody waits for it.
struct Output<'a, 'call> {
    text: Vec<u8>,
    pieces: u32,
    call: &'a CallContext<'call>,
    /// Why the rendering was ended from here.
    stopped: Option<Error>,
}

impl Output<'_, '_> {
    fn admit(&mut self, piece: &[u8]) -> Result<()> {
        bounded(self.text.len().saturating_add(piece.len()))?;
        self.pieces = self.pieces.wrapping_add(1);
        if self.pieces % PIECES_BETWEEN_CHECKPOINTS == 1 {
            self.call.checkpoint()?;
        }
        Ok(())
    }
}

impl io::Write for Output<'_, '_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.admit(piece) {
            self.stopped = Some(error);
            return Err(io::ErrorKind::Other.into());
        }
        self.text.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same value in the template engine's type: integers stay exact, maps keep their order.
fn to_jinja(value: Value) -> minijinja::Value {
    match value {
        Value::Null => ().into(),
        Value::Bool(value) => value.into(),
        Value::I64(value) => value.into(),
        Value::U64(value) => value.into(),
        Value::F64(value) => value.into(),
        Value::String(text) => text.as_str().into(),
        Value::Bytes(bytes) => minijinja::Value::from_bytes(bytes.into_vec()),
        Value::List(items) => items.into_iter().map(to_jinja).collect(),
        Value::Map(entries) => minijinja::Value::from_pairs(
            entries
                .into_iter()
                .map(|entry| (entry.key.as_str().to_owned(), to_jinja(entry.value))),
        ),
    }
}

fn explain(error: &minijinja::Error) -> Error {
    use minijinja::ErrorKind as Jinja;

    let kind = match error.kind() {
        Jinja::SyntaxError
        | Jinja::BadEscape
        | Jinja::UnknownFilter
        | Jinja::UnknownFunction
        | Jinja::UnknownTest => ErrorKind::InvalidParameters,
        Jinja::UndefinedError => ErrorKind::ValidationFailed,
        Jinja::OutOfFuel => ErrorKind::ResourceExhausted,
        _ => ErrorKind::ExecutionError,
    };
    let mut reason = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    if error.kind() == Jinja::OutOfFuel {
        reason = format!("it takes more than `{FUEL}` steps; render smaller pieces");
    }
    let Some(line) = error.line() else {
        return Error::new(kind, format!("the template fails: {reason}"));
    };
    let explained = Error::new(
        kind,
        format!("the template fails at line `{line}`: {reason}"),
    );
    explained.with_detail("line", i64::try_from(line).unwrap_or(i64::MAX))
}
