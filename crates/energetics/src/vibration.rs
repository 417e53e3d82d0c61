//! Harmonic vibrations and electrons: free energies at finite temperature, and what they add to a voltage.
//!
//! For modes of frequency nu with density g(nu), x = h nu/kT,
//!
//! F = int g [h nu/2 + kT ln(1 - e^-x)], S = int g k [x/(e^x - 1) - ln(1 - e^-x)], C_V = int g k x^2 e^x/(e^x - 1)^2
//!
//! (M. T. Dove, Introduction to Lattice Dynamics, Cambridge 1993, chapter 5). Energies in eV, entropies and heat capacities in eV/K, frequencies in THz.

use crate::error::EnergeticsError;
use scalade_units::constants::{BOLTZMANN_EV, ELEMENTARY_CHARGE, PLANCK};
use serde::{Deserialize, Serialize};

/// h times a terahertz, eV.
pub const TERAHERTZ_EV: f64 = PLANCK * 1e12 / ELEMENTARY_CHARGE;
/// Share of modes with imaginary frequency (tabled as negative) above which a density of states is refused: the structure is not at a minimum.
const IMAGINARY_LIMIT: f64 = 0.01;
/// Deviation of the number of modes from 3N above which a density of states is refused.
const MODES_LIMIT: f64 = 0.05;
/// Modes below this frequency are acoustic ones at the zone centre, THz: translations, not vibrations.
const LOWEST_TERAHERTZ: f64 = 1e-3;

/// Thermal functions at one temperature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Thermal {
    /// Temperature, K.
    pub temperature_k: f64,
    /// Zero-point energy, eV.
    pub zero_point_ev: f64,
    /// Helmholtz free energy, zero point included, eV.
    pub free_energy_ev: f64,
    /// Entropy, eV/K.
    pub entropy_ev_k: f64,
    /// Heat capacity at constant volume, eV/K.
    pub heat_capacity_ev_k: f64,
}

impl Thermal {
    /// This many times as much.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self {
            temperature_k: self.temperature_k,
            zero_point_ev: self.zero_point_ev * factor,
            free_energy_ev: self.free_energy_ev * factor,
            entropy_ev_k: self.entropy_ev_k * factor,
            heat_capacity_ev_k: self.heat_capacity_ev_k * factor,
        }
    }

    fn add(&mut self, share: f64, mode: Self) {
        self.zero_point_ev += share * mode.zero_point_ev;
        self.free_energy_ev += share * mode.free_energy_ev;
        self.entropy_ev_k += share * mode.entropy_ev_k;
        self.heat_capacity_ev_k += share * mode.heat_capacity_ev_k;
    }
}

pub(crate) fn check_temperature(temperature_k: f64) -> Result<(), EnergeticsError> {
    if (0.0..=1e5).contains(&temperature_k) {
        return Ok(());
    }
    Err(EnergeticsError::Vibration {
        what: "the temperature (K)",
        value: temperature_k,
        want: "0 to 100000 K is due",
    })
}

/// One harmonic oscillator of energy quantum `quantum_ev` > 0: an Einstein mode.
fn oscillator(quantum_ev: f64, temperature_k: f64) -> Thermal {
    let kt = BOLTZMANN_EV * temperature_k;
    let zero_point_ev = 0.5 * quantum_ev;
    let x = quantum_ev / kt;
    if temperature_k == 0.0 || x > 700.0 {
        return Thermal { temperature_k, zero_point_ev, free_energy_ev: zero_point_ev, ..Thermal::default() };
    }
    let log = (-(-x).exp_m1()).ln();
    let occupation = 1.0 / x.exp_m1();
    let half = 0.5 * x;
    Thermal {
        temperature_k,
        zero_point_ev,
        free_energy_ev: zero_point_ev + kt * log,
        entropy_ev_k: BOLTZMANN_EV * (x * occupation - log),
        heat_capacity_ev_k: BOLTZMANN_EV * (half / half.sinh()).powi(2),
    }
}

/// Einstein's model: `modes` oscillators of one quantum (A. Einstein, Ann. Phys. 327, 180 (1907)).
///
/// ```
/// let one = scalade_energetics::vibration::einstein(0.025, 1.0, 300.0)?;
/// assert!((one.free_energy_ev - 1.3324520e-4).abs() < 1e-10);
/// # Ok::<(), scalade_energetics::EnergeticsError>(())
/// ```
pub fn einstein(quantum_ev: f64, modes: f64, temperature_k: f64) -> Result<Thermal, EnergeticsError> {
    check_temperature(temperature_k)?;
    if !(quantum_ev > 0.0 && quantum_ev < 10.0) {
        let want = "a quantum above 0 and below 10 eV is due";
        return Err(EnergeticsError::Vibration { what: "the quantum (eV)", value: quantum_ev, want });
    }
    Ok(oscillator(quantum_ev, temperature_k).times(modes))
}

/// Debye's model: `modes` modes with density 3 nu^2/nu_D^3 up to h nu_D = k theta (P. Debye, Ann. Phys. 344, 789 (1912)).
pub fn debye(theta_k: f64, modes: f64, temperature_k: f64) -> Result<Thermal, EnergeticsError> {
    check_temperature(temperature_k)?;
    if !(theta_k > 0.0 && theta_k < 1e5) {
        let want = "a Debye temperature above 0 and below 100000 K is due";
        return Err(EnergeticsError::Vibration { what: "the Debye temperature (K)", value: theta_k, want });
    }
    // y = (nu/nu_D)^(1/2) smooths the logarithm at zero: 3 nu^2 dnu = 6 y^5 dy. Gauss's rule on panels.
    let mut sum = Thermal { temperature_k, ..Thermal::default() };
    const PANELS: usize = 64;
    for panel in 0..PANELS {
        for (node, weight) in GAUSS_5 {
            let y = (panel as f64 + 0.5 * (1.0 + node)) / PANELS as f64;
            let mode = oscillator(BOLTZMANN_EV * theta_k * y * y, temperature_k);
            sum.add(0.5 * weight / PANELS as f64 * 6.0 * y.powi(5), mode);
        }
    }
    Ok(sum.times(modes))
}

/// Nodes and weights of Gauss's rule with five points on [-1, 1].
const GAUSS_5: [(f64, f64); 5] = [
    (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.0, 0.568_888_888_888_888_9),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.906_179_845_938_664, 0.236_926_885_056_189_1),
];

/// A phonon density of states of a cell, scaled to 3N modes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhononDos {
    frequency_thz: Vec<f64>,
    /// Modes at each frequency.
    modes: Vec<f64>,
    /// Modes in the table over 3N, before scaling.
    pub mode_ratio: f64,
    /// Share of modes with imaginary frequency, left out.
    pub imaginary_share: f64,
}

impl PhononDos {
    /// From frequencies (increasing, imaginary ones negative) and states per THz and cell of `atoms` atoms. Every frequency stands for the
    /// interval half-way to its neighbours.
    pub fn new(frequency_thz: &[f64], density: &[f64], atoms: usize) -> Result<Self, EnergeticsError> {
        let refuse = |what, value, want| Err(EnergeticsError::Vibration { what, value, want });
        let n = frequency_thz.len();
        if n < 2 || density.len() != n || n > 1 << 24 {
            let want = "two frequencies at least and a density for each are due";
            return refuse("the number of frequencies", n as f64, want);
        }
        if atoms == 0 {
            return refuse("the number of atoms", 0.0, "the atoms of the cell are due");
        }
        if let Some(bad) = frequency_thz.iter().find(|f| !(-1e4..1e4).contains(*f)) {
            return refuse(
                "a frequency (THz)",
                *bad,
                "below 10000 THz is due; are these wavenumbers or meV?",
            );
        }
        if let Some(pair) = frequency_thz.windows(2).find(|pair| pair[1] <= pair[0]) {
            return refuse("a frequency (THz)", pair[1], "frequencies must rise");
        }
        if let Some(bad) = density.iter().find(|d| !(d.is_finite() && **d >= -1e-9)) {
            return refuse("a density of states (1/THz)", *bad, "a finite number >= 0 is due");
        }
        let width = |i: usize| {
            let left = if i > 0 {
                frequency_thz[i] - frequency_thz[i - 1]
            } else {
                frequency_thz[1] - frequency_thz[0]
            };
            let right = if i + 1 < n { frequency_thz[i + 1] - frequency_thz[i] } else { left };
            0.5 * (left + right)
        };
        let modes: Vec<f64> = (0..n).map(|i| density[i].max(0.0) * width(i)).collect();
        let total: f64 = modes.iter().sum();
        let wanted = 3.0 * atoms as f64;
        let mode_ratio = total / wanted;
        if (mode_ratio - 1.0).abs() > MODES_LIMIT || mode_ratio.is_nan() {
            let want =
                "within 5 % of three per atom is due: check the number of atoms and the unit of the density";
            return refuse("the number of modes of the density of states", total, want);
        }
        let imaginary: f64 =
            (0..n).filter(|i| frequency_thz[*i] < -LOWEST_TERAHERTZ).map(|i| modes[i]).sum::<f64>() / total;
        if imaginary > IMAGINARY_LIMIT {
            let want = "1 % at most is accepted: relax the structure further, or follow the soft mode";
            return refuse("the share of imaginary modes", imaginary, want);
        }
        let kept: Vec<usize> = (0..n).filter(|i| frequency_thz[*i] > LOWEST_TERAHERTZ).collect();
        let real: f64 = kept.iter().map(|i| modes[*i]).sum();
        Ok(Self {
            frequency_thz: kept.iter().map(|i| frequency_thz[*i]).collect(),
            modes: kept.iter().map(|i| modes[*i] * wanted / real).collect(),
            mode_ratio,
            imaginary_share: imaginary,
        })
    }

    /// Highest frequency that holds modes, THz.
    pub fn highest_thz(&self) -> f64 {
        let last = self.frequency_thz.iter().zip(&self.modes).rfind(|f| *f.1 > 0.0);
        last.map_or(0.0, |f| *f.0)
    }

    /// Thermal functions of the cell.
    pub fn thermal(&self, temperature_k: f64) -> Result<Thermal, EnergeticsError> {
        check_temperature(temperature_k)?;
        let mut sum = Thermal { temperature_k, ..Thermal::default() };
        for (frequency, modes) in self.frequency_thz.iter().zip(&self.modes) {
            sum.add(*modes, oscillator(TERAHERTZ_EV * frequency, temperature_k));
        }
        Ok(sum)
    }
}

/// Electrons of a metal to second order in temperature, from the density of states at the Fermi level (A. Sommerfeld, Z. Phys. 47, 1 (1928)):
/// F = -(pi^2/6) N(E_F) (kT)^2, S = C_V = (pi^2/3) N(E_F) k^2 T.
pub fn sommerfeld(states_per_ev: f64, temperature_k: f64) -> Result<Thermal, EnergeticsError> {
    check_temperature(temperature_k)?;
    if !(0.0..1e6).contains(&states_per_ev) {
        let want = "a finite number >= 0 is due";
        return Err(EnergeticsError::Vibration {
            what: "states at the Fermi level (1/eV)",
            value: states_per_ev,
            want,
        });
    }
    let kt = BOLTZMANN_EV * temperature_k;
    let third = std::f64::consts::PI.powi(2) / 3.0;
    let entropy_ev_k = third * states_per_ev * kt * BOLTZMANN_EV;
    Ok(Thermal {
        temperature_k,
        zero_point_ev: 0.0,
        free_energy_ev: -0.5 * third * states_per_ev * kt * kt,
        entropy_ev_k,
        heat_capacity_ev_k: entropy_ev_k,
    })
}

/// What thermal motion adds to the average voltage between two compositions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThermalVoltage {
    /// Temperature, K.
    pub temperature_k: f64,
    /// Zero-point part, V.
    pub zero_point_v: f64,
    /// All of it, zero point included, V.
    pub total_v: f64,
    /// Its temperature derivative, V/K: the entropy of insertion per charge.
    pub slope_v_per_k: f64,
}

/// -(F_full - F_empty - dx F_ion)/(dx z e) and +(S_full - S_empty - dx S_ion)/(dx z e), with F and S per host formula unit and, for the
/// reference, per ion, all at one temperature.
pub fn thermal_voltage(
    full: &Thermal,
    empty: &Thermal,
    ion: &Thermal,
    ions: f64,
    valence: u32,
) -> Result<ThermalVoltage, EnergeticsError> {
    let charge = ions * f64::from(valence);
    if !(charge.is_finite() && charge > 0.0) {
        let want = "more ions in the full than in the empty host are due";
        return Err(EnergeticsError::Vibration { what: "the charge inserted", value: charge, want });
    }
    let temperature_k = full.temperature_k;
    for other in [empty, ion] {
        if other.temperature_k != temperature_k {
            let want = "one temperature for all three is due";
            let (what, value) = ("a temperature (K)", other.temperature_k);
            return Err(EnergeticsError::Vibration { what, value, want });
        }
    }
    let change = |get: fn(&Thermal) -> f64| (get(full) - get(empty) - ions * get(ion)) / charge;
    Ok(ThermalVoltage {
        temperature_k,
        zero_point_v: -change(|t| t.zero_point_ev),
        total_v: -change(|t| t.free_energy_ev),
        slope_v_per_k: change(|t| t.entropy_ev_k),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J/mol/K in eV/K.
    const MOLAR: f64 = 1.0 / 96_485.332_123_310_02;

    #[test]
    fn l17_harmonic_references() {
        let one = einstein(0.025, 1.0, 300.0).unwrap();
        assert!((one.free_energy_ev - 1.3324520e-4).abs() < 1e-11, "{one:?}");
        assert!((one.entropy_ev_k - 9.2342367e-5).abs() < 1e-12);
        assert!((one.heat_capacity_ev_k - 7.9760483e-5).abs() < 1e-12);
        let solid = debye(344.0, 3.0, 298.15).unwrap();
        assert!((solid.free_energy_ev - -0.012_121_827_0).abs() < 1e-10, "{solid:?}");
        assert!((solid.entropy_ev_k / MOLAR - 30.500_740_6).abs() < 1e-6);
        assert!((solid.heat_capacity_ev_k / MOLAR - 23.358_950_6).abs() < 1e-6);
        // 9/8 k theta.
        assert!((solid.zero_point_ev - 1.125 * BOLTZMANN_EV * 344.0).abs() < 1e-14);
    }

    #[test]
    fn laws_at_the_ends() {
        let cold = debye(400.0, 3.0, 4.0).unwrap();
        // Debye's T^3 law: 12 pi^4/5 k (T/theta)^3.
        let cubic = 2.4 * std::f64::consts::PI.powi(4) * BOLTZMANN_EV * 1e-6;
        assert!((cold.heat_capacity_ev_k / cubic - 1.0).abs() < 1e-6, "{cold:?}");
        let zero = debye(400.0, 3.0, 0.0).unwrap();
        assert!(zero.entropy_ev_k == 0.0 && zero.free_energy_ev == zero.zero_point_ev);
        let hot = debye(400.0, 3.0, 40_000.0).unwrap();
        assert!((hot.heat_capacity_ev_k / (3.0 * BOLTZMANN_EV) - 1.0).abs() < 1e-5);
        for t in [30.0, 300.0] {
            // S = -dF/dT and C = T dS/dT.
            let h = 1e-3 * t;
            let [a, b, c] = [t - h, t, t + h].map(|t| debye(400.0, 3.0, t).unwrap());
            assert!((-(c.free_energy_ev - a.free_energy_ev) / (2.0 * h) / b.entropy_ev_k - 1.0).abs() < 1e-5);
            let slope = (c.entropy_ev_k - a.entropy_ev_k) / (2.0 * h);
            assert!((t * slope / b.heat_capacity_ev_k - 1.0).abs() < 1e-5);
        }
        let metal = sommerfeld(2.0, 300.0).unwrap();
        assert!((metal.free_energy_ev + 0.5 * 300.0 * metal.entropy_ev_k).abs() < 1e-15);
    }

    fn debye_table(theta_k: f64, points: usize, factor: f64) -> (Vec<f64>, Vec<f64>) {
        let top = BOLTZMANN_EV * theta_k / TERAHERTZ_EV;
        let nu: Vec<f64> = (0..points).map(|i| top * (i as f64 + 0.5) / points as f64).collect();
        let density = nu.iter().map(|f| factor * 9.0 * f * f / top.powi(3)).collect();
        (nu, density)
    }

    #[test]
    fn a_table_of_debye_modes_is_the_debye_solid() {
        let (nu, density) = debye_table(344.0, 2000, 1.0);
        let table = PhononDos::new(&nu, &density, 1).unwrap();
        for t in [0.0, 50.0, 298.15] {
            let (got, expected) = (table.thermal(t).unwrap(), debye(344.0, 3.0, t).unwrap());
            assert!((got.free_energy_ev - expected.free_energy_ev).abs() < 1e-8, "{t}");
            assert!((got.entropy_ev_k - expected.entropy_ev_k).abs() < 1e-10);
        }
        assert!((table.mode_ratio - 1.0).abs() < 1e-6 && table.imaginary_share == 0.0);
    }

    #[test]
    fn tables_that_cannot_be_are_refused() {
        let (nu, density) = debye_table(344.0, 200, 1.0);
        assert!(PhononDos::new(&nu, &density, 2).is_err(), "atoms");
        assert!(PhononDos::new(&nu, &density[1..], 1).is_err(), "lengths");
        assert!(PhononDos::new(&[1.0], &[3.0], 1).is_err(), "one point");
        assert!(PhononDos::new(&nu, &density, 0).is_err(), "no atoms");
        let shifted: Vec<f64> = nu.iter().map(|f| f - 2.0).collect();
        assert!(PhononDos::new(&shifted, &density, 1).is_err(), "imaginary");
        let mut wrong = density.clone();
        wrong[7] = f64::NAN;
        assert!(PhononDos::new(&nu, &wrong, 1).is_err(), "NaN");
        let mut order = nu.clone();
        order.swap(3, 4);
        assert!(PhononDos::new(&order, &density, 1).is_err(), "order");
        assert!(einstein(0.0, 1.0, 300.0).is_err() && debye(f64::NAN, 3.0, 300.0).is_err());
        assert!(einstein(0.1, 1.0, -1.0).is_err() && sommerfeld(f64::INFINITY, 1.0).is_err());
    }

    #[test]
    fn slope_of_the_voltage_is_its_derivative() {
        let at = |t: f64| {
            let thermal = |theta: f64, atoms: f64| debye(theta, 3.0 * atoms, t).unwrap();
            thermal_voltage(&thermal(420.0, 4.0), &thermal(500.0, 3.0), &thermal(344.0, 1.0), 1.0, 1).unwrap()
        };
        let h = 0.05;
        let slope = (at(300.0 + h).total_v - at(300.0 - h).total_v) / (2.0 * h);
        assert!((slope - at(300.0).slope_v_per_k).abs() < 1e-10);
        assert!((at(0.0).total_v - at(0.0).zero_point_v).abs() < 1e-15);
        let one = debye(300.0, 3.0, 300.0).unwrap();
        assert!(thermal_voltage(&one, &one, &one, 0.0, 1).is_err());
        let other = debye(300.0, 3.0, 301.0).unwrap();
        assert!(thermal_voltage(&one, &other, &one, 1.0, 1).is_err());
    }
}
