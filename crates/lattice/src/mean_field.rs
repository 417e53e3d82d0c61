//! Mean-field models of the lattice gas E = w sum n n' over pairs of nearest neighbours: below them the exact result, above none.
//!
//! With z nearest neighbours, spins s = 2n - 1 and J = -w/4 the same model is E = -J sum s s'. Critical temperatures fall from rung to rung:
//! Bragg-Williams > quasi-chemical > exact.

use crate::LatticeError;
use crate::tangent::{Fraction, MixingCurve, ideal};
use serde::{Deserialize, Serialize};

/// Which correlations are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approximation {
    /// None (W. L. Bragg, E. J. Williams, Proc. R. Soc. A 145, 699 (1934)): g = (z w/2) x^2 + kT [x ln x + (1-x) ln(1-x)].
    BraggWilliams,
    /// Those of neighbouring pairs (E. A. Guggenheim, Proc. R. Soc. A 148, 304 (1935); H. A. Bethe, ibid. 150, 552 (1935)): exact on a chain and on
    /// any lattice without closed paths. With y11, y10 and y00 the shares of pairs, y11 y00 = y10^2 e^(-w/kT) and
    /// g = (z/2) [w y11 + kT (y11 ln y11 + 2 y10 ln y10 + y00 ln y00)] - (z-1) kT [x ln x + (1-x) ln(1-x)].
    QuasiChemical,
}

/// A lattice gas in a mean-field approximation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanField {
    /// Approximation.
    pub approximation: Approximation,
    /// Nearest neighbours z of a site.
    pub neighbours: f64,
    /// Energy w of a pair of neighbouring ions, in the units of `kt`.
    pub pair_energy: f64,
    /// kT.
    pub kt: f64,
}

impl MeanField {
    /// Refuses numbers without a meaning: z >= 2, finite w, kT > 0, |w|/kT <= 600.
    pub fn new(
        approximation: Approximation,
        neighbours: f64,
        pair_energy: f64,
        kt: f64,
    ) -> Result<Self, LatticeError> {
        LatticeError::require(
            (2.0..=1e6).contains(&neighbours),
            "nearest neighbours",
            neighbours,
            "2 to a million are due",
        )?;
        LatticeError::require(kt.is_finite() && kt > 0.0, "kT", kt, "a positive number is due")?;
        let ratio = pair_energy / kt;
        LatticeError::require(ratio.abs() <= 600.0, "pair energy over kT", ratio, "-600 to 600 is due")?;
        Ok(Self { approximation, neighbours, pair_energy, kt })
    }

    /// kT_c of the attractive gas (w < 0): below it there are two phases. None for repulsion, and for the pair approximation of a chain.
    /// Bragg-Williams: -z w/4; quasi-chemical: -(w/2)/ln(z/(z-2)).
    pub fn critical_kt(&self) -> Option<f64> {
        let (z, w) = (self.neighbours, self.pair_energy);
        if w >= 0.0 {
            return None;
        }
        match self.approximation {
            Approximation::BraggWilliams => Some(-0.25 * z * w),
            Approximation::QuasiChemical => (z > 2.0).then(|| -0.5 * w / (z / (z - 2.0)).ln()),
        }
    }

    /// Shares of pairs y11, y10 and y00 in equilibrium. From (1-e) y10^2 - y10 + x (1-x) = 0 with e = e^(-w/kT), y00 - y11 = 1 - 2x and
    /// y00 y11 = e y10^2, each solved without cancellation.
    pub fn pairs(&self, at: Fraction) -> [f64; 3] {
        let e = match self.approximation {
            Approximation::BraggWilliams => 1.0,
            Approximation::QuasiChemical => (-self.pair_energy / self.kt).exp(),
        };
        let both = at.x * at.rest;
        let mixed = 2.0 * both / (1.0 + (1.0 - 4.0 * both * (1.0 - e)).max(0.0).sqrt());
        let (apart, product) = ((at.rest - at.x).abs(), e * mixed * mixed);
        let larger = 0.5 * (apart + apart.hypot(2.0 * product.sqrt()));
        let smaller = if larger > 0.0 { product / larger } else { 0.0 };
        if at.rest >= at.x { [smaller, mixed, larger] } else { [larger, mixed, smaller] }
    }
}

impl MixingCurve for MeanField {
    fn evaluate(&self, at: Fraction) -> [f64; 3] {
        let (z, w, kt) = (self.neighbours, self.pair_energy, self.kt);
        let ideal = ideal(at).map(|v| v * kt);
        let [y11, y10, y00] = self.pairs(at);
        match self.approximation {
            Approximation::BraggWilliams => {
                [0.5 * z * w * at.x * at.x + ideal[0], z * w * at.x + ideal[1], z * w + ideal[2]]
            }
            Approximation::QuasiChemical => {
                let term = |y: f64| if y > 0.0 { y * y.ln() } else { 0.0 };
                let e = (-w / kt).exp();
                // Derivatives of y10 and -y00 by x at constant mass action.
                let sum = y00 + y11 + 2.0 * e * y10;
                let (mixed, vacant) = ((at.rest - at.x) / sum, 2.0 * (y00 + e * y10) / sum);
                let pairs = w * y11 + kt * (term(y11) + 2.0 * term(y10) + term(y00));
                [
                    0.5 * z * pairs - (z - 1.0) * ideal[0],
                    z * kt * (y10 / y00).ln() - (z - 1.0) * ideal[1],
                    z * kt * (mixed / y10 + vacant / y00) - (z - 1.0) * ideal[2],
                ]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tangent::{spinodals, tangents};

    fn critical(approximation: Approximation, z: f64) -> f64 {
        // J = 1: w = -4.
        MeanField::new(approximation, z, -4.0, 1.0).unwrap().critical_kt().unwrap()
    }

    #[test]
    fn l06_critical_temperatures_of_the_mean_field_ladder() {
        for z in [4.0, 6.0, 8.0, 12.0] {
            assert!((critical(Approximation::BraggWilliams, z) - z).abs() < 1e-12);
        }
        let bethe = [(4.0, 2.885390), (6.0, 4.932607), (8.0, 6.952119), (12.0, 10.969630)];
        // Simple cubic, body-centred, face-centred: from series and simulation.
        let exact = [2.269185, 4.511523, 6.35435, 9.79713];
        for ((z, expected), exact) in bethe.into_iter().zip(exact) {
            let found = critical(Approximation::QuasiChemical, z);
            assert!((found - expected).abs() < 1e-6, "{z} {found}");
            assert!(critical(Approximation::BraggWilliams, z) > found && found > exact);
        }
    }

    #[test]
    fn phases_part_at_the_critical_temperature() {
        for approximation in [Approximation::BraggWilliams, Approximation::QuasiChemical] {
            let kt = critical(approximation, 6.0);
            let model = |share: f64| MeanField::new(approximation, 6.0, -4.0, share * kt).unwrap();
            assert!(spinodals(&model(1.001)).is_empty(), "{approximation:?}");
            let below = tangents(&model(0.999)).unwrap();
            assert_eq!(below.len(), 1, "{approximation:?}");
            // Symmetric phases at the chemical potential z w/2.
            assert!((below[0].slope + 12.0).abs() < 1e-9, "{below:?}");
            assert!((below[0].phases[0].x - below[0].phases[1].rest).abs() < 1e-9);
        }
    }

    #[test]
    fn l09_pairs_are_exact_on_a_chain() {
        let kt = 300.0 * crate::BOLTZMANN_EV_PER_K;
        for (w, mu, x) in [
            (-0.05, -0.1, 0.026321063),
            (-0.05, 0.0, 0.973678937),
            (0.05, -0.1, 0.019783958),
            (0.05, 0.0, 0.303370356),
            (0.05, 0.05, 0.5),
            (0.05, 0.1, 0.696629644),
        ] {
            let model = MeanField::new(Approximation::QuasiChemical, 2.0, w, kt).unwrap();
            let got = model.evaluate(Fraction::of(x))[1];
            assert!((got - mu).abs() < 1e-8 / (x * (1.0 - x)), "{w} {mu}: {got}");
        }
    }

    #[test]
    fn derivatives_agree_with_differences_and_pairs_with_their_sums() {
        for w in [-0.12, -0.01, 0.0, 0.04, 0.3] {
            for approximation in [Approximation::BraggWilliams, Approximation::QuasiChemical] {
                let model = MeanField::new(approximation, 6.0, w, 0.0257).unwrap();
                for x in [0.03, 0.3, 0.5, 0.77] {
                    let h = 1e-5;
                    let [a, b, c] = [x - h, x, x + h].map(|x| model.evaluate(Fraction::of(x)));
                    let scale = b.iter().fold(1e-3f64, |s, v| s.max(v.abs()));
                    assert!(((c[0] - a[0]) / (2.0 * h) - b[1]).abs() < 1e-6 * scale, "{w} {x}");
                    assert!(((c[1] - a[1]) / (2.0 * h) - b[2]).abs() < 1e-5 * scale, "{w} {x}");
                    let [y11, y10, y00] = model.pairs(Fraction::of(x));
                    assert!((y11 + y10 - x).abs() < 1e-14 && (y00 + y10 - 1.0 + x).abs() < 1e-14);
                }
            }
        }
    }

    #[test]
    fn numbers_without_a_meaning_are_refused() {
        let new = |z, w, kt| MeanField::new(Approximation::QuasiChemical, z, w, kt);
        for (z, w, kt) in
            [(1.0, 0.1, 1.0), (6.0, f64::NAN, 1.0), (6.0, 0.1, 0.0), (f64::NAN, 0.1, 1.0), (6.0, 1.0, 1e-9)]
        {
            assert!(new(z, w, kt).is_err(), "{z} {w} {kt}");
        }
        assert!(new(6.0, 0.1, 1.0).unwrap().critical_kt().is_none());
        assert!(new(2.0, -0.1, 1.0).unwrap().critical_kt().is_none());
    }
}
