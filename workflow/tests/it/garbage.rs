//! The readers on what nobody wrote, and each on what it should be the same for.

use floe_workflow::{Format, Validator};
use proptest::prelude::*;

use crate::outside::{Outside, read};

fn take(text: &str) {
    for format in [Format::Json, Format::Yaml] {
        if let Ok(document) = read(text, format) {
            let _ = Validator::new(Outside).check(&document).to_string();
        }
    }
}

const WORDS: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "'",
    "\n",
    "  ",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!str ",
    "| ",
    "> ",
    "#",
    "---\n",
    "id",
    "nodes",
    "needs",
    "node_type",
    "http.get",
    "parameters",
    "connections",
    "main",
    "recovery",
    "retry",
    "foreach",
    "when",
    "{{",
    "}}",
    "steps.a",
    "0",
    "-1.5e3",
    "true",
    "null",
    "\\u00e9",
    "\t",
    "\u{feff}",
    "é",
    "%",
    "<<",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        take(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn words(words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..60)) {
        take(&words.concat());
    }

    #[test]
    fn json_is_read_as_serde_reads_it(value in values()) {
        let text = serde_json::json!({ "id": "w", "nodes": [], "metadata": { "value": value } });
        for text in [text.to_string(), serde_json::to_string_pretty(&text).unwrap()] {
            for format in [Format::Json, Format::Yaml] {
                let document = read(&text, format).unwrap();
                let found = document.workflow().metadata.get("value").unwrap();
                prop_assert_eq!(&serde_json::to_value(found).unwrap(), &value);
            }
        }
    }
}

fn values() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        "[a-zé \"\\\\\n\t/~]{0,12}".prop_map(Into::into),
    ];
    scalar.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map("[a-z/~é ]{0,8}", inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
