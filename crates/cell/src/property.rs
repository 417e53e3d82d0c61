//! Material properties as constants, formulas or tables, evaluated in batches.

use crate::GAS_CONSTANT;
use crate::error::CellError;
use crate::expression::{Formula, FormulaWorkspace};
use crate::msmr::{self, Msmr, MsmrQuantity};
use crate::table::Table;
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A material property as a function of stoichiometry `x`, electrolyte concentration `c_e`, particle
/// concentration `c_s` (mol/m3) and temperature `T` (K). In documents: a number, a formula, `{"x": [...],
/// "y": [...]}`, or `{"msmr": {...}}` ([`Msmr`]).
///
/// ```
/// use scalade_cell::Property;
/// let property: Property = serde_json::from_str(r#""0.0911 + 1.9101e-3 * c_e""#)?;
/// assert!((property.value([0.0, 1000.0, 0.0, 298.15])? - 2.0012).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Property {
    /// The same everywhere.
    Constant(f64),
    /// A formula in `x`, `c_e`, `c_s`.
    Formula(Formula),
    /// A table over stoichiometry.
    Table(Table),
    /// A property of a multi-species, multi-reaction material, over stoichiometry, temperature and salt.
    Msmr(Msmr),
}

/// Reads a property and says what is wrong with it, where "untagged" would only say that nothing matched.
struct PropertyVisitor;

impl<'de> Visitor<'de> for PropertyVisitor {
    type Value = Property;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a number, a formula, a table {\"x\": [...], \"y\": [...]}, or {\"msmr\": {...}}")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Property, E> {
        Ok(Property::Constant(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Property, E> {
        Ok(Property::Constant(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Property, E> {
        Ok(Property::Constant(value as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Property, E> {
        Formula::parse(text).map(Property::Formula).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Property, A::Error> {
        let first = map.next_key::<String>()?;
        if first.as_deref() != Some("msmr") {
            let map = WithFirst { first, rest: map };
            return Table::deserialize(MapAccessDeserializer::new(map)).map(Property::Table);
        }
        let msmr::Body(found) = map.next_value()?;
        match map.next_key::<String>()? {
            None => Ok(Property::Msmr(found)),
            Some(key) => {
                Err(A::Error::custom(format!("`{key}` stands beside `msmr`, which is all there may be")))
            }
        }
    }
}

/// A map whose first key has been read.
struct WithFirst<A> {
    first: Option<String>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithFirst<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(StringDeserializer::new(key)).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}

impl<'de> Deserialize<'de> for Property {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PropertyVisitor)
    }
}

/// A point at which a property has no usable value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Undefined {
    /// Position in the batch.
    pub index: usize,
    /// Stoichiometry or value found there.
    pub value: f64,
}

impl From<f64> for Property {
    fn from(value: f64) -> Self {
        Self::Constant(value)
    }
}

impl From<Msmr> for Property {
    fn from(msmr: Msmr) -> Self {
        Self::Msmr(msmr)
    }
}

impl From<Table> for Property {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl Property {
    /// A property from the text of a formula.
    ///
    /// # Errors
    /// [`CellError::Formula`] if it cannot be read.
    pub fn formula(text: &str) -> Result<Self, CellError> {
        let formula = Formula::parse(text)?;
        Ok(formula.as_constant().map_or(Self::Formula(formula), Self::Constant))
    }

    /// The value, if it is the same everywhere.
    pub fn as_constant(&self) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Formula(formula) => formula.as_constant(),
            Self::Table(_) | Self::Msmr(_) => None,
        }
    }

    /// Which property of a multi-species, multi-reaction material it is, if it is one.
    pub(crate) fn msmr(&self) -> Option<MsmrQuantity> {
        if let Self::Msmr(msmr) = self { Some(msmr.quantity()) } else { None }
    }

    /// Value at one point (x, c_e, c_s, T).
    ///
    /// # Errors
    /// [`CellError::Parameter`] if the property has no finite value there.
    pub fn value(&self, point: [f64; 4]) -> Result<f64, CellError> {
        let mut out = [0.0];
        let [x, c_e, c_s, t] = point;
        self.evaluate([&[x], &[c_e], &[c_s], &[t]], &mut FormulaWorkspace::default(), &mut out).map_err(
            |undefined| CellError::Parameter {
                name: format!("property at x = {x}, c_e = {c_e}, c_s = {c_s}, T = {t}"),
                value: undefined.value,
                requirement: "must be finite and inside its table".to_owned(),
            },
        )?;
        Ok(out[0])
    }

    /// Values over a batch of points `variables` = (x, c_e, c_s, T), each slice at least as long as `out`,
    /// or of length 1 (the same everywhere; not for x).
    /// Gives how many points lay outside a table with a clamp or extend policy.
    ///
    /// # Errors
    /// The first point without a finite value.
    pub fn evaluate(
        &self,
        variables: [&[f64]; 4],
        workspace: &mut FormulaWorkspace,
        out: &mut [f64],
    ) -> Result<usize, Undefined> {
        let mut outside = 0;
        match self {
            Self::Constant(value) => out.fill(*value),
            Self::Formula(formula) => formula.evaluate(variables, workspace, out),
            Self::Table(table) => {
                for (index, (o, x)) in out.iter_mut().zip(variables[0]).enumerate() {
                    let (value, _) = table.value_and_slope(*x).ok_or(Undefined { index, value: *x })?;
                    *o = value;
                    outside += usize::from(table.is_outside(*x));
                }
            }
            Self::Msmr(msmr) => {
                for (index, o) in out.iter_mut().enumerate() {
                    let point = point(variables, index);
                    *o = msmr.value(point).ok_or(Undefined { index, value: point[0] })?;
                }
            }
        }
        finite(out)?;
        Ok(outside)
    }

    /// Values and derivatives along `direction` in (x, c_e, c_s, T) over a batch; as [`Self::evaluate`].
    ///
    /// # Errors
    /// The first point without a finite value or derivative.
    pub fn evaluate_dual(
        &self,
        variables: [&[f64]; 4],
        direction: [f64; 4],
        workspace: &mut FormulaWorkspace,
        out: &mut [f64],
        derivative: &mut [f64],
    ) -> Result<usize, Undefined> {
        let mut outside = 0;
        match self {
            Self::Constant(value) => {
                out.fill(*value);
                derivative.fill(0.0);
            }
            Self::Formula(formula) => formula.evaluate_dual(variables, direction, workspace, out, derivative),
            Self::Table(table) => {
                for (index, ((o, d), x)) in
                    out.iter_mut().zip(derivative.iter_mut()).zip(variables[0]).enumerate()
                {
                    let (value, slope) = table.value_and_slope(*x).ok_or(Undefined { index, value: *x })?;
                    *o = value;
                    *d = slope * direction[0];
                    outside += usize::from(table.is_outside(*x));
                }
            }
            Self::Msmr(msmr) => {
                for (index, (o, d)) in out.iter_mut().zip(derivative.iter_mut()).enumerate() {
                    let point = point(variables, index);
                    let found = msmr.value_and_slope(point, direction);
                    (*o, *d) = found.ok_or(Undefined { index, value: point[0] })?;
                }
            }
        }
        finite(out)?;
        finite(derivative)?;
        Ok(outside)
    }
}

/// Point `index` of a batch, in which a slice of length 1 is the same everywhere.
pub(crate) fn point(variables: [&[f64]; 4], index: usize) -> [f64; 4] {
    variables.map(|list| *list.get(index).or(list.first()).unwrap_or(&f64::NAN))
}

fn finite(values: &[f64]) -> Result<(), Undefined> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Undefined { index, value: values[index] }),
    }
}

/// A property with an Arrhenius temperature dependence: value(T) = value(Tref) exp(E/R (1/Tref - 1/T)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activated {
    /// The property at the reference temperature.
    pub at_reference: Property,
    /// Activation energy E, J/mol.
    #[serde(default)]
    pub activation_energy_j_per_mol: f64,
}

impl Activated {
    /// A property that does not depend on temperature.
    pub fn isothermal(property: impl Into<Property>) -> Self {
        Self { at_reference: property.into(), activation_energy_j_per_mol: 0.0 }
    }

    /// exp(E/R (1/Tref - 1/T)), temperatures in kelvin.
    pub fn arrhenius_factor(&self, temperature: f64, reference: f64) -> f64 {
        if self.activation_energy_j_per_mol == 0.0 {
            return 1.0;
        }
        (self.activation_energy_j_per_mol / GAS_CONSTANT * (1.0 / reference - 1.0 / temperature)).exp()
    }
}

/// Open-circuit potential against lithium, U(x, T) = U(x, Tref) + (T - Tref) dU/dT(x), volts. A potential of a
/// multi-species, multi-reaction material depends on temperature itself: there dU/dT enters the reversible heat alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCircuitPotential {
    /// U(x, Tref), V.
    pub at_reference: Property,
    /// dU/dT(x), V/K.
    pub entropic_slope: Property,
}

impl OpenCircuitPotential {
    /// T - Tref where the entropic slope is part of the potential, else 0.
    pub(crate) fn excess(&self, kelvin: f64, reference: f64) -> f64 {
        if self.at_reference.msmr().is_some() { 0.0 } else { kelvin - reference }
    }
}

/// Open-circuit potential where it depends on the direction of the last change of lithium: the branches on
/// full lithiation and on full delithiation. With the state h from -1 (lithiation) to 1 (delithiation) of a
/// one-state model the potential is ((1 - h) lithiation + (1 + h) delithiation)/2 (G. L. Plett, Battery
/// Management Systems I (2015), section 2.7; BPX 1.1, section on hysteresis). [`crate::HysteresisLaw`] says how h moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hysteresis {
    /// U(x, Tref) while lithium goes in, V.
    pub lithiation: Property,
    /// U(x, Tref) while lithium goes out, V.
    pub delithiation: Property,
    /// Decay constant of the one-state model (BPX: "OCP hysteresis decay constant"), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay_constant: Option<f64>,
    /// State h at the start, from -1 (on the lithiation branch) to 1 (on the delithiation branch), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_state: Option<f64>,
}

impl Hysteresis {
    pub(crate) fn validate(&self, which: &str) -> Result<(), CellError> {
        let checks = [
            ("hysteresis decay constant", self.decay_constant, 0.0, 1e9),
            ("initial hysteresis state", self.initial_state, -1.0, 1.0),
        ];
        for (name, value, low, high) in checks {
            match value {
                Some(value) if !(low..=high).contains(&value) => {
                    return Err(CellError::Parameter {
                        name: format!("{which}: {name}"),
                        value,
                        requirement: format!("must lie between {low} and {high}"),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}
