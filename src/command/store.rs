//! `floe store`.

use std::path::PathBuf;

use floe_registry::{Collected, PrivateError, StoredObject};
use serde::Serialize;

use crate::arguments::{StoreAction, StoreArguments};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::text;
use crate::session::Session;

#[derive(Serialize)]
struct Shown {
    path: PathBuf,
    /// The size of all copies in bytes.
    bytes: u64,
    objects: Vec<StoredObject>,
}

#[derive(Serialize)]
struct Cleaned {
    path: PathBuf,
    #[serde(flatten)]
    collected: Collected,
}

pub(crate) fn run(
    arguments: &StoreArguments,
    session: &Session,
    output: &Output,
) -> Result<Exit, Failure> {
    let registry = session.registry_of_nothing()?;
    let store = registry.store();
    let path = store.root().to_owned();
    let failed = |error: PrivateError| {
        Failure::failed(format!("the store `{}` cannot be used", path.display()))
            .caused_by(&error)
            .hint(error.remedy("FLOE_STORE"))
    };
    match arguments.action {
        StoreAction::Show => {
            let objects = store.objects().map_err(failed)?;
            output.report(&Shown {
                bytes: objects.iter().map(|object| object.size).sum(),
                path,
                objects,
            })?;
        }
        StoreAction::Gc => {
            let collected = store.collect().map_err(failed)?;
            output.report(&Cleaned { path, collected })?;
        }
    }
    Ok(Exit::Done)
}

fn copies(count: usize) -> String {
    match count {
        1 => "1 copy".to_owned(),
        _ => format!("{count} copies"),
    }
}

/// A table of copies.
fn table(objects: &[StoredObject]) -> Table {
    let mut table = Table::new(["sha256", "size", "plugin", "needed by"]);
    for object in objects {
        let plugin = match (&object.plugin, &object.version) {
            (Some(plugin), Some(version)) => format!("{plugin} {version}"),
            _ => "(damaged)".to_owned(),
        };
        let mut needed: Vec<String> = object
            .originals
            .iter()
            .map(|path| text::path(path))
            .collect();
        if object.in_use {
            needed.insert(0, "a running process".to_owned());
        }
        table.row([
            object.digest.short(),
            text::bytes(object.size),
            plugin,
            needed.join(", "),
        ]);
    }
    table
}

impl Report for Shown {
    fn render(&self, page: &mut Page) {
        page.fields(
            0,
            &[
                ("store", text::path(&self.path)),
                ("copies", self.objects.len().to_string()),
                ("size", text::bytes(self.bytes)),
            ],
        );
        if !self.objects.is_empty() {
            page.blank();
            page.table(table(&self.objects));
        }
        let unneeded = self
            .objects
            .iter()
            .filter(|object| !object.in_use && object.originals.is_empty());
        let unneeded = unneeded.count();
        if unneeded > 0 {
            page.blank();
            let them = if unneeded == 1 { "it" } else { "them" };
            page.paragraph(
                0,
                &format!("nobody needs {unneeded} of them: `floe store gc` removes {them}"),
            );
        }
    }
}

impl Report for Cleaned {
    fn render(&self, page: &mut Page) {
        let Collected {
            removed,
            bytes,
            kept,
            unfinished,
            ..
        } = &self.collected;
        if !removed.is_empty() {
            page.table(table(removed));
            page.blank();
        }
        let removed = copies(removed.len());
        page.verdict(
            true,
            &format!("removed {removed}, {}; {kept} kept", text::bytes(*bytes)),
        );
        if *unfinished > 0 {
            let files = text::count(*unfinished, "file");
            page.paragraph(
                2,
                &format!("and {files} that a killed process had not finished"),
            );
        }
    }
}
