//! `phasediagram FRAMES`: the phases of a fitted expansion and where they coexist, over temperature.
//!
//! Every ground state on the hull of an exhaustive search is followed from its own low-temperature expansion
//! ([`scalade_lattice::free_energy`]). Chemical potentials are those of the working ion on the scale of the data; x is the occupied fraction of its sites.

use crate::error::ScaladeError;
use crate::kinds;
use crate::rungs::{FittedExpansion, electronvolt, with_threads};
use crate::rungs_montecarlo::temperatures;
use scalade_crystal::SiteGrid;
use scalade_handoff::LatticeHamiltonian;
use scalade_lattice::free_energy::{
    Branch, BranchSettings, Diagram, DiagramSettings, Isotherm, PhaseSeed, from_infinite_temperature, trace,
};
use scalade_lattice::ground_states::search_ground_states;
use scalade_lattice::{Estimate, LatticeError};
use serde_json::{Value, json};

/// Orderings searched at most for ground states.
pub(crate) const LIMIT: u64 = 2_000_000;
/// Standard errors by which both anchors may differ.
const ANCHOR_SIGMAS: f64 = 4.0;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct PhaseRequest<'a> {
    /// Temperatures, separated by commas.
    pub temperatures: &'a str,
    /// Width to which the temperatures at which boundaries end are sought.
    pub resolution: Option<&'a str>,
    /// Largest period of an ordered phase, primitive cells.
    pub max_size: usize,
    /// Cells of the box along each lattice vector; the smallest cube from 10 on that holds every phase if none are given.
    pub cells: Option<[usize; 3]>,
    /// Sweeps per chemical potential.
    pub sweeps: Option<u32>,
    /// Energy of the working ion's reference, for voltages.
    pub reference_energy: Option<&'a str>,
    /// Threads.
    pub jobs: Option<usize>,
}

fn estimate(of: Estimate) -> Value {
    json!({ "value": of.value, "std_error": of.error })
}

/// `phasediagram`: phases, isotherms, boundaries over temperature and their ends.
pub fn phase_diagram(fitted: &FittedExpansion, request: &PhaseRequest) -> Result<Value, ScaladeError> {
    let temperatures_k = temperatures(request.temperatures)?;
    let kelvin =
        |text: &str| crate::rungs::quantity("--resolution", text, scalade_units::dimension::TEMPERATURE);
    let reference = request.reference_energy.map(|t| electronvolt("reference energy", t)).transpose()?;
    if !(1..=64).contains(&request.max_size) {
        return Err(ScaladeError::input(format!(
            "--max-size is {}; 1 to 64 primitive cells are due",
            request.max_size
        )));
    }
    let resolution_k = request.resolution.map(kelvin).transpose()?;
    with_threads(request.jobs, || run(fitted, temperatures_k, resolution_k, reference, request))?
}

/// Sides of cubes that are tried for a box.
const SIDES: std::ops::RangeInclusive<usize> = 10..=24;
/// Trials of a point: sweeps times sites.
const TRIALS: usize = 345_600;

/// The box, the smallest cube that holds most phases if none is given, and the budget of a point in it.
pub(crate) fn box_settings(
    basis: usize,
    seeds: &[PhaseSeed],
    cells: Option<[usize; 3]>,
    sweeps: Option<u32>,
    seed: u64,
) -> Result<BranchSettings, LatticeError> {
    let unfit = |side: usize| -> Result<usize, LatticeError> {
        let grid = SiteGrid::new([side; 3], basis)?;
        Ok(seeds.iter().filter(|s| s.pattern(&grid).is_none()).count())
    };
    let dims = if let Some(cells) = cells {
        cells
    } else {
        let counted = SIDES.map(|side| Ok((unfit(side)?, side))).collect::<Result<Vec<_>, LatticeError>>()?;
        [counted.into_iter().min().map_or(12, |(_, side)| side); 3]
    };
    let sites = SiteGrid::new(dims, basis)?.sites();
    let sweeps = sweeps.map_or_else(|| (TRIALS / sites.max(1)).clamp(40, 4000), |s| s as usize);
    let equilibration = (sweeps / 6).max(8);
    Ok(BranchSettings { dims, sweeps, equilibration, seed, ..BranchSettings::default() })
}

fn run(
    fitted: &FittedExpansion,
    temperatures_k: Vec<f64>,
    resolution_k: Option<f64>,
    reference: Option<f64>,
    request: &PhaseRequest,
) -> Result<Value, ScaladeError> {
    let refused = |e: LatticeError| kinds::lattice_failure(&e);
    let max_size = request.max_size;
    let hamiltonian = &fitted.fit.hamiltonian;
    let found = search_ground_states(&fitted.parent, hamiltonian, max_size, LIMIT)
        .map_err(|e| ScaladeError::input(format!("--max-size {max_size}: {e}")))?;
    let seeds = PhaseSeed::of_ground_states(&found);
    let coefficients = &hamiltonian.coefficients_ev;
    let basis = hamiltonian.basis_fractional.len();
    let branch =
        box_settings(basis, &seeds, request.cells, request.sweeps, fitted.seed()).map_err(refused)?;
    let settings = DiagramSettings { temperatures_k, resolution_k, branch };
    let diagram = trace(&seeds, hamiltonian, coefficients, &settings).map_err(refused)?;
    let anchors = anchors(&diagram, hamiltonian, &settings.branch).map_err(refused)?;
    let phases: Vec<Value> = seeds
        .iter()
        .enumerate()
        .map(|(k, s)| {
            json!({
                "name": s.name, "x": s.site_fraction(), "cells": s.supercell.cells(),
                "fits_the_box": !diagram.unfit.contains(&k),
            })
        })
        .collect();
    Ok(json!({
        "phases": phases,
        "searched": found.searched,
        "cells": settings.branch.dims,
        "isotherms": diagram.isotherms.iter().map(|i| isotherm(i, &seeds, reference)).collect::<Vec<_>>(),
        "boundaries": boundaries(&diagram, &seeds),
        "anchors": anchors.as_ref().map(Anchors::document),
        "warnings": warnings(&diagram, &seeds, anchors.as_ref()),
    }))
}

pub(crate) fn phase_name(seeds: &[PhaseSeed], phase: usize) -> &str {
    seeds.get(phase).map_or("disordered", |s| s.name.as_str())
}

fn isotherm(of: &Isotherm, seeds: &[PhaseSeed], reference: Option<f64>) -> Value {
    let name = |phase: usize| phase_name(seeds, phase);
    let boundaries: Vec<Value> = of
        .boundaries
        .iter()
        .map(|b| {
            let mu = b.chemical_potential_ev;
            json!({
                "phases": b.phases.map(name), "chemical_potential_eV": estimate(mu), "x": b.x.map(estimate),
                "voltage_V": reference.map(|r| r - mu.value), "resolved": b.resolved,
            })
        })
        .collect();
    let stable: Vec<Value> = of
        .stable
        .iter()
        .map(|(branch, first, last)| {
            let branch = &of.branches[*branch];
            let at = |number: i64| (number - branch.first) as usize;
            let (low, high) = (at(*first).min(branch.x.len() - 1), at(*last).min(branch.x.len() - 1));
            json!({
                "phase": name(branch.phase),
                "chemical_potential_eV": [branch.mu_ev[low], branch.mu_ev[high]],
                "x": [branch.x[low].value, branch.x[high].value],
            })
        })
        .collect();
    let branches: Vec<Value> = of
        .branches
        .iter()
        .map(|b| {
            json!({
                "phase": name(b.phase),
                "chemical_potential_eV": b.mu_ev,
                "grand_potential_eV": b.potential_ev.iter().map(|p| p.value).collect::<Vec<_>>(),
                "grand_potential_std_error_eV": b.potential_ev.iter().map(|p| p.error).collect::<Vec<_>>(),
                "x": b.x.iter().map(|x| x.value).collect::<Vec<_>>(),
                "x_std_error": b.x.iter().map(|x| x.error).collect::<Vec<_>>(),
                "order": b.order,
                "anchor": b.anchor,
            })
        })
        .collect();
    let curve = of.equilibrium();
    json!({
        "equilibrium": {
            "x": curve.iter().map(|p| p[0]).collect::<Vec<_>>(),
            "chemical_potential_eV": curve.iter().map(|p| p[1]).collect::<Vec<_>>(),
            "voltage_V": reference.map(|r| curve.iter().map(|p| r - p[1]).collect::<Vec<_>>()),
        },
        "temperature_K": of.temperature_k, "boundaries": boundaries, "stable": stable,
        "continuous_eV": of.continuous_ev, "branches": branches,
    })
}

/// Boundaries of every pair of phases over temperature, with their ends.
fn boundaries(diagram: &Diagram, seeds: &[PhaseSeed]) -> Vec<Value> {
    let mut pairs: Vec<[usize; 2]> =
        diagram.isotherms.iter().flat_map(|i| i.boundaries.iter().map(|b| b.phases)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
        .into_iter()
        .map(|pair| {
            let points: Vec<Value> = diagram
                .isotherms
                .iter()
                .flat_map(|i| i.boundaries.iter().map(move |b| (i.temperature_k, b)))
                .filter(|(_, b)| b.phases == pair)
                .map(|(t, b)| {
                    let mu = b.chemical_potential_ev;
                    json!({
                        "temperature": t, "mu": mu.value, "mu_std_error": mu.error, "x": b.x.map(estimate),
                    })
                })
                .collect();
            let ends: Vec<[f64; 2]> = diagram.ends.iter().filter(|e| e.0 == pair).map(|e| e.1).collect();
            json!({
                "phases": pair.map(|p| phase_name(seeds, p)),
                "points": points,
                "end": if ends.is_empty() { "range" } else { "between" },
                "ends_between_K": ends,
            })
        })
        .collect()
}

/// One potential from both ends of the temperature scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchors {
    pub temperature_k: f64,
    pub mu_ev: f64,
    pub from_low: Estimate,
    pub from_infinite: Estimate,
    /// Difference in standard errors.
    pub z: f64,
}

impl Anchors {
    fn document(&self) -> Value {
        json!({
            "temperature_K": self.temperature_k, "chemical_potential_eV": self.mu_ev,
            "from_low_temperature_eV": estimate(self.from_low),
            "from_infinite_temperature_eV": estimate(self.from_infinite),
            "difference_eV": self.from_low.value - self.from_infinite.value, "z": self.z,
        })
    }
}

/// At the highest temperature: the potential in the middle of the chemical potentials from the low-temperature side and from infinite temperature.
pub(crate) fn anchors(
    diagram: &Diagram,
    hamiltonian: &LatticeHamiltonian,
    settings: &BranchSettings,
) -> Result<Option<Anchors>, LatticeError> {
    let Some(hottest) = diagram.isotherms.last() else { return Ok(None) };
    let half = |b: &Branch| -> Option<(usize, f64)> {
        let near = |k: &usize| (b.x[*k].value - 0.5).abs();
        let k = (0..b.x.len()).min_by(|i, j| near(i).total_cmp(&near(j)))?;
        Some((k, near(&k)))
    };
    let nearest = hottest
        .stable
        .iter()
        .filter(|(b, _, _)| hottest.branches[*b].anchor.is_some())
        .filter_map(|(b, _, _)| half(&hottest.branches[*b]).map(|(k, d)| (*b, k, d)))
        .min_by(|a, b| a.2.total_cmp(&b.2));
    let Some((branch, k, _)) = nearest else { return Ok(None) };
    let branch = &hottest.branches[branch];
    let (from_low, mu_ev) = (branch.potential_ev[k], branch.mu_ev[k]);
    let from_infinite = from_infinite_temperature(
        hamiltonian,
        &hamiltonian.coefficients_ev,
        hottest.temperature_k,
        mu_ev,
        settings,
    )?;
    let z = (from_low.value - from_infinite.value) / from_low.error.hypot(from_infinite.error).max(1e-300);
    Ok(Some(Anchors { temperature_k: hottest.temperature_k, mu_ev, from_low, from_infinite, z }))
}

fn warnings(diagram: &Diagram, seeds: &[PhaseSeed], anchors: Option<&Anchors>) -> Vec<String> {
    let mut out: Vec<String> = diagram
        .unfit
        .iter()
        .map(|k| {
            let seed = &seeds[*k];
            format!(
                "phase {} with a period of {} cells does not fit the box and is left out; choose --cells that are multiples of its period",
                seed.name,
                seed.supercell.cells()
            )
        })
        .collect();
    for isotherm in &diagram.isotherms {
        for b in isotherm.boundaries.iter().filter(|b| !b.resolved) {
            out.push(format!(
                "{} K: phases {} and {} were not both sampled at one chemical potential; the boundary lies between them",
                isotherm.temperature_k,
                phase_name(seeds, b.phases[0]),
                phase_name(seeds, b.phases[1])
            ));
        }
    }
    if let Some(z) = anchors.map(|a| a.z).filter(|z| z.abs() > ANCHOR_SIGMAS) {
        out.push(format!(
            "anchors-disagree: the potentials from low and from infinite temperature differ by {z:.1} standard errors; a phase transition lies on the way of one of them, or the sweeps are too few"
        ));
    }
    out
}
