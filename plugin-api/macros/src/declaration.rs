//! The grammar of `export_plugin!`.

use std::collections::HashMap;

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Expr, ExprLit, Ident, Lit, LitBool, LitInt, LitStr, Meta, Path, Result,
    Token, braced, bracketed,
};

/// What the macro was given.
pub(crate) struct Declaration {
    pub(crate) plugin: Path,
    pub(crate) kind: LitStr,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    pub(crate) category: Option<LitStr>,
    pub(crate) weight: Option<LitInt>,
    pub(crate) stateless: Option<LitBool>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) executors: Vec<Executor>,
    /// The word `executors`, for errors about the list as a whole.
    pub(crate) executors_span: Span,
}

pub(crate) struct Dependency {
    pub(crate) kind: LitStr,
    pub(crate) name: LitStr,
    pub(crate) version: LitStr,
    pub(crate) optional: Option<LitBool>,
}

pub(crate) struct Executor {
    pub(crate) node_type: LitStr,
    pub(crate) function: Path,
    pub(crate) description: String,
    pub(crate) version: Option<LitStr>,
    pub(crate) category: Option<LitStr>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) author: Option<LitStr>,
    pub(crate) icon: Option<LitStr>,
    pub(crate) deprecated: Option<LitStr>,
    pub(crate) experimental: Option<LitBool>,
    pub(crate) idempotent: Option<LitBool>,
}

/// `name: value, name: value`, where each name is known and comes once.
struct Fields<'a> {
    owner: &'static str,
    known: &'a [&'static str],
    seen: HashMap<String, Span>,
}

impl<'a> Fields<'a> {
    fn new(owner: &'static str, known: &'a [&'static str]) -> Self {
        Self {
            owner,
            known,
            seen: HashMap::new(),
        }
    }

    /// The next name, its colon taken.
    fn next(&mut self, input: ParseStream<'_>) -> Result<Option<Ident>> {
        if input.is_empty() {
            return Ok(None);
        }
        let name: Ident = input.parse()?;
        let text = name.to_string();
        if !self.known.contains(&text.as_str()) {
            let instead = match (self.owner, text.as_str()) {
                ("an executor", "description") => {
                    "its description is the doc comment before it".to_owned()
                }
                ("a plugin", "license" | "authors" | "homepage" | "repository") => {
                    format!("`{text}` comes from the Cargo.toml")
                }
                _ => format!("the fields are `{}`", self.known.join("`, `")),
            };
            return Err(Error::new(
                name.span(),
                format!("{} has no field `{text}`; {instead}", self.owner),
            ));
        }
        if self.seen.insert(text.clone(), name.span()).is_some() {
            return Err(Error::new(name.span(), format!("`{text}` is given twice")));
        }
        input.parse::<Token![:]>()?;
        Ok(Some(name))
    }

    /// The comma after a value, unless it was the last.
    fn end_of_value(input: ParseStream<'_>) -> Result<()> {
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        Ok(())
    }
}

fn required<T>(value: Option<T>, at: Span, owner: &str, example: &str) -> Result<T> {
    value.ok_or_else(|| {
        let field = example.split(':').next().unwrap_or_default();
        let message = format!("{owner} needs the field `{field}`, such as `{example}`");
        Error::new(at, message)
    })
}

/// The value of a field, or what it should be.
fn value<T: Parse>(input: ParseStream<'_>, field: &Ident, expected: &str) -> Result<T> {
    input
        .parse()
        .map_err(|error| Error::new(error.span(), format!("`{field}` is {expected}")))
}

fn text(input: ParseStream<'_>, field: &Ident) -> Result<LitStr> {
    value(input, field, "a text in quotes")
}

fn flag(input: ParseStream<'_>, field: &Ident) -> Result<LitBool> {
    value(input, field, "`true` or `false`")
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut fields = Fields::new(
            "a plugin",
            &[
                "plugin",
                "kind",
                "name",
                "version",
                "description",
                "category",
                "weight",
                "stateless",
                "dependencies",
                "executors",
            ],
        );
        let (mut plugin, mut kind, mut executors) = (None, None, None);
        let (mut name, mut version, mut description, mut category) = (None, None, None, None);
        let (mut weight, mut stateless) = (None, None);
        let mut dependencies = Vec::new();
        let mut at = Span::call_site();
        while let Some(field) = fields.next(input)? {
            // The whole declaration, as the vendor wrote it: without the compiler's note that the
            // place is a macro's.
            at = field.span().located_at(Span::call_site());
            match field.to_string().as_str() {
                "plugin" => plugin = Some(value(input, &field, "the path of a type")?),
                "kind" => kind = Some(text(input, &field)?),
                "name" => name = Some(text(input, &field)?),
                "version" => version = Some(text(input, &field)?),
                "description" => description = Some(text(input, &field)?),
                "category" => category = Some(text(input, &field)?),
                "weight" => weight = Some(value(input, &field, "a whole number")?),
                "stateless" => stateless = Some(flag(input, &field)?),
                "dependencies" => dependencies = list(input, &field)?,
                _ => executors = Some((list(input, &field)?, field.span())),
            }
            Fields::end_of_value(input)?;
        }
        let plugin = required(plugin, at, "a plugin", "plugin: Sqlite")?;
        let kind = required(kind, at, "a plugin", "kind: \"storage\"")?;
        let example = "executors: [\"sqlite.query\" => query]";
        let (executors, executors_span) = required(executors, at, "a plugin", example)?;
        Ok(Self {
            plugin,
            kind,
            name,
            version,
            description,
            category,
            weight,
            stateless,
            dependencies,
            executors,
            executors_span,
        })
    }
}

impl Parse for Dependency {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let content;
        let braces = braced!(content in input);
        let mut fields = Fields::new("a dependency", &["kind", "name", "version", "optional"]);
        let (mut kind, mut name, mut version, mut optional) = (None, None, None, None);
        while let Some(field) = fields.next(&content)? {
            match field.to_string().as_str() {
                "kind" => kind = Some(text(&content, &field)?),
                "name" => name = Some(text(&content, &field)?),
                "version" => version = Some(text(&content, &field)?),
                _ => optional = Some(flag(&content, &field)?),
            }
            Fields::end_of_value(&content)?;
        }
        let at = braces.span.join();
        Ok(Self {
            kind: required(kind, at, "a dependency", "kind: \"secrets\"")?,
            name: required(name, at, "a dependency", "name: \"vault\"")?,
            version: required(version, at, "a dependency", "version: \"^1.2\"")?,
            optional,
        })
    }
}

impl Parse for Executor {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        const EXAMPLE: &str = "`\"sqlite.query\" => query`";
        let expected = |what: &str| {
            let message = format!("expected {what}, as in {EXAMPLE}");
            move |error: Error| Error::new(error.span(), message)
        };
        let description = description(&input.call(Attribute::parse_outer)?)?;
        let node_type = input
            .parse()
            .map_err(expected("a node type in quotes and a function"))?;
        input
            .parse::<Token![=>]>()
            .map_err(expected("`=>` and a function"))?;
        let mut executor = Self {
            node_type,
            function: input
                .parse()
                .map_err(expected("the path of a function, not an expression"))?,
            description,
            version: None,
            category: None,
            tags: Vec::new(),
            author: None,
            icon: None,
            deprecated: None,
            experimental: None,
            idempotent: None,
        };
        if !input.peek(syn::token::Brace) {
            return Ok(executor);
        }
        let content;
        braced!(content in input);
        let mut fields = Fields::new(
            "an executor",
            &[
                "version",
                "category",
                "tags",
                "author",
                "icon",
                "experimental",
                "deprecated",
                "idempotent",
            ],
        );
        while let Some(field) = fields.next(&content)? {
            match field.to_string().as_str() {
                "version" => executor.version = Some(text(&content, &field)?),
                "category" => executor.category = Some(text(&content, &field)?),
                "tags" => executor.tags = list(&content, &field)?,
                "author" => executor.author = Some(text(&content, &field)?),
                "icon" => executor.icon = Some(text(&content, &field)?),
                "deprecated" => executor.deprecated = Some(text(&content, &field)?),
                "experimental" => executor.experimental = Some(flag(&content, &field)?),
                _ => executor.idempotent = Some(flag(&content, &field)?),
            }
            Fields::end_of_value(&content)?;
        }
        Ok(executor)
    }
}

fn list<T: Parse>(input: ParseStream<'_>, field: &Ident) -> Result<Vec<T>> {
    if !input.peek(syn::token::Bracket) {
        return Err(input.error(format!("`{field}` is a list in brackets: `[…]`")));
    }
    let content;
    bracketed!(content in input);
    let items = Punctuated::<T, Token![,]>::parse_terminated(&content)?;
    Ok(items.into_iter().collect())
}

/// The text of the doc comments, on one line.
fn description(attributes: &[Attribute]) -> Result<String> {
    let mut text = String::new();
    for attribute in attributes {
        let doc = match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => &pair.value,
            _ => {
                return Err(Error::new_spanned(
                    attribute,
                    "only doc comments may stand before an executor; its fields go in braces after it",
                ));
            }
        };
        if let Expr::Lit(ExprLit {
            lit: Lit::Str(line),
            ..
        }) = doc
        {
            for word in line.value().split_whitespace() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(word);
            }
        }
    }
    Ok(text)
}
