//! The grammar of `export_plugin!`.

use std::collections::HashMap;

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Expr, ExprLit, Ident, Lit, LitBool, LitStr, Meta, Path, Result, Token,
    braced, bracketed,
};

/// What the macro was given.
pub(crate) struct Declaration {
    pub(crate) plugin: Path,
    pub(crate) kind: LitStr,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    pub(crate) category: Option<LitStr>,
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
            return Err(Error::new(
                name.span(),
                format!(
                    "{} has no field `{text}`; the fields are `{}`",
                    self.owner,
                    self.known.join("`, `")
                ),
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

fn required<T>(value: Option<T>, at: Span, owner: &str, field: &str) -> Result<T> {
    value.ok_or_else(|| Error::new(at, format!("{owner} needs the field `{field}`")))
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
                "dependencies",
                "executors",
            ],
        );
        let (mut plugin, mut kind, mut executors) = (None, None, None);
        let (mut name, mut version, mut description, mut category) = (None, None, None, None);
        let mut dependencies = Vec::new();
        while let Some(field) = fields.next(input)? {
            match field.to_string().as_str() {
                "plugin" => plugin = Some(input.parse()?),
                "kind" => kind = Some(input.parse()?),
                "name" => name = Some(input.parse()?),
                "version" => version = Some(input.parse()?),
                "description" => description = Some(input.parse()?),
                "category" => category = Some(input.parse()?),
                "dependencies" => dependencies = list(input)?,
                _ => executors = Some((list(input)?, field.span())),
            }
            Fields::end_of_value(input)?;
        }
        let at = Span::call_site();
        let (executors, executors_span) = required(executors, at, "a plugin", "executors")?;
        Ok(Self {
            plugin: required(plugin, at, "a plugin", "plugin")?,
            kind: required(kind, at, "a plugin", "kind")?,
            name,
            version,
            description,
            category,
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
                "kind" => kind = Some(content.parse()?),
                "name" => name = Some(content.parse()?),
                "version" => version = Some(content.parse()?),
                _ => optional = Some(content.parse()?),
            }
            Fields::end_of_value(&content)?;
        }
        let at = braces.span.join();
        Ok(Self {
            kind: required(kind, at, "a dependency", "kind")?,
            name: required(name, at, "a dependency", "name")?,
            version: required(version, at, "a dependency", "version")?,
            optional,
        })
    }
}

impl Parse for Executor {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let description = description(&input.call(Attribute::parse_outer)?)?;
        let node_type = input.parse()?;
        input.parse::<Token![=>]>()?;
        let mut executor = Self {
            node_type,
            function: input.parse()?,
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
                "version" => executor.version = Some(content.parse()?),
                "category" => executor.category = Some(content.parse()?),
                "tags" => executor.tags = list(&content)?,
                "author" => executor.author = Some(content.parse()?),
                "icon" => executor.icon = Some(content.parse()?),
                "deprecated" => executor.deprecated = Some(content.parse()?),
                "experimental" => executor.experimental = Some(content.parse()?),
                _ => executor.idempotent = Some(content.parse()?),
            }
            Fields::end_of_value(&content)?;
        }
        Ok(executor)
    }
}

fn list<T: Parse>(input: ParseStream<'_>) -> Result<Vec<T>> {
    let content;
    bracketed!(content in input);
    let items = Punctuated::<T, Token![,]>::parse_terminated(&content)?;
    Ok(items.into_iter().collect())
}

/// The text of the doc comments, its lines joined.
fn description(attributes: &[Attribute]) -> Result<String> {
    let mut text = String::new();
    for attribute in attributes {
        let doc = match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => &pair.value,
            _ => {
                return Err(Error::new_spanned(
                    attribute,
                    "only doc comments may stand before an executor; the rest goes in braces after it",
                ));
            }
        };
        if let Expr::Lit(ExprLit {
            lit: Lit::Str(line),
            ..
        }) = doc
        {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(line.value().trim());
        }
    }
    Ok(text.trim().to_owned())
}
