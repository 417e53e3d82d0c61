//! The thermodynamic factor of a hop model whose ions separate into two phases.
//!
//! Within a miscibility gap no chemical potential gives the concentration in one phase, and the spread of an open box tells of two. The box with the ions that
//! it holds still has a free energy F(N): theta = N d^2(F/kT)/dN^2, negative where the ions of the box go uphill. Its size depends on the box, because the
//! interface between the phases is part of it: in ever larger boxes theta tends to 0, the phases being in equilibrium.
//!
//! F'' is sampled in the variance-constrained ensemble, whose weight e^(-F/kT - kappa M (c + phi/2)^2) holds the concentration c = N/M of M sites
//! (B. Sadigh, P. Erhart, Phys. Rev. B 86, 134204 (2012)): its chemical potential is mu/kT = -kappa (phi + 2<c>).

use crate::error::ScaladeError;
use crate::hop_theta::{Factor, Missing, SHARES, Sampler, ThetaRequest, Told};
use scalade_lattice::model::exact::Levels;
use scalade_lattice::model::{Law, SampledPoint};

/// The share of the largest variance that a concentration can have, c(1 - c), from which on an open box goes between two phases.
const LARGEST_SHARE: f64 = 0.25;
/// Sites from which on that says something.
const FEWEST_SITES: usize = 32;
/// Least kappa. The constraint has to outweigh the curvature of the free energy, whose size that of the energies bounds.
const LEAST_KAPPA: f64 = 20.0;
/// Distance of the concentrations whose chemical potentials are compared, as a share of the minority.
const STEP: f64 = 0.05;
/// Standard error wanted at least of theta, where that is small.
const LEAST_ERROR: f64 = 0.02;
/// Moves of a point at first, for each site, and at most.
const FIRST_SWEEPS: u64 = 20_000;
const MOST_MOVES: u64 = 1_000_000_000;
/// The same for a first look.
const MOST_FIRST_MOVES: u64 = 50_000_000;
/// theta over that of independent sites below which it is that of two phases.
const SMALL: f64 = 0.05;
/// Doublings of the moves.
const ROUNDS: usize = 10;

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

/// The two ensembles: half the distance between the concentrations that they draw to, and how strongly.
struct Constraint {
    step: f64,
    kappa: f64,
}

impl Constraint {
    /// `reach`: what the surroundings do to the energy of a site at most, kT.
    fn new(concentration: f64, sites: usize, reach: f64) -> Self {
        // Two ions at least lie between the two concentrations.
        let step = (STEP * concentration.min(1.0 - concentration)).max(1.0 / sites as f64);
        Self { step, kappa: LEAST_KAPPA.max(2.0 * reach) }
    }
}

/// theta of the box if that is not positive, or so small beside that of independent sites that the ions must be in two phases.
pub(crate) fn look(request: &ThetaRequest, run: &Sampler<'_>) -> Result<Option<Told>, ScaladeError> {
    let Some(found) = sampled(request, run, MOST_FIRST_MOVES)? else { return Ok(None) };
    let (least, most) = (found.value - 4.0 * found.std, found.value + 2.0 * found.std);
    let alone = 1.0 / (1.0 - request.concentration);
    let separated = found.value + 4.0 * found.std < 0.0 || (most < SMALL * alone && least > -SMALL * alone);
    if separated { within(request, run).map(Some) } else { Ok(None) }
}

/// theta from the chemical potentials of the box at concentrations below and above.
pub(crate) fn within(request: &ThetaRequest, run: &Sampler<'_>) -> Result<Told, ScaladeError> {
    let Some(found) = sampled(request, run, MOST_MOVES)? else {
        return Ok(Err(Missing::Failed(
            "no chemical potential could be sampled within the miscibility gap; take another size or concentration"
                .into(),
        )));
    };
    let wanted = error_wanted(found.value, request.standard_error);
    if found.std > wanted {
        return Ok(Err(Missing::Failed(format!(
            "within the miscibility gap the box has a thermodynamic factor of {:.3}({:.3}), an error of {wanted:.3} was wanted; raise standard_error or take a smaller box",
            found.value, found.std
        ))));
    }
    Ok(Ok(found))
}

/// Standard error wanted of theta: relative, but no less than what tells a small one from 0.
fn error_wanted(theta: f64, standard_error: f64) -> f64 {
    (SHARES[1] * standard_error * theta.abs()).max(LEAST_ERROR)
}

/// theta with the error wanted, or the one that is reached with so many moves of each point; none where noise hides the concentrations.
fn sampled(request: &ThetaRequest, run: &Sampler<'_>, most: u64) -> Result<Option<Factor>, ScaladeError> {
    let c = request.concentration;
    let Constraint { step, kappa } = Constraint::new(c, request.sites, request.reach);
    let laws = [c - step, c + step].map(|at| Law::VarianceConstrained { phi: -2.0 * at, kappa });
    let mut moves = (FIRST_SWEEPS * request.sites as u64).min(most);
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
            if moves == most {
                break;
            }
            moves = moves.saturating_mul(4).min(most);
            continue;
        }
        let slope = rise / width;
        // d mu/dc = 2 kappa (2 step/width - 1): an error of the width moves it by its own slope.
        let error = 4.0 * kappa * step * noise / width.powi(2);
        let wanted = error_wanted(c * slope, request.standard_error);
        if round == ROUNDS || moves == most || error * c <= wanted {
            return Ok(Some(factor(c * slope, c * error)));
        }
        moves = moves.saturating_mul(2).min(most);
    }
    Ok(None)
}

/// theta of a small box from all its states in the same ensembles, if it is negative there.
pub(crate) fn from_levels(levels: &Levels, concentration: f64, reach: f64) -> Option<Factor> {
    let (c, sites) = (concentration, levels.sites());
    let Constraint { step, kappa } = Constraint::new(c, sites, reach);
    let free: Vec<f64> = (0..=sites as u32).map(|n| levels.log_partition_of(n)).collect();
    let mean = |drawn: f64| {
        let share = |n: usize| n as f64 / sites as f64;
        let exponent = |n: usize| free[n] - kappa * sites as f64 * (share(n) - drawn).powi(2);
        let largest = (0..=sites).map(exponent).fold(f64::NEG_INFINITY, f64::max);
        let sums = (0..=sites).fold([0.0; 2], |[all, weighted], n| {
            let weight = (exponent(n) - largest).exp();
            [all + weight, weighted + share(n) * weight]
        });
        sums[1] / sums[0]
    };
    let theta = c * 2.0 * kappa * (2.0 * step / (mean(c + step) - mean(c - step)) - 1.0);
    (theta < 0.0).then(|| factor(theta, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_crystal::{NamedLattice, Structure};
    use scalade_lattice::model::{PairModel, RunSettings, Variables, sample_laws};

    fn square(pair: f64) -> PairModel {
        let named = NamedLattice::Square;
        let cell = Structure::new(named.vectors(), vec!["X".into()], named.basis()).unwrap();
        PairModel::new(&cell, 2, [4, 4, 1], Variables::Occupation, &[pair]).unwrap()
    }

    fn sampler(model: &PairModel) -> impl Fn(&[Law], f64, u64) -> Result<Vec<SampledPoint>, ScaladeError> {
        |laws: &[Law], precision: f64, most_moves: u64| {
            let points: Vec<(f64, Law)> = laws.iter().map(|law| (1.0, *law)).collect();
            let settings = RunSettings { precision, seed: 3, most_moves, ..RunSettings::default() };
            sample_laws(model, &points, &settings).map_err(|e| ScaladeError::internal(e.to_string()))
        }
    }

    #[test]
    fn theta_of_a_box_that_separates_is_that_of_all_its_states() {
        // Separating, and mixed.
        for (pair, negative) in [(-2.5, true), (-0.5, false)] {
            let (model, reach) = (square(pair), 4.0 * f64::abs(pair));
            let levels = Levels::enumerate(&model).unwrap();
            let request = ThetaRequest { concentration: 0.5, reach, sites: 16, standard_error: 0.02 };
            let found = within(&request, &sampler(&model)).unwrap().unwrap();
            let want = from_levels(&levels, 0.5, reach);
            assert!(found.std < 0.03 && want.is_some() == negative, "{found:?} {want:?}");
            if let Some(want) = want {
                assert!((found.value - want.value).abs() < 4.0 * found.std, "{found:?} {want:?}");
            }
            let seen = look(&request, &sampler(&model)).unwrap();
            assert_eq!(seen.is_some(), negative, "{seen:?}");
        }
    }

    /// A free energy that bends as told has that theta: F = a M (c - 1/2)^2 gives c F''/M = 2 a c.
    #[test]
    fn theta_of_all_states_is_the_bend_of_the_free_energy() {
        let sites = 40usize;
        for a in [-6.0, -1.5, 2.0] {
            let energy = |n: u32| a * sites as f64 * (f64::from(n) / sites as f64 - 0.5).powi(2);
            let states: Vec<(f64, u32)> = (0..=sites as u32).map(|n| (energy(n), n)).collect();
            let found = from_levels(&Levels::of_states(sites, &states), 0.4, 6.0);
            match found {
                Some(found) => assert!((found.value - 0.8 * a).abs() < 1e-3 * a.abs(), "{found:?} {a}"),
                None => assert!(a > 0.0),
            }
        }
    }
}
