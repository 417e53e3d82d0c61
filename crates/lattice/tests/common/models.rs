//! Lattice models with known thermodynamics.
#![allow(dead_code)]

use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::{ClusterOrbit, LatticeEnergy, LatticeHamiltonian};
use scalade_lattice::{BOLTZMANN_EV_PER_K, Metropolis, PointStatistics, Series, sample_point};

/// Temperature in kelvin at which kT is the given energy.
pub fn kelvin(kt_ev: f64) -> f64 {
    kt_ev / BOLTZMANN_EV_PER_K
}

fn hamiltonian(basis: usize, orbits: Vec<(f64, Vec<Vec<LatticeSite>>)>, constant: f64) -> LatticeHamiltonian {
    let coefficients_ev: Vec<f64> = std::iter::once(constant).chain(orbits.iter().map(|o| o.0)).collect();
    LatticeHamiltonian {
        lattice_angstrom: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        basis_fractional: (0..basis).map(|b| [b as f64 / basis as f64, 0.0, 0.0]).collect(),
        working_ion: "Li".into(),
        formula_units_per_cell: 1.0,
        orbits: orbits
            .into_iter()
            .map(|(_, clusters)| ClusterOrbit { order: clusters[0].len(), diameter_angstrom: 1.0, clusters })
            .collect(),
        samples_ev: vec![coefficients_ev.clone()],
        coefficients_ev,
    }
}

fn site(cell: [i32; 3], basis: usize) -> LatticeSite {
    LatticeSite { cell, basis }
}

/// A bond: from sublattice, to cell and sublattice, energy per pair of ions (eV).
pub type GasBond = (usize, [i32; 3], usize, f64);

/// A lattice gas E = sum over bonds of e n n': with n = (1 + s)/2 every bond gives e/4 (1 + s + s' + s s').
pub fn lattice_gas(basis: usize, bonds: &[GasBond]) -> LatticeHamiltonian {
    let mut points = vec![0.0; basis];
    let mut constant = 0.0;
    let mut orbits: Vec<(f64, Vec<Vec<LatticeSite>>)> = Vec::new();
    for (from, cell, to, e) in bonds {
        constant += e / 4.0;
        points[*from] += e / 4.0;
        points[*to] += e / 4.0;
        orbits.push((e / 4.0, vec![vec![site([0; 3], *from), site(*cell, *to)]]));
    }
    orbits.extend(points.iter().enumerate().map(|(b, c)| (*c, vec![vec![site([0; 3], b)]])));
    hamiltonian(basis, orbits, constant)
}

/// Square-lattice Ising model E = -J sum s s' with J = 1 eV.
pub fn square_ising() -> LatticeHamiltonian {
    let o = site([0; 3], 0);
    hamiltonian(1, vec![(-1.0, vec![vec![o, site([1, 0, 0], 0)], vec![o, site([0, 1, 0], 0)]])], 0.0)
}

/// Triangular-lattice Ising model, J = 1 eV.
pub fn triangular_ising() -> LatticeHamiltonian {
    let o = site([0; 3], 0);
    let ends = [[1, 0, 0], [0, 1, 0], [1, -1, 0]];
    hamiltonian(1, vec![(-1.0, ends.iter().map(|c| vec![o, site(*c, 0)]).collect())], 0.0)
}

/// Honeycomb-lattice Ising model, J = 1 eV: two sublattices.
pub fn honeycomb_ising() -> LatticeHamiltonian {
    let o = site([0; 3], 0);
    let ends = [[0, 0, 0], [-1, 0, 0], [0, -1, 0]];
    hamiltonian(2, vec![(-1.0, ends.iter().map(|c| vec![o, site(*c, 1)]).collect())], 0.0)
}

/// Triangular lattice gas with first (e1) and second (e2) neighbours in axial coordinates.
pub fn triangular_gas(e1: f64, e2: f64) -> LatticeHamiltonian {
    let first = [[1, 0, 0], [0, 1, 0], [1, -1, 0]].map(|c| (0, c, 0, e1));
    let second = [[1, 1, 0], [2, -1, 0], [1, -2, 0]].map(|c| (0, c, 0, e2));
    lattice_gas(1, &[first, second].concat())
}

/// Chain with nearest-neighbour pair energy.
pub fn chain(e: f64) -> LatticeHamiltonian {
    lattice_gas(1, &[(0, [1, 0, 0], 0, e)])
}

/// The kernel of a model on a box, all sites vacant.
pub fn kernel(model: &LatticeHamiltonian, dims: [usize; 3]) -> LatticeEnergy {
    let grid = SiteGrid::new(dims, model.basis_fractional.len()).unwrap();
    LatticeEnergy::new(model, &model.coefficients_ev, grid, &[]).unwrap()
}

/// Statistics at one point, and the series behind them, from a random or full start.
pub fn run(
    model: &LatticeHamiltonian,
    dims: [usize; 3],
    temperature_k: f64,
    mu: f64,
    sweeps: usize,
    seed: u64,
    full: bool,
) -> (PointStatistics, Series) {
    let mut energy = kernel(model, dims);
    let sites = energy.grid().sites();
    let mut rng = scalade_numerics::Philox::new(seed, 99, 0);
    let start: Vec<bool> = (0..sites).map(|_| full || rng.uniform() < 0.5).collect();
    energy.set_occupation(&start).unwrap();
    let mut chain = Metropolis::new(energy, seed, 0, 0);
    let mut series = Series::default();
    let point = sample_point(&mut chain, temperature_k, mu, sweeps / 20, sweeps, &mut series).unwrap();
    (point, series)
}

/// Asserts agreement within `sigmas` standard errors.
pub fn close(what: &str, got: scalade_lattice::Estimate, expected: f64, sigmas: f64) {
    let z = (got.value - expected) / got.error;
    assert!(z.abs() < sigmas, "{what}: {} +- {} against {expected}, z = {z}", got.value, got.error);
}
