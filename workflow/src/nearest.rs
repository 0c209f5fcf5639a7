//! "Did you mean": the known name that is most like an unknown one.

/// How like a known name an unknown one must be for it to be taken for a slip; the registry's.
const LIKE: f64 = 0.8;

/// The name that is most like a word, where one is. Of equal ones it is the first.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let folded = word.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for name in names {
        let likeness = strsim::jaro_winkler(&name.to_lowercase(), &folded);
        if likeness >= LIKE && best.is_none_or(|(known, _)| likeness > known) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name.to_owned())
}

/// A list of names as they stand in a sentence.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = names.into_iter().map(|name| format!("`{name}`"));
    quoted.collect::<Vec<_>>().join(", ")
}
