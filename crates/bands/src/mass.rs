//! Effective masses.

use crate::constants::{ANGSTROM, ELECTRON_MASS, REDUCED_PLANCK};
use crate::error::{BandsError, positive, refuse};
use crate::fermi_dirac::{Order, fermi_dirac};
use nalgebra::Matrix3 as Tensor;
use scalade_crystal::{Matrix3, determinant, inverse};
use scalade_units::constants::{BOLTZMANN, BOLTZMANN_EV, ELEMENTARY_CHARGE, PLANCK};

/// Mass tensor of a band at a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MassTensor {
    /// Inverse mass d2E/(hbar^2 dk_i dk_j), 1/m_e, Cartesian.
    pub inverse: Matrix3,
    /// Mass, m_e.
    pub mass: Matrix3,
    /// Principal masses, m_e, ascending in their inverse; below 0 where the band bends down.
    pub principal: [f64; 3],
}

impl MassTensor {
    /// From second derivatives d2E/dk_i dk_j in eV angstrom^2 (`curvature` of a model or an interpolation).
    ///
    /// Errors: derivatives that are not finite, and a band that is flat along some direction.
    pub fn of_curvature(curvature: &Matrix3, band: usize) -> Result<Self, BandsError> {
        if let Some(bad) = curvature.iter().flatten().find(|x| !x.is_finite()) {
            return refuse("a second derivative of a band (eV angstrom^2)", *bad, "a finite number is due");
        }
        let unit =
            ELEMENTARY_CHARGE * ANGSTROM * ANGSTROM * ELECTRON_MASS / (REDUCED_PLANCK * REDUCED_PLANCK);
        let inverse_mass = curvature.map(|row| row.map(|x| x * unit));
        let values = Tensor::from_fn(|i, j| inverse_mass[i][j]).symmetric_eigenvalues();
        let mut principal = [values[0], values[1], values[2]];
        principal.sort_by(f64::total_cmp);
        let largest = principal.iter().fold(0.0f64, |a, b| a.max(b.abs()));
        let flat = principal.iter().any(|p| p.abs() <= 1e-9 * largest);
        match inverse(&inverse_mass).filter(|_| !flat) {
            Some(mass) => Ok(Self { inverse: inverse_mass, mass, principal: principal.map(f64::recip) }),
            None => Err(BandsError::NoMass { band: band + 1, determinant: determinant(&inverse_mass) }),
        }
    }

    /// Mass of the density of states of `valleys` such valleys, m_e: (valleys^2 |m1 m2 m3|)^(1/3).
    pub fn density_mass(&self, valleys: u32) -> f64 {
        (f64::from(valleys).powi(2) * self.principal.iter().product::<f64>().abs()).cbrt()
    }

    /// Conductivity mass of a cubic set of such valleys, m_e: 3/(1/m1 + 1/m2 + 1/m3).
    pub fn conductivity_mass(&self) -> f64 {
        3.0 / self.principal.iter().map(|m| m.recip()).sum::<f64>()
    }
}

/// Inverse conductivity mass sigma/(n e^2 tau), 1/m_e, from sigma/tau (S/(m s), Cartesian) and carriers (1/m3): the mass that a Drude model needs to give this
/// conductivity.
///
/// Errors: a carrier density that is not finite and > 0.
pub fn inverse_conductivity_mass(
    conductivity_per_time: &Matrix3,
    carriers: f64,
) -> Result<Matrix3, BandsError> {
    let n = positive("a carrier density (1/m3)", carriers)?;
    let unit = ELECTRON_MASS / (n * ELEMENTARY_CHARGE * ELEMENTARY_CHARGE);
    Ok(conductivity_per_time.map(|row| row.map(|x| x * unit)))
}

/// Mass of the density of states, m_e: that of the parabolic band which holds `carriers` (1/m3) at a Fermi level `level_ev` into the band.
///
/// Errors: numbers that are not finite, carriers or temperature that are not > 0.
pub fn density_mass(carriers: f64, level_ev: f64, temperature_k: f64) -> Result<f64, BandsError> {
    positive("a carrier density (1/m3)", carriers)?;
    let kt = BOLTZMANN_EV * positive("the temperature (K)", temperature_k)?;
    let states = carriers / positive("the occupation of the band", fermi_dirac(Order::HALF, level_ev / kt))?;
    Ok((states / 2.0).powf(2.0 / 3.0) * PLANCK * PLANCK
        / (2.0 * std::f64::consts::PI * BOLTZMANN * temperature_k * ELECTRON_MASS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parabolic::{Carrier, ParabolicBand};

    #[test]
    fn masses_of_parabolic_bands_come_back() {
        let band = ParabolicBand::isotropic(Carrier::Electron, 0.37).unwrap();
        for level in [-0.2, 0.0, 0.3] {
            let n = band.carriers(level / (BOLTZMANN_EV * 400.0), 400.0).unwrap();
            assert!((density_mass(n, level, 400.0).unwrap() / 0.37 - 1.0).abs() < 1e-12);
            let sigma = band.transport(level / (BOLTZMANN_EV * 400.0), 400.0, 1.0, 0.0).unwrap().conductivity;
            let inverse = inverse_conductivity_mass(&[[sigma, 0.0, 0.0], [0.0; 3], [0.0; 3]], n).unwrap();
            assert!((inverse[0][0] * 0.37 - 1.0).abs() < 1e-12);
        }
        // hbar^2/m_e = 7.6199642 eV angstrom^2.
        let h = 7.619_964_2;
        let silicon = MassTensor::of_curvature(
            &[[h / 0.9163, 0.0, 0.0], [0.0, h / 0.1905, 0.0], [0.0, 0.0, h / 0.1905]],
            0,
        )
        .unwrap();
        assert!((silicon.density_mass(6) - 1.06180).abs() < 1e-5);
        assert!((silicon.conductivity_mass() - 0.258843).abs() < 1e-6);
        assert!((silicon.mass[0][0] - 0.9163).abs() < 1e-7);
        let flat = MassTensor::of_curvature(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], 4);
        assert!(matches!(flat, Err(BandsError::NoMass { band: 5, .. })));
        assert!(MassTensor::of_curvature(&[[f64::NAN; 3]; 3], 0).is_err());
    }
}
