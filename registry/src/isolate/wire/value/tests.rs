use floe_plugin_api::value;
use proptest::prelude::*;

use super::*;

/// Pieces in a row, as they were put aside.
struct Pieces(Vec<u8>);

impl Aside for Pieces {
    fn next(&mut self, length: usize) -> Result<Vec<u8>, Malformed> {
        if length > self.0.len() {
            return Err(cut());
        }
        Ok(self.0.drain(..length).collect())
    }
}

fn encoded(value: &Value, place: Place) -> (Vec<u8>, Vec<u8>) {
    let (mut skeleton, mut pieces) = (Vec::new(), Vec::new());
    encode(value, place, &mut skeleton, &mut pieces).unwrap();
    (skeleton, pieces.concat())
}

#[track_caller]
fn check_round_trip(value: &Value) {
    for place in [Place::Inline, Place::Aside] {
        let (skeleton, pieces) = encoded(value, place);
        let mut pieces = Pieces(pieces);
        let (decoded, rest) = decode(&skeleton, &mut pieces).unwrap();
        assert_eq!(format!("{decoded:?}"), format!("{value:?}"));
        assert!(rest.is_empty() && pieces.0.is_empty());
        // Numbers keep their type, and what is compared by number would not tell.
        assert_eq!(encoded(&decoded, place).0, skeleton);
    }
}

#[test]
fn every_kind_of_value() {
    for value in [
        Value::Null,
        value!(true),
        value!(false),
        Value::I64(i64::MIN),
        Value::I64(-1),
        Value::U64(u64::MAX),
        Value::U64(7),
        Value::F64(f64::NAN),
        Value::F64(-0.0),
        Value::F64(f64::INFINITY),
        value!(""),
        value!("x".repeat(PIECE - 1)),
        value!("ä".repeat(PIECE)),
        Value::Bytes(Bytes::from(vec![7; PIECE * 3])),
        Value::Bytes(Bytes::new()),
        value!([]),
        value!({}),
        value!({"a": [1, {"b": null}], "long": ("y".repeat(200))}),
    ] {
        check_round_trip(&value);
    }
    // The bits of what is not a number, too.
    let odd = f64::from_bits(0x7ff8_0000_0000_0123);
    let (skeleton, _) = encoded(&Value::F64(odd), Place::Inline);
    let (Value::F64(back), _) = decode(&skeleton, &mut Nothing).unwrap() else {
        panic!("another kind");
    };
    assert_eq!(back.to_bits(), odd.to_bits());
}

#[test]
fn depth_is_bounded_on_both_sides() {
    let nested =
        |depth: usize| (0..depth).fold(Value::Null, |inner, _| [inner].into_iter().collect());
    check_round_trip(&nested(DEPTH));
    let (mut skeleton, mut pieces) = (Vec::new(), Vec::new());
    let too_deep = nested(DEPTH + 1);
    assert_eq!(
        encode(&too_deep, Place::Inline, &mut skeleton, &mut pieces),
        Err(TooMuch::Deep)
    );
    let bytes = [LIST, 1].repeat(100_000);
    let error = decode(&bytes, &mut Nothing).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a value is nested deeper than 512 levels"
    );
}

#[test]
fn parts_are_bounded_on_both_sides() {
    let half: Value = std::iter::repeat_n(Value::Null, PARTS / 2).collect();
    let whole: Value = [half.clone(), half].into_iter().collect();
    let (mut skeleton, mut pieces) = (Vec::new(), Vec::new());
    let error = encode(&whole, Place::Inline, &mut skeleton, &mut pieces).unwrap_err();
    assert_eq!(error, TooMuch::Parts);
    // Lists of one list each, and then of as many as there are bytes.
    let mut bytes = Vec::new();
    for _ in 0..3 {
        bytes.extend([LIST, 2]);
    }
    let count = postcard::to_stdvec(&(PARTS / 2)).unwrap();
    bytes.push(LIST);
    bytes.extend(&count);
    bytes.resize(bytes.len() + PARTS / 2, NULL);
    bytes.push(LIST);
    bytes.extend(&count);
    bytes.resize(bytes.len() + PARTS / 2, NULL);
    let error = decode(&bytes, &mut Nothing).unwrap_err();
    assert_eq!(error.to_string(), "a value holds more than 4194304 values");
}

#[test]
fn what_is_no_value() {
    #[track_caller]
    fn check(bytes: &[u8], found: &str) {
        let error = decode(bytes, &mut Nothing).unwrap_err().to_string();
        assert!(error.contains(found), "{error}");
    }

    check(&[], "cut short");
    check(&[99], "no known kind, `99`");
    check(&[STRING, 5, b'a'], "cut short");
    check(&[STRING, 2, 0xff, 0xfe], "no UTF-8");
    check(&[I64], "a number that is none");
    check(&[STRING_ASIDE, 5], "a piece where there are none");
    // A count that nobody can have meant, of items that are not there.
    check(
        &[LIST, 0xff, 0xff, 0xff, 0xff, 0x0f, NULL],
        "items in 1 bytes",
    );
    check(&[MAP, 2, 0, NULL], "items in 2 bytes");
}

#[test]
fn every_cut_is_seen() {
    let value = value!({"a": [1, -2, 3.5, "text", true], "b": {"c": ("z".repeat(9_000))}});
    let (skeleton, pieces) = encoded(&value, Place::Aside);
    for length in 0..skeleton.len() {
        let mut pieces = Pieces(pieces.clone());
        assert!(
            decode(&skeleton[..length], &mut pieces).is_err(),
            "{length}"
        );
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        any::<f64>().prop_map(Value::F64),
        ".{0,40}".prop_map(Value::from),
        (0..2 * PIECE).prop_map(|length| Value::from("s".repeat(length))),
        prop::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8)
                .prop_map(|items| items.into_iter().collect()),
            prop::collection::vec((".{0,8}", inner), 0..8).prop_map(|entries| {
                let mut map = Map::new();
                for (key, value) in entries {
                    map.insert(key, value);
                }
                Value::from(map)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back(value in any_value()) {
        check_round_trip(&value);
    }

    #[test]
    fn bytes_are_a_value_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        super::super::fuzz(&bytes);
    }
}
