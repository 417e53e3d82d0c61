//! Lattice gases with stated pair energies: for tests, demonstrations and comparison with exact results.

use crate::HoppingError;
use scalade_crystal::{LatticeSite, Matrix3, norm, row_times};
use scalade_handoff::{ClusterOrbit, LatticeHamiltonian};

/// A pair energy between occupied sites at a distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairEnergy {
    /// Distance, angstrom (matched within 1 %).
    pub distance_angstrom: f64,
    /// Energy of each pair of occupied sites at that distance, eV (positive repels).
    pub energy_ev: f64,
}

/// A one-sublattice lattice gas with pair energies: E = sum_pairs V n n', n = (1 + sigma)/2, so that each pair gives
/// V/4 to the constant, V/4 to each of its two points and V/4 to the pair coefficient.
///
/// ```
/// use scalade_hopping::synthetic::{PairEnergy, lattice_gas};
/// let sc = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]];
/// let gas = lattice_gas(sc, &[PairEnergy { distance_angstrom: 3.0, energy_ev: 0.04 }])?;
/// assert_eq!(gas.orbits[1].clusters.len(), 3);
/// assert_eq!(gas.coefficients_ev, vec![0.03, 0.06, 0.01]);
/// # Ok::<(), scalade_hopping::HoppingError>(())
/// ```
pub fn lattice_gas(
    lattice_angstrom: Matrix3,
    pairs: &[PairEnergy],
) -> Result<LatticeHamiltonian, HoppingError> {
    let shortest = lattice_angstrom.iter().map(|v| norm(*v)).fold(f64::INFINITY, f64::min);
    let (mut constant, mut point) = (0.0, 0.0);
    let mut orbits = Vec::new();
    let mut coefficients_ev = Vec::new();
    for pair in pairs {
        let distance = crate::error::positive("pair distance (angstrom)", pair.distance_angstrom)?;
        if distance > 50.0 * shortest {
            let want = "at most 50 lattice vectors";
            return Err(HoppingError::Parameter { what: "pair distance (angstrom)", value: distance, want });
        }
        let clusters = pairs_at(&lattice_angstrom, distance)?;
        constant += pair.energy_ev / 4.0 * clusters.len() as f64;
        point += pair.energy_ev / 2.0 * clusters.len() as f64;
        orbits.push(ClusterOrbit { order: 2, diameter_angstrom: distance, clusters });
        coefficients_ev.push(pair.energy_ev / 4.0);
    }
    let origin = LatticeSite { cell: [0; 3], basis: 0 };
    orbits.insert(0, ClusterOrbit { order: 1, diameter_angstrom: 0.0, clusters: vec![vec![origin]] });
    let mut all = vec![constant, point];
    all.extend(coefficients_ev);
    let out = LatticeHamiltonian {
        lattice_angstrom,
        basis_fractional: vec![[0.0; 3]],
        working_ion: "Li".into(),
        formula_units_per_cell: 1.0,
        orbits,
        coefficients_ev: all.clone(),
        samples_ev: vec![all],
    };
    out.check()?;
    Ok(out)
}

fn pairs_at(lattice: &Matrix3, distance: f64) -> Result<Vec<Vec<LatticeSite>>, HoppingError> {
    let origin = LatticeSite { cell: [0; 3], basis: 0 };
    let network =
        crate::HopNetwork::from_lattice(*lattice, vec![[0.0; 3]], crate::HopShell::Within(distance * 1.01))?;
    let in_shell =
        |cell: [i32; 3]| (norm(row_times(cell.map(f64::from), lattice)) / distance - 1.0).abs() < 0.01;
    let ends = network.bonds().iter().map(|b| b.to).filter(|s| in_shell(s.cell));
    Ok(ends.map(|s| vec![origin, s]).collect())
}

/// Rhombohedral stacking of triangular layers (one site per cell): in-plane distance a, layer spacing d, angstrom.
pub fn layered_lattice(a_angstrom: f64, layer_spacing_angstrom: f64) -> Matrix3 {
    let (a, d) = (a_angstrom, layer_spacing_angstrom);
    let root = 3f64.sqrt();
    [[a / 2.0, a / (2.0 * root), d], [-a / 2.0, a / (2.0 * root), d], [0.0, -a / root, d]]
}

/// A synthetic layered intercalation host: in-plane pair repulsion decaying over four shells, two interlayer shells, nearest-neighbour
/// triangles. Energies in eV; the size of those of layered cobalt oxides but no fit to anything.
pub fn layered_host() -> Result<LatticeHamiltonian, HoppingError> {
    let (a, d) = (2.81f64, 4.66f64);
    let lattice = layered_lattice(a, d);
    let interlayer = |n: f64| (d * d + n * a * a / 3.0).sqrt();
    let shells = [
        (a, 0.045),
        (a * 3f64.sqrt(), 0.012),
        (2.0 * a, 0.006),
        (a * 7f64.sqrt(), 0.003),
        (interlayer(1.0), 0.008),
        (interlayer(4.0), 0.003),
        (interlayer(7.0), 0.001),
    ];
    let pairs: Vec<PairEnergy> =
        shells.iter().map(|s| PairEnergy { distance_angstrom: s.0, energy_ev: s.1 }).collect();
    let mut out = lattice_gas(lattice, &pairs)?;
    // The two triangles of nearest neighbours per cell: sites 0, v, w with |v| = |w| = |v - w| = a.
    let near = |cell: [i32; 3]| (norm(row_times(cell.map(f64::from), &lattice)) / a - 1.0).abs() < 0.01;
    let site = |cell| LatticeSite { cell, basis: 0 };
    let mut seen = std::collections::BTreeSet::new();
    let mut triangles = Vec::new();
    let steps: Vec<[i32; 3]> = out.orbits[1].clusters.iter().map(|c| c[1].cell).collect();
    let all: Vec<[i32; 3]> = steps.iter().flat_map(|s| [*s, s.map(|c| -c)]).collect();
    for v in &all {
        for w in &all {
            if near(std::array::from_fn(|k| v[k] - w[k])) {
                let triangle = vec![site([0; 3]), site(*v), site(*w)];
                if seen.insert(scalade_handoff::lattice_hamiltonian::canonical(&triangle)) {
                    triangles.push(triangle);
                }
            }
        }
    }
    out.orbits.push(ClusterOrbit { order: 3, diameter_angstrom: a, clusters: triangles });
    out.coefficients_ev.push(-0.002);
    out.samples_ev = vec![out.coefficients_ev.clone()];
    out.check()?;
    Ok(out)
}
