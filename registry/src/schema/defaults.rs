//! The defaults of a schema.

use floe_plugin_api::{Map, Value};
use serde_json::Value as Json;

use super::shape::Shape;

/// Gives every property that is missing the default that its schema states, in all maps that are there.
///
/// A property without a default stays missing, and so does all that it would hold. Where there are
/// alternatives, the defaults of one count only if it is plain which one is meant.
pub(crate) fn fill(schema: &Json, value: &mut Value) {
    fill_place(&Shape::new(schema), value, &mut Vec::new());
}

/// `above` are the schemas of the places around this one.
fn fill_place<'a>(shape: &Shape<'a>, value: &mut Value, above: &mut Vec<&'a Json>) {
    loop {
        let parts = shape.chosen(value);
        let Value::Map(map) = value else { break };
        // A default may be what tells which alternative is meant.
        if !fill_missing(&parts, map, above) {
            break;
        }
    }
    let parts = shape.chosen(value);
    let within = above.len();
    match value {
        Value::Map(map) => {
            let keys: Vec<_> = map.iter().map(|entry| entry.key.clone()).collect();
            for key in keys {
                let below = parts.property(&key);
                if let Some(value) = map.get_mut(&key) {
                    above.extend(below.stated());
                    fill_place(&below, value, above);
                    above.truncate(within);
                }
            }
        }
        Value::List(list) => {
            for (index, item) in list.iter_mut().enumerate() {
                let below = parts.item(index);
                above.extend(below.stated());
                fill_place(&below, item, above);
                above.truncate(within);
            }
        }
        _ => {}
    }
}

/// Whether anything was missing that has a default.
fn fill_missing(parts: &Shape<'_>, map: &mut Map, above: &[&Json]) -> bool {
    let mut filled = false;
    for name in parts.names() {
        if map.get(name).is_some() {
            continue;
        }
        let below = parts.property(name);
        let Some(default) = below.certain().default() else {
            continue;
        };
        let holds_more = default.is_object() || default.is_array();
        let is_above = |schema: &Json| above.iter().any(|outer| std::ptr::eq(*outer, schema));
        // A default within itself would have no end.
        if holds_more && below.stated().iter().any(|schema| is_above(schema)) {
            continue;
        }
        if let Ok(default) = Value::from_serialize(default) {
            map.insert(name, default);
            filled = true;
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use floe_plugin_api::value;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &Json, value: &Value, expected: &Value) {
        let mut filled = value.clone();
        fill(schema, &mut filled);
        assert_eq!(filled, *expected);
        let once = filled.clone();
        fill(schema, &mut filled);
        assert_eq!(filled, once, "twice is once");
    }

    #[test]
    fn what_is_missing_is_filled() {
        let schema = json!({
            "properties": {
                "limit": {"type": "integer", "default": 10},
                "big": {"default": u64::MAX},
                "share": {"default": 0.5},
                "none": {"default": null},
                "name": {"type": "string"},
                "inner": {"$ref": "#/$defs/Inner", "default": {}},
                "other": {"$ref": "#/$defs/Inner"},
                "maybe": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]},
                "list": {"items": {"$ref": "#/$defs/Inner"}},
                "map": {"additionalProperties": {"$ref": "#/$defs/Inner"}},
            },
            "allOf": [{"properties": {"flat": {"default": "f"}}}],
            "$defs": {"Inner": {"properties": {"on": {"type": "boolean", "default": true}}}},
        });
        let filled = value!({
            "big": (u64::MAX), "flat": "f", "inner": {"on": true}, "limit": 10, "none": null, "share": 0.5,
        });
        check(&schema, &value!({}), &filled);
        let Value::Map(mut expected) = filled else {
            panic!()
        };
        expected.insert("limit", 3);
        for key in ["other", "maybe"] {
            expected.insert(key, value!({"on": true}));
        }
        expected.insert("list", value!([{"on": true}, {"on": false}, 3]));
        expected.insert("map", value!({"a": {"on": true}}));
        check(
            &schema,
            &value!({"limit": 3, "other": {}, "maybe": {}, "list": [{}, {"on": false}, 3], "map": {"a": {}}}),
            &expected.into(),
        );
        check(&schema, &value!([1]), &value!([1]));
        check(&json!(true), &value!({"a": 1}), &value!({"a": 1}));
    }

    #[test]
    fn alternatives_count_where_one_is_meant() {
        let schema = json!({
            "oneOf": [
                {"properties": {"kind": {"const": "a"}, "x": {"default": 1}}, "required": ["kind"]},
                {"properties": {"kind": {"const": "b"}, "y": {"default": 2}}, "required": ["kind"]},
            ],
        });
        check(
            &schema,
            &value!({"kind": "a"}),
            &value!({"kind": "a", "x": 1}),
        );
        check(
            &schema,
            &value!({"kind": "b"}),
            &value!({"kind": "b", "y": 2}),
        );
        check(&schema, &value!({"kind": "c"}), &value!({"kind": "c"}));
        check(&schema, &value!({}), &value!({}));
        let with_default = json!({"properties": {"kind": {"default": "a"}}, "allOf": [schema]});
        check(&with_default, &value!({}), &value!({"kind": "a", "x": 1}));
    }

    #[test]
    fn a_default_within_itself_ends() {
        let schema = json!({"properties": {
            "child": {"$ref": "#", "default": {}},
            "depth": {"default": 0},
        }});
        let leaf = value!({"depth": 0});
        check(
            &schema,
            &value!({}),
            &value!({"child": (leaf.clone()), "depth": 0}),
        );
        check(
            &schema,
            &value!({"child": {"child": {}}}),
            &value!({"child": {"child": leaf, "depth": 0}, "depth": 0}),
        );
        check(&json!({"$ref": "#"}), &value!({}), &value!({}));
    }

    fn schemas() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(json!({"type": "integer"})),
            Just(json!({"type": "integer", "default": 1})),
            Just(json!({"type": "string", "default": "a"})),
            Just(json!({"$ref": "#/$defs/d"})),
            Just(json!({"$ref": "#", "default": {}})),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let map = prop::collection::btree_map("[a-d]", inner.clone(), 0..4);
            let list = prop::collection::vec(inner.clone(), 1..3);
            prop_oneof![
                map.clone()
                    .prop_map(|properties| json!({"type": "object", "properties": properties})),
                map.prop_map(|properties| json!({"properties": properties, "default": {}})),
                list.clone().prop_map(|parts| json!({"allOf": parts})),
                list.prop_map(|parts| json!({"anyOf": parts})),
                inner.prop_map(|items| json!({"items": items, "additionalProperties": items})),
            ]
        })
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), Just(value!(2)), Just(value!("b"))];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-e]", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<Map>().into()),
            ]
        })
    }

    /// Whether all that is in the one is in the other.
    fn keeps(before: &Value, after: &Value) -> bool {
        match (before, after) {
            (Value::Map(before), Value::Map(after)) => before.iter().all(|entry| {
                after
                    .get(&entry.key)
                    .is_some_and(|after| keeps(&entry.value, after))
            }),
            (Value::List(before), Value::List(after)) => {
                before.len() == after.len()
                    && before.iter().zip(after.iter()).all(|(a, b)| keeps(a, b))
            }
            _ => before == after,
        }
    }

    proptest! {
        #[test]
        fn what_was_given_stays_and_twice_is_once(schema in schemas(), value in values()) {
            let schema = json!({"allOf": [schema], "$defs": {"d": {"properties": {"a": {"default": 3}}}}});
            let mut filled = value.clone();
            fill(&schema, &mut filled);
            prop_assert!(keeps(&value, &filled), "{:?} in {:?}", value, filled);
            let once = filled.clone();
            fill(&schema, &mut filled);
            prop_assert_eq!(filled, once);
        }
    }
}
