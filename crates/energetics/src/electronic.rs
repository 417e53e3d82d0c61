//! Electrons at finite temperature from a density of states at fixed occupation of the bands.
//!
//! With f = 1/(e^((E - mu)/kT) + 1), energies from the Fermi level at 0 K and theta the step of the occupied states,
//!
//! int g (f - theta) dE = 0 gives mu(T), S = -k int g [f ln f + (1 - f) ln(1 - f)] dE, F = int g E (f - theta) dE - T S,
//!
//! C_V = k [I_2 - I_1^2/I_0] with I_n = int g ((E - mu)/kT)^n f (1 - f) dE (N. D. Mermin, Phys. Rev. 137, A1441 (1965)).
//! The density itself does not change with temperature. For one that is constant it is Sommerfeld's result exactly ([`crate::vibration::sommerfeld`]).

use crate::error::EnergeticsError;
use crate::vibration::{Thermal, check_temperature};
use scalade_units::constants::BOLTZMANN_EV;
use serde::{Deserialize, Serialize};

/// Energies further than this from the chemical potential, in kT, hold no thermal electrons: e^-40 of a state.
const REACH: f64 = 40.0;
/// Energies within this of the Fermi level must be in the table, in kT.
const COVERED: f64 = 25.0;
/// Longest step of the quadrature, in kT.
const STEP: f64 = 0.25;
/// Nodes and weights of Gauss's rule of four points on [0, 1].
const RULE: [(f64, f64); 4] = [
    (0.069_431_844_202_973_7, 0.173_927_422_568_726_9),
    (0.330_009_478_207_571_9, 0.326_072_577_431_273_1),
    (0.669_990_521_792_428_1, 0.326_072_577_431_273_1),
    (0.930_568_155_797_026_3, 0.173_927_422_568_726_9),
];

/// A density of electronic states, linear between its points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElectronicDos {
    /// Energies from the Fermi level at 0 K, eV.
    energy_ev: Vec<f64>,
    /// States per eV and cell, both spins.
    density: Vec<f64>,
}

fn refuse<T>(what: &'static str, value: f64, want: &'static str) -> Result<T, EnergeticsError> {
    Err(EnergeticsError::Vibration { what, value, want })
}

impl ElectronicDos {
    /// From energies (rising, eV, counted from the Fermi level at 0 K) and states per eV and cell (both spins together).
    ///
    /// Errors: fewer than two points, lengths that differ, numbers that are not finite, densities below zero, energies that do not rise or lie all
    /// on one side of the Fermi level.
    pub fn new(energy_ev: &[f64], density: &[f64]) -> Result<Self, EnergeticsError> {
        let n = energy_ev.len();
        if n < 2 || density.len() != n || n > 1 << 24 {
            return refuse("the number of energies", n as f64, "two at least and a density for each are due");
        }
        if let Some(bad) = energy_ev.iter().find(|e| !(-1e5..1e5).contains(*e)) {
            return refuse("an energy (eV)", *bad, "a number within 100000 eV of the Fermi level is due");
        }
        if let Some(pair) = energy_ev.windows(2).find(|pair| pair[1] <= pair[0]) {
            return refuse("an energy (eV)", pair[1], "energies must rise");
        }
        if let Some(bad) = density.iter().find(|d| !((-1e-9..1e9).contains(*d))) {
            return refuse("a density of electronic states (1/eV)", *bad, "a finite number >= 0 is due");
        }
        let (first, last) = (energy_ev[0], energy_ev[n - 1]);
        if first >= 0.0 || last <= 0.0 {
            let value = if first >= 0.0 { first } else { last };
            let want = "energies on both sides of the Fermi level (0) are due: count them from it";
            return refuse("the end of the table of energies (eV)", value, want);
        }
        let density = density.iter().map(|d| d.max(0.0)).collect();
        Ok(Self { energy_ev: energy_ev.to_vec(), density })
    }

    /// States per eV at the Fermi level.
    pub fn at_fermi_level(&self) -> f64 {
        let right = self.energy_ev.partition_point(|e| *e <= 0.0).clamp(1, self.energy_ev.len() - 1);
        self.density_in(right - 1, 0.0)
    }

    fn density_in(&self, segment: usize, energy: f64) -> f64 {
        let (a, b) = (self.energy_ev[segment], self.energy_ev[segment + 1]);
        let share = (energy - a) / (b - a);
        self.density[segment] * (1.0 - share) + self.density[segment + 1] * share
    }

    /// int g(E) w(E) dE over the energies within the reach of mu or between it and the Fermi level; w may have a step at 0.
    fn integrate<const N: usize>(&self, mu: f64, kt: f64, of: impl Fn(f64) -> [f64; N]) -> [f64; N] {
        let (low, high) = (mu.min(0.0) - REACH * kt, mu.max(0.0) + REACH * kt);
        let mut sums = [0.0; N];
        let first = self.energy_ev.partition_point(|e| *e <= low).saturating_sub(1);
        for segment in first..self.energy_ev.len() - 1 {
            let (a, b) = (self.energy_ev[segment].max(low), self.energy_ev[segment + 1].min(high));
            if a >= high {
                break;
            }
            let parts = if a < 0.0 && b > 0.0 { vec![(a, 0.0), (0.0, b)] } else { vec![(a, b)] };
            for (from, to) in parts.into_iter().filter(|p| p.1 > p.0) {
                let steps = ((to - from) / (STEP * kt)).ceil().max(1.0);
                let width = (to - from) / steps;
                for step in 0..steps as usize {
                    for (node, weight) in RULE {
                        let energy = from + width * (step as f64 + node);
                        let share = weight * width * self.density_in(segment, energy);
                        sums.iter_mut().zip(of(energy)).for_each(|(sum, w)| *sum += share * w);
                    }
                }
            }
        }
        sums
    }

    /// Electrons above what the bands hold at 0 K.
    fn excess(&self, mu: f64, kt: f64) -> f64 {
        self.integrate(mu, kt, |e| [occupation_change(e, mu, kt)])[0]
    }

    /// The chemical potential at which the bands hold as many electrons as at 0 K, eV from the Fermi level there.
    ///
    /// Errors: a temperature outside 0 to 100000 K, and a table that ends within 25 kT of the Fermi level.
    pub fn chemical_potential_ev(&self, temperature_k: f64) -> Result<f64, EnergeticsError> {
        check_temperature(temperature_k)?;
        let kt = BOLTZMANN_EV * temperature_k;
        if temperature_k == 0.0 {
            return Ok(0.0);
        }
        let (mut low, mut high) = (self.energy_ev[0], self.energy_ev[self.energy_ev.len() - 1]);
        if -low < COVERED * kt || high < COVERED * kt {
            let value = if -low < high { low } else { high };
            let want = "energies to 25 kT on both sides of the Fermi level are due: extend the table or lower the temperature";
            return refuse("the end of the table of energies (eV)", value, want);
        }
        // Within a gap at low temperature nothing changes: any potential there will do, the Fermi level above all.
        if self.excess(0.0, kt) == 0.0 {
            return Ok(0.0);
        }
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if self.excess(middle, kt) < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
            if high - low <= 1e-13 * kt.max(high.abs()) {
                break;
            }
        }
        Ok(0.5 * (low + high))
    }

    /// Thermal functions of the cell's electrons, their energy at 0 K left out.
    ///
    /// Errors: as [`Self::chemical_potential_ev`].
    pub fn thermal(&self, temperature_k: f64) -> Result<Thermal, EnergeticsError> {
        let mu = self.chemical_potential_ev(temperature_k)?;
        if temperature_k == 0.0 {
            return Ok(Thermal { temperature_k, ..Thermal::default() });
        }
        let kt = BOLTZMANN_EV * temperature_k;
        let [energy, entropy, i0, i1, i2] = self.integrate(mu, kt, |e| {
            let x = (e - mu) / kt;
            let f = 1.0 / (x.abs().exp() + 1.0);
            // The same on both sides of mu, without loss of digits: f is the smaller of f and 1 - f.
            let mixing = f * x.abs() + (-x.abs()).exp().ln_1p();
            let both = f * (1.0 - f);
            [e * occupation_change(e, mu, kt), mixing, both, x * both, x * x * both]
        });
        let entropy_ev_k = BOLTZMANN_EV * entropy;
        let moved = if i0 > 0.0 { i1 * i1 / i0 } else { 0.0 };
        Ok(Thermal {
            temperature_k,
            zero_point_ev: 0.0,
            free_energy_ev: energy - temperature_k * entropy_ev_k,
            entropy_ev_k,
            heat_capacity_ev_k: BOLTZMANN_EV * (i2 - moved).max(0.0),
        })
    }
}

/// f - theta.
fn occupation_change(energy: f64, mu: f64, kt: f64) -> f64 {
    let x = (energy - mu) / kt;
    if energy < 0.0 { -1.0 / ((-x).exp() + 1.0) } else { 1.0 / (x.exp() + 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vibration::sommerfeld;

    fn close(what: &str, got: f64, want: f64, relative: f64) {
        assert!((got - want).abs() <= relative * want.abs(), "{what}: {got:e} against {want:e}");
    }

    #[test]
    fn a_constant_density_is_sommerfelds_metal() {
        let metal = ElectronicDos::new(&[-8.0, -1.0, 0.3, 5.0], &[2.5; 4]).unwrap();
        for t in [0.0, 20.0, 300.0, 2000.0] {
            let (got, want) = (metal.thermal(t).unwrap(), sommerfeld(2.5, t).unwrap());
            close("F", got.free_energy_ev, want.free_energy_ev, 1e-10);
            close("S", got.entropy_ev_k, want.entropy_ev_k, 1e-10);
            close("C", got.heat_capacity_ev_k, want.heat_capacity_ev_k, 1e-9);
            assert!(metal.chemical_potential_ev(t).unwrap().abs() < 1e-12);
        }
        assert_eq!(metal.at_fermi_level(), 2.5);
    }

    #[test]
    fn a_slope_moves_the_chemical_potential_and_adds_no_second_order() {
        // g = 2 + 0.8 E: mu = -(pi^2/6) (kT)^2 g'/g to second order, and F, S follow the density at the Fermi level.
        let energies = [-2.0, 0.0, 2.0];
        let metal = ElectronicDos::new(&energies, &energies.map(|e| 2.0 + 0.8 * e)).unwrap();
        let t = 100.0;
        let kt = BOLTZMANN_EV * t;
        let mu = -std::f64::consts::PI.powi(2) / 6.0 * kt * kt * 0.4;
        close("mu", metal.chemical_potential_ev(t).unwrap(), mu, 1e-4);
        close(
            "F",
            metal.thermal(t).unwrap().free_energy_ev,
            sommerfeld(2.0, t).unwrap().free_energy_ev,
            1e-4,
        );
    }

    #[test]
    fn two_narrow_levels_have_the_entropy_of_their_occupation() {
        // A level of one state below and one of three above the Fermi level: f_1 + 3 f_2 = 1 exactly.
        let (d, w) = (0.05, 1e-6);
        let at = |e: f64, states: f64| [(e - w, 0.0), (e, states / w), (e + w, 0.0)];
        let points =
            [vec![(-3.0, 0.0)], at(-d, 1.0).to_vec(), at(d, 3.0).to_vec(), vec![(3.0, 0.0)]].concat();
        let (energy, density): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
        let levels = ElectronicDos::new(&energy, &density).unwrap();
        let t = 400.0;
        let kt = BOLTZMANN_EV * t;
        let f = |e: f64, mu: f64| 1.0 / (((e - mu) / kt).exp() + 1.0);
        let (mut low, mut high) = (-1.0, 1.0);
        for _ in 0..200 {
            let mu = 0.5 * (low + high);
            if f(-d, mu) + 3.0 * f(d, mu) < 1.0 { low = mu } else { high = mu }
        }
        let mixing = |f: f64| -(f * f.ln() + (1.0 - f) * (1.0 - f).ln());
        let (f1, f2) = (f(-d, low), f(d, low));
        let entropy = BOLTZMANN_EV * (mixing(f1) + 3.0 * mixing(f2));
        let got = levels.thermal(t).unwrap();
        close("mu", levels.chemical_potential_ev(t).unwrap(), low, 1e-7);
        close("S", got.entropy_ev_k, entropy, 1e-7);
        close("F", got.free_energy_ev, d * (3.0 * f2 - (f1 - 1.0)) - t * entropy, 1e-7);
        // A gap: nothing at low temperature.
        let cold = levels.thermal(2.0).unwrap();
        assert!(cold.entropy_ev_k.abs() < 1e-60 && cold.free_energy_ev.abs() < 1e-60, "{cold:?}");
    }

    #[test]
    fn entropy_and_heat_capacity_are_derivatives_and_half_filled_polarons_have_k_ln_2() {
        let energy: Vec<f64> = (0..=400).map(|i| -2.0 + 0.01 * f64::from(i)).collect();
        let density: Vec<f64> =
            energy.iter().map(|e| (e - 0.13).powi(2) + 0.1 * (7.0 * e).sin().abs()).collect();
        let dos = ElectronicDos::new(&energy, &density).unwrap();
        for t in [80.0, 300.0, 600.0] {
            let h = 1e-3 * t;
            let [a, b, c] = [t - h, t, t + h].map(|t| dos.thermal(t).unwrap());
            close("S", -(c.free_energy_ev - a.free_energy_ev) / (2.0 * h), b.entropy_ev_k, 1e-5);
            close("C", t * (c.entropy_ev_k - a.entropy_ev_k) / (2.0 * h), b.heat_capacity_ev_k, 1e-5);
        }
        // One narrow state half filled (its other half below the Fermi level): ln 2 at any temperature above its width.
        let w = 1e-6;
        let narrow = ElectronicDos::new(&[-3.0, -w, 0.0, w, 3.0], &[0.0, 0.0, 1.0 / w, 0.0, 0.0]).unwrap();
        close(
            "ln 2",
            narrow.thermal(300.0).unwrap().entropy_ev_k / BOLTZMANN_EV,
            std::f64::consts::LN_2,
            1e-8,
        );
    }

    #[test]
    fn tables_that_cannot_be_are_refused() {
        let said = |e: &[f64], g: &[f64]| ElectronicDos::new(e, g).unwrap_err().to_string();
        assert!(said(&[0.0], &[1.0]).contains("two at least"));
        assert!(said(&[-1.0, 1.0], &[1.0]).contains("two at least"));
        assert!(said(&[-1.0, -1.0, 1.0], &[1.0; 3]).contains("must rise"));
        assert!(said(&[1.0, 2.0], &[1.0; 2]).contains("both sides"));
        assert!(said(&[-1.0, f64::NAN], &[1.0; 2]).contains("NaN"));
        assert!(said(&[-1.0, 1.0], &[1.0, -0.5]).contains(">= 0"));
        let short = ElectronicDos::new(&[-0.5, 3.0], &[1.0; 2]).unwrap();
        assert!(short.thermal(300.0).unwrap_err().to_string().contains("25 kT"));
        assert!(short.thermal(-1.0).is_err());
    }
}
