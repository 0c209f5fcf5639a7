//! The procedural macros of `floe-plugin-api`, which re-exports and documents them.
#![forbid(unsafe_code)]

mod data;
mod declaration;
mod expand;
mod manifest;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Makes a type fit to be a configuration, an input or an output.
///
/// It derives `Debug`, serde's `Serialize` and `Deserialize` and schemars' `JsonSchema`, at the
/// versions that `floe_plugin_api` re-exports, so that a vendor's Cargo.toml names none of them.
/// Attributes of serde and schemars on the type and its fields work as they always do, and doc
/// comments become the descriptions in the schema.
///
/// ```
/// use floe_plugin_api::data;
///
/// /// Where to read from.
/// #[data]
/// #[serde(deny_unknown_fields)]
/// struct Source {
///     /// A file.
///     path: String,
///     /// How many rows at most.
///     #[serde(default)]
///     #[schemars(range(min = 1))]
///     limit: Option<u32>,
/// }
/// ```
#[proc_macro_attribute]
pub fn data(arguments: TokenStream, item: TokenStream) -> TokenStream {
    data::expand(&arguments.into(), item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Exports a plugin and its executors from a `cdylib`. Once per library.
///
/// Name, version, authors, licence, description, homepage and repository come from the crate's own
/// Cargo.toml; the plugin's name is the package's without the prefix `floe-plugin-`.
///
/// ```text
/// export_plugin! {
///     plugin: Sqlite,                       // the type that implements `Plugin`
///     kind: "storage",                      // one of the known kinds, or another word
///     name: "sqlite",                       // optional: instead of the package's
///     version: "1.2.0",                     // optional: instead of the package's
///     description: "Reads and writes.",     // optional: instead of the package's
///     category: "database",                 // optional: for executors that name none
///     weight: 32,                           // optional: what an instance takes of a host's room
///     stateless: true,                      // optional: no answer depends on the calls before it
///     dependencies: [                       // optional
///         { kind: "secrets", name: "vault", version: "^1.2", optional: true },
///     ],
///     executors: [
///         /// The doc comment is the executor's description.
///         "sqlite.query" => query,
///         "sqlite.execute" => Sqlite::execute {
///             tags: ["write"], category: "database", version: "1.1.0", author: "Ada", icon: "db",
///             experimental: true, deprecated: "use `sqlite.run`", idempotent: true,
///         },
///     ],
/// }
/// ```
///
/// `idempotent: true` says that calling the executor twice does what calling it once does, so that a host
/// may call it again after a crash; `idempotent: false` that it does not, so that it is not called again
/// after a time-out either; without it, nothing is said.
///
/// A version or range that is not semver, a kind, name or node type that is not well formed, an
/// empty executor list, a node type given twice: each is a compile error at the word concerned.
#[proc_macro]
pub fn export_plugin(input: TokenStream) -> TokenStream {
    let declaration = parse_macro_input!(input as declaration::Declaration);
    expand::expand(&declaration)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
