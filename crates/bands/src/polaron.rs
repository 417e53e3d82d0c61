//! Small polarons: carriers that hop between sites, and how they and ions move together.

use crate::constants::REDUCED_PLANCK;
use crate::error::{BandsError, positive, refuse};
use scalade_units::constants::{BOLTZMANN_EV, ELEMENTARY_CHARGE};
use std::f64::consts::PI;

/// Hopping of small polarons among equivalent sites, a share x of which is occupied, at most one on a site and without other interactions.
///
/// With the rate w = nu e^(-E_a/kT) to one neighbour at the distance a, along an axis with one neighbour forward and one back,
/// D = a^2 w, u = e D/kT, and sigma = N x (1 - x) e u: the factor 1 - x is the chance that the site aimed at is free
/// (I. G. Austin, N. F. Mott, Adv. Phys. 18, 41 (1969)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolaronHopping {
    /// Sites, 1/m3.
    pub site_density: f64,
    /// Hop length a along the axis, angstrom.
    pub hop_length_angstrom: f64,
    /// Attempt frequency nu, Hz.
    pub attempt_hz: f64,
    /// Barrier E_a, eV.
    pub barrier_ev: f64,
}

impl PolaronHopping {
    /// Diffusion coefficient of one polaron alone, m2/s.
    ///
    /// Errors: numbers that are not finite and > 0 (the barrier may be 0).
    pub fn diffusion(&self, temperature_k: f64) -> Result<f64, BandsError> {
        let kt = BOLTZMANN_EV * positive("the temperature (K)", temperature_k)?;
        if !(0.0..1e3).contains(&self.barrier_ev) {
            return refuse("the barrier of a polaron (eV)", self.barrier_ev, "0 to 1000 eV is due");
        }
        let length = 1e-10 * positive("the hop length (angstrom)", self.hop_length_angstrom)?;
        let attempts = positive("the attempt frequency (Hz)", self.attempt_hz)?;
        Ok(length * length * attempts * (-self.barrier_ev / kt).exp())
    }

    /// Mobility of one polaron alone, m2/(V s). At the filling x it is 1 - x of this.
    ///
    /// Errors: as [`Self::diffusion`].
    pub fn dilute_mobility(&self, temperature_k: f64) -> Result<f64, BandsError> {
        Ok(self.diffusion(temperature_k)? / (BOLTZMANN_EV * temperature_k))
    }

    /// Conductivity N x (1 - x) e u, S/m, at the filling x.
    ///
    /// Errors: as [`Self::diffusion`], and x outside 0 to 1.
    pub fn conductivity(&self, filling: f64, temperature_k: f64) -> Result<f64, BandsError> {
        if !(0.0..=1.0).contains(&filling) {
            return refuse("the share of sites with a polaron", filling, "0 to 1 is due");
        }
        let sites = positive("the density of sites (1/m3)", self.site_density)?;
        Ok(sites * filling * (1.0 - filling) * ELEMENTARY_CHARGE * self.dilute_mobility(temperature_k)?)
    }
}

/// Ratio of two conductivities that differ in the barrier only: e^((E_1 - E_2)/kT).
///
/// Errors: a temperature that is not > 0.
pub fn barrier_ratio(first_ev: f64, second_ev: f64, temperature_k: f64) -> Result<f64, BandsError> {
    let kt = BOLTZMANN_EV * positive("the temperature (K)", temperature_k)?;
    Ok(((first_ev - second_ev) / kt).exp())
}

/// Marcus' rate of non-adiabatic transfer between equal sites, 1/s: (2 pi/hbar) V^2 (4 pi lambda kT)^(-1/2) e^(-lambda/4kT)
/// (R. A. Marcus, N. Sutin, Biochim. Biophys. Acta 811, 265 (1985), equation 15), V the electronic coupling and lambda the reorganisation energy, eV.
///
/// Errors: numbers that are not finite and > 0.
pub fn marcus_rate(coupling_ev: f64, reorganisation_ev: f64, temperature_k: f64) -> Result<f64, BandsError> {
    let kt = BOLTZMANN_EV * positive("the temperature (K)", temperature_k)?;
    let v = positive("the electronic coupling (eV)", coupling_ev)?;
    let lambda = positive("the reorganisation energy (eV)", reorganisation_ev)?;
    let per_second = ELEMENTARY_CHARGE / REDUCED_PLANCK;
    Ok(2.0 * PI * per_second * v * v / (4.0 * PI * lambda * kt).sqrt() * (-lambda / (4.0 * kt)).exp())
}

/// Diffusion of a neutral species as ions and electrons together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ambipolar {
    /// Chemical diffusion coefficient, in the unit of the ions'.
    pub diffusion: f64,
    /// Electronic transference number sigma_e/(sigma_e + sigma_i).
    pub electronic_transference: f64,
}

/// Chemical diffusion of an inserted atom, Li = Li+ + e-, under no net current.
///
/// Fluxes j_i = -(sigma_i/e^2) grad(mu_i + e phi) and j_e = -(sigma_e/e^2) grad(mu_e - e phi) without cross terms must be equal; phi drops out and
/// j = -(1/e^2) sigma_i sigma_e/(sigma_i + sigma_e) grad mu_Li. With sigma_i = c e^2 D_i/kT (D_i the jump diffusion coefficient of the ions) and the thermodynamic
/// factor theta = (c/kT) dmu_Li/dc this is
///
/// D = theta D_i t_e, t_e = sigma_e/(sigma_e + sigma_i)
///
/// (W. Weppner, R. A. Huggins, J. Electrochem. Soc. 124, 1569 (1977)). Limits: sigma_e >> sigma_i gives theta D_i; sigma_e << sigma_i gives
/// theta kT sigma_e/(c e^2), electrons holding back the ions. It neglects cross terms, hence pairs of ion and polaron that move together.
///
/// Errors: conductivities that are not finite and > 0 (S/m, both), a D_i that is not > 0, a theta that is not finite (below 0 within a spinodal).
pub fn ambipolar(
    thermodynamic_factor: f64,
    ion_diffusion: f64,
    ion_conductivity: f64,
    electronic_conductivity: f64,
) -> Result<Ambipolar, BandsError> {
    positive("the diffusion coefficient of the ions", ion_diffusion)?;
    positive("the ionic conductivity (S/m)", ion_conductivity)?;
    positive("the electronic conductivity (S/m)", electronic_conductivity)?;
    if !thermodynamic_factor.is_finite() {
        return refuse("the thermodynamic factor", thermodynamic_factor, "a finite number is due");
    }
    let electronic_transference = 1.0 / (1.0 + ion_conductivity / electronic_conductivity);
    Ok(Ambipolar {
        diffusion: thermodynamic_factor * ion_diffusion * electronic_transference,
        electronic_transference,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e5_polarons() {
        let hopping = PolaronHopping {
            site_density: 1.38e28,
            hop_length_angstrom: 3.0,
            attempt_hz: 1e13,
            barrier_ev: 0.175,
        };
        let sigma = hopping.conductivity(0.5, 300.0).unwrap() * 0.01;
        assert!((sigma - 0.22100762).abs() < 0.51e-8, "{sigma}");
        let mobility = hopping.dilute_mobility(300.0).unwrap() * 1e4;
        assert!((mobility - 3.9983219e-4).abs() < 0.51e-11, "{mobility:e}");
        // Free holes 303 and 170 meV, free electrons 196 and 133 meV.
        assert!((barrier_ratio(0.303, 0.170, 298.0).unwrap() - 177.5).abs() < 0.051);
        assert!((barrier_ratio(0.196, 0.133, 298.0).unwrap() - 11.6).abs() < 0.051);
        // Nothing moves in an empty or a full lattice, and fillings x and 1 - x conduct alike.
        assert_eq!(hopping.conductivity(0.0, 300.0).unwrap(), 0.0);
        assert_eq!(hopping.conductivity(1.0, 300.0).unwrap(), 0.0);
        let ratio = hopping.conductivity(0.2, 300.0).unwrap() / hopping.conductivity(0.8, 300.0).unwrap();
        assert!((ratio - 1.0).abs() < 1e-14);
        assert!(hopping.conductivity(1.1, 300.0).is_err());
        assert!(hopping.conductivity(0.5, f64::NAN).is_err());
        assert!(PolaronHopping { barrier_ev: -0.1, ..hopping }.diffusion(300.0).is_err());
        assert!(PolaronHopping { attempt_hz: 0.0, ..hopping }.diffusion(300.0).is_err());
    }

    #[test]
    fn marcus_rates_are_activated_by_a_quarter_of_the_reorganisation() {
        let rate = |t: f64| marcus_rate(0.02, 0.8, t).unwrap() * t.sqrt();
        let slope = (rate(310.0) / rate(290.0)).ln() / (1.0 / 290.0 - 1.0 / 310.0) * BOLTZMANN_EV;
        assert!((slope - 0.2).abs() < 1e-12, "{slope}");
        // 2 pi/hbar in 1/(eV s) is 9.5458e15; V^2 (4 pi 0.8 0.025852)^-1/2 = 7.8463e-4.
        let prefactor = marcus_rate(0.02, 0.8, 300.0).unwrap() / (-0.2 / (BOLTZMANN_EV * 300.0)).exp();
        assert!((prefactor / 7.4899e12 - 1.0).abs() < 1e-3, "{prefactor:e}");
        assert!(marcus_rate(0.0, 0.8, 300.0).is_err());
    }

    #[test]
    fn the_slower_of_ions_and_electrons_limits_chemical_diffusion() {
        let (theta, d) = (3.0, 1e-14);
        let fast = ambipolar(theta, d, 1e-4, 1e6).unwrap();
        assert!((fast.diffusion / (theta * d) - 1.0).abs() < 1e-9);
        // sigma_e << sigma_i: theta kT sigma_e/(c e^2), with c from sigma_i = c e^2 D_i/kT.
        let slow = ambipolar(theta, d, 1e-4, 1e-12).unwrap();
        let kt = BOLTZMANN_EV * 300.0 * ELEMENTARY_CHARGE;
        let c = 1e-4 * kt / (ELEMENTARY_CHARGE.powi(2) * d);
        assert!((slow.diffusion / (theta * kt * 1e-12 / (c * ELEMENTARY_CHARGE.powi(2))) - 1.0).abs() < 1e-7);
        let even = ambipolar(-2.0, d, 1.0, 1.0).unwrap();
        assert_eq!((even.diffusion, even.electronic_transference), (-d, 0.5));
        assert!(ambipolar(f64::NAN, d, 1.0, 1.0).is_err());
        assert!(ambipolar(1.0, d, 0.0, 1.0).is_err());
    }
}
