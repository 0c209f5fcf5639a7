//! A host of plugins, for the tests to run as a process of its own.
//!
//! ```text
//! loader-tests-host TOLD PLUGINS STORE COMMAND...
//! ```
//!
//! It makes a registry of the directory PLUGINS, carries out the commands in order, and adds a line
//! to the file TOLD after each. A command is one word, or a word and its object after a colon:
//! `list`, `rejected`, `search:TEXT`, `get:NODE`, `metadata:NODE`, `has:NODE`, `inspect:FILE`,
//! `rescan`, `describe:NODE`, `validate:NODE`, `load:NODE`, `call:NODE`, `exchange:PLUGIN`,
//! `memory:MIB`, `files:MIB`, `mapped:TEXT`, `collect`, `hold:FILE`, `search-path`, `privileged`, `global`,
//! `with:NODE JSON`, `within:MILLISECONDS NODE JSON`. From `locked:FILE`, `signed:KEY` and `isolated` on, the
//! registry is a new one that asks for that; a worker is this program again.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "a test waits for the line that it writes"
)]

use std::env;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use floe_plugin_api::{CallOptions, Value, value};
use floe_registry::{
    CircuitSettings, Isolation, IsolationSettings, Registry, Trust, TrustSettings, TrustedKey,
};
use rustix::process::{Resource, Rlimit};

fn main() -> ExitCode {
    floe_registry::worker::enter();
    // `Err` of `main` would be written with `Debug`; a code is all that a test looks at.
    match run(&env::args().collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [_, told, plugins, store, commands @ ..] = arguments else {
        return Err("expected TOLD PLUGINS STORE COMMAND".into());
    };
    let mut told = OpenOptions::new().create(true).append(true).open(told)?;
    // What panics on purpose is not left alone for it.
    let build = |trust: TrustSettings, isolation: Isolation| {
        let builder = Registry::builder()
            .directory(plugins.as_str())
            .store(store)
            .trust(trust)
            .isolation(IsolationSettings::new(isolation))
            .circuit(CircuitSettings::default().panics(u32::MAX));
        builder.build()
    };
    let mut registry = build(TrustSettings::default(), Isolation::InProcess)?;
    for command in commands {
        let (word, object) = command.split_once(':').unwrap_or((command, ""));
        if word == "global" {
            registry = Registry::global().clone();
        }
        if let Some(trust) = trust(word, object)? {
            registry = build(trust, Isolation::InProcess)?;
        }
        if word == "isolated" {
            registry = build(TrustSettings::default(), Isolation::Worker)?;
        }
        let answer = match carry_out(&registry, word, object) {
            Ok(answer) => answer,
            Err(error) => format!("error: {error}"),
        };
        tell(&mut told, command, &answer)?;
    }
    Ok(())
}

/// What a command says is to be trusted.
fn trust(word: &str, object: &str) -> Result<Option<TrustSettings>, Box<dyn Error>> {
    Ok(match word {
        "locked" => Some(TrustSettings::new(Trust::Locked).lock(object)),
        "signed" => {
            let key = TrustedKey::new("house", object.parse()?);
            Some(TrustSettings::new(Trust::Signed).key(key))
        }
        _ => None,
    })
}

fn tell(told: &mut File, command: &str, answer: &str) -> std::io::Result<()> {
    told.write_all(format!("{command} = {}\n", answer.replace('\n', " ")).as_bytes())
}

fn carry_out(registry: &Registry, word: &str, object: &str) -> Result<String, Box<dyn Error>> {
    Ok(match word {
        "list" | "global" | "locked" | "signed" | "isolated" => {
            let plugins = registry.list();
            let names = plugins
                .iter()
                .map(|plugin| format!("{} {}", plugin.name, plugin.state));
            names.collect::<Vec<_>>().join(", ")
        }
        "rejected" => {
            let refused = registry.rejected();
            let lines = refused
                .iter()
                .map(|refusal| format!("{} {refusal}", refusal.check));
            lines.collect::<Vec<_>>().join(", ")
        }
        "search" => registry.search(object).len().to_string(),
        "has" => registry.has(object).to_string(),
        "get" => registry.get(object)?.version().to_string(),
        "metadata" => registry.metadata(object)?.description,
        "inspect" => registry.inspect(Path::new(object))?.digest.to_string(),
        "rescan" => registry.rescan()?.is_empty().to_string(),
        "describe" => registry.describe(object)?.executors.len().to_string(),
        "validate" => {
            let checked = registry.get(object)?.validate(&Value::Null);
            checked.map(|()| "valid".to_owned())?
        }
        "load" => registry.load(object).map(|()| "loaded".to_owned())?,
        "call" => registry.call(object, &Value::Null)?.to_json()?,
        "with" => {
            let (node_type, input) = object.split_once(' ').unwrap_or((object, "null"));
            let input = Value::from_json(input)?;
            registry.call(node_type, &input)?.to_json()?
        }
        "within" => {
            let (milliseconds, object) = object.split_once(' ').unwrap_or_default();
            let (node_type, input) = object.split_once(' ').unwrap_or((object, "null"));
            let timeout = Duration::from_millis(milliseconds.parse()?);
            let input = Value::from_json(input)?;
            let options = CallOptions::new().timeout(timeout);
            registry.call_with(node_type, &input, &options)?.to_json()?
        }
        "exchange" => exchange(registry, object)?,
        "memory" => limit(Resource::As, object)?,
        "files" => limit(Resource::Fsize, object)?,
        "mapped" => {
            let maps = fs::read_to_string("/proc/self/maps")?;
            maps.contains(object).to_string()
        }
        "collect" => {
            let collected = registry.store().collect()?;
            let (removed, kept) = (collected.removed.len(), collected.kept);
            format!("{removed} removed, {kept} kept")
        }
        "hold" => {
            println!("holding");
            while !Path::new(object).exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            "held".to_owned()
        }
        "privileged" => floe_registry::is_privileged().to_string(),
        "search-path" => {
            let path = floe_registry::search_path(&[], None);
            let path = path.iter().map(|directory| directory.path().display());
            path.map(|path| path.to_string())
                .collect::<Vec<_>>()
                .join(":")
        }
        _ => return Err(format!("no command `{word}`").into()),
    })
}

/// Limits a resource to so many MiB.
fn limit(resource: Resource, mebibytes: &str) -> Result<String, Box<dyn Error>> {
    let bytes = mebibytes.parse::<u64>()? << 20;
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    rustix::process::setrlimit(resource, limit)?;
    Ok("limited".to_owned())
}

/// Exchanges values, errors and panics with a copy of the probe that may call `good` and be called by
/// `driver`, drops and changes each on this side,
/// and tells what the plugin's allocator has been given that it never gave out.
fn exchange(registry: &Registry, plugin: &str) -> Result<String, Box<dyn Error>> {
    let node = |name: &str| format!("{plugin}.{name}");
    let long = "a text that is too long to be kept in place by a value".repeat(3);
    let nested =
        value!({"list": [long.as_str(), [long.as_str()], {"k": long.as_str()}], "bytes": 1});
    for _ in 0..100 {
        let mut output = registry.call(&node("echo"), &nested)?;
        if let Value::Map(map) = &mut output {
            map.insert(long.as_str(), long.as_str());
            map.insert("list", output_of(registry, &node("bytes"))?);
            for entry in map.iter() {
                let _ = entry.value.clone();
            }
        }
        // Of the plugin's making, given back to it, and through it to another and back.
        let through = value!({"node_type": "good.echo", "input": output});
        let back = registry.call(&node("call"), &through)?;
        let to = value!({"node_type": node("echo"), "input": back});
        drop(
            registry
                .call("driver.call", &to)?
                .to_typed::<serde_json::Value>(),
        );
        drop(registry.call(&node("fail"), &Value::Null));
        drop(registry.call("driver.call", &value!({"node_type": node("fail")})));
        drop(registry.call(&node("attempt"), &value!({"node_type": "good.fail"})));
        drop(registry.call(&node("panic"), &value!({"payload": "bomb"})));
        drop(registry.call(&node("add"), &value!({"a": long.as_str()})));
    }
    registry.describe(&node("echo"))?;
    let counts = registry.call(&node("counts"), &Value::Null)?;
    let number = |name: &str| counts.get(name).and_then(Value::as_i64).unwrap_or(-1);
    let (foreign, freed) = (number("foreign"), number("freed") > 1_000);
    Ok(value!({"foreign": foreign, "freed": freed}).to_json()?)
}

fn output_of(registry: &Registry, node_type: &str) -> Result<Value, Box<dyn Error>> {
    Ok(registry.call(node_type, &value!({"length": 100_000}))?)
}
