//! Any serialisable value as JSON, refused with its path when it holds NaN or infinity.
//!
//! `serde_json` writes non-finite numbers as `null`: a hole in the data that nobody asked for. This serialiser builds the
//! same [`Value`] and stops at the first such number.

use serde::ser::{self, Serialize};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Why a value cannot become JSON, and where in it.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Segments from the inside outwards.
    path: Vec<String>,
    /// The non-finite number, if that is the reason.
    pub(crate) number: Option<f64>,
    /// Any other reason.
    pub(crate) reason: String,
}

impl Refusal {
    fn not_finite(number: f64) -> Self {
        Self { path: Vec::new(), number: Some(number), reason: format!("{number} is not finite") }
    }

    fn other(reason: impl Into<String>) -> Self {
        Self { path: Vec::new(), number: None, reason: reason.into() }
    }

    fn within(mut self, segment: impl Into<String>) -> Self {
        self.path.push(segment.into());
        self
    }

    /// The place as `a.b[3]`.
    pub(crate) fn place(&self) -> String {
        let mut text = String::new();
        for segment in self.path.iter().rev() {
            if !text.is_empty() && !segment.starts_with('[') {
                text.push('.');
            }
            text.push_str(segment);
        }
        text
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

impl ser::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::other(message.to_string())
    }
}

/// The value as JSON; every number in it is finite.
pub(crate) fn to_finite_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Refusal> {
    value.serialize(Checking)
}

struct Checking;

pub(crate) struct Sequence {
    items: Vec<Value>,
    variant: Option<&'static str>,
}

pub(crate) struct Mapping {
    entries: Map<String, Value>,
    key: Option<String>,
    variant: Option<&'static str>,
}

fn wrap(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(name) => Value::Object(Map::from_iter([(name.to_string(), value)])),
        None => value,
    }
}

impl Sequence {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        let at = self.items.len();
        self.items.push(value.serialize(Checking).map_err(|e| e.within(format!("[{at}]")))?);
        Ok(())
    }

    fn finish(self) -> Value {
        wrap(self.variant, Value::Array(self.items))
    }
}

impl Mapping {
    fn insert<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), Refusal> {
        let value = value.serialize(Checking).map_err(|e| e.within(key.clone()))?;
        self.entries.insert(key, value);
        Ok(())
    }

    fn finish(self) -> Value {
        wrap(self.variant, Value::Object(self.entries))
    }
}

/// Text of a map's key; numbers and booleans are written out.
fn key_text<T: Serialize + ?Sized>(key: &T) -> Result<String, Refusal> {
    match key.serialize(Checking)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(Refusal::other(format!("{other} cannot be the key of a map"))),
    }
}

impl ser::Serializer for Checking {
    type Ok = Value;
    type Error = Refusal;
    type SerializeSeq = Sequence;
    type SerializeTuple = Sequence;
    type SerializeTupleStruct = Sequence;
    type SerializeTupleVariant = Sequence;
    type SerializeMap = Mapping;
    type SerializeStruct = Mapping;
    type SerializeStructVariant = Mapping;

    fn serialize_bool(self, v: bool) -> Result<Value, Refusal> {
        Ok(Value::Bool(v))
    }
    fn serialize_i8(self, v: i8) -> Result<Value, Refusal> {
        Ok(Value::from(v))
    }
    fn serialize_i16(self, v: i16) -> Result<Value, Refusal> {
        Ok(Value::from(v))
    }
    fn serialize_i32(self, v: i32) -> Result<Value, Refusal> {
        Ok(Value::from(v))
    }
    fn serialize_i64(self, v: i64) -> Result<Value, Refusal> {
        Ok(Value::from(v))
    }
    fn serialize_i128(self, v: i128) -> Result<Value, Refusal> {
        Number::from_i128(v)
            .map(Value::Number)
            .ok_or_else(|| Refusal::other(format!("{v} needs over 64 bits")))
    }
    fn serialize_u8(self, v: u8) -> Result<Value, Refusal> {
        Ok(Value::from(v))
    }
    fn serialize_u16(self, v: u16) -> Result<Value, Refusal> {
        Ok(Value::from(v))
    }
    fn serialize_u32(self, v: u32) -> Result<Value, Refusal> {
        Ok(Value::from(v))
    }
    fn serialize_u64(self, v: u64) -> Result<Value, Refusal> {
        Ok(Value::from(v))
    }
    fn serialize_u128(self, v: u128) -> Result<Value, Refusal> {
        Number::from_u128(v)
            .map(Value::Number)
            .ok_or_else(|| Refusal::other(format!("{v} needs over 64 bits")))
    }
    fn serialize_f32(self, v: f32) -> Result<Value, Refusal> {
        self.serialize_f64(f64::from(v))
    }
    fn serialize_f64(self, v: f64) -> Result<Value, Refusal> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| Refusal::not_finite(v))
    }
    fn serialize_char(self, v: char) -> Result<Value, Refusal> {
        Ok(Value::String(v.to_string()))
    }
    fn serialize_str(self, v: &str) -> Result<Value, Refusal> {
        Ok(Value::String(v.to_string()))
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<Value, Refusal> {
        Ok(Value::from(v.to_vec()))
    }
    fn serialize_none(self) -> Result<Value, Refusal> {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<Value, Refusal> {
        v.serialize(self)
    }
    fn serialize_unit(self) -> Result<Value, Refusal> {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Refusal> {
        Ok(Value::Null)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Refusal> {
        Ok(Value::String(variant.to_string()))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<Value, Refusal> {
        v.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<Value, Refusal> {
        Ok(wrap(Some(variant), v.serialize(self).map_err(|e| e.within(variant))?))
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<Sequence, Refusal> {
        Ok(Sequence { items: Vec::with_capacity(length.unwrap_or(0).min(1 << 16)), variant: None })
    }
    fn serialize_tuple(self, length: usize) -> Result<Sequence, Refusal> {
        self.serialize_seq(Some(length))
    }
    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Sequence, Refusal> {
        self.serialize_seq(Some(length))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence, Refusal> {
        Ok(Sequence { items: Vec::new(), variant: Some(variant) })
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Mapping, Refusal> {
        Ok(Mapping { entries: Map::new(), key: None, variant: None })
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Mapping, Refusal> {
        self.serialize_map(None)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Mapping, Refusal> {
        Ok(Mapping { entries: Map::new(), key: None, variant: Some(variant) })
    }
}

macro_rules! sequence {
    ($trait:ident, $method:ident) => {
        impl ser::$trait for Sequence {
            type Ok = Value;
            type Error = Refusal;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
                self.push(value)
            }
            fn end(self) -> Result<Value, Refusal> {
                Ok(self.finish())
            }
        }
    };
}
sequence!(SerializeSeq, serialize_element);
sequence!(SerializeTuple, serialize_element);
sequence!(SerializeTupleStruct, serialize_field);
sequence!(SerializeTupleVariant, serialize_field);

impl ser::SerializeMap for Mapping {
    type Ok = Value;
    type Error = Refusal;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refusal> {
        self.key = Some(key_text(key)?);
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        let key = self.key.take().ok_or_else(|| Refusal::other("a map gave a value without a key"))?;
        self.insert(key, value)
    }
    fn end(self) -> Result<Value, Refusal> {
        Ok(self.finish())
    }
}

macro_rules! structure {
    ($trait:ident) => {
        impl ser::$trait for Mapping {
            type Ok = Value;
            type Error = Refusal;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Refusal> {
                self.insert(key.to_string(), value)
            }
            fn end(self) -> Result<Value, Refusal> {
                Ok(self.finish())
            }
        }
    };
}
structure!(SerializeStruct);
structure!(SerializeStructVariant);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(serde::Serialize)]
    enum Shape {
        Unit,
        Newtype(f64),
        Tuple(f64, i32),
        Struct { a: Option<f32>, b: char },
    }

    #[derive(serde::Serialize)]
    struct Everything {
        shapes: Vec<Shape>,
        map: BTreeMap<u8, (bool, u64)>,
        text: String,
        none: Option<()>,
        big: i128,
        bytes: [u8; 2],
    }

    fn everything(x: f64) -> Everything {
        Everything {
            shapes: vec![
                Shape::Unit,
                Shape::Newtype(1.5),
                Shape::Tuple(-0.0, -3),
                Shape::Struct { a: Some(0.1), b: 'Ω' },
                Shape::Tuple(x, 1),
            ],
            map: BTreeMap::from([(7, (true, u64::MAX))]),
            text: "t".into(),
            none: None,
            big: 9,
            bytes: [1, 2],
        }
    }

    #[test]
    fn finite_values_become_what_serde_json_makes_of_them() {
        let value = everything(2.0);
        assert_eq!(to_finite_value(&value).unwrap(), serde_json::to_value(&value).unwrap());
    }

    #[test]
    fn the_place_of_a_non_finite_number_is_named() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let refusal = to_finite_value(&everything(bad)).unwrap_err();
            assert_eq!(refusal.place(), "shapes[4][0]");
            assert!(refusal.number.is_some());
        }
        let nested = BTreeMap::from([("curve", vec![vec![0.0], vec![1.0, f32::NAN]])]);
        assert_eq!(to_finite_value(&nested).unwrap_err().place(), "curve[1][1]");
        assert!(to_finite_value(&BTreeMap::from([((1, 2), 3)])).is_err());
        assert!(to_finite_value(&u128::MAX).unwrap_err().number.is_none());
    }
}
