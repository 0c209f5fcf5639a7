//! Where plugins are looked for.

use std::path::{Path, PathBuf};

use floe_registry::{Ignored, Outcome, SearchDirectory, scan};
use serde::{Serialize, Serializer};

use super::page::Page;
use super::text;

/// A directory of the search path, and what is there.
#[derive(Debug, Serialize)]
pub(crate) struct Place {
    #[serde(serialize_with = "lossy")]
    path: PathBuf,
    depth: usize,
    present: bool,
    /// How many libraries without a manifest are there, where they were counted.
    #[serde(skip)]
    ordinary: usize,
    /// How many files that were refused are there, where they were counted.
    #[serde(skip)]
    refused: usize,
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

impl Place {
    /// The directories of a search path.
    pub(crate) fn of_all(directories: &[SearchDirectory]) -> Vec<Self> {
        let place = |directory: &SearchDirectory| Self {
            path: directory.path().to_owned(),
            depth: directory.max_depth(),
            present: directory.path().is_dir(),
            ordinary: 0,
            refused: 0,
        };
        directories.iter().map(place).collect()
    }

    /// The same, with the files counted that are no plugins.
    pub(crate) fn of_all_with_contents(directories: &[SearchDirectory]) -> Vec<Self> {
        let mut places = Self::of_all(directories);
        for file in scan(directories).files {
            let Some(place) = places.get_mut(file.position) else {
                continue;
            };
            match file.outcome {
                Outcome::Ignored(Ignored::NotAPlugin) => place.ordinary += 1,
                // What could be read and is not listed was refused later.
                Outcome::Candidate(_) | Outcome::Rejected(_) => place.refused += 1,
                _ => {}
            }
        }
        places
    }

    fn state(&self) -> String {
        if !self.present {
            return "not there".to_owned();
        }
        let refused = match self.refused {
            0 => String::new(),
            refused => format!("{refused} refused"),
        };
        let ordinary = match self.ordinary {
            0 => String::new(),
            1 => "1 library without a floe manifest".to_owned(),
            ordinary => format!("{ordinary} libraries without a floe manifest"),
        };
        match (refused.is_empty(), ordinary.is_empty()) {
            (true, true) => "no plugins".to_owned(),
            (false, false) => format!("{refused}, {ordinary}"),
            _ => refused + &ordinary,
        }
    }
}

/// Writes each directory, and what was found there.
pub(crate) fn render(places: &[Place], page: &mut Page) {
    let fields: Vec<(String, String)> = places
        .iter()
        .map(|place| (text::path(&place.path), place.state()))
        .collect();
    page.fields(2, &fields);
}

/// Writes the directories that are there on one line, and those that are not on another.
pub(crate) fn render_briefly(places: &[Place], page: &mut Page) {
    for (label, present) in [("looked in", true), ("not there", false)] {
        let paths: Vec<String> = places
            .iter()
            .filter(|place| place.present == present)
            .map(|place| text::path(&place.path))
            .collect();
        if !paths.is_empty() {
            page.labelled(label, &paths.join(", "));
        }
    }
}
