//! The thermodynamic factor theta = d(mu/kT)/d ln c of a hop model, by two ways that must agree.

use crate::error::ScaladeError;
use crate::hop_gap;
use scalade_hopping::WithError;
use scalade_lattice::model::exact::Levels;
use scalade_lattice::model::{Law, SampledPoint};

/// Standard errors by which the two estimates may differ.
const LARGEST_DISAGREEMENT: f64 = 5.0;
/// Moves of the sampling behind a thermodynamic factor.
const MOST_MOVES: u64 = 2_000_000_000;
/// By how much the step of the chemical potential may be cut where its curve bends.
const SMALLEST_STEP: f64 = 15.0;
/// Rounds of a run, each with half the error or half the step of the one before.
const ROUNDS: usize = 10;
/// theta over that of independent sites below which ions may separate.
const SUSPICIOUS: f64 = 0.2;
/// Moves for each site at a step of the search, over 64 replicas.
const SWEEPS: u64 = 64 * 200;
/// Steps towards the chemical potential of a concentration.
const MOST_STEPS: usize = 60;

/// Shares of the standard error asked for that D_J and theta may have, so that theta D_J keeps it: 0.8^2 + 0.6^2 = 1.
pub(crate) const SHARES: [f64; 2] = [0.8, 0.6];

/// A thermodynamic factor with its standard error.
#[derive(Clone, Debug)]
pub(crate) struct Factor {
    pub value: f64,
    pub std: f64,
    /// What there is to know of it where the ions separate.
    pub gap: Option<String>,
}

impl From<WithError> for Factor {
    fn from(known: WithError) -> Self {
        Self { value: known.value, std: known.std, gap: None }
    }
}

/// The factor, or why there is none.
pub(crate) type Told = Result<Factor, Missing>;

/// Why a number is missing.
#[derive(Clone, Debug)]
pub(crate) enum Missing {
    /// It does not exist or is not worked out for this box.
    Absent(String),
    /// Two ways to it disagree, or its error was not reached.
    Failed(String),
}

impl Missing {
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Absent(reason) | Self::Failed(reason) => reason,
        }
    }
}

/// theta of sites that only exclude each other.
pub(crate) fn hard_core(concentration: f64) -> Factor {
    Factor { value: 1.0 / (1.0 - concentration), std: 0.0, gap: None }
}

/// What is asked of the sampling.
pub(crate) struct ThetaRequest {
    /// Occupied share of the sites.
    pub concentration: f64,
    /// Half the width of a bracket of mu/kT around that of independent sites.
    pub reach: f64,
    /// Number of sites.
    pub sites: usize,
    /// Standard error wanted of theta D_J, relative.
    pub standard_error: f64,
}

/// Samples ensembles at kT = 1, energies in kT, to a precision of the energy per site, with at most so many moves for each.
pub(crate) type Sampler<'a> = dyn Fn(&[Law], f64, u64) -> Result<Vec<SampledPoint>, ScaladeError> + 'a;

/// Semi-grand-canonical ensembles.
fn grand(mus: &[f64]) -> Vec<Law> {
    mus.iter().map(|mu| Law::SemiGrand { mu: *mu }).collect()
}

/// theta = d(mu/kT)/d ln c = <N>/var N in the semi-grand ensemble at the chemical potential where <N> is the number of ions, and from the difference of
/// chemical potentials between neighbouring concentrations. The two must agree.
pub(crate) fn by_sampling(request: &ThetaRequest, run: &Sampler<'_>) -> Result<Told, ScaladeError> {
    let concentration = request.concentration;
    let (mu, whole) = chemical_potential(request, run)?;
    let mut half = whole;
    // Of the energy per site in kT: a first try, the error of theta decides.
    let mut precision = (0.1 * request.standard_error).clamp(2e-4, 4e-3);
    let (mut suspicious, mut looked) = (false, false);
    // Doublings of the precision and halvings of the step.
    for round in 0..ROUNDS {
        // An open box that does not come to terms may hold two phases.
        if suspicious && !looked {
            if let Some(within) = hop_gap::look(request, run)? {
                return Ok(within);
            }
            looked = true;
        }
        let points = run(&grand(&[mu - half, mu, mu + half]), precision, MOST_MOVES)?;
        if hop_gap::two_phases(&points, request.sites) {
            return hop_gap::within(request, run);
        }
        let (by_fluctuation, by_difference) = match two_estimates(&points, half, concentration) {
            Ok(both) => both,
            Err(Missing::Absent(_)) => return hop_gap::within(request, run),
            // Noise may hide that the concentration rises.
            Err(Missing::Failed(_)) if round + 1 < ROUNDS => {
                precision *= 0.5;
                suspicious = true;
                continue;
            }
            Err(missing) => return Ok(Err(missing)),
        };
        let error = by_fluctuation.std.hypot(by_difference.std);
        let gap = (by_fluctuation.value - by_difference.value) / error;
        let disagree = gap.abs() > LARGEST_DISAGREEMENT;
        suspicious |= disagree || by_fluctuation.value < SUSPICIOUS / (1.0 - concentration);
        if by_fluctuation.std > SHARES[1] * request.standard_error * by_fluctuation.value {
            precision *= 0.5;
        } else if disagree && half * SMALLEST_STEP > whole {
            // The curve bends within the step, as near an order: a shorter one tells bending from disagreement.
            half *= 0.5;
        } else if disagree {
            return Ok(Err(Missing::Failed(format!(
                "fluctuations give a thermodynamic factor of {:.4}({:.4}), the change of the chemical potential {:.4}({:.4}): they disagree by {gap:.1} standard errors; the box may hold two phases",
                by_fluctuation.value, by_fluctuation.std, by_difference.value, by_difference.std
            ))));
        } else if looked || !suspicious {
            return Ok(Ok(by_fluctuation.into()));
        }
        // What is left is told again after a look.
    }
    Ok(Err(Missing::Failed(format!(
        "the thermodynamic factor did not reach a standard error of {:e}; raise standard_error",
        SHARES[1] * request.standard_error
    ))))
}

/// mu/kT of a concentration, and half the distance of three points a twentieth of the minority apart: Newton's steps with the spread of the composition
/// as slope, held in a bracket.
fn chemical_potential(request: &ThetaRequest, run: &Sampler<'_>) -> Result<(f64, f64), ScaladeError> {
    let concentration = request.concentration;
    let middle = (concentration / (1.0 - concentration)).ln();
    // Far from the chemical potential wanted nothing may change, and no precision be known.
    let mut most = (SWEEPS * request.sites as u64).clamp(200_000, MOST_MOVES / 20);
    let mut precision = (0.2 * request.standard_error).clamp(1e-3, 8e-3);
    let (mut low, mut high) = (middle - request.reach - 1.0, middle + request.reach + 1.0);
    let minority = concentration.min(1.0 - concentration);
    let mut mu = 0.5 * (low + high);
    // Nearest so far: distance, mu, spread.
    let mut nearest = (f64::INFINITY, mu, minority);
    for _ in 0..MOST_STEPS {
        let points = run(&grand(&[mu]), precision, most)?;
        let point = points.first().ok_or_else(|| ScaladeError::internal("no point was sampled"))?;
        if point.summary.kept == 0 {
            // Too few moves for a record.
            most = most.saturating_mul(4);
            continue;
        }
        let (c, spread) = (point.summary.concentration, point.summary.variance.value);
        let missing = concentration - c.value;
        if missing.abs() < nearest.0 && spread > 0.0 {
            nearest = (missing.abs(), mu, spread);
        }
        if missing.abs() < 0.01 * minority + 2.0 * c.error {
            break;
        }
        if missing > 0.0 {
            low = mu;
        } else {
            high = mu;
        }
        if high - low < 1e-3 {
            // Noise has led astray: again around here, with less of it.
            (low, high) = (mu - 1.0, mu + 1.0);
            precision *= 0.5;
            most = most.saturating_mul(4).min(MOST_MOVES / 10);
        }
        let step = mu + missing / spread.max(1e-12);
        mu = if step > low && step < high { step } else { 0.5 * (low + high) };
    }
    let (_, mu, spread) = nearest;
    // A chemical potential within 5 kT on either side: with a spread that small the ions do not change their number.
    Ok((mu, (0.05 * minority / spread).min(5.0)))
}

/// c/var N, and d mu/d ln c of the curve through three points, both interpolated to the concentration asked for.
fn two_estimates(
    points: &[SampledPoint],
    half: f64,
    concentration: f64,
) -> Result<(WithError, WithError), Missing> {
    let [below, middle, above] = points else {
        return Err(Missing::Failed("three points are due".into()));
    };
    let c = [below, middle, above].map(|p| p.summary.concentration);
    let variance = [below, middle, above].map(|p| p.summary.variance);
    let slack = 5.0 * c[1].error + 0.01 * (c[2].value - c[0].value).abs();
    if concentration < c[0].value - slack || concentration > c[2].value + slack {
        return Err(Missing::Absent(format!(
            "no chemical potential gives the concentration {concentration:.4} in one phase (nearest {:.4}): the ions separate, and theta is not positive within the gap",
            c[1].value
        )));
    }
    if !(c[0].value < c[1].value && c[1].value < c[2].value) || variance.iter().any(|v| v.value <= 0.0) {
        return Err(Missing::Failed("the concentration does not rise with the chemical potential".into()));
    }
    // Weights of Lagrange's polynomial in c and of its derivative.
    let others = |k: usize| [c[(k + 1) % 3].value, c[(k + 2) % 3].value];
    let norm = |k: usize| others(k).map(|o| c[k].value - o).iter().product::<f64>();
    let weight = |k: usize| others(k).map(|o| concentration - o).iter().product::<f64>() / norm(k);
    let slope = |k: usize| others(k).map(|o| concentration - o).iter().sum::<f64>() / norm(k);
    let sum = |of: &dyn Fn(usize) -> f64| (0..3).map(of).sum::<f64>();
    let spread = sum(&|k| weight(k) * variance[k].value);
    let spread_error = sum(&|k| (weight(k) * variance[k].error).powi(2)).sqrt();
    let fluctuation =
        WithError { value: concentration / spread, std: concentration * spread_error / spread.powi(2) };
    let mus = [-half, 0.0, half];
    let derivative = sum(&|k| slope(k) * mus[k]);
    // An error of c at a point moves mu there by d mu/dc times it.
    let error = sum(&|k| (slope(k) * derivative * c[k].error).powi(2)).sqrt();
    let difference = WithError { value: concentration * derivative, std: concentration * error };
    Ok((fluctuation, difference))
}

/// theta from all states of a small box with energies in kT, which the surroundings change by `reach` at most; that of a box that separates, if it does.
pub(crate) fn by_levels(levels: &Levels, concentration: f64, reach: f64) -> Factor {
    if let Some(within) = hop_gap::from_levels(levels, concentration, reach) {
        return within;
    }
    let (mut low, mut high) = (-100.0 - 4.0 * reach, 100.0 + 4.0 * reach);
    for _ in 0..200 {
        let mu = 0.5 * (low + high);
        if levels.at(1.0, mu).concentration < concentration {
            low = mu;
        } else {
            high = mu;
        }
    }
    let at = levels.at(1.0, 0.5 * (low + high));
    Factor { value: at.concentration / at.variance, std: 0.0, gap: None }
}
