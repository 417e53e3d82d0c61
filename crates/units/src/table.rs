//! The units that strings may use, with their exact factors to SI base units.

use crate::constants::{AVOGADRO, ELEMENTARY_CHARGE};
use crate::dimension::{self as d, Dimension};

/// A unit symbol with its dimension and factor: value in SI = factor x value in this unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// Symbol as written in strings, without prefix.
    pub symbol: &'static str,
    /// Dimension.
    pub dimension: Dimension,
    /// Factor to SI base units, split as `mantissa * 10^exponent` so that decimal factors stay exact.
    pub mantissa: f64,
    /// Decimal exponent of the factor.
    pub exponent: i32,
    /// Whether SI prefixes may stand before the symbol.
    pub prefixable: bool,
}

const fn unit(
    symbol: &'static str,
    dimension: Dimension,
    mantissa: f64,
    exponent: i32,
    prefixable: bool,
) -> Unit {
    Unit { symbol, dimension, mantissa, exponent, prefixable }
}

const UNITS: [Unit; 38] = [
    unit("m", d::LENGTH, 1.0, 0, true),
    unit("g", d::MASS, 1.0, -3, true),
    unit("s", d::TIME, 1.0, 0, true),
    unit("A", d::CURRENT, 1.0, 0, true),
    unit("K", d::TEMPERATURE, 1.0, 0, true),
    unit("mol", d::AMOUNT, 1.0, 0, true),
    unit("cd", Dimension([0, 0, 0, 0, 0, 0, 1]), 1.0, 0, true),
    unit("Hz", d::FREQUENCY, 1.0, 0, true),
    unit("N", Dimension([1, 1, -2, 0, 0, 0, 0]), 1.0, 0, true),
    unit("Pa", d::PRESSURE, 1.0, 0, true),
    unit("J", d::ENERGY, 1.0, 0, true),
    unit("W", d::POWER, 1.0, 0, true),
    unit("C", d::CHARGE, 1.0, 0, true),
    unit("V", d::VOLTAGE, 1.0, 0, true),
    unit("F", Dimension([-2, -1, 4, 2, 0, 0, 0]), 1.0, 0, true),
    unit("S", Dimension([-2, -1, 3, 2, 0, 0, 0]), 1.0, 0, true),
    unit("Ohm", d::RESISTANCE, 1.0, 0, true),
    unit("ohm", d::RESISTANCE, 1.0, 0, true),
    unit("Ω", d::RESISTANCE, 1.0, 0, true),
    unit("T", Dimension([0, 1, -2, -1, 0, 0, 0]), 1.0, 0, true),
    unit("L", d::VOLUME, 1.0, -3, true),
    unit("l", d::VOLUME, 1.0, -3, true),
    unit("eV", d::ENERGY, ELEMENTARY_CHARGE, 0, true),
    unit("angstrom", d::LENGTH, 1.0, -10, false),
    unit("Angstrom", d::LENGTH, 1.0, -10, false),
    unit("Å", d::LENGTH, 1.0, -10, false),
    // The Bohr radius and the Hartree energy, CODATA 2022.
    unit("bohr", d::LENGTH, 5.291_772_105_44, -11, false),
    unit("Ha", d::ENERGY, 4.359_744_722_206_0, -18, false),
    unit("bar", d::PRESSURE, 1.0, 5, true),
    unit("min", d::TIME, 60.0, 0, false),
    unit("h", d::TIME, 3600.0, 0, false),
    unit("day", d::TIME, 86_400.0, 0, false),
    unit("cal", d::ENERGY, 4.184, 0, true),
    unit("M", d::CONCENTRATION, 1.0, 3, true),
    unit("%", d::NONE, 1.0, -2, false),
    unit("atom", d::AMOUNT, 1.0 / AVOGADRO, 0, false),
    unit("rad", d::NONE, 1.0, 0, false),
    unit("1", d::NONE, 1.0, 0, false),
];

const PREFIXES: [(&str, i32); 16] = [
    ("da", 1),
    ("q", -30),
    ("f", -15),
    ("p", -12),
    ("n", -9),
    ("u", -6),
    ("µ", -6),
    ("μ", -6),
    ("m", -3),
    ("c", -2),
    ("d", -1),
    ("h", 2),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
];

/// All unit symbols (without prefixes), in a fixed order.
pub fn units() -> &'static [Unit] {
    &UNITS
}

/// Finds a symbol, with or without an SI prefix: the exact symbol wins over a prefixed one
/// ("min" is minutes, "cd" the candela, "Pa" the pascal). Returns the unit and the prefix's decimal exponent.
pub fn find_unit(symbol: &str) -> Option<(&'static Unit, i32)> {
    if let Some(unit) = UNITS.iter().find(|u| u.symbol == symbol) {
        return Some((unit, 0));
    }
    PREFIXES.iter().find_map(|(prefix, exponent)| {
        let rest = symbol.strip_prefix(prefix)?;
        UNITS.iter().find(|u| u.prefixable && u.symbol == rest).map(|u| (u, *exponent))
    })
}

/// A few accepted spellings for a dimension, for messages and documentation.
pub fn accepted_units(dimension: Dimension) -> &'static str {
    match dimension {
        d::LENGTH => "m, cm, mm, um, nm, angstrom, bohr",
        d::AREA => "m2, cm2, um2",
        d::VOLUME => "m3, cm3, L, mL",
        d::TIME => "s, ms, min, h, day",
        d::CURRENT => "A, mA",
        d::CURRENT_DENSITY => "A/m2, mA/cm2",
        d::CHARGE => "A.h, mA.h, C",
        d::TEMPERATURE => "K (absolute)",
        d::CONCENTRATION => "mol/m3, mol/L, M",
        d::ENERGY => "eV, meV, J, kJ",
        d::MOLAR_ENERGY => "J/mol, kJ/mol, eV/atom",
        d::VOLTAGE => "V, mV",
        d::VOLTAGE_PER_TEMPERATURE => "V/K, mV/K, uV/K",
        d::RESISTANCE => "Ohm, mOhm",
        d::CONDUCTIVITY => "S/m, S/cm, mS/cm",
        d::DIFFUSIVITY => "m2/s, cm2/s",
        d::FREQUENCY => "Hz, THz, 1/s",
        d::PRESSURE => "Pa, MPa, GPa, bar",
        d::MASS => "kg, g, mg",
        d::POWER => "W, mW",
        d::HEAT_TRANSFER => "W/(m2 K)",
        d::VOLUMETRIC_HEAT_CAPACITY => "J/(m3 K)",
        d::INVERSE_LENGTH => "1/m, 1/um",
        d::NONE => "a bare number, %",
        _ => "SI base units, e.g. kg m2 s-3 A-1",
    }
}
