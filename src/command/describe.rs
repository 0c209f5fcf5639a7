//! `floe describe`.

use floe_registry::ExecutorInfo;
use serde::Serialize;
use serde_json::Value as Json;

use crate::arguments::Describe;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::{schema, text};
use crate::session::Session;

#[derive(Serialize)]
struct Description {
    #[serde(flatten)]
    executor: ExecutorInfo,
    plugin_version: String,
    config: Json,
    input: Json,
    output: Json,
}

pub(crate) fn run(
    arguments: &Describe,
    session: &Session,
    output: &Output,
) -> Result<Exit, Failure> {
    let registry = session.registry()?;
    let reference = &arguments.reference;
    let handle = session.get(&registry, reference)?;
    let executor = registry.metadata(reference)?;
    let schemas = handle.describe()?;
    let config = registry.describe(reference)?.config.clone();
    output.report(&Description {
        executor,
        plugin_version: handle.version().to_string(),
        config,
        input: schemas.input,
        output: schemas.output,
    })?;
    Ok(Exit::Done)
}

impl Report for Description {
    fn render(&self, page: &mut Page) {
        let executor = &self.executor;
        page.heading(&executor.node_type);
        if !executor.description.is_empty() {
            page.paragraph(2, &text::plain(&executor.description));
        }
        page.blank();
        page.fields(2, &self.metadata());
        for (title, schema) in [
            ("Input", &self.input),
            ("Output", &self.output),
            ("Configuration of the plugin", &self.config),
        ] {
            page.blank();
            schema::render(title, schema, page);
        }
    }
}

impl Description {
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let executor = &self.executor;
        let plugin = format!("{} {}", executor.plugin, self.plugin_version);
        let mut fields = vec![("plugin", plugin)];
        let mut optional = |name, value: &str| {
            if !value.is_empty() {
                fields.push((name, text::plain(value)));
            }
        };
        let version = executor.version.to_string();
        if version != self.plugin_version {
            optional("version", &version);
        }
        optional("category", executor.category.as_deref().unwrap_or_default());
        optional("tags", &executor.tags.join(" "));
        optional("author", executor.author.as_deref().unwrap_or_default());
        let idempotent = match executor.idempotent {
            Some(true) => "calling it twice does what calling it once does",
            Some(false) => "no: calling it twice does more than calling it once",
            None => "",
        };
        optional("idempotent", idempotent);
        if executor.experimental {
            optional("experimental", "it may change without notice");
        }
        optional(
            "deprecated",
            executor.deprecated.as_deref().unwrap_or_default(),
        );
        fields
    }
}
