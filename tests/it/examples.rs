//! The examples: each run by the program, and its report compared with one that is made here, of the same
//! data and without a plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::plugins;
use crate::sandbox::Sandbox;

/// The directory of the examples.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A place with an example's files, where they are in the repository.
fn place(example: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for file in files(&examples().join(example)) {
        let path = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
        sandbox.file(path, fs::read(&file).unwrap());
    }
    sandbox
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let below = paths.into_iter().flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    });
    below.collect()
}

/// Runs an example's workflow in a directory of its place; gives what the run came to, and compares what is
/// printed and what is written with the report that is expected.
#[track_caller]
fn check(sandbox: &Sandbox, directory: &str, workflow: &str, expected: &str) -> Json {
    let reports = sandbox.work().join("reports");
    fs::create_dir_all(&reports).unwrap();
    let input = json!({ "directory": reports }).to_string();
    let run = |more: &[&str]| {
        let plugins = ["--plugin-dir", plugins::directory_of_examples()];
        let arguments = ["run", workflow, "--input", &input];
        let mut command = sandbox.command(plugins.iter().chain(&arguments).chain(more));
        sandbox.run(command.current_dir(sandbox.work().join(directory)))
    };
    let ran = run(&[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout(), ran.stderr);
    assert_eq!(ran.stdout(), expected);
    let written = reports.join("report.md");
    assert_eq!(fs::read_to_string(&written).unwrap(), expected);
    // Once more, over what is there.
    let ran = run(&["--json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout(), ran.stderr);
    assert_eq!(fs::read_to_string(&written).unwrap(), expected);
    let ran: Json = serde_json::from_str(ran.stdout()).unwrap();
    assert_eq!(ran["status"], "success");
    assert_eq!(format!("{}\n", ran["output"].as_str().unwrap()), expected);
    ran
}

#[derive(Deserialize)]
struct Day {
    date: String,
    temp_max: f64,
    weather: String,
}

#[test]
fn the_weather_is_what_the_file_says() {
    let file = examples().join("weather/seattle-weather.csv");
    let days = csv::Reader::from_path(file).unwrap().into_deserialize();
    let mut days: Vec<Day> = days.map(Result::unwrap).collect();
    assert_eq!(days.len(), 1461);
    let mut kinds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for day in &days {
        kinds.entry(&day.weather).or_default().push(day.temp_max);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, days)| std::cmp::Reverse(days.len()));
    let mut expected = format!(
        "# Four years of weather in Seattle\n\nFrom {} to {}: {} days.\n\n\
         | weather | days | of all | mean temp_max |\n|---|---|---|---|\n",
        days.iter().map(|day| &day.date).min().unwrap(),
        days.iter().map(|day| &day.date).max().unwrap(),
        days.len(),
    );
    for (weather, of) in kinds {
        let share = 100.0 * of.len() as f64 / days.len() as f64;
        let mean = of.iter().sum::<f64>() / of.len() as f64;
        let count = of.len();
        writeln!(
            expected,
            "| {weather} | {count} | {share:.0} % | {mean:.1} °C |"
        )
        .unwrap();
    }
    expected.push_str("\nThe warmest days:\n\n");
    days.sort_by(|a, b| {
        let warmer = b.temp_max.total_cmp(&a.temp_max);
        warmer.then_with(|| a.date.cmp(&b.date))
    });
    for Day { date, temp_max, .. } in &days[..5] {
        writeln!(expected, "- {date}, {temp_max:.1} °C").unwrap();
    }
    let sandbox = place("weather");
    let ran = check(&sandbox, "", "examples/weather/workflow.json", &expected);
    assert_eq!(ran["metrics"], json!({ "success": 8 }));
}

#[test]
fn the_earthquakes_are_those_of_the_feed() {
    let text = fs::read_to_string(examples().join("earthquakes/earthquakes.json")).unwrap();
    let feed: Json = serde_json::from_str(&text).unwrap();
    let quakes = feed["features"].as_array().unwrap();
    let of = |quake: &Json| {
        let properties = &quake["properties"];
        let time = jiff::Timestamp::from_millisecond(properties["time"].as_i64().unwrap());
        (
            properties["mag"].as_f64().unwrap_or_default(),
            properties["place"].as_str().unwrap().to_owned(),
            time.unwrap().strftime("%Y-%m-%d %H:%M").to_string(),
        )
    };
    let mut strong: Vec<_> = quakes
        .iter()
        .map(of)
        .filter(|quake| quake.0 >= 4.0)
        .collect();
    let mut regions: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (magnitude, place, _) in &strong {
        let region = place
            .rsplit_once(", ")
            .map_or(&**place, |(_, region)| region);
        regions.entry(region).or_default().push(*magnitude);
    }
    let mut expected = format!(
        "# A week of earthquakes\n\n{} of {} had a magnitude of 4 or more, in {} regions.\n\n\
         ## Where\n\n| region | quakes | strongest |\n|---|---|---|\n",
        strong.len(),
        quakes.len(),
        regions.len(),
    );
    let mut regions: Vec<_> = regions.into_iter().collect();
    regions.sort_by_key(|(_, quakes)| std::cmp::Reverse(quakes.len()));
    for (region, quakes) in &regions[..10] {
        let strongest = quakes.iter().copied().max_by(f64::total_cmp).unwrap();
        let count = quakes.len();
        writeln!(expected, "| {region} | {count} | {strongest:?} |").unwrap();
    }
    expected.push_str("\n## The strongest\n\n");
    strong.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    for (place, (magnitude, at, time)) in strong[..10].iter().enumerate() {
        let place = place + 1;
        writeln!(expected, "{place}. {magnitude:?}, {at} ({time} UTC)").unwrap();
    }
    let sandbox = place("earthquakes");
    let workflow = "examples/earthquakes/workflow.yaml";
    let ran = check(&sandbox, "", workflow, &expected);
    assert_eq!(ran["metrics"], json!({ "success": 11 }));
}

#[test]
fn what_crashes_and_hangs_is_answered_all_the_same() {
    let nodes = [
        ("crashes_once", "recovered", 2, Some("retry")),
        (
            "crashes_always",
            "recovered",
            4,
            Some("fallback `fragile.estimate`"),
        ),
        ("hangs", "failed", 1, None),
        ("measured", "skipped", 0, None),
    ];
    let mut expected = "# What went wrong, and what answered\n\n\
        | node | status | attempts | recovered by |\n|---|---|---|---|\n"
        .to_owned();
    for (id, status, attempts, by) in nodes {
        let by = by.unwrap_or("-");
        writeln!(expected, "| {id} | {status} | {attempts} | {by} |").unwrap();
    }
    expected.push_str(
        "\n- Lund: 21.5 °C, says the thermometer\n\
         - Umeå: 20.0 °C, says an estimate\n\
         - Ystad: unknown, says nobody: execution-timeout\n",
    );
    let sandbox = place("resilience");
    let ran = check(&sandbox, "examples/resilience", "workflow.yaml", &expected);
    for (id, status, attempts, by) in nodes {
        let node = &ran["nodes"][id];
        assert_eq!(node["status"], status, "{id}");
        assert_eq!(node["attempts"], attempts, "{id}");
        assert_eq!(node["recovered_by"].as_str(), by, "{id}");
    }
    let hangs = &ran["nodes"]["hangs"]["error"];
    assert_eq!(hangs["kind"], "execution-timeout");
    let told = hangs["message"].as_str().unwrap();
    assert!(told.ends_with("its worker was killed"), "{told}");
}

#[test]
fn every_workflow_is_one() {
    let is_workflow = |path: &&PathBuf| {
        let extension = path.extension().unwrap_or_default();
        extension == "yaml" || extension == "yml" || path.ends_with("workflow.json")
    };
    let files = files(&examples());
    let workflows: Vec<_> = files.iter().filter(is_workflow).collect();
    assert!(workflows.len() >= 3, "{workflows:?}");
    for workflow in workflows {
        let checked = Sandbox::new().floe([
            "--plugin-dir".as_ref(),
            plugins::directory_of_examples().as_ref(),
            "validate".as_ref(),
            workflow.as_os_str(),
            "--json".as_ref(),
        ]);
        let checked = checked.json(0);
        assert_eq!(checked["valid"], true, "{checked}");
        assert_eq!(checked["warnings"], json!([]), "{checked}");
    }
}

#[test]
fn every_script_can_be_run_and_names_what_is_there() {
    let examples = examples();
    let files = files(&examples);
    let scripts: Vec<_> = files
        .iter()
        .filter(|path| path.ends_with("run.sh"))
        .collect();
    let directories: BTreeSet<_> = scripts.iter().map(|path| path.parent().unwrap()).collect();
    for entry in fs::read_dir(&examples).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            directories.contains(&*path),
            "`{}` has none",
            path.display()
        );
        assert!(path.join("README.md").is_file(), "{}", path.display());
    }
    for script in scripts {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(script).unwrap().permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "{}", script.display());
        }
        let text = fs::read_to_string(script).unwrap();
        let words = text.split(|each: char| each.is_whitespace() || "\"'`;()".contains(each));
        let is_file = |word: &&str| {
            let ends = [".yaml", ".json", ".csv", ".toml"];
            word.starts_with("examples/") || ends.iter().any(|end| word.ends_with(end))
        };
        let mut named = words.filter(is_file).peekable();
        assert!(named.peek().is_some(), "{}", script.display());
        for word in named {
            let from = [examples.parent().unwrap(), script.parent().unwrap()];
            let is_there = from.iter().any(|from| from.join(word).exists());
            assert!(is_there, "{}: `{word}`", script.display());
        }
    }
}
