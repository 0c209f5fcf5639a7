//! The plugin `sqlite`: queries, changes and fills a SQLite database.
//!
//! * `database` holds the connections: who may use which, until when, and for what.
//! * `statement` is `sqlite.query` and `sqlite.execute`; `import` is `sqlite.import_csv`, and `csv_file`
//!   the file that it reads.
//! * `convert` carries values over and back; `failure` says what SQLite's errors mean to a caller.
#![forbid(unsafe_code)]

mod convert;
mod csv_file;
mod database;
mod failure;
mod import;
mod statement;
#[cfg(test)]
mod tests;

use floe_plugin_api::{Health, HostRef, Plugin, Result, data, export_plugin};

use crate::database::Database;

/// What an operator may set.
#[data]
#[serde(deny_unknown_fields)]
struct Config {
    /// The database: a file, which is made when it is not there, or `:memory:` for one that lasts as
    /// long as the instance.
    #[schemars(length(min = 1))]
    path: String,
    /// Whether nothing may change it. The file must be there then.
    #[serde(default)]
    read_only: bool,
}

struct Sqlite {
    database: Database,
}

impl Plugin for Sqlite {
    type Config = Config;

    fn start(config: Config, _host: HostRef) -> Result<Self> {
        Ok(Self {
            database: Database::open(&config.path, config.read_only)?,
        })
    }

    fn health(&self) -> Health {
        match self.database.ping() {
            Ok(()) => Health::healthy(),
            Err(error) => Health::unhealthy(error.to_string()),
        }
    }

    fn stop(self) -> Result<()> {
        self.database.close()
    }
}

export_plugin! {
    plugin: Sqlite,
    name: "sqlite",
    kind: "storage",
    category: "database",
    executors: [
        /// Runs one statement that reads, and gives its rows.
        "sqlite.query" => statement::query { tags: ["sql", "read"], idempotent: true },
        /// Runs one statement that writes, in a transaction of its own, and tells what it changed.
        "sqlite.execute" => statement::execute { tags: ["sql", "write"], idempotent: false },
        /// Reads a CSV file into a table, whole or not at all, with column types found in the data.
        "sqlite.import_csv" => import::import_csv { tags: ["csv", "write"] },
    ],
}
