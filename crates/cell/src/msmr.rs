//! Multi-species, multi-reaction (MSMR) materials: sites of several kinds j, each with its standard potential,
//!
//! ```text
//! x(U) = sum_j x_j,    x_j = X_j/(1 + exp(F (U - U0_j)/(w_j R T)))
//! ```
//!
//! (M. Verbrugge et al., J. Electrochem. Soc. 164 (2017) E3243, doi 10.1149/2.0341708jes). The equilibrium potential
//! at a stoichiometry is the inverse of this monotone sum, found to rounding.

use crate::ageing::dual::{Dual, Real};
use crate::error::CellError;
use crate::{FARADAY, GAS_CONSTANT};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// Most kinds of sites of a material.
const MOST: usize = 50;
/// Temperature of the curve from which the search for a potential starts, K.
const GUESS_KELVIN: f64 = 298.15;
/// Derivatives with respect to potential, temperature and salt concentration.
type Number = Dual<3>;

/// One kind of sites.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MsmrSpecies {
    /// Standard potential U0 against lithium, V.
    pub standard_potential_v: f64,
    /// Share X of all sites; the shares of a material add up to 1.
    pub fraction: f64,
    /// Ideality factor w; 1 is an ideal solution, less sharpens the plateau.
    pub ideality: f64,
    /// Transfer coefficient a of the reaction, from 0 to 1.
    #[serde(default = "half")]
    pub transfer_coefficient: f64,
    /// Reference exchange-current density of the reaction, A per m2 of particle surface; enters kinetics only.
    #[serde(default)]
    pub exchange_current_a_per_m2: f64,
}

fn half() -> f64 {
    0.5
}

/// Which property of the material a function gives; f = F/(RT).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MsmrQuantity {
    /// U(x, T), V.
    #[default]
    Potential,
    /// dU/dT at constant x, V/K.
    EntropicSlope,
    /// D = D0 x (1 - x) f |dU/dx|, m2/s (D. Baker, M. Verbrugge, J. Electrochem. Soc. 165 (2018) A3952,
    /// doi 10.1149/2.0771816jes).
    Diffusivity,
    /// Sum of the exchange currents j0_j = j0ref_j x_j^(w a) (X_j - x_j)^(w (1 - a)) (c_e/c_ref)^(1 - a), A/m2 (Baker
    /// and Verbrugge 2018, equation 16).
    ExchangeCurrent,
}

/// A property of a multi-species, multi-reaction material. In documents `{"msmr": {"species": [...], "quantity":
/// "potential"}}`, in which a diffusivity also has `diffusivity_m2_per_s` (D0) and an exchange current
/// `reference_salt_concentration` (mol/m3, 1000 if it is left out).
#[derive(Debug, Clone, PartialEq)]
pub struct Msmr {
    parts: Parts,
    /// Sum of the shares.
    total: f64,
    /// Smallest ideality factor.
    sharpest: f64,
    /// (U, x) at [`GUESS_KELVIN`] with rising U: where the search for a potential starts.
    curve: Arc<[(f64, f64)]>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    species: Vec<MsmrSpecies>,
    #[serde(default)]
    quantity: MsmrQuantity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    diffusivity_m2_per_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference_salt_concentration: Option<f64>,
}

impl Serialize for Msmr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("msmr", &self.parts)?;
        map.end()
    }
}

/// What stands under the key `msmr`.
pub(crate) struct Body(pub(crate) Msmr);

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Msmr::from_parts(Parts::deserialize(deserializer)?).map(Body).map_err(serde::de::Error::custom)
    }
}

impl Msmr {
    /// Open-circuit potential U(x, T), V.
    ///
    /// # Errors
    /// [`CellError::Parameter`] for numbers outside their range, or shares that do not add up to 1 (within 0.01).
    pub fn potential(species: Vec<MsmrSpecies>) -> Result<Self, CellError> {
        Self::of(species, MsmrQuantity::Potential, None, None)
    }

    /// dU/dT at constant x, V/K.
    ///
    /// # Errors
    /// As [`Self::potential`].
    pub fn entropic_slope(species: Vec<MsmrSpecies>) -> Result<Self, CellError> {
        Self::of(species, MsmrQuantity::EntropicSlope, None, None)
    }

    /// Chemical diffusivity D0 x (1 - x) f |dU/dx|, m2/s.
    ///
    /// # Errors
    /// As [`Self::potential`].
    pub fn diffusivity(species: Vec<MsmrSpecies>, diffusivity_m2_per_s: f64) -> Result<Self, CellError> {
        Self::of(species, MsmrQuantity::Diffusivity, Some(diffusivity_m2_per_s), None)
    }

    /// Sum of the exchange-current densities of the reactions, A/m2, with the reference concentration of the salt,
    /// mol/m3.
    ///
    /// # Errors
    /// As [`Self::potential`].
    pub fn exchange_current(species: Vec<MsmrSpecies>, reference_salt: f64) -> Result<Self, CellError> {
        Self::of(species, MsmrQuantity::ExchangeCurrent, None, Some(reference_salt))
    }

    fn of(
        species: Vec<MsmrSpecies>,
        quantity: MsmrQuantity,
        diffusivity_m2_per_s: Option<f64>,
        reference_salt_concentration: Option<f64>,
    ) -> Result<Self, CellError> {
        Self::from_parts(Parts { species, quantity, diffusivity_m2_per_s, reference_salt_concentration })
    }

    fn from_parts(parts: Parts) -> Result<Self, CellError> {
        let refuse = |name: &str, value: f64, requirement: String| {
            Err(CellError::Parameter { name: format!("MSMR: {name}"), value, requirement })
        };
        let count = parts.species.len();
        if !(1..=MOST).contains(&count) {
            return refuse("number of species", count as f64, format!("must lie between 1 and {MOST}"));
        }
        for (index, species) in parts.species.iter().enumerate() {
            let checks = [
                ("standard potential [V]", species.standard_potential_v, -10.0, 10.0),
                ("fraction", species.fraction, 1e-12, 1.01),
                ("ideality factor", species.ideality, 1e-3, 1e3),
                ("transfer coefficient", species.transfer_coefficient, 0.0, 1.0),
                ("exchange-current density [A/m2]", species.exchange_current_a_per_m2, 0.0, 1e12),
            ];
            for (name, value, low, high) in checks {
                if !(low..=high).contains(&value) {
                    let name = format!("{name} of species {index}");
                    return refuse(&name, value, format!("must lie between {low} and {high}"));
                }
            }
        }
        let total: f64 = parts.species.iter().map(|species| species.fraction).sum();
        if (total - 1.0).abs() > 0.01 {
            return refuse("sum of the fractions", total, "must be 1 (within 0.01)".to_owned());
        }
        match (parts.quantity, parts.diffusivity_m2_per_s) {
            (MsmrQuantity::Diffusivity, None) => {
                return refuse("diffusivity [m2/s]", f64::NAN, "is missing".to_owned());
            }
            (MsmrQuantity::Diffusivity, Some(value)) if !(value > 0.0 && value < 1.0) => {
                return refuse("diffusivity [m2/s]", value, "must lie between 0 and 1".to_owned());
            }
            _ => {}
        }
        let exchange: f64 = parts.species.iter().map(|species| species.exchange_current_a_per_m2).sum();
        if parts.quantity == MsmrQuantity::ExchangeCurrent && exchange <= 0.0 {
            let requirement = "must be positive for at least one species".to_owned();
            return refuse("exchange-current density [A/m2]", exchange, requirement);
        }
        if let Some(salt) = parts.reference_salt_concentration.filter(|salt| !(1e-3..=1e6).contains(salt)) {
            let requirement = "must lie between 0.001 and 1000000".to_owned();
            return refuse("reference salt concentration [mol/m3]", salt, requirement);
        }
        let sharpest = parts.species.iter().map(|s| s.ideality).fold(f64::INFINITY, f64::min);
        let curve = guesses(&parts.species);
        Ok(Self { parts, total, sharpest, curve })
    }

    /// What it gives.
    pub fn quantity(&self) -> MsmrQuantity {
        self.parts.quantity
    }

    /// The kinds of sites.
    pub fn species(&self) -> &[MsmrSpecies] {
        &self.parts.species
    }

    /// Stoichiometry x(U, T) at equilibrium with potential `volts` against lithium.
    pub fn stoichiometry(&self, volts: f64, kelvin: f64) -> f64 {
        filled(&self.parts.species, volts, kelvin)
    }

    /// Potential U(x, T) at a stoichiometry, V, to rounding; `None` outside the open interval from 0 to the sum of
    /// the shares.
    ///
    /// Newton's method in ln x, or near the full end in the logarithm of what is empty, kept inside a bracket: where
    /// every kind of sites is at least, or at most, as full as the whole.
    pub fn potential_at(&self, x: f64, kelvin: f64) -> Option<f64> {
        let empty = self.total - x;
        if !(x > 0.0 && empty > 0.0 && kelvin > 0.0) {
            return None;
        }
        let per_volt = FARADAY / (GAS_CONSTANT * kelvin);
        let logit = (empty / x).ln();
        let ends = self.parts.species.iter().map(|s| s.standard_potential_v + s.ideality * logit / per_volt);
        let (mut low, mut high) =
            ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), u| (a.min(u), b.max(u)));
        let upper = x > 0.5 * self.total;
        let target = if upper { empty } else { x };
        let (mut u, mut before) = (self.guess(x).clamp(low, high), high - low);
        // A step of Newton's method this small leaves an error of its square.
        let small = 1e-8 * self.sharpest / per_volt;
        for _ in 0..200 {
            let (mut held, mut slope) = (0.0, 0.0);
            for species in &self.parts.species {
                let (full, free) = occupied(species, u, kelvin);
                held += species.fraction * if upper { free } else { full };
                slope += species.fraction * full * free * per_volt / species.ideality;
            }
            // Positive where the potential is too low.
            let miss = if upper { (target / held).ln() } else { (held / target).ln() };
            if miss > 0.0 {
                low = u;
            } else {
                high = u;
            }
            let newton = u + miss * held / slope;
            // A step that does not halve the last one is one of bisection.
            let good = newton >= low && newton <= high && (newton - u).abs() <= 0.5 * before;
            let next = if good { newton } else { 0.5 * (low + high) };
            let moved = (next - u).abs();
            (u, before) = (next, moved);
            if miss == 0.0 || moved <= 2.0 * f64::EPSILON * u.abs().max(1e-3) || (good && moved < small) {
                break;
            }
        }
        Some(u)
    }

    /// First guess of the potential at `x`.
    fn guess(&self, x: f64) -> f64 {
        let next = self.curve.partition_point(|(_, filled)| *filled > x);
        match (next.checked_sub(1).and_then(|i| self.curve.get(i)), self.curve.get(next)) {
            (Some((u, a)), Some((v, b))) if a > b => u + (v - u) * (a - x) / (a - b),
            (Some((u, _)), _) | (None, Some((u, _))) => *u,
            (None, None) => 0.0,
        }
    }

    /// Value at `point` = (x, c_e, c_s, T); `None` where there is none.
    pub(crate) fn value(&self, point: [f64; 4]) -> Option<f64> {
        let [x, salt, _, kelvin] = point;
        let volts = self.potential_at(x, kelvin)?;
        Some(if self.parts.quantity == MsmrQuantity::Potential {
            volts
        } else {
            self.quantity_of(&self.sums(volts, kelvin), volts, kelvin, salt)
        })
    }

    /// Value and derivative along `direction` at `point` = (x, c_e, c_s, T); `None` where there is none.
    pub(crate) fn value_and_slope(&self, point: [f64; 4], direction: [f64; 4]) -> Option<(f64, f64)> {
        let [x, salt, _, kelvin] = point;
        let found = self.at(self.potential_at(x, kelvin)?, kelvin, salt);
        Some(found.of(found.quantity, direction))
    }

    /// Exchange-current density of each reaction at `point` with its derivative along `direction`, A/m2, into `out`;
    /// `None` where there is no potential.
    pub(crate) fn exchange_currents(
        &self,
        point: [f64; 4],
        direction: [f64; 4],
        out: &mut [(f64, f64)],
    ) -> Option<()> {
        let [x, salt, _, kelvin] = point;
        let found = self.at(self.potential_at(x, kelvin)?, kelvin, salt);
        for (out, species) in out.iter_mut().zip(&self.parts.species) {
            *out = found.of(self.reaction(species, found.potential, found.kelvin, found.salt), direction);
        }
        Some(())
    }

    fn at(&self, volts: f64, kelvin: f64, salt: f64) -> Point {
        let potential = Number::variable(volts, 0);
        let temperature = Number::variable(kelvin, 1);
        let salt = Number::variable(salt, 2);
        let sums = self.sums(potential, temperature);
        let quantity = self.quantity_of(&sums, potential, temperature, salt);
        // The potential follows x and T: dx = x_U dU + x_T dT.
        let slope = 1.0 / sums.full.gradient[0];
        let by_temperature = -sums.full.gradient[1] * slope;
        Point { potential, kelvin: temperature, salt, quantity, slope, by_temperature }
    }

    fn sums<R: Real>(&self, potential: R, kelvin: R) -> Sums<R> {
        let mut sums = Sums::new();
        for species in &self.parts.species {
            sums.add(species, potential, kelvin);
        }
        sums
    }

    fn quantity_of<R: Real>(&self, sums: &Sums<R>, potential: R, kelvin: R, salt: R) -> R {
        match self.parts.quantity {
            MsmrQuantity::Potential => potential,
            MsmrQuantity::EntropicSlope => sums.heating / sums.capacity,
            MsmrQuantity::Diffusivity => {
                let factor = self.parts.diffusivity_m2_per_s.unwrap_or(f64::NAN) * FARADAY / GAS_CONSTANT;
                sums.full * (-sums.full + 1.0) * factor / (sums.capacity * kelvin)
            }
            MsmrQuantity::ExchangeCurrent => {
                let reactions = self.parts.species.iter();
                let currents = reactions.map(|species| self.reaction(species, potential, kelvin, salt));
                currents.fold(R::constant(0.0), |sum, j| sum + j)
            }
        }
    }

    /// Exchange-current density of one reaction.
    fn reaction<R: Real>(&self, species: &MsmrSpecies, potential: R, kelvin: R, salt: R) -> R {
        let (full, free) = occupied(species, potential, kelvin);
        let (a, w) = (species.transfer_coefficient, species.ideality);
        let reference = species.exchange_current_a_per_m2 * species.fraction.powf(w);
        let salt = salt * (1.0 / self.parts.reference_salt_concentration.unwrap_or(1000.0));
        // 0^0 counts as 1.
        let power = |base: R, exponent: f64| {
            if exponent == 0.0 { R::constant(1.0) } else { base.power(exponent) }
        };
        power(full, w * a) * power(free, w * (1.0 - a)) * power(salt, 1.0 - a) * reference
    }
}

/// Everything at one state.
struct Point {
    potential: Number,
    kelvin: Number,
    salt: Number,
    quantity: Number,
    /// dU/dx and dU/dT.
    slope: f64,
    by_temperature: f64,
}

impl Point {
    /// Value and derivative of `quantity` along `direction` in (x, c_e, c_s, T).
    fn of(&self, quantity: Number, direction: [f64; 4]) -> (f64, f64) {
        let [x, salt, _, kelvin] = direction;
        let [by_potential, by_kelvin, by_salt] = quantity.gradient;
        let volts = self.slope * x + self.by_temperature * kelvin;
        (quantity.value, by_potential * volts + by_kelvin * kelvin + by_salt * salt)
    }
}

/// Sums over the kinds of sites: x, -dx/dU, and dx/dT at constant U.
struct Sums<R> {
    full: R,
    capacity: R,
    heating: R,
}

impl<R: Real> Sums<R> {
    fn new() -> Self {
        let zero = R::constant(0.0);
        Self { full: zero, capacity: zero, heating: zero }
    }

    fn add(&mut self, species: &MsmrSpecies, potential: R, kelvin: R) {
        let (full, free) = occupied(species, potential, kelvin);
        let per_volt = R::constant(FARADAY / (GAS_CONSTANT * species.ideality)) / kelvin;
        let width = full * free * species.fraction;
        self.full = self.full + full * species.fraction;
        self.capacity = self.capacity + width * per_volt;
        let distance = potential + (-species.standard_potential_v);
        self.heating = self.heating + width * per_volt * distance / kelvin;
    }
}

/// Stoichiometry at a potential.
fn filled(species: &[MsmrSpecies], volts: f64, kelvin: f64) -> f64 {
    species.iter().map(|species| species.fraction * occupied(species, volts, kelvin).0).sum()
}

/// The curve from which the search for a potential starts, fine where any kind of sites fills.
fn guesses(species: &[MsmrSpecies]) -> Arc<[(f64, f64)]> {
    const REACH: i32 = 16;
    let volt = GAS_CONSTANT * GUESS_KELVIN / FARADAY;
    let mut volts: Vec<f64> = species
        .iter()
        .flat_map(|s| {
            let width = 0.25 * s.ideality * volt;
            (-4 * REACH..=4 * REACH).map(move |i| s.standard_potential_v + width * f64::from(i))
        })
        .collect();
    volts.sort_by(f64::total_cmp);
    volts.into_iter().map(|u| (u, filled(species, u, GUESS_KELVIN))).collect()
}

/// Shares of occupied and of free sites, each accurate where it is small.
fn occupied<R: Real>(species: &MsmrSpecies, potential: R, kelvin: R) -> (R, R) {
    let scale = FARADAY / (GAS_CONSTANT * species.ideality);
    let z = (potential + (-species.standard_potential_v)) * scale / kelvin;
    let above = z.value() > 0.0;
    let e = if above { (-z).exp() } else { z.exp() };
    let large = R::constant(1.0) / (e + 1.0);
    let small = e * large;
    if above { (small, large) } else { (large, small) }
}
