//! Dimensions: exponents of the seven SI base units.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Exponents of (metre, kilogram, second, ampere, kelvin, mole, candela).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dimension(pub [i8; 7]);

const BASE_SYMBOLS: [&str; 7] = ["m", "kg", "s", "A", "K", "mol", "cd"];

/// A pure number.
pub const NONE: Dimension = Dimension([0, 0, 0, 0, 0, 0, 0]);
/// Length, m.
pub const LENGTH: Dimension = Dimension([1, 0, 0, 0, 0, 0, 0]);
/// Area, m2.
pub const AREA: Dimension = Dimension([2, 0, 0, 0, 0, 0, 0]);
/// Volume, m3.
pub const VOLUME: Dimension = Dimension([3, 0, 0, 0, 0, 0, 0]);
/// Inverse length (specific surface area), 1/m.
pub const INVERSE_LENGTH: Dimension = Dimension([-1, 0, 0, 0, 0, 0, 0]);
/// Mass, kg.
pub const MASS: Dimension = Dimension([0, 1, 0, 0, 0, 0, 0]);
/// Time, s.
pub const TIME: Dimension = Dimension([0, 0, 1, 0, 0, 0, 0]);
/// Frequency, Hz.
pub const FREQUENCY: Dimension = Dimension([0, 0, -1, 0, 0, 0, 0]);
/// Electric current, A.
pub const CURRENT: Dimension = Dimension([0, 0, 0, 1, 0, 0, 0]);
/// Current density, A/m2.
pub const CURRENT_DENSITY: Dimension = Dimension([-2, 0, 0, 1, 0, 0, 0]);
/// Charge, C (also A.h).
pub const CHARGE: Dimension = Dimension([0, 0, 1, 1, 0, 0, 0]);
/// Thermodynamic temperature, K.
pub const TEMPERATURE: Dimension = Dimension([0, 0, 0, 0, 1, 0, 0]);
/// Amount of substance, mol.
pub const AMOUNT: Dimension = Dimension([0, 0, 0, 0, 0, 1, 0]);
/// Concentration, mol/m3.
pub const CONCENTRATION: Dimension = Dimension([-3, 0, 0, 0, 0, 1, 0]);
/// Energy, J (also eV).
pub const ENERGY: Dimension = Dimension([2, 1, -2, 0, 0, 0, 0]);
/// Force, N (also eV/angstrom).
pub const FORCE: Dimension = Dimension([1, 1, -2, 0, 0, 0, 0]);
/// Molar energy, J/mol. Not the same as an energy per atom: the amount exponent tells them apart.
pub const MOLAR_ENERGY: Dimension = Dimension([2, 1, -2, 0, 0, -1, 0]);
/// Entropy or heat capacity, J/K.
pub const HEAT_CAPACITY: Dimension = Dimension([2, 1, -2, 0, -1, 0, 0]);
/// Volumetric heat capacity, J/(m3 K).
pub const VOLUMETRIC_HEAT_CAPACITY: Dimension = Dimension([-1, 1, -2, 0, -1, 0, 0]);
/// Heat-transfer coefficient, W/(m2 K).
pub const HEAT_TRANSFER: Dimension = Dimension([0, 1, -3, 0, -1, 0, 0]);
/// Power, W.
pub const POWER: Dimension = Dimension([2, 1, -3, 0, 0, 0, 0]);
/// Pressure or stress, Pa.
pub const PRESSURE: Dimension = Dimension([-1, 1, -2, 0, 0, 0, 0]);
/// Electric potential, V.
pub const VOLTAGE: Dimension = Dimension([2, 1, -3, -1, 0, 0, 0]);
/// Entropic coefficient dV/dT, V/K.
pub const VOLTAGE_PER_TEMPERATURE: Dimension = Dimension([2, 1, -3, -1, -1, 0, 0]);
/// Electric resistance, Ohm.
pub const RESISTANCE: Dimension = Dimension([2, 1, -3, -2, 0, 0, 0]);
/// Electric conductivity, S/m.
pub const CONDUCTIVITY: Dimension = Dimension([-3, -1, 3, 2, 0, 0, 0]);
/// Diffusivity, m2/s.
pub const DIFFUSIVITY: Dimension = Dimension([2, 0, -1, 0, 0, 0, 0]);

/// Named dimensions with the unit that messages show for them.
const NAMED: [(Dimension, &str, &str); 27] = [
    (NONE, "a pure number", "1"),
    (LENGTH, "a length", "m"),
    (AREA, "an area", "m2"),
    (VOLUME, "a volume", "m3"),
    (INVERSE_LENGTH, "an inverse length", "1/m"),
    (MASS, "a mass", "kg"),
    (TIME, "a time", "s"),
    (FREQUENCY, "a frequency", "Hz"),
    (CURRENT, "a current", "A"),
    (CURRENT_DENSITY, "a current density", "A/m2"),
    (CHARGE, "a charge", "A.h"),
    (TEMPERATURE, "a temperature", "K"),
    (AMOUNT, "an amount of substance", "mol"),
    (CONCENTRATION, "a concentration", "mol/m3"),
    (ENERGY, "an energy", "J or eV"),
    (MOLAR_ENERGY, "a molar energy", "J/mol"),
    (HEAT_CAPACITY, "a heat capacity", "J/K"),
    (VOLUMETRIC_HEAT_CAPACITY, "a volumetric heat capacity", "J/(m3 K)"),
    (HEAT_TRANSFER, "a heat-transfer coefficient", "W/(m2 K)"),
    (POWER, "a power", "W"),
    (PRESSURE, "a pressure", "Pa"),
    (VOLTAGE, "a voltage", "V"),
    (VOLTAGE_PER_TEMPERATURE, "an entropic coefficient", "V/K"),
    (RESISTANCE, "a resistance", "Ohm"),
    (CONDUCTIVITY, "an electric conductivity", "S/m"),
    (DIFFUSIVITY, "a diffusivity", "m2/s"),
    (Dimension([0, 0, 1, 0, 1, 0, 0]), "a time-temperature product", "s K"),
];

impl Dimension {
    /// Dimension of a product of two quantities; `None` when an exponent leaves the range of `i8`.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        self.combine(other, i8::checked_add)
    }

    /// Dimension of a quotient of two quantities; `None` when an exponent leaves the range of `i8`.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        self.combine(other, i8::checked_sub)
    }

    /// Dimension of the `n`-th power; `None` when an exponent leaves the range of `i8`.
    pub fn checked_pow(self, n: i8) -> Option<Self> {
        let mut out = [0; 7];
        for (o, e) in out.iter_mut().zip(self.0) {
            *o = e.checked_mul(n)?;
        }
        Some(Self(out))
    }

    fn combine(self, other: Self, f: impl Fn(i8, i8) -> Option<i8>) -> Option<Self> {
        let mut out = [0; 7];
        for i in 0..7 {
            out[i] = f(self.0[i], other.0[i])?;
        }
        Some(Self(out))
    }

    /// The word for this dimension ("a diffusivity"), when it has one.
    pub fn name(self) -> Option<&'static str> {
        NAMED.iter().find(|(d, _, _)| *d == self).map(|(_, name, _)| *name)
    }
}

/// The coherent unit: a familiar one when the dimension has a name ("m2/s", "V"), else base units ("kg m-1").
impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, _, unit)) = NAMED.iter().find(|(d, _, _)| d == self) {
            return f.write_str(unit);
        }
        let mut first = true;
        for (symbol, exponent) in BASE_SYMBOLS.iter().zip(self.0) {
            if exponent == 0 {
                continue;
            }
            if !first {
                f.write_str(" ")?;
            }
            first = false;
            f.write_str(symbol)?;
            if exponent != 1 {
                write!(f, "{exponent}")?;
            }
        }
        Ok(())
    }
}
