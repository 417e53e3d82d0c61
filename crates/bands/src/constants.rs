//! Constants of electrons that `scalade-units` does not hold: CODATA 2022
//! (P. J. Mohr, D. B. Newell, B. N. Taylor, E. Tiesinga, Rev. Mod. Phys. 97, 025002 (2025)).

use scalade_units::constants::PLANCK;

/// Electron mass m_e, kg.
pub const ELECTRON_MASS: f64 = 9.109_383_713_9e-31;
/// Reduced Planck constant h / 2 pi, J s (exact up to rounding).
pub const REDUCED_PLANCK: f64 = PLANCK / (2.0 * std::f64::consts::PI);
/// Bohr radius, angstrom.
pub const BOHR_ANGSTROM: f64 = 0.529_177_210_544;
/// Hartree energy, eV.
pub const HARTREE_EV: f64 = 27.211_386_245_981;
/// One angstrom, m.
pub const ANGSTROM: f64 = 1e-10;
