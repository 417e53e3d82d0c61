//! Parabolic bands in closed form: carriers, Fermi level, conductivity, Seebeck coefficient and Lorenz number for a relaxation time
//! tau = tau0 (E/kT)^r, E from the band edge (H. J. Goldsmid, Introduction to Thermoelectricity (Springer 2010), chapter 3).
//!
//! With eta = (mu - E_edge)/kT, counted into the band, and the normalised integrals F_j of [`crate::fermi_dirac`]:
//!
//! - n = N_c F_1/2(eta), N_c = 2 (2 pi m_dos kT / h^2)^(3/2);
//! - sigma = N_c e^2 tau0 / m_c Gamma(r + 5/2)/Gamma(5/2) F_(r+1/2)(eta);
//! - |S| = (k/e) [d1 - eta], d1 = (r + 5/2) F_(r+3/2)/F_(r+1/2);
//! - L = (k/e)^2 [d2 - d1^2], d2 = (r + 7/2)(r + 5/2) F_(r+5/2)/F_(r+1/2).

use crate::constants::ELECTRON_MASS;
use crate::error::{BandsError, positive, refuse};
use crate::fermi_dirac::{Order, fermi_dirac, gamma_of_half, inverse_fermi_dirac};
use scalade_units::constants::{BOLTZMANN, BOLTZMANN_EV, ELEMENTARY_CHARGE, PLANCK};

/// What carries the current; it gives the Seebeck coefficient its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Electrons: S < 0.
    Electron,
    /// Holes: S > 0.
    Hole,
}

/// A parabolic band with two spins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParabolicBand {
    /// Electrons or holes.
    pub carrier: Carrier,
    /// Mass of the density of states, all valleys together, in electron masses.
    pub density_mass: f64,
    /// Conductivity (inertial) mass in electron masses.
    pub conductivity_mass: f64,
}

/// Transport of one parabolic band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParabolicTransport {
    /// Conductivity, S/m.
    pub conductivity: f64,
    /// Seebeck coefficient with its sign, V/K.
    pub seebeck: f64,
    /// Lorenz number kappa_e/(sigma T), V^2/K^2; kappa_e at zero current.
    pub lorenz: f64,
    /// Electronic heat conductivity at zero current, W/(m K).
    pub heat_conductivity: f64,
}

impl ParabolicBand {
    /// A band with one mass for everything.
    ///
    /// Errors: a mass that is not a finite number > 0.
    pub fn isotropic(carrier: Carrier, mass: f64) -> Result<Self, BandsError> {
        positive("an effective mass (m_e)", mass)?;
        Ok(Self { carrier, density_mass: mass, conductivity_mass: mass })
    }

    /// Equivalent ellipsoidal valleys with principal masses (m_e): m_dos = (valleys^2 m1 m2 m3)^(1/3), 3/m_c = 1/m1 + 1/m2 + 1/m3.
    ///
    /// Errors: no valley, masses that are not finite numbers > 0.
    pub fn ellipsoids(carrier: Carrier, valleys: u32, masses: [f64; 3]) -> Result<Self, BandsError> {
        for mass in masses {
            positive("an effective mass (m_e)", mass)?;
        }
        let valleys = positive("the number of valleys", f64::from(valleys))?;
        Ok(Self {
            carrier,
            density_mass: (valleys * valleys * masses[0] * masses[1] * masses[2]).cbrt(),
            conductivity_mass: 3.0 / masses.iter().map(|m| 1.0 / m).sum::<f64>(),
        })
    }

    /// Effective density of states N_c, 1/m3.
    ///
    /// Errors: a temperature that is not a finite number > 0 K.
    pub fn effective_density(&self, temperature_k: f64) -> Result<f64, BandsError> {
        positive("the temperature (K)", temperature_k)?;
        let inverse_square =
            2.0 * std::f64::consts::PI * self.density_mass * ELECTRON_MASS * BOLTZMANN * temperature_k
                / (PLANCK * PLANCK);
        Ok(2.0 * inverse_square.powf(1.5))
    }

    /// Carriers per m3 at eta = (mu - E_edge)/kT counted into the band.
    pub fn carriers(&self, eta: f64, temperature_k: f64) -> Result<f64, BandsError> {
        Ok(self.effective_density(temperature_k)? * fermi_dirac(Order::HALF, eta))
    }

    /// eta at which the band has `density` carriers per m3.
    pub fn reduced_level(&self, density: f64, temperature_k: f64) -> Result<f64, BandsError> {
        positive("a carrier density (1/m3)", density)?;
        inverse_fermi_dirac(Order::HALF, density / self.effective_density(temperature_k)?)
    }

    /// Fermi level from the band edge into the band, eV, at `density` carriers per m3: mu - E_c for electrons, E_v - mu for holes.
    pub fn fermi_level_ev(&self, density: f64, temperature_k: f64) -> Result<f64, BandsError> {
        Ok(self.reduced_level(density, temperature_k)? * BOLTZMANN_EV * temperature_k)
    }

    /// Conductivity, Seebeck coefficient and Lorenz number for tau = `time_s` (E/kT)^`exponent`.
    ///
    /// Errors: an exponent that is not a whole or half number from -1 (-1/2: acoustic phonons, 3/2: ionised impurities), a time that is not > 0.
    pub fn transport(
        &self,
        eta: f64,
        temperature_k: f64,
        time_s: f64,
        exponent: f64,
    ) -> Result<ParabolicTransport, BandsError> {
        positive("the relaxation time (s)", time_s)?;
        let r = exponent;
        let order = |shift: f64| Order::new(r + shift);
        let f = [order(0.5)?, order(1.5)?, order(2.5)?].map(|o| fermi_dirac(o, eta));
        if !(f[0] > 0.0 && f[2].is_finite()) {
            return refuse("the reduced Fermi level", eta, "a number from -700 to about 1e80 is due");
        }
        let first = (r + 2.5) * f[1] / f[0];
        let second = (r + 3.5) * (r + 2.5) * f[2] / f[0];
        let average = gamma_of_half((2.0 * r) as i32 + 5) / gamma_of_half(5);
        let conductivity = self.effective_density(temperature_k)? * ELEMENTARY_CHARGE * ELEMENTARY_CHARGE
            / (self.conductivity_mass * ELECTRON_MASS)
            * time_s
            * average
            * f[0];
        let sign = if self.carrier == Carrier::Electron { -1.0 } else { 1.0 };
        let lorenz = BOLTZMANN_EV * BOLTZMANN_EV * (second - first * first);
        Ok(ParabolicTransport {
            conductivity,
            seebeck: sign * BOLTZMANN_EV * (first - eta),
            lorenz,
            heat_conductivity: lorenz * conductivity * temperature_k,
        })
    }
}

/// Drude's conductivity n e^2 tau/m, S/m, from carriers (1/m3), relaxation time (s) and mass (m_e).
pub fn drude_conductivity(density: f64, time_s: f64, mass: f64) -> Result<f64, BandsError> {
    positive("a carrier density (1/m3)", density)?;
    Ok(density * ELEMENTARY_CHARGE * drude_mobility(time_s, mass)?)
}

/// Drude's mobility e tau/m, m2/(V s), from relaxation time (s) and mass (m_e).
pub fn drude_mobility(time_s: f64, mass: f64) -> Result<f64, BandsError> {
    positive("the relaxation time (s)", time_s)?;
    positive("an effective mass (m_e)", mass)?;
    Ok(ELEMENTARY_CHARGE * time_s / (mass * ELECTRON_MASS))
}

/// A semiconductor with one parabolic band on each side of the gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Semiconductor {
    /// Gap, eV.
    pub gap_ev: f64,
    /// Conduction band.
    pub electrons: ParabolicBand,
    /// Valence band.
    pub holes: ParabolicBand,
}

/// Neutral state of a semiconductor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neutrality {
    /// Fermi level from the valence-band edge, eV.
    pub level_ev: f64,
    /// Electrons, 1/m3.
    pub electrons: f64,
    /// Holes, 1/m3.
    pub holes: f64,
}

impl Semiconductor {
    /// Electrons and holes (1/m3) at a Fermi level counted from the valence-band edge, eV.
    pub fn carriers(&self, level_ev: f64, temperature_k: f64) -> Result<(f64, f64), BandsError> {
        let kt = BOLTZMANN_EV * positive("the temperature (K)", temperature_k)?;
        let electrons = self.electrons.carriers((level_ev - self.gap_ev) / kt, temperature_k)?;
        Ok((electrons, self.holes.carriers(-level_ev / kt, temperature_k)?))
    }

    /// Fermi level at n - p = `net_donors` (donors less acceptors, 1/m3, all ionised), by bisection: n - p rises with the level.
    ///
    /// Errors: a gap or a doping that is not finite, a gap below 0, a temperature that is not > 0.
    pub fn neutral(&self, net_donors: f64, temperature_k: f64) -> Result<Neutrality, BandsError> {
        if !(0.0..1e3).contains(&self.gap_ev) {
            return refuse("the gap (eV)", self.gap_ev, "0 to 1000 eV is due");
        }
        if !net_donors.is_finite() {
            return refuse("the net donor density (1/m3)", net_donors, "a finite number is due");
        }
        let kt = BOLTZMANN_EV * positive("the temperature (K)", temperature_k)?;
        // Beyond the level that the doping alone needs in its own band, and the middle of the gap, lies no solution.
        let dope = net_donors.abs().max(1.0);
        let deep = self.electrons.reduced_level(dope, temperature_k)?.max(0.0);
        let shallow = self.holes.reduced_level(dope, temperature_k)?.max(0.0);
        let margin = 50.0 * kt + self.gap_ev;
        let (mut low, mut high) = (-shallow * kt - margin, self.gap_ev + deep * kt + margin);
        for _ in 0..300 {
            let middle = 0.5 * (low + high);
            let (n, p) = self.carriers(middle, temperature_k)?;
            // Of n, p and the doping the larger two are compared first, so that minority carriers keep their digits.
            let excess = if net_donors >= 0.0 { (n - net_donors) - p } else { n - (p + net_donors) };
            if excess < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
            if high - low <= 4e-16 * high.abs().max(self.gap_ev) {
                break;
            }
        }
        let level_ev = 0.5 * (low + high);
        let (electrons, holes) = self.carriers(level_ev, temperature_k)?;
        Ok(Neutrality { level_ev, electrons, holes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(carrier: Carrier) -> ParabolicBand {
        ParabolicBand::isotropic(carrier, 1.0).unwrap()
    }

    /// Within half a unit of the last digit that the reference gives.
    fn digits(what: &str, got: f64, want: f64, unit: f64) {
        assert!((got - want).abs() <= 0.51 * unit, "{what}: {got:.12e} against {want:.12e}");
    }

    #[test]
    fn e2_seebeck_and_lorenz_number() {
        let band = free(Carrier::Hole);
        let table = [
            (-0.5, [350.23935, 204.50123, 112.38919], [2.0317249, 2.1721219, 2.4995902]),
            (0.0, [392.69231, 244.16714, 145.44997], [2.5141155, 2.5788407, 2.7442871]),
        ];
        for (r, seebeck, lorenz) in table {
            for (i, eta) in [-2.0, 0.0, 2.0].into_iter().enumerate() {
                let got = band.transport(eta, 300.0, 1e-14, r).unwrap();
                digits("S", got.seebeck * 1e6, seebeck[i], 1e-5);
                digits("L", got.lorenz / BOLTZMANN_EV.powi(2), lorenz[i], 1e-7);
                let electron = free(Carrier::Electron).transport(eta, 300.0, 1e-14, r).unwrap();
                assert_eq!(electron.seebeck, -got.seebeck);
            }
            let unit = BOLTZMANN_EV.powi(2);
            let deep = band.transport(3000.0, 300.0, 1e-14, r).unwrap().lorenz / unit;
            assert!((deep - 3.28986813).abs() < 1e-5, "{deep}");
            let thin = band.transport(-25.0, 300.0, 1e-14, r).unwrap().lorenz / unit;
            assert!((thin - (2.5 + r)).abs() < 1e-9, "{thin}");
        }
    }

    #[test]
    fn e2_density_fermi_level_and_drude() {
        let band = free(Carrier::Electron);
        digits("N_c", band.effective_density(300.0).unwrap() * 1e-6, 2.50941223e19, 1e11);
        digits("n(0)", band.carriers(0.0, 300.0).unwrap() * 1e-6, 1.92006930e19, 1e11);
        for (n, level) in [(1e17, -0.142801533), (1e19, -0.020162865), (1e21, 0.363125873)] {
            digits("E_F", band.fermi_level_ev(n * 1e6, 300.0).unwrap(), level, 1e-9);
        }
        // The reference took the electron mass of CODATA 2018, which is smaller by 1.4e-9 of itself: one unit of its last digit.
        let mass_2018 = 0.5 * 9.109_383_701_5e-31 / ELECTRON_MASS;
        digits("Drude", drude_conductivity(1e25, 1e-14, mass_2018).unwrap(), 5635.88065, 1e-5);
        digits("mobility", drude_mobility(1e-14, 0.5).unwrap() * 1e4, 35.17640, 1e-5);
    }

    #[test]
    fn constant_time_is_drude_and_the_other_powers_follow_numerical_integrals() {
        let band = ParabolicBand::ellipsoids(Carrier::Electron, 6, [0.9163, 0.1905, 0.1905]).unwrap();
        let n = band.carriers(1.3, 250.0).unwrap();
        let got = band.transport(1.3, 250.0, 3e-14, 0.0).unwrap();
        let want = drude_conductivity(n, 3e-14, band.conductivity_mass).unwrap();
        assert!((got.conductivity / want - 1.0).abs() < 1e-12);
        // <tau> = tau0 int x^(3/2+r) (-f') / int x^(3/2) (-f') for r = 3/2, by a plain sum.
        let (mut up, mut down) = (0.0, 0.0);
        for i in 1..60_000 {
            let x = f64::from(i) * 1e-3;
            let bell = 0.25 / ((x - 1.3) / 2.0).cosh().powi(2);
            up += x.powi(3) * bell;
            down += x.powf(1.5) * bell;
        }
        let impurities = band.transport(1.3, 250.0, 3e-14, 1.5).unwrap();
        assert!((impurities.conductivity / got.conductivity / (up / down) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn e4_masses_of_silicon() {
        let band = ParabolicBand::ellipsoids(Carrier::Electron, 6, [0.9163, 0.1905, 0.1905]).unwrap();
        digits("m_dos", band.density_mass, 1.06180, 1e-5);
        digits("m_c", band.conductivity_mass, 0.258843, 1e-6);
    }

    #[test]
    fn a_semiconductor_is_neutral_and_obeys_mass_action() {
        let silicon = Semiconductor {
            gap_ev: 1.12,
            electrons: ParabolicBand::ellipsoids(Carrier::Electron, 6, [0.9163, 0.1905, 0.1905]).unwrap(),
            holes: ParabolicBand::isotropic(Carrier::Hole, 0.59).unwrap(),
        };
        let pure = silicon.neutral(0.0, 300.0).unwrap();
        assert!((pure.electrons / pure.holes - 1.0).abs() < 1e-10, "{pure:?}");
        // E_i = E_g/2 + (3/4) kT ln(m_h/m_e) where both are dilute.
        let level = 0.56 + 0.75 * BOLTZMANN_EV * 300.0 * (0.59 / silicon.electrons.density_mass).ln();
        assert!((pure.level_ev - level).abs() < 1e-9);
        for doping in [1e20, -1e22, 3e17] {
            let state = silicon.neutral(doping, 300.0).unwrap();
            assert!(((state.electrons - state.holes) / doping - 1.0).abs() < 1e-9, "{state:?}");
            assert!((state.electrons * state.holes / pure.electrons.powi(2) - 1.0).abs() < 2e-3, "{state:?}");
        }
        assert!(silicon.neutral(f64::NAN, 300.0).is_err());
        assert!(silicon.neutral(1e20, 0.0).is_err());
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        assert!(ParabolicBand::isotropic(Carrier::Hole, -1.0).is_err());
        assert!(ParabolicBand::ellipsoids(Carrier::Hole, 0, [1.0; 3]).is_err());
        let band = free(Carrier::Hole);
        assert!(band.transport(0.0, 300.0, 1e-14, 0.3).is_err());
        assert!(band.transport(0.0, 300.0, 1e-14, -1.5).is_err());
        assert!(band.transport(-800.0, 300.0, 1e-14, 0.0).is_err());
        assert!(band.transport(f64::NAN, 300.0, 1e-14, 0.0).is_err());
        assert!(band.effective_density(f64::INFINITY).is_err());
        assert!(drude_conductivity(1.0, 0.0, 1.0).is_err());
    }
}
