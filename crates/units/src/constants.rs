//! Physical constants: CODATA 2022 (P. J. Mohr, D. B. Newell, B. N. Taylor, E. Tiesinga,
//! "CODATA recommended values of the fundamental physical constants: 2022", Rev. Mod. Phys. 97, 025002 (2025)).
//!
//! The first six are exact by the 2019 definition of the SI; the others are derived from them exactly.

/// The year of the CODATA adjustment these values belong to; printed beside every result.
pub const CODATA_YEAR: u16 = 2022;
/// Elementary charge e, C (exact).
pub const ELEMENTARY_CHARGE: f64 = 1.602_176_634e-19;
/// Boltzmann constant k, J/K (exact).
pub const BOLTZMANN: f64 = 1.380_649e-23;
/// Avogadro constant N_A, 1/mol (exact).
pub const AVOGADRO: f64 = 6.022_140_76e23;
/// Planck constant h, J s (exact).
pub const PLANCK: f64 = 6.626_070_15e-34;
/// Speed of light in vacuum c, m/s (exact).
pub const SPEED_OF_LIGHT: f64 = 299_792_458.0;
/// Molar gas constant R = k N_A, J/(mol K) (exact).
pub const GAS_CONSTANT: f64 = 8.314_462_618_153_24;
/// Faraday constant F = e N_A, C/mol (exact).
pub const FARADAY: f64 = 96_485.332_123_310_02;
/// Boltzmann constant in electronvolts k/e, eV/K (exact).
pub const BOLTZMANN_EV: f64 = 8.617_333_262_145_179e-5;
/// Standard atmosphere, Pa (exact).
pub const STANDARD_ATMOSPHERE: f64 = 101_325.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_constants_follow_from_the_defining_ones() {
        assert!((GAS_CONSTANT / (BOLTZMANN * AVOGADRO) - 1.0).abs() < 1e-15);
        assert!((FARADAY / (ELEMENTARY_CHARGE * AVOGADRO) - 1.0).abs() < 1e-15);
        assert!((BOLTZMANN_EV / (BOLTZMANN / ELEMENTARY_CHARGE) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn l18_thermal_voltage_at_298_15_k() {
        assert!((BOLTZMANN_EV * 298.15 - 0.025_692_579_1).abs() < 1e-10);
    }
}
