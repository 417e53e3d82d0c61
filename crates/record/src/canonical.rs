//! Content hashes of documents.
//!
//! Two documents have one hash exactly when they are the same data: maps are sorted by key and numbers are written
//! by their shortest decimal form that reads back to the same bits, so that formatting, key order and host do not matter.

use crate::RecordError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A BLAKE3 hash, 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentHash(pub String);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Canonical bytes of a serialisable document: JSON without white space, maps sorted by key, `-0.0` kept apart from
/// `0.0`, integers and floats told apart by their text. NaN and infinity are refused.
pub fn canonical_bytes<T: Serialize>(document: &T) -> Result<Vec<u8>, RecordError> {
    let failed = |e: serde_json::Error| RecordError::Canonical { reason: e.to_string() };
    let value = serde_json::to_value(document).map_err(failed)?;
    let mut out = Vec::new();
    write_value(&value, &mut out).map_err(failed)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push(b'{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                write_value(&map[key], out)?;
            }
            out.push(b'}');
        }
        scalar => serde_json::to_writer(&mut *out, scalar)?,
    }
    Ok(())
}

/// Hash of a document's canonical bytes.
pub fn content_hash<T: Serialize>(document: &T) -> Result<ContentHash, RecordError> {
    Ok(hash_bytes(&canonical_bytes(document)?))
}

/// Hash of plain bytes (a file).
pub fn hash_bytes(bytes: &[u8]) -> ContentHash {
    ContentHash(blake3::hash(bytes).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_does_not_matter_and_bits_do() {
        let a: Value = serde_json::from_str(r#"{"b": 1.0, "a": [1, 2]}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{ "a":[1,2], "b":1.0 }"#).unwrap();
        assert_eq!(content_hash(&a).unwrap(), content_hash(&b).unwrap());
        let c: Value = serde_json::from_str(r#"{"a":[1,2],"b":1.0000000000000002}"#).unwrap();
        assert_ne!(content_hash(&a).unwrap(), content_hash(&c).unwrap());
        assert_ne!(content_hash(&0.0).unwrap(), content_hash(&-0.0).unwrap());
    }
}
