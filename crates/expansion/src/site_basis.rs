//! Site functions: what an expansion multiplies.

use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// A choice of site functions phi_1 ... phi_(M-1) beside phi_0 = 1 on a site that takes M species, numbered s = 0 ... M-1 in the order given.
///
/// All choices span the same space: an expansion with all clusters gives the same energies in each. They differ in what a coefficient means, and in which
/// fit a prior prefers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiteBasis {
    /// phi_f = 1 on species f, 0 elsewhere: the first species is the background.
    Occupation,
    /// Discrete Chebyshev polynomials of the equally spaced numbers -(M-1) ... M-1, orthonormal over the species (J. M. Sanchez, F. Ducastelle, D. Gratias,
    /// Physica A 128, 334 (1984)); -1 and +1 for two species.
    #[default]
    Spin,
    /// phi_f = -cos(TAU ceil(f/2) s/M) for odd f, -sin(TAU (f/2) s/M) for even f (A. van de Walle, Calphad 33, 266 (2009)); -1 and +1 for two species.
    Sinusoid,
}

impl SiteBasis {
    /// All bases with their names.
    pub const ALL: [(&'static str, Self); 3] =
        [("occupation", Self::Occupation), ("spin", Self::Spin), ("sinusoid", Self::Sinusoid)];

    /// `functions[f - 1][s]`, the value of phi_f on species s.
    pub fn functions(self, species: usize) -> Vec<Vec<f64>> {
        match self {
            Self::Occupation => {
                (1..species).map(|f| (0..species).map(|s| f64::from(u8::from(s == f))).collect()).collect()
            }
            Self::Spin => chebyshev(species),
            Self::Sinusoid => (1..species).map(|f| sinusoid(f, species)).collect(),
        }
    }
}

fn sinusoid(f: usize, species: usize) -> Vec<f64> {
    let turn = |s: usize| TAU * (f.div_ceil(2) * s) as f64 / species as f64;
    (0..species).map(|s| if f % 2 == 1 { -turn(s).cos() } else { -turn(s).sin() }).collect()
}

/// Powers of the numbers of the species, made orthonormal in turn.
fn chebyshev(species: usize) -> Vec<Vec<f64>> {
    let number = |s: usize| 2.0 * s as f64 - (species as f64 - 1.0);
    let mean = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / species as f64;
    let mut found: Vec<Vec<f64>> = vec![vec![1.0; species]];
    for _ in 1..species {
        // The recurrence of orthogonal polynomials: the number times the last one, less what lies along those before.
        let last = &found[found.len() - 1];
        let mut next: Vec<f64> = last.iter().enumerate().map(|(s, v)| number(s) * v).collect();
        // Twice: rounding of the first pass is taken out by the second.
        for _ in 0..2 {
            for before in &found {
                let along = mean(&next, before);
                next.iter_mut().zip(before).for_each(|(n, b)| *n -= along * b);
            }
        }
        let length = mean(&next, &next).sqrt();
        found.push(next.iter().map(|v| v / length).collect());
    }
    found.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_species_have_one_spin_and_three_the_known_functions() {
        for basis in [SiteBasis::Spin, SiteBasis::Sinusoid] {
            let found = basis.functions(2);
            assert!((found[0][0] + 1.0).abs() < 1e-15 && (found[0][1] - 1.0).abs() < 1e-15);
        }
        let found = SiteBasis::Spin.functions(3);
        let (a, b) = (1.5f64.sqrt(), 0.5f64.sqrt());
        for (got, want) in found.iter().flatten().zip([-a, 0.0, a, b, -2.0 * b, b]) {
            assert!((got - want).abs() < 1e-14, "{found:?}");
        }
        let half = 0.5 * 3f64.sqrt();
        let found = SiteBasis::Sinusoid.functions(3);
        for (got, want) in found.iter().flatten().zip([-1.0, 0.5, 0.5, 0.0, -half, half]) {
            assert!((got - want).abs() < 1e-14, "{found:?}");
        }
        assert_eq!(SiteBasis::Occupation.functions(3), [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        assert!(SiteBasis::Spin.functions(1).is_empty());
    }

    #[test]
    fn functions_tell_all_species_apart() {
        for (_, basis) in SiteBasis::ALL {
            for species in 2..12 {
                let found = basis.functions(species);
                assert_eq!(found.len(), species - 1);
                for a in 0..species {
                    for b in 0..a {
                        let differ: f64 = found.iter().map(|f| (f[a] - f[b]).abs()).sum();
                        assert!(differ > 0.1, "{basis:?} {species} {a} {b}");
                    }
                }
                if basis != SiteBasis::Occupation {
                    // Orthogonal to each other and to the constant.
                    let ones = vec![1.0; species];
                    let all: Vec<&Vec<f64>> = std::iter::once(&ones).chain(&found).collect();
                    for (i, f) in all.iter().enumerate() {
                        for g in all.iter().take(i) {
                            let product: f64 = f.iter().zip(g.iter()).map(|(x, y)| x * y).sum();
                            assert!(product.abs() < 1e-9, "{basis:?} {species}");
                        }
                    }
                }
            }
        }
    }
}
