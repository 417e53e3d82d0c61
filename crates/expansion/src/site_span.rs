//! Quantities of a site as sums of its site functions.

use crate::error::{ExpansionError, prim};
use nalgebra::DMatrix;
use scalade_handoff::SpeciesSite;

/// A singular value this small, relative to the largest, leaves two species of a site alike.
const ALIKE: f64 = 1e-10;

/// The span of the site functions of a site: with phi_0 = 1 they tell its M species apart, so that any quantity q(s) is
/// d_0 + sum_f d_f phi_f(s), with d the solution of an M x M system.
pub(crate) struct SiteSpan<'a> {
    site: &'a SpeciesSite,
    /// `[function][species]`, the constant first.
    inverse: DMatrix<f64>,
}

impl<'a> SiteSpan<'a> {
    /// Errors: site functions that do not tell the species apart.
    pub(crate) fn new(site: &'a SpeciesSite) -> Result<Self, ExpansionError> {
        let m = site.species.len();
        let matrix = DMatrix::from_fn(m, m, |s, f| if f == 0 { 1.0 } else { site.functions[f - 1][s] });
        let spectrum = matrix.singular_values();
        let apart = spectrum.min() > ALIKE * spectrum.max();
        let inverse = matrix.try_inverse().filter(|_| apart).ok_or_else(|| {
            prim(format!(
                "the site functions of [{}] do not tell these species apart; give as many independent ones as there are species, less one",
                site.species.join(", ")
            ))
        })?;
        Ok(Self { site, inverse })
    }

    /// d_0, d_1 ... of a product of site functions (numbered from 1).
    pub(crate) fn of_product(&self, functions: &[usize]) -> Vec<f64> {
        let value = |s: usize| functions.iter().map(|f| self.site.functions[f - 1][s]).product::<f64>();
        self.of_values((0..self.site.species.len()).map(value))
    }

    /// d_0, d_1 ... of a value for each species.
    pub(crate) fn of_values(&self, values: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let values: Vec<f64> = values.into_iter().collect();
        self.inverse.row_iter().map(|row| row.iter().zip(&values).map(|(w, v)| w * v).sum()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SiteBasis;

    #[test]
    fn products_are_sums_again_in_every_basis() {
        for (name, basis) in SiteBasis::ALL {
            for m in 2..7 {
                let site = SpeciesSite {
                    fractional: [0.0; 3],
                    species: (0..m).map(|s| s.to_string()).collect(),
                    functions: basis.functions(m),
                    charges: Vec::new(),
                };
                let span = SiteSpan::new(&site).unwrap();
                let d = span.of_product(&[1, 1, m - 1]);
                for s in 0..m {
                    let want = site.functions[0][s].powi(2) * site.functions[m - 2][s];
                    let got = d[0] + (1..m).map(|f| d[f] * site.functions[f - 1][s]).sum::<f64>();
                    assert!((got - want).abs() < 1e-9 * (1.0 + want.abs()), "{name} {m} {s}: {got} {want}");
                }
            }
        }
        let blind = SpeciesSite {
            fractional: [0.0; 3],
            species: vec!["A".into(), "B".into()],
            functions: vec![vec![2.0, 2.0]],
            charges: Vec::new(),
        };
        assert!(SiteSpan::new(&blind).is_err());
    }
}
