//! The thermodynamic factor of a hop model whose ions separate into two phases.
//!
//! Within a miscibility gap no chemical potential gives the concentration in one phase, and the spread of an open box tells of two. The box with the ions that
//! it holds still has a free energy F(N): theta = N d^2(F/kT)/dN^2, negative where the ions of the box go uphill. Its size depends on the box, because the
//! interface between the phases is part of it: in ever larger boxes theta tends to 0, the phases being in equilibrium.
//!
//! F'' is sampled in the variance-constrained ensemble, whose weight e^(-F/kT - kappa M (c + phi/2)^2) holds the concentration c = N/M of M sites
//! (B. Sadigh, P. Erhart, Phys. Rev. B 86, 134204 (2012)): its chemical potential is mu/kT = -kappa (phi + 2<c>).

use crate::error::ScaladeError;
use crate::hop_theta::{Factor, SHARES, Sampler, ThetaRequest};
use scalade_lattice::model::exact::Levels;
use scalade_lattice::model::{Law, SampledPoint};

/// The share of the largest variance that a concentration can have, c(1 - c), from which on an open box goes between two phases.
const LARGEST_SHARE: f64 = 0.25;
/// Sites from which on that says something.
const FEWEST_SITES: usize = 32;
/// Least kappa. The constraint has to outweigh the curvature of the free energy, whose size that of the energies bounds.
const LEAST_KAPPA: f64 = 100.0;
/// Distance of the concentrations whose chemical potentials are compared, as a share of the minority.
const STEP: f64 = 0.05;
/// Standard error wanted at least of theta, where that is small.
const LEAST_ERROR: f64 = 0.02;
/// Moves of a point at first, for each site, and at most.
const FIRST_SWEEPS: u64 = 20_000;
const MOST_MOVES: u64 = 1_000_000_000;
/// Doublings of the moves.
const ROUNDS: usize = 6;

/// Whether the middle one of some open boxes goes between two phases.
pub(crate) fn two_phases(points: &[SampledPoint], sites: usize) -> bool {
    let Some(point) = points.get(points.len() / 2) else { return false };
    let c = point.summary.concentration.value;
    // The variance is that of N over the number of sites.
    let share = point.summary.variance.value / sites as f64 / (c * (1.0 - c)).max(f64::MIN_POSITIVE);
    sites >= FEWEST_SITES && share >= LARGEST_SHARE
}

/// What is told with a factor within a gap.
fn explanation(value: f64, std: f64) -> String {
    let what = if value < -2.0 * std {
        "theta is negative: within the spinodal of this box, where ions go uphill"
    } else if value > 2.0 * std {
        "theta is positive in this box, which may hold them in one phase that is not stable"
    } else {
        "theta of this box is 0 within its error: two phases in equilibrium"
    };
    format!(
        "the ions separate into two phases at this concentration: {what}; theta and the diffusivities depend on the box, because the interface is part of it"
    )
}

fn factor(value: f64, std: f64) -> Factor {
    Factor { value, std, gap: Some(explanation(value, std)) }
}

/// theta from the chemical potentials of the box at concentrations below and above.
pub(crate) fn within(request: &ThetaRequest, run: &Sampler<'_>) -> Result<Factor, ScaladeError> {
    let c = request.concentration;
    // Two ions at least lie between the two concentrations.
    let step = (STEP * c.min(1.0 - c)).max(1.0 / request.sites as f64);
    let kappa = LEAST_KAPPA.max(2.0 * request.reach);
    let laws = [c - step, c + step].map(|at| Law::VarianceConstrained { phi: -2.0 * at, kappa });
    let mut moves = (FIRST_SWEEPS * request.sites as u64).min(MOST_MOVES);
    for round in 1..=ROUNDS {
        // The moves decide when it ends: the precision is out of reach.
        let points = run(&laws, 1e-9, moves)?;
        let [below, above] = points.as_slice() else {
            return Err(ScaladeError::internal("two points are due"));
        };
        let at = [below, above].map(|p| p.summary.concentration);
        // The constraint draws to c -+ step; the ions stay where its force and their chemical potential balance.
        let mu = |drawn: f64, found: f64| 2.0 * kappa * (drawn - found);
        let (rise, width) =
            (mu(c + step, at[1].value) - mu(c - step, at[0].value), at[1].value - at[0].value);
        let noise = at[0].error.hypot(at[1].error);
        if width <= 4.0 * noise {
            moves = moves.saturating_mul(4).min(MOST_MOVES);
            continue;
        }
        let slope = rise / width;
        // d mu/dc = 2 kappa (2 step/width - 1): an error of the width moves it by its own slope.
        let error = 4.0 * kappa * step * noise / width.powi(2);
        let wanted = SHARES[1] * request.standard_error * slope.abs() * c;
        if round == ROUNDS || moves == MOST_MOVES || error * c <= wanted.max(LEAST_ERROR) {
            return Ok(factor(c * slope, c * error));
        }
        moves = moves.saturating_mul(2).min(MOST_MOVES);
    }
    Err(ScaladeError::input(
        "the thermodynamic factor within the miscibility gap could not be sampled; take another box or concentration",
    ))
}

/// theta of the ions of a small box, N [F(N + 1) - 2 F(N) + F(N - 1)]/kT, if it is negative there and the box is not filled or empty next to it.
pub(crate) fn from_levels(levels: &Levels, concentration: f64) -> Option<Factor> {
    let ions = (concentration * levels.sites() as f64).round() as u32;
    if ions < 1 || ions as usize >= levels.sites() {
        return None;
    }
    let weight = |n: u32| levels.log_partition_of(n);
    let curvature = 2.0 * weight(ions) - weight(ions + 1) - weight(ions - 1);
    (curvature < 0.0).then(|| factor(f64::from(ions) * curvature, 0.0))
}
