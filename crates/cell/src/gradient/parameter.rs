//! Parameters with respect to which a run is differentiated.

use crate::error::CellError;
use crate::expression::Formula;
use crate::parameters::ParameterSet;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// How a parameter set changes along a direction.
type Change = dyn Fn(&ParameterSet, f64) -> Result<ParameterSet, CellError> + Send + Sync;

/// A direction in the space of parameter sets, along a number theta that is 0 at the set itself.
///
/// ```
/// use scalade_cell::{Parameter, ParameterSet};
/// let cell = ParameterSet::marquis2019()?;
/// let radius = Parameter::at("positive.material.particle_radius_m").changed(&cell, 0.01)?;
/// let ratio = radius.positive.material.particle_radius_m / cell.positive.material.particle_radius_m;
/// assert!((ratio - 0.01_f64.exp()).abs() < 1e-15);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
#[derive(Clone)]
pub struct Parameter {
    name: String,
    change: Option<Arc<Change>>,
}

impl fmt::Debug for Parameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parameter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Parameter {
    /// The entry of the parameter set at `path`, keys of its JSON form joined by points
    /// (`positive.material.diffusivity`, `electrolyte.conductivity`, `negative.blended.0.fraction`), times
    /// exp(theta): a number, a formula or a table as a whole. So derivatives are those with respect to ln p.
    ///
    /// Where a key holds a single alternative (`porous`) it may be left out; an activated property stands for its
    /// value at the reference temperature. All other entries stay as they are, the initial concentrations among
    /// them.
    pub fn at(path: &str) -> Self {
        Self { name: path.to_owned(), change: None }
    }

    /// A direction of its own: `change` gives the set at theta. It must be smooth and leave out what decides on
    /// the model (materials, classes of radii).
    pub fn along(
        name: &str,
        change: impl Fn(&ParameterSet, f64) -> Result<ParameterSet, CellError> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.to_owned(), change: Some(Arc::new(change)) }
    }

    /// Its name or path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parameter set at `theta`.
    ///
    /// # Errors
    /// [`CellError::Parameter`] if there is no such entry, if it cannot be scaled (0, text, a group of entries),
    /// or if the changed set is out of range.
    pub fn changed(&self, set: &ParameterSet, theta: f64) -> Result<ParameterSet, CellError> {
        if let Some(change) = &self.change {
            return change(set, theta);
        }
        // Only the part that changes is written out and read again: formulas are compiled anew there.
        let mut changed = set.clone();
        match self.name.split_once('.') {
            Some(("positive", rest)) => changed.positive = self.part(&set.positive, rest, theta)?,
            Some(("negative", rest)) => changed.negative = self.part(&set.negative, rest, theta)?,
            Some(("electrolyte", rest)) => changed.electrolyte = self.part(&set.electrolyte, rest, theta)?,
            Some(("separator", rest)) => changed.separator = self.part(&set.separator, rest, theta)?,
            _ => changed = self.part(set, &self.name, theta)?,
        }
        Ok(changed)
    }

    /// A part of the set with its entry at `path` scaled.
    fn part<T: Serialize + DeserializeOwned>(
        &self,
        part: &T,
        path: &str,
        theta: f64,
    ) -> Result<T, CellError> {
        let document = |error: serde_json::Error| CellError::Document(error.to_string());
        let mut value = serde_json::to_value(part).map_err(document)?;
        find(&mut value, path)
            .and_then(|entry| scale(entry, theta))
            .map_err(|requirement| fault(&self.name, requirement))?;
        serde_json::from_value(value).map_err(document)
    }
}

fn fault(path: &str, requirement: String) -> CellError {
    CellError::Parameter { name: path.chars().take(200).collect(), value: f64::NAN, requirement }
}

/// The entry at `path`, or why there is none.
fn find<'a>(root: &'a mut Value, path: &str) -> Result<&'a mut Value, String> {
    let mut entry = root;
    for key in path.split('.') {
        entry = match entry {
            Value::Object(map) => {
                let single = map.len() == 1 && !map.contains_key(key);
                let inner =
                    if single { map.values_mut().next().and_then(Value::as_object_mut) } else { Some(map) };
                let Some(inner) = inner else { return Err(format!("there is no entry '{key}'")) };
                let known: Vec<String> = inner.keys().cloned().collect();
                inner.get_mut(key).ok_or_else(|| {
                    let near = crate::spelling::closest(key, known.iter().map(String::as_str));
                    let hint = near.map_or_else(
                        || format!("known there: {}", known.join(", ")),
                        |near| format!("did you mean '{near}'?"),
                    );
                    format!("there is no entry '{key}'; {hint}")
                })?
            }
            Value::Array(list) => {
                let count = list.len();
                let place = key.parse::<usize>().ok().and_then(|index| list.get_mut(index));
                place.ok_or_else(|| format!("there is no entry '{key}' in a list of {count}"))?
            }
            _ => return Err(format!("has no entries of its own, such as '{key}'")),
        };
    }
    // An activated property stands for its value at the reference temperature.
    let activated = entry.get("at_reference").is_some();
    Ok(if activated { &mut entry["at_reference"] } else { entry })
}

/// Multiplies a number, formula or table by exp(theta).
fn scale(entry: &mut Value, theta: f64) -> Result<(), String> {
    let factor = theta.exp();
    match entry {
        Value::Number(number) => {
            let value = number.as_f64().unwrap_or(f64::NAN);
            if value == 0.0 || !value.is_finite() {
                return Err(format!("is {value}: a relative change means nothing there"));
            }
            *entry = Value::from(value * factor);
            Ok(())
        }
        Value::String(text) => {
            if Formula::parse(text).is_err() {
                return Err("is text, not a number, a formula or a table".to_owned());
            }
            *text = format!("{factor:e} * ({text})");
            Ok(())
        }
        Value::Object(map) => {
            let Some(Value::Array(values)) = map.get_mut("y") else {
                let keys: Vec<&str> = map.keys().map(String::as_str).collect();
                return Err(format!("is a group of entries; name one of {}", keys.join(", ")));
            };
            for value in values {
                let number = value.as_f64().ok_or("its table holds something other than numbers")?;
                *value = Value::from(number * factor);
            }
            Ok(())
        }
        _ => Err("is not a number, a formula or a table".to_owned()),
    }
}
