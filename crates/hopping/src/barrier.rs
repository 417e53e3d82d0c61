//! Barriers from first principles to a barrier law per mechanism: Bayesian linear regression of the kinetically resolved activation.
//!
//! For each mechanism E_KRA = a + b n + noise, n = occupied neighbours of both end sites. With the reference prior p(a, b, s2) ~ 1/s2 and
//! r rows, p coefficients, the posterior is s2 = RSS/chi2(r - p), (a, b) ~ N(least squares, s2 (X^T X)^-1)
//! (A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 14.2). A constant and a linear law are compared by their
//! exact leave-one-out errors e_i/(1 - h_ii), h the hat matrix.

use crate::{BarrierLaw, HoppingError, KraModel, Mechanism, Paths, error::exceeds};
use scalade_numerics::{Cholesky, Matrix, Philox, mean};
use serde::{Deserialize, Serialize};

/// Tolerance on forward - backward = E_f - E_i, eV: barriers are tabled to 1e-4 eV and end energies to as much.
const CONSISTENCY_EV: f64 = 5e-4;
/// Draws of one posterior sample before a law is refused for reaching activations that are not positive.
const REDRAWS: usize = 1000;

/// One computed hop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BarrierRow {
    /// Identifier.
    pub id: String,
    /// Occupied share of the sites of the working ion.
    pub x: f64,
    /// Mechanism.
    pub mechanism: Mechanism,
    /// Occupied neighbours of the initial site, the hop's own partner site not counted.
    pub n_li_initial: u32,
    /// Occupied neighbours of the final site, likewise.
    pub n_li_final: u32,
    /// Vacant common neighbours of the two sites.
    pub n_vacant_common: u32,
    /// Forward barrier, eV.
    pub forward_ev: f64,
    /// Backward barrier, eV.
    pub backward_ev: f64,
    /// Final minus initial energy if it is known independently, eV.
    pub energy_difference_ev: Option<f64>,
}

impl BarrierRow {
    /// Refuses barriers that are not finite and positive, a mechanism that contradicts the vacant common neighbours, and a
    /// difference of the barriers that contradicts the end energies.
    pub fn check(&self) -> Result<(), HoppingError> {
        let error = |what, value, want| HoppingError::Barrier { id: self.id.clone(), what, value, want };
        for (what, value) in
            [("forward barrier (eV)", self.forward_ev), ("backward barrier (eV)", self.backward_ev)]
        {
            if !(value.is_finite() && value > 0.0) {
                return Err(error(
                    what,
                    value,
                    "a finite barrier above 0 is due: a saddle is above both ends",
                ));
            }
        }
        if !(0.0..=1.0).contains(&self.x) {
            return Err(error("x", self.x, "a share in [0, 1] is due"));
        }
        let vacant = self.n_vacant_common;
        if (self.mechanism == Mechanism::Odh) != (vacant == 0) {
            let want = "odh has none, tsh at least one: correct the mechanism or the count";
            return Err(error("vacant common neighbours", f64::from(vacant), want));
        }
        if self.n_li_initial.max(self.n_li_final) > 64 {
            let largest = f64::from(self.n_li_initial.max(self.n_li_final));
            return Err(error("occupied neighbours", largest, "at most 64 are due"));
        }
        if let Some(difference) = self.energy_difference_ev {
            let gap = self.forward_ev - self.backward_ev - difference;
            if exceeds(gap.abs(), CONSISTENCY_EV) {
                let want = "forward - backward must equal E_final - E_initial within 5e-4 eV";
                return Err(error("barrier difference less energy difference (eV)", gap, want));
            }
        }
        Ok(())
    }

    /// E_KRA = E_saddle - (E_i + E_f)/2 = (forward + backward)/2, eV.
    pub fn kra_ev(&self) -> f64 {
        0.5 * (self.forward_ev + self.backward_ev)
    }

    /// The count n.
    pub fn occupied_neighbours(&self) -> u32 {
        self.n_li_initial + self.n_li_final
    }
}

/// The form of a law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LawForm {
    /// E_KRA = a.
    Constant,
    /// E_KRA = a + b n.
    Linear,
}

impl LawForm {
    fn features(self, n: f64) -> Vec<f64> {
        match self {
            Self::Constant => vec![1.0],
            Self::Linear => vec![1.0, n],
        }
    }
}

/// Posterior of one mechanism's law.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LawFit {
    /// Mechanism.
    pub mechanism: Mechanism,
    /// Form with the smaller leave-one-out error.
    pub form: LawForm,
    /// Posterior mean.
    pub law: BarrierLaw,
    /// Posterior standard deviations of intercept and slope: those of the normal law scaled by sqrt(nu/(nu-2)) of the Student law
    /// where nu > 2, else unscaled; eV.
    pub standard_ev: [f64; 2],
    /// Residual standard deviation sqrt(RSS/(r - p)), eV.
    pub noise_ev: f64,
    /// Root mean square of the exact leave-one-out errors, eV.
    pub leave_one_out_ev: f64,
    /// The same for the form not chosen (none if it could not be fitted), eV.
    pub rejected_leave_one_out_ev: Option<f64>,
    /// Residual (data - law) of every row, with the row's identifier, eV.
    pub residuals_ev: Vec<(String, f64)>,
    /// Range of n in the data; outside, the law extrapolates.
    pub occupied_range: [u32; 2],
}

/// The fitted barrier model and samples of its posterior.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KraFit {
    /// Fits in the order of [`Mechanism::ALL`].
    pub laws: Vec<LawFit>,
    /// Model at the posterior mean.
    pub model: KraModel,
    /// Samples of the posterior.
    pub samples: Vec<KraModel>,
    /// Samples drawn again because an activation between n = 0 and the largest n asked for was not positive.
    pub redrawn: usize,
}

struct Regression {
    form: LawForm,
    coefficients: Vec<f64>,
    factor: Cholesky,
    noise: f64,
    degrees: usize,
    leave_one_out: f64,
    residuals: Vec<f64>,
}

fn regress(form: LawForm, n: &[f64], kra: &[f64], mechanism: Mechanism) -> Result<Regression, HoppingError> {
    let columns = form.features(0.0).len();
    if n.len() < columns + 2 {
        let (rows, needed) = (n.len(), columns + 2);
        return Err(HoppingError::TooFewBarriers { mechanism: mechanism.name(), rows, needed });
    }
    let data: Vec<f64> = n.iter().flat_map(|v| form.features(*v)).collect();
    let design = Matrix::from_rows(n.len(), columns, data)?;
    let factor = Cholesky::new(&design.weighted_gram(&vec![1.0; n.len()]))?;
    let coefficients = factor.solve(&design.transposed_times(kra));
    let predicted = design.times(&coefficients);
    let residuals: Vec<f64> = kra.iter().zip(&predicted).map(|(k, p)| k - p).collect();
    let degrees = n.len() - columns;
    let noise = (residuals.iter().map(|r| r * r).sum::<f64>() / degrees as f64).sqrt();
    let left_out: Vec<f64> = (0..n.len())
        .map(|i| (residuals[i] / (1.0 - factor.inverse_quadratic(design.row(i)))).powi(2))
        .collect();
    let leave_one_out = mean(&left_out).sqrt();
    if !leave_one_out.is_finite() {
        let want =
            "every row must leave a fit behind when it is left out: add rows with other neighbour counts";
        return Err(HoppingError::Parameter { what: "leave-one-out error (eV)", value: leave_one_out, want });
    }
    Ok(Regression { form, coefficients, factor, noise, degrees, leave_one_out, residuals })
}

impl Regression {
    fn law(coefficients: &[f64]) -> BarrierLaw {
        BarrierLaw { intercept_ev: coefficients[0], slope_ev: coefficients.get(1).copied().unwrap_or(0.0) }
    }

    fn sample(&self, rng: &mut Philox) -> BarrierLaw {
        let chi2: f64 = (0..self.degrees).map(|_| rng.normal().powi(2)).sum();
        let scale = self.noise * (self.degrees as f64 / chi2).sqrt();
        let normal: Vec<f64> = self.coefficients.iter().map(|_| rng.normal()).collect();
        let shift = self.factor.solve_upper(&normal);
        let drawn: Vec<f64> = self.coefficients.iter().zip(&shift).map(|(c, s)| c + scale * s).collect();
        Self::law(&drawn)
    }

    fn summary(&self, mechanism: Mechanism, rows: &[&BarrierRow], rejected: Option<f64>) -> LawFit {
        let inverse = self.factor.inverse();
        let student = if self.degrees > 2 { self.degrees as f64 / (self.degrees - 2) as f64 } else { 1.0 };
        let deviation = |k: usize| {
            if k < self.coefficients.len() { self.noise * (student * inverse.row(k)[k]).sqrt() } else { 0.0 }
        };
        let counts = || rows.iter().map(|r| r.occupied_neighbours());
        LawFit {
            mechanism,
            form: self.form,
            law: Self::law(&self.coefficients),
            standard_ev: [deviation(0), deviation(1)],
            noise_ev: self.noise,
            leave_one_out_ev: self.leave_one_out,
            rejected_leave_one_out_ev: rejected,
            residuals_ev: rows.iter().zip(&self.residuals).map(|(r, e)| (r.id.clone(), *e)).collect(),
            occupied_range: [counts().min().unwrap_or(0), counts().max().unwrap_or(0)],
        }
    }
}

/// Fits both mechanisms and draws `samples` posterior samples. `largest_count` is the largest n that occurs on the lattice (10 for
/// a triangular layer); every law and sample must be positive for all n from 0 (`tsh`) or from the smallest n with all common
/// neighbours occupied (`odh`, twice `common`) to there.
pub fn fit_barriers(
    rows: &[BarrierRow],
    common: u32,
    largest_count: u32,
    samples: usize,
    seed: u64,
) -> Result<KraFit, HoppingError> {
    for row in rows {
        row.check()?;
    }
    let mut regressions = Vec::new();
    let mut laws = Vec::new();
    for mechanism in Mechanism::ALL {
        let chosen: Vec<&BarrierRow> = rows.iter().filter(|r| r.mechanism == mechanism).collect();
        let n: Vec<f64> = chosen.iter().map(|r| f64::from(r.occupied_neighbours())).collect();
        let kra: Vec<f64> = chosen.iter().map(|r| r.kra_ev()).collect();
        let constant = regress(LawForm::Constant, &n, &kra, mechanism)?;
        let (best, rejected) = match regress(LawForm::Linear, &n, &kra, mechanism) {
            Ok(linear) if linear.leave_one_out < constant.leave_one_out => {
                let rejected = constant.leave_one_out;
                (linear, Some(rejected))
            }
            Ok(linear) => (constant, Some(linear.leave_one_out)),
            Err(_) => (constant, None),
        };
        laws.push(best.summary(mechanism, &chosen, rejected));
        regressions.push(best);
    }
    let lowest = [2 * common, 0];
    let positive = |law: &BarrierLaw, k: usize| {
        [lowest[k], largest_count].iter().all(|n| law.intercept_ev + law.slope_ev * f64::from(*n) > 0.0)
    };
    let model = KraModel { odh: laws[0].law, tsh: laws[1].law, paths: Paths::PerVacantCommon };
    for (k, fit) in laws.iter().enumerate() {
        if !positive(&fit.law, k) {
            let want = "the fitted activation must be positive for every neighbour count: check the rows";
            return Err(HoppingError::Parameter {
                what: "fitted E_KRA intercept (eV)",
                value: fit.law.intercept_ev,
                want,
            });
        }
    }
    let mut redrawn = 0;
    let mut out = Vec::with_capacity(samples);
    for sample in 0..samples {
        let mut rng = Philox::new(seed, 0x6b72_6131, sample as u32);
        let mut drawn = [BarrierLaw { intercept_ev: 0.0, slope_ev: 0.0 }; 2];
        for (k, regression) in regressions.iter().enumerate() {
            let mut tries = 0;
            loop {
                drawn[k] = regression.sample(&mut rng);
                if positive(&drawn[k], k) {
                    break;
                }
                tries += 1;
                if tries == REDRAWS {
                    let want = "nearly all posterior samples have activations below 0: add rows";
                    return Err(HoppingError::Parameter {
                        what: "E_KRA noise (eV)",
                        value: regression.noise,
                        want,
                    });
                }
            }
            redrawn += tries;
        }
        out.push(KraModel { odh: drawn[0], tsh: drawn[1], paths: Paths::PerVacantCommon });
    }
    Ok(KraFit { laws, model, samples: out, redrawn })
}
