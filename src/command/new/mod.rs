//! `floe new`.

mod name;
mod template;

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::name::Name;
use self::template::Template;
use crate::arguments::New;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::text;

#[derive(Serialize)]
struct Made {
    name: String,
    package: String,
    path: String,
    files: Vec<&'static str>,
    node_type: String,
    /// Where a release build puts the library, below `path`.
    library: String,
}

pub(crate) fn run(arguments: &New, output: &Output) -> Result<Exit, Failure> {
    let name: Name = arguments.name.parse().map_err(Failure::usage)?;
    let package = name.package();
    let path = arguments
        .path
        .clone()
        .unwrap_or_else(|| PathBuf::from(&package));
    let api = arguments.api_path.as_deref().map(api_path).transpose()?;
    refuse_occupied(&path)?;

    let library = format!(
        "target/release/{DLL_PREFIX}{}{DLL_SUFFIX}",
        package.replace('-', "_")
    );
    let template = Template {
        name: &name,
        kind: &arguments.kind,
        api: api.as_deref(),
        library: &library,
    };
    let files = template.files();
    let mut written = Vec::new();
    for (file, content) in &files {
        write(&path.join(file), content).map_err(|error| {
            let place = text::path(&path.join(file));
            Failure::failed(format!("cannot write `{place}`")).caused_by(&error)
        })?;
        written.push(*file);
    }
    output.report(&Made {
        node_type: format!("{name}.greet"),
        name: name.to_string(),
        package,
        path: path.to_string_lossy().into_owned(),
        files: written,
        library,
    })?;
    Ok(Exit::Done)
}

/// The directory of a `floe-plugin-api`, as a Cargo.toml elsewhere can name it.
fn api_path(given: &Path) -> Result<String, Failure> {
    let shown = text::path(given);
    let hint = "name the directory `plugin-api` of a copy of floe's source";
    let directory = fs::canonicalize(given).map_err(|error| {
        Failure::usage(format!("`{shown}` cannot be found"))
            .caused_by(&error)
            .hint(hint)
    })?;
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
    let named = |line: &str| line.replace(' ', "") == "name=\"floe-plugin-api\"";
    if !manifest.lines().any(named) {
        return Err(Failure::usage(format!(
            "`{shown}` does not hold the crate `floe-plugin-api`"
        ))
        .hint(hint));
    }
    directory.into_os_string().into_string().map_err(|_| {
        Failure::usage(format!(
            "the name of `{shown}` is not UTF-8, as a Cargo.toml is"
        ))
    })
}

/// Refuses a place where something is already.
fn refuse_occupied(path: &Path) -> Result<(), Failure> {
    let shown = text::path(path);
    match fs::read_dir(path) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Failure::usage(format!(
                "the directory `{shown}` is there and is not empty"
            ))
            .hint("choose another one with `--path DIR`")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(
            Failure::usage(format!("`{shown}` cannot be the plugin's directory"))
                .caused_by(&error)
                .hint("choose another one with `--path DIR`"),
        ),
    }
}

/// Writes a new file, and the directories above it.
fn write(path: &Path, content: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::File::create_new(path)?.write_all(content.as_bytes())
}

impl Report for Made {
    fn render(&self, page: &mut Page) {
        let path = text::plain(&self.path);
        page.line(&format!(
            "Made the plugin `{}` in `{path}`. Next:",
            self.name
        ));
        page.blank();
        for line in [
            format!("cd {path}"),
            "cargo test".to_owned(),
            "cargo build --release".to_owned(),
            format!("floe inspect {}", self.library),
            format!(
                "floe --plugin-dir target/release call {} --input '{{\"name\":\"Ada\"}}'",
                self.node_type
            ),
        ] {
            page.line(&format!("  {line}"));
        }
    }
}
