//! From hops on the lattice to a local expansion.

use crate::error::ExpansionError;
use crate::local::{
    ArrangedHop, EventClass, ExcludedHop, HopExclusion, LocalCutoffs, local_orbits, reach_angstrom,
};
use crate::prim::Prim;
use scalade_crystal::LatticeSite;
use scalade_handoff::{FunctionOrbit, LocalExpansion, Parity, SpeciesChange};
use scalade_lattice::{Column, Diagnostic, Examined, FitProblem, Solution, SolveSettings, Subject, examine};
use scalade_numerics::Matrix;
use std::collections::{BTreeMap, BTreeSet};

/// One hop in the fit, eV.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalParity {
    /// Name in the data set.
    pub id: String,
    /// The property in the data.
    pub data_ev: f64,
    /// That of the expansion.
    pub fitted_ev: f64,
    /// Data minus the prediction of a fit without this hop.
    pub leave_one_out_residual_ev: f64,
    /// Standard deviation of that residual by the noise of the fit: noise / sqrt(1 - leverage). What hyperparameters or the choice of clusters owe to the few
    /// hops there are is not in it: residuals several times as large tell of more clusters than the hops can bear.
    pub leave_one_out_std_ev: f64,
    /// Leverage.
    pub leverage: f64,
}

/// A fitted local expansion with all that is needed to judge it.
#[derive(Clone, Debug)]
pub struct LocalFit {
    /// The hand-off: best coefficients and posterior samples.
    pub expansion: LocalExpansion,
    /// How the coefficients were found; columns are the constant and the orbits, each the sum (not the mean) of its products.
    pub solution: Solution,
    /// What the columns stand for.
    pub columns: Vec<Column>,
    /// Every hop of the kind of the prototype.
    pub parity: Vec<LocalParity>,
    /// Hops of other kinds.
    pub excluded: Vec<ExcludedHop>,
    /// What a user should know about the data.
    pub diagnostics: Vec<Diagnostic>,
}

/// Fits the expansion about a prototype event to the hops that symmetry makes of it; others are listed, never dropped.
///
/// The row of a hop is 1 and, for every orbit, the sum of its products of site functions about the hop. No method penalises the constant; the prior of the
/// Bayesian one narrows with the number of sites and with the distance from the event. Posterior samples come with the methods that have them.
///
/// Errors: fewer than three hops of this kind, clusters beyond the limits, and those of the method.
pub fn fit_local_expansion(
    prim: &Prim,
    event: &[SpeciesChange],
    parity: Parity,
    hops: &[ArrangedHop],
    cutoffs: &LocalCutoffs,
    settings: &SolveSettings,
) -> Result<LocalFit, ExpansionError> {
    let class = EventClass::new(prim, event, parity)?;
    let orbits = local_orbits(prim, event, parity, cutoffs)?;
    let (used, others): (Vec<&ArrangedHop>, Vec<&ArrangedHop>) =
        hops.iter().partition(|hop| class.map_to(&hop.event).is_some());
    if used.len() < 3 {
        let (expected, got) = (3, used.len());
        return Err(ExpansionError::Length { what: "hops of the kind of the prototype", expected, got });
    }
    let means: Vec<Vec<f64>> = used
        .iter()
        .map(|h| class.correlations(&orbits, &h.event, &h.initial.supercell, &h.initial.species))
        .collect::<Result<_, _>>()?;
    let columns = columns(prim, event, &orbits);
    let mut design = Matrix::zeros(used.len(), columns.len());
    for (i, row) in means.iter().enumerate() {
        let out = design.row_mut(i);
        out[0] = 1.0;
        for ((entry, mean), orbit) in out[1..].iter_mut().zip(row).zip(&orbits) {
            *entry = mean * orbit.terms.len() as f64;
        }
    }
    let values: Vec<f64> = used.iter().map(|h| h.value_ev).collect();
    let ids: Vec<String> = used.iter().map(|h| h.id.clone()).collect();
    let problem = FitProblem::new(design, &values, vec![1.0; used.len()], columns.clone(), ids)?;
    let solution = problem.solve(settings)?;
    let expansion = hand_off(prim, event, parity, orbits, &solution);
    expansion.check()?;
    let parity_of = |(i, hop): (usize, &&ArrangedHop)| LocalParity {
        id: hop.id.clone(),
        data_ev: values[i],
        fitted_ev: values[i] - solution.residuals[i],
        leave_one_out_residual_ev: solution.leave_one_out[i],
        leave_one_out_std_ev: solution.hyperparameters.noise_ev
            / (1.0 - solution.leverages[i]).max(f64::EPSILON).sqrt(),
        leverage: solution.leverages[i],
    };
    let parity: Vec<LocalParity> = used.iter().enumerate().map(parity_of).collect();
    let excluded =
        others.iter().map(|h| ExcludedHop { id: h.id.clone(), reason: HopExclusion::OtherEvent }).collect();
    let mut diagnostics = diagnostics(&used, means, &columns, &solution);
    self_images(&class, &expansion.orbits, &used, &mut diagnostics);
    Ok(LocalFit { expansion, solution, columns, parity, excluded, diagnostics })
}

fn columns(prim: &Prim, event: &[SpeciesChange], orbits: &[FunctionOrbit]) -> Vec<Column> {
    let local = |o: &FunctionOrbit| {
        let first: Vec<LatticeSite> = o.terms.iter().take(1).flatten().map(|f| f.site).collect();
        Column::Local { order: o.order, reach_angstrom: reach_angstrom(prim, event, &first) }
    };
    std::iter::once(Column::Constant).chain(orbits.iter().map(local)).collect()
}

/// Coefficients of sums become those of means.
fn hand_off(
    prim: &Prim,
    event: &[SpeciesChange],
    parity: Parity,
    orbits: Vec<FunctionOrbit>,
    solution: &Solution,
) -> LocalExpansion {
    let of_means = |coefficients: &Vec<f64>| -> Vec<f64> {
        let terms = std::iter::once(1).chain(orbits.iter().map(|o| o.terms.len()));
        coefficients.iter().zip(terms).map(|(c, n)| c * n as f64).collect()
    };
    LocalExpansion {
        lattice_angstrom: *prim.lattice_angstrom(),
        sites: prim.hand_off_sites(),
        operations: prim.space_group().operations.clone(),
        tolerance_angstrom: prim.image_tolerance_angstrom(),
        event: event.to_vec(),
        parity,
        coefficients_ev: of_means(&solution.coefficients),
        samples_ev: solution.samples.iter().map(of_means).collect(),
        orbits,
        attempt_frequency: None,
    }
}

fn diagnostics(
    hops: &[&ArrangedHop],
    means: Vec<Vec<f64>>,
    columns: &[Column],
    solution: &Solution,
) -> Vec<Diagnostic> {
    let examined: Vec<Examined> = hops
        .iter()
        .enumerate()
        .zip(means)
        .map(|((i, hop), correlations)| Examined {
            id: hop.id.clone(),
            supercell: hop.initial.supercell.clone(),
            strain: hop.initial.strain,
            displacement_angstrom: hop.displacement_angstrom,
            data_ev: hop.value_ev,
            leverage: solution.leverages[i],
            weight: 1.0,
            correlations,
        })
        .collect();
    let mut dependent: BTreeMap<String, usize> = BTreeMap::new();
    for column in &solution.dependent_columns {
        *dependent.entry(columns[*column].name()).or_default() += 1;
    }
    let names: Vec<String> = dependent
        .into_iter()
        .map(|(name, count)| if count > 1 { format!("{count} of {name}") } else { name })
        .collect();
    let rank = columns.len() - solution.dependent_columns.len();
    examine(Subject::Hops, &examined, &[], &names, [rank, columns.len()])
}

/// Boxes so narrow that a cluster about the event meets an image of the event or of itself.
fn self_images(
    class: &EventClass,
    orbits: &[FunctionOrbit],
    hops: &[&ArrangedHop],
    out: &mut Vec<Diagnostic>,
) {
    let mut names = Vec::new();
    let mut touched: BTreeSet<usize> = BTreeSet::new();
    for hop in hops {
        let Some(map) = class.map_to(&hop.event) else { continue };
        let supercell = &hop.initial.supercell;
        let event: Vec<usize> = hop.event.iter().map(|c| supercell.index(c.site)).collect();
        let meets = |term: &Vec<scalade_handoff::SiteFactor>| {
            let mut sites = event.clone();
            sites.extend(term.iter().map(|f| supercell.index(map.image(f.site))));
            sites.sort_unstable();
            sites.windows(2).any(|w| w[0] == w[1])
        };
        let hit: Vec<usize> = (0..orbits.len()).filter(|k| orbits[*k].terms.iter().any(meets)).collect();
        if !hit.is_empty() {
            names.push(hop.id.clone());
            touched.extend(hit);
        }
    }
    if !names.is_empty() {
        let message = format!(
            "in {} of {} hops clusters of {} orbits meet a periodic image of the event or of themselves: what stands there changes during the hop; larger cells or smaller radii do not",
            names.len(),
            hops.len(),
            touched.len()
        );
        out.push(Diagnostic { code: "self-image".into(), structures: names, message });
    }
}
