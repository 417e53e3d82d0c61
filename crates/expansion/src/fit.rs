//! From relaxed structures with energies to an expansion.

use crate::correlations::{correlations, coulomb_energy_ev};
use crate::error::ExpansionError;
use crate::function_orbits::function_orbits;
use crate::prim::Prim;
use rayon::prelude::*;
use scalade_crystal::LatticeSite;
use scalade_handoff::{FunctionOrbit, SpeciesHamiltonian, SpeciesSite};
use scalade_lattice::{
    Arrangement, Column, Cutoffs, Diagnostic, Examined, Excluded, Exclusion, FitProblem, Frame,
    MappingSettings, Solution, SolveSettings, Subject, examine, finite_energy,
};
use scalade_numerics::Matrix;
use std::collections::BTreeMap;

/// A structure on the lattice, with its energy.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrangedStructure {
    /// Position in the list of frames, counted from 0.
    pub frame: usize,
    /// Name in the data set.
    pub id: String,
    /// Where its atoms are.
    pub arrangement: Arrangement,
    /// Total energy of the cell, eV.
    pub energy_ev: f64,
}

/// The fate of every frame: `mapped` and `excluded` together hold each exactly once, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrangementReport {
    /// Structures on the lattice.
    pub mapped: Vec<ArrangedStructure>,
    /// Structures left out.
    pub excluded: Vec<Excluded>,
}

/// Puts all frames on the lattice; parallel over frames, the report in their order.
pub fn arrange_frames(prim: &Prim, frames: &[Frame], settings: &MappingSettings) -> ArrangementReport {
    let fates: Vec<Result<ArrangedStructure, Exclusion>> = frames
        .par_iter()
        .enumerate()
        .map(|(number, frame)| {
            let energy_ev = finite_energy(frame)?;
            let arrangement = prim.choices().place(&frame.structure, settings)?;
            Ok(ArrangedStructure { frame: number, id: frame.id.clone(), arrangement, energy_ev })
        })
        .collect();
    let mut report = ArrangementReport { mapped: Vec::new(), excluded: Vec::new() };
    for (frame, fate) in fates.into_iter().enumerate() {
        match fate {
            Ok(mapped) => report.mapped.push(mapped),
            Err(reason) => report.excluded.push(Excluded { frame, id: frames[frame].id.clone(), reason }),
        }
    }
    report
}

/// One structure in the fit. Energies in eV per formula unit.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeciesParity {
    /// Name in the data set.
    pub id: String,
    /// Atoms and vacancies on the sites with a choice, per formula unit.
    pub composition: BTreeMap<String, f64>,
    /// Energy in the data.
    pub data_ev: f64,
    /// Energy of the expansion.
    pub fitted_ev: f64,
    /// Data minus the prediction of a fit without this structure.
    pub leave_one_out_residual_ev: f64,
    /// Leverage.
    pub leverage: f64,
}

/// A fitted expansion with all that is needed to judge it.
#[derive(Clone, Debug)]
pub struct SpeciesFit {
    /// The hand-off: best coefficients and posterior samples.
    pub hamiltonian: SpeciesHamiltonian,
    /// How the coefficients were found; columns are the constant, the orbits, and the electrostatic energy if there is one.
    pub solution: Solution,
    /// What the columns stand for.
    pub columns: Vec<Column>,
    /// Every structure.
    pub parity: Vec<SpeciesParity>,
    /// What a user should know about the data.
    pub diagnostics: Vec<Diagnostic>,
}

/// Fits the expansion of a primitive cell to structures on its lattice.
///
/// The row of a structure is, per formula unit: the number of cells, for every orbit the sum of its products of site functions, and with charges the
/// electrostatic energy on the ideal lattice.
///
/// Errors: fewer than three structures, clusters beyond the limits, and those of the method.
pub fn fit_species_expansion(
    prim: &Prim,
    mapped: &[ArrangedStructure],
    cutoffs: &Cutoffs,
    settings: &SolveSettings,
) -> Result<SpeciesFit, ExpansionError> {
    if mapped.len() < 3 {
        let got = mapped.len();
        return Err(ExpansionError::Length { what: "structures on the lattice", expected: 3, got });
    }
    let orbits = function_orbits(prim, cutoffs)?;
    let sites = prim.hand_off_sites();
    let rows: Vec<(Vec<f64>, Option<f64>)> = mapped
        .par_iter()
        .map(|m| {
            let (supercell, species) = (&m.arrangement.supercell, &m.arrangement.species);
            let means = correlations(&orbits, &sites, supercell, species)?;
            let coulomb = || coulomb_energy_ev(prim.lattice_angstrom(), &sites, supercell, species);
            Ok((means, prim.is_electrostatic().then(coulomb).transpose()?))
        })
        .collect::<Result<_, ExpansionError>>()?;
    let columns = columns(&orbits, prim.is_electrostatic());
    let design = design(prim, &orbits, mapped, &rows, columns.len());
    let per_formula =
        |m: &ArrangedStructure| m.energy_ev / (m.arrangement.supercell.cells() as f64 * prim.formula_units());
    let energies: Vec<f64> = mapped.iter().map(per_formula).collect();
    let ids = mapped.iter().map(|m| m.id.clone()).collect();
    let weights = vec![1.0; mapped.len()];
    let problem = FitProblem::new(design, &energies, weights, columns.clone(), ids)?;
    let solution = problem.solve(settings)?;
    let hamiltonian = hand_off(prim, &orbits, &sites, &solution);
    hamiltonian.check()?;
    let parity: Vec<SpeciesParity> = mapped
        .iter()
        .enumerate()
        .map(|(i, m)| SpeciesParity {
            id: m.id.clone(),
            composition: composition(prim, &m.arrangement),
            data_ev: energies[i],
            fitted_ev: energies[i] - solution.residuals[i],
            leave_one_out_residual_ev: solution.leave_one_out[i],
            leverage: solution.leverages[i],
        })
        .collect();
    let means: Vec<Vec<f64>> = rows.into_iter().map(|r| r.0).collect();
    let diagnostics = diagnostics(mapped, &orbits, &parity, means, &columns, &solution);
    Ok(SpeciesFit { hamiltonian, solution, columns, parity, diagnostics })
}

fn columns(orbits: &[FunctionOrbit], coulomb: bool) -> Vec<Column> {
    let cluster =
        |o: &FunctionOrbit| Column::Cluster { order: o.order, diameter_angstrom: o.diameter_angstrom };
    let mut out = vec![Column::Constant];
    out.extend(orbits.iter().map(cluster));
    if coulomb {
        out.push(Column::Coulomb);
    }
    out
}

fn design(
    prim: &Prim,
    orbits: &[FunctionOrbit],
    mapped: &[ArrangedStructure],
    rows: &[(Vec<f64>, Option<f64>)],
    columns: usize,
) -> Matrix {
    let per_cell = prim.formula_units();
    let mut design = Matrix::zeros(mapped.len(), columns);
    for (i, (means, coulomb)) in rows.iter().enumerate() {
        let out = design.row_mut(i);
        out[0] = 1.0 / per_cell;
        for ((entry, value), orbit) in out[1..].iter_mut().zip(means).zip(orbits) {
            *entry = value * orbit.terms.len() as f64 / per_cell;
        }
        if let (Some(energy), Some(last)) = (coulomb, out.last_mut()) {
            *last = energy / (mapped[i].arrangement.supercell.cells() as f64 * per_cell);
        }
    }
    design
}

fn hand_off(
    prim: &Prim,
    orbits: &[FunctionOrbit],
    sites: &[SpeciesSite],
    solution: &Solution,
) -> SpeciesHamiltonian {
    let short = orbits.len() + 1;
    let with_coulomb = |sample: &Vec<f64>| {
        let mut out = sample.clone();
        out.resize(short + 1, 0.0);
        out
    };
    SpeciesHamiltonian {
        lattice_angstrom: *prim.lattice_angstrom(),
        sites: sites.to_vec(),
        formula_units_per_cell: prim.formula_units(),
        orbits: orbits.to_vec(),
        coefficients_ev: solution.coefficients[..short].to_vec(),
        coulomb_coefficient: solution.coefficients.get(short).copied().unwrap_or(0.0),
        samples_ev: solution.samples.iter().map(with_coulomb).collect(),
    }
}

/// Atoms and vacancies on the sites with a choice, per formula unit.
fn composition(prim: &Prim, arrangement: &Arrangement) -> BTreeMap<String, f64> {
    let sites = &prim.choices().sites;
    let formulas = arrangement.supercell.cells() as f64 * prim.formula_units();
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for (index, species) in arrangement.species.iter().enumerate() {
        let choice = &sites[index % sites.len()];
        if choice.species.len() > 1 {
            *counts.entry(choice.species[usize::from(*species)].clone()).or_default() += 1.0;
        }
    }
    for count in counts.values_mut() {
        *count /= formulas;
    }
    counts
}

fn diagnostics(
    mapped: &[ArrangedStructure],
    orbits: &[FunctionOrbit],
    parity: &[SpeciesParity],
    means: Vec<Vec<f64>>,
    columns: &[Column],
    solution: &Solution,
) -> Vec<Diagnostic> {
    let examined: Vec<Examined> = mapped
        .iter()
        .zip(parity)
        .zip(means)
        .map(|((m, p), correlations)| Examined {
            id: m.id.clone(),
            supercell: m.arrangement.supercell.clone(),
            strain: m.arrangement.strain,
            displacement_angstrom: m
                .arrangement
                .anchor_displacement_angstrom
                .max(m.arrangement.other_displacement_angstrom),
            data_ev: p.data_ev,
            leverage: p.leverage,
            weight: 1.0,
            correlations,
        })
        .collect();
    let sites = |o: &FunctionOrbit| -> Vec<Vec<LatticeSite>> {
        o.terms.iter().map(|term| term.iter().map(|f| f.site).collect()).collect()
    };
    let clusters: Vec<Vec<Vec<LatticeSite>>> = orbits.iter().map(sites).collect();
    let mut dependent: BTreeMap<String, usize> = BTreeMap::new();
    for column in &solution.dependent_columns {
        *dependent.entry(columns[*column].name()).or_default() += 1;
    }
    let names: Vec<String> = dependent
        .into_iter()
        .map(|(name, count)| if count > 1 { format!("{count} functions of {name}") } else { name })
        .collect();
    let rank = columns.len() - solution.dependent_columns.len();
    examine(Subject::Structures, &examined, &clusters, &names, [rank, columns.len()])
}
