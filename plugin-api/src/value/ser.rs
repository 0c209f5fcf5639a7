//! From any serde type to a [`Value`], by the conventions of JSON.

use serde::Serialize;
use serde::ser::{
    self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::ValueError;
use super::json::number_or_map;
use crate::{Bytes, List, Map, Text, Value};

impl Serialize for Value {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::I64(value) => serializer.serialize_i64(*value),
            Self::U64(value) => serializer.serialize_u64(*value),
            Self::F64(value) => serializer.serialize_f64(*value),
            Self::String(value) => serializer.serialize_str(value),
            Self::Bytes(value) => serializer.serialize_bytes(value),
            Self::List(value) => serializer.collect_seq(value),
            Self::Map(value) => {
                serializer.collect_map(value.iter().map(|entry| (entry.key.as_str(), &entry.value)))
            }
        }
    }
}

/// Room for what a list or map says of its length, but not for what a wrong length would take.
fn bounded(length: Option<usize>) -> usize {
    length.unwrap_or(0).min(4096)
}

pub(super) struct Serializer;

impl ser::Serializer for Serializer {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Variant<Items>;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Variant<Entries>;

    fn serialize_bool(self, value: bool) -> Result<Value, ValueError> {
        Ok(Value::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_i128(self, value: i128) -> Result<Value, ValueError> {
        if let Ok(value) = i64::try_from(value) {
            return Ok(value.into());
        }
        u64::try_from(value)
            .map(Value::from)
            .map_err(|_| too_wide(value))
    }

    fn serialize_u8(self, value: u8) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_u128(self, value: u128) -> Result<Value, ValueError> {
        u64::try_from(value)
            .map(Value::from)
            .map_err(|_| too_wide(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_char(self, value: char) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_str(self, value: &str) -> Result<Value, ValueError> {
        Ok(value.into())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, ValueError> {
        Ok(Value::Bytes(Bytes::from(value)))
    }

    fn serialize_none(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, ValueError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, ValueError> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        Ok(tagged(variant, value.serialize(self)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items, ValueError> {
        Ok(Items(List::with_capacity(bounded(length))))
    }

    fn serialize_tuple(self, length: usize) -> Result<Items, ValueError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        length: usize,
    ) -> Result<Items, ValueError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Variant<Items>, ValueError> {
        let inner = self.serialize_seq(Some(length))?;
        Ok(Variant { variant, inner })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Entries, ValueError> {
        Ok(Entries {
            map: Map::with_capacity(bounded(length)),
            key: None,
        })
    }

    fn serialize_struct(self, _name: &'static str, length: usize) -> Result<Entries, ValueError> {
        self.serialize_map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Variant<Entries>, ValueError> {
        let inner = self.serialize_map(Some(length))?;
        Ok(Variant { variant, inner })
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<Value, ValueError> {
        Ok(value.to_string().into())
    }
}

#[cold]
fn too_wide(value: impl std::fmt::Display) -> ValueError {
    ValueError::new(format_args!("the integer `{value}` does not fit 64 bits"))
}

fn tagged(variant: &'static str, value: Value) -> Value {
    let mut map = Map::with_capacity(1);
    map.push_new(variant.into(), value);
    Value::Map(map)
}

pub(super) struct Items(List);

impl SerializeSeq for Items {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.0.push(value.serialize(Serializer)?);
        Ok(())
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(Value::List(self.0))
    }
}

impl SerializeTuple for Items {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Value, ValueError> {
        SerializeSeq::end(self)
    }
}

impl SerializeTupleStruct for Items {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Value, ValueError> {
        SerializeSeq::end(self)
    }
}

pub(super) struct Entries {
    map: Map,
    key: Option<Text>,
}

impl SerializeMap for Entries {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key = Some(match key.serialize(Serializer)? {
            Value::String(text) => text,
            Value::Bool(value) => Text::from(if value { "true" } else { "false" }),
            Value::I64(value) => value.to_string().into(),
            Value::U64(value) => value.to_string().into(),
            other => {
                return Err(ValueError::new(format_args!(
                    "a map key is a {}, expected a string, an integer or a boolean",
                    other.type_name()
                )));
            }
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let value = value.serialize(Serializer)?;
        match self.key.take() {
            Some(key) => {
                self.map.push_new(key, value);
                Ok(())
            }
            None => Err(ValueError::new("a map value was given without its key")),
        }
    }

    fn end(mut self) -> Result<Value, ValueError> {
        self.map.keep_last_of_each();
        Ok(Value::Map(self.map))
    }
}

impl SerializeStruct for Entries {
    type Ok = Value;
    type Error = ValueError;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        let value = value.serialize(Serializer)?;
        if let Some(place) = self.map.place_new(key) {
            place.receive(value);
        }
        Ok(())
    }

    fn end(self) -> Result<Value, ValueError> {
        // No look for repeated names: serde's derive writes each field once.
        number_or_map(self.map)
    }
}

/// The content of an enum variant, to be put under its name.
pub(super) struct Variant<T> {
    variant: &'static str,
    inner: T,
}

impl SerializeTupleVariant for Variant<Items> {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        SerializeSeq::serialize_element(&mut self.inner, value)
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(tagged(self.variant, SerializeSeq::end(self.inner)?))
    }
}

impl SerializeStructVariant for Variant<Entries> {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        SerializeStruct::serialize_field(&mut self.inner, key, value)
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(tagged(self.variant, SerializeStruct::end(self.inner)?))
    }
}
