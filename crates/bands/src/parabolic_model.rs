//! Several parabolic bands together: chemical potential, and the tensors of all carriers.
//!
//! Each band has valleys with principal masses along x, y, z (one valley), or so many equivalent valleys that cubic symmetry turns into each other, whose
//! conductivity is isotropic with 3/m_c = 1/m1 + 1/m2 + 1/m3. With the relaxation time tau = tau0 (E/kT)^r from the edge of each band,
//! and per axis sigma_b, S_b, L_b of each band b ([`crate::parabolic`]), the currents add up:
//!
//! sigma = sum sigma_b, S = sum sigma_b S_b / sigma, kappa_e/T = sum sigma_b (L_b + S_b^2) - sigma S^2
//!
//! (H. J. Goldsmid, Introduction to Thermoelectricity (Springer 2010), section 3.4: the last two terms are the bipolar part). To first order in a magnetic field
//! sigma_xyz = -q sum_b n_b e^3 tau0^2 <x^2r>/(m_x m_y), where one valley has its own masses and a cubic set the mean of 1/(m_i m_j), q = 1 for electrons and -1 for holes.

use crate::constants::ELECTRON_MASS;
use crate::error::{BandsError, positive, refuse, within};
use crate::fermi_dirac::{Order, fermi_dirac, gamma_of_half};
use crate::parabolic::{Carrier, ParabolicBand};
use crate::transport::Level;
use scalade_crystal::Matrix3;
use scalade_units::constants::{BOLTZMANN_EV, ELEMENTARY_CHARGE};

/// Valleys of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Valleys {
    /// Electrons (an edge below the band) or holes (an edge above it).
    pub carrier: Carrier,
    /// Masses along the principal axes, m_e.
    pub masses: [f64; 3],
    /// How many; more than one are taken to be equivalent by cubic symmetry.
    pub count: u32,
    /// Energy of the edge, eV.
    pub edge_ev: f64,
}

impl Valleys {
    fn band(&self) -> Result<ParabolicBand, BandsError> {
        ParabolicBand::ellipsoids(self.carrier, self.count, self.masses)
    }

    /// 1/m along each axis of the conductivity, 1/m_e.
    fn inverse_masses(&self) -> [f64; 3] {
        let own = self.masses.map(f64::recip);
        if self.count == 1 { own } else { [own.iter().sum::<f64>() / 3.0; 3] }
    }

    /// 1/(m_j m_k) for the field along each axis i, 1/m_e^2.
    fn inverse_products(&self) -> [f64; 3] {
        let own: [f64; 3] =
            std::array::from_fn(|i| 1.0 / (self.masses[(i + 1) % 3] * self.masses[(i + 2) % 3]));
        if self.count == 1 { own } else { [own.iter().sum::<f64>() / 3.0; 3] }
    }

    fn eta(&self, potential_ev: f64, kt: f64) -> f64 {
        let into = (potential_ev - self.edge_ev) / kt;
        if self.carrier == Carrier::Electron { into } else { -into }
    }
}

/// Parabolic bands with one law of relaxation times.
#[derive(Clone, Debug, PartialEq)]
pub struct ParabolicModel {
    valleys: Vec<Valleys>,
    time_s: f64,
    exponent: f64,
}

/// Transport of all bands together. Tensors are diagonal in the principal axes; the rows are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParabolicPoint {
    /// Chemical potential, eV.
    pub potential_ev: f64,
    /// Electrons and holes, 1/m3.
    pub carriers: (f64, f64),
    /// Conductivity, S/m.
    pub conductivity: Matrix3,
    /// Seebeck coefficient, V/K.
    pub seebeck: Matrix3,
    /// Electronic heat conductivity at zero current, W/(m K).
    pub heat_conductivity: Matrix3,
    /// tr kappa_e/(T tr sigma), V^2/K^2.
    pub lorenz: f64,
    /// sigma_jki of a field along i, (j, k) the next two axes, S/(m T); none for r = -1, where <x^2r> has no closed form here.
    pub hall_conductivity: Option<[f64; 3]>,
}

impl ParabolicPoint {
    /// Hall coefficient for a field along each axis, m3/C: R = sigma_jki/(sigma_jj sigma_kk), -1/(n e) for electrons.
    pub fn hall_coefficient(&self) -> Option<[f64; 3]> {
        let sigma = &self.conductivity;
        let of = |i: usize, h: f64| h / (sigma[(i + 1) % 3][(i + 1) % 3] * sigma[(i + 2) % 3][(i + 2) % 3]);
        self.hall_conductivity.map(|h| std::array::from_fn(|i| of(i, h[i])))
    }
}

impl ParabolicModel {
    /// Bands with tau = `time_s` (E/kT)^`exponent`.
    ///
    /// Errors: no band, masses, times or edges that cannot be, an exponent that is not a whole or half number from -1.
    pub fn new(valleys: Vec<Valleys>, time_s: f64, exponent: f64) -> Result<Self, BandsError> {
        if valleys.is_empty() || valleys.len() > 1000 {
            let want = "1 to 1000 bands are due";
            let got = valleys.len();
            return Err(BandsError::Count { what: "parabolic bands", got, expected: 1, want });
        }
        for v in &valleys {
            v.band()?;
            if !within(v.edge_ev, 1e5) {
                return refuse("the edge of a parabolic band (eV)", v.edge_ev, "a finite energy is due");
            }
        }
        positive("the relaxation time (s)", time_s)?;
        for shift in [0.5, 2.5] {
            Order::new(exponent + shift)?;
        }
        Ok(Self { valleys, time_s, exponent })
    }

    /// The bands.
    pub fn valleys(&self) -> &[Valleys] {
        &self.valleys
    }

    /// Electrons and holes, 1/m3, at a chemical potential (eV).
    ///
    /// Errors: a temperature that is not > 0.
    pub fn carriers(&self, potential_ev: f64, temperature_k: f64) -> Result<(f64, f64), BandsError> {
        let kt = BOLTZMANN_EV * positive("the temperature (K)", temperature_k)?;
        let (mut n, mut p) = (0.0, 0.0);
        for v in &self.valleys {
            let density = v.band()?.carriers(v.eta(potential_ev, kt), temperature_k)?;
            if v.carrier == Carrier::Electron { n += density } else { p += density }
        }
        Ok((n, p))
    }

    /// Chemical potential (eV) at electrons less holes = `net` (1/m3), by bisection: n - p rises with the potential.
    ///
    /// Errors: a sign of `net` for which there is no band, or 0 with carriers of one kind only; a temperature that is not > 0.
    pub fn potential(&self, net: f64, temperature_k: f64) -> Result<f64, BandsError> {
        let kt = BOLTZMANN_EV * positive("the temperature (K)", temperature_k)?;
        let has = |carrier| self.valleys.iter().any(|v| v.carrier == carrier);
        let (electrons, holes) = (has(Carrier::Electron), has(Carrier::Hole));
        let possible = net.is_finite()
            && (net > 0.0 && electrons || net < 0.0 && holes || net == 0.0 && electrons && holes);
        if !possible {
            let want = "a density > 0 needs a band of electrons, one < 0 a band of holes, and 0 both";
            return refuse("the density of electrons less holes (1/m3)", net, want);
        }
        // The potential that the doping alone needs in the band that is most easily filled bounds it on one side, the outermost edges on the other.
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in &self.valleys {
            let deep = v.band()?.reduced_level(net.abs().max(1.0), temperature_k)?.abs() * kt;
            low = low.min(v.edge_ev - deep - 50.0 * kt);
            high = high.max(v.edge_ev + deep + 50.0 * kt);
        }
        for _ in 0..300 {
            let middle = 0.5 * (low + high);
            let (n, p) = self.carriers(middle, temperature_k)?;
            let excess = if net >= 0.0 { (n - net) - p } else { n - (p + net) };
            if excess < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
            if high - low <= 4e-16 * high.abs().max(kt) {
                break;
            }
        }
        Ok(0.5 * (low + high))
    }

    /// Transport at a level; electron counts of [`Level::Electrons`] are densities (1/m3) of electrons less holes.
    ///
    /// Errors: as [`Self::potential`], and levels too far from every edge to leave a carrier.
    pub fn transport(&self, level: Level, temperature_k: f64) -> Result<ParabolicPoint, BandsError> {
        let kt = BOLTZMANN_EV * positive("the temperature (K)", temperature_k)?;
        let potential_ev = match level {
            Level::Potential(mu) if within(mu, 1e5) => mu,
            Level::Potential(mu) => {
                return refuse("the chemical potential (eV)", mu, "a finite energy is due");
            }
            Level::Electrons { neutral, added } => self.potential(neutral + added, temperature_k)?,
        };
        // Per axis: sum sigma, sum sigma S, sum sigma (L + S^2).
        let mut sums = [[0.0; 3]; 3];
        let mut hall = [0.0; 3];
        let order = Order::new(2.0 * self.exponent + 0.5).ok();
        for v in &self.valleys {
            let (band, eta) = (v.band()?, v.eta(potential_ev, kt));
            if eta < -600.0 {
                continue;
            }
            let own = band.transport(eta, temperature_k, self.time_s, self.exponent)?;
            // One carrier density serves all axes: sigma_i = sigma m_c/m_i.
            for (sum, inverse) in sums.iter_mut().zip(v.inverse_masses()) {
                let sigma = own.conductivity * band.conductivity_mass * inverse;
                sum[0] += sigma;
                sum[1] += sigma * own.seebeck;
                sum[2] += sigma * (own.lorenz + own.seebeck * own.seebeck);
            }
            let Some(order) = order else { continue };
            let squares = gamma_of_half((4.0 * self.exponent) as i32 + 5) / gamma_of_half(5)
                * fermi_dirac(order, eta)
                / fermi_dirac(Order::HALF, eta);
            let density = band.carriers(eta, temperature_k)?;
            let charge = if v.carrier == Carrier::Electron { -1.0 } else { 1.0 };
            let mobility = ELEMENTARY_CHARGE * self.time_s / ELECTRON_MASS;
            for (h, product) in hall.iter_mut().zip(v.inverse_products()) {
                *h += charge * density * ELEMENTARY_CHARGE * mobility * mobility * squares * product;
            }
        }
        if sums.iter().any(|s| s[0] == 0.0) {
            let away = |v: &Valleys| -v.eta(potential_ev, kt);
            let distance_kt = self.valleys.iter().map(away).fold(f64::INFINITY, f64::min);
            return Err(BandsError::NoCarriers { temperature_k, mu_ev: potential_ev, distance_kt });
        }
        let seebeck = sums.map(|s| s[1] / s[0]);
        let heat: [f64; 3] =
            std::array::from_fn(|i| temperature_k * (sums[i][2] - sums[i][0] * seebeck[i] * seebeck[i]));
        let conductivity = sums.map(|s| s[0]);
        let diagonal = |d: [f64; 3]| -> Matrix3 {
            std::array::from_fn(|i| std::array::from_fn(|j| if i == j { d[i] } else { 0.0 }))
        };
        Ok(ParabolicPoint {
            potential_ev,
            carriers: self.carriers(potential_ev, temperature_k)?,
            conductivity: diagonal(conductivity),
            seebeck: diagonal(seebeck),
            heat_conductivity: diagonal(heat),
            lorenz: heat.iter().sum::<f64>() / (temperature_k * conductivity.iter().sum::<f64>()),
            hall_conductivity: order.map(|_| hall),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parabolic::Semiconductor;

    fn electrons(masses: [f64; 3], count: u32, edge_ev: f64) -> Valleys {
        Valleys { carrier: Carrier::Electron, masses, count, edge_ev }
    }

    fn silicon() -> Vec<Valleys> {
        let holes = Valleys { carrier: Carrier::Hole, masses: [0.59; 3], count: 1, edge_ev: 0.0 };
        vec![electrons([0.9163, 0.1905, 0.1905], 6, 1.12), holes]
    }

    #[test]
    fn a_single_band_is_itself_and_its_hall_coefficient_counts_it() {
        for (r, factor) in [(0.0, 1.0), (-0.5, 3.0 * std::f64::consts::PI / 8.0)] {
            let model = ParabolicModel::new(vec![electrons([0.5; 3], 1, 0.3)], 1e-14, r).unwrap();
            // Dilute: the Hall factor of acoustic phonons is 3 pi/8.
            let density = 1e20;
            let level = Level::Electrons { neutral: 0.0, added: density };
            let point = model.transport(level, 300.0).unwrap();
            let hall = point.hall_coefficient().unwrap();
            for value in hall {
                assert!((value * density * ELEMENTARY_CHARGE / -factor - 1.0).abs() < 1e-5, "{r} {value:e}");
            }
        }
        // Degenerate, with three masses: -1/(n e) along every axis.
        let model = ParabolicModel::new(vec![electrons([0.2, 0.5, 1.1], 1, 0.3)], 1e-14, 0.0).unwrap();
        let point = model.transport(Level::Electrons { neutral: 0.0, added: 1e27 }, 300.0).unwrap();
        for value in point.hall_coefficient().unwrap() {
            assert!((value * 1e27 * ELEMENTARY_CHARGE + 1.0).abs() < 1e-9, "{value:e}");
        }
        assert!((point.conductivity[0][0] / point.conductivity[2][2] / 5.5 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn two_bands_are_neutral_and_carry_heat_together() {
        let model = ParabolicModel::new(silicon(), 1e-14, 0.0).unwrap();
        let neutral = model.transport(Level::Electrons { neutral: 0.0, added: 0.0 }, 300.0).unwrap();
        let reference = Semiconductor {
            gap_ev: 1.12,
            electrons: silicon()[0].band().unwrap(),
            holes: silicon()[1].band().unwrap(),
        };
        let want = reference.neutral(0.0, 300.0).unwrap();
        assert!((neutral.potential_ev - want.level_ev).abs() < 1e-12);
        assert!((neutral.carriers.0 / neutral.carriers.1 - 1.0).abs() < 1e-9);
        // Bipolar heat: far above the number of Lorenz of either band.
        assert!(neutral.lorenz > 100.0 * BOLTZMANN_EV * BOLTZMANN_EV, "{:e}", neutral.lorenz);
        let mu = neutral.potential_ev;
        let parts: Vec<_> = silicon()
            .into_iter()
            .map(|v| {
                ParabolicModel::new(vec![v], 1e-14, 0.0)
                    .unwrap()
                    .transport(Level::Potential(mu), 300.0)
                    .unwrap()
            })
            .collect();
        let (a, b) = (parts[0].conductivity[0][0], parts[1].conductivity[0][0]);
        let (sa, sb) = (parts[0].seebeck[0][0], parts[1].seebeck[0][0]);
        let extra = 300.0 * a * b / (a + b) * (sa - sb).powi(2);
        let want = parts[0].heat_conductivity[0][0] + parts[1].heat_conductivity[0][0] + extra;
        assert!((neutral.heat_conductivity[0][0] / want - 1.0).abs() < 1e-10);
    }

    #[test]
    fn questions_without_an_answer_are_refused() {
        let model = ParabolicModel::new(vec![electrons([0.5; 3], 1, 0.0)], 1e-14, 0.0).unwrap();
        assert!(model.potential(-1e20, 300.0).is_err() && model.potential(0.0, 300.0).is_err());
        assert!(model.transport(Level::Potential(f64::NAN), 300.0).is_err());
        assert!(model.transport(Level::Potential(0.0), 0.0).is_err());
        let none = model.transport(Level::Potential(-30.0), 300.0).unwrap_err();
        assert!(matches!(none, BandsError::NoCarriers { .. }), "{none}");
        assert!(ParabolicModel::new(vec![], 1e-14, 0.0).is_err());
        assert!(ParabolicModel::new(silicon(), 1e-14, 0.3).is_err());
        assert!(ParabolicModel::new(vec![electrons([0.5, -1.0, 0.5], 1, 0.0)], 1e-14, 0.0).is_err());
    }
}
