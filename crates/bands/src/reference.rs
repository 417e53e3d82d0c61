//! Slow, plain sums over all lattice vectors, which the fast ways are held against.

use crate::bands::{BandSet, BandSetParts};
use crate::dense::{DensePlanes, Member};
use crate::field::{BandPoint, Bands, Planes};
use crate::interpolate::StarInterpolation;
use crate::stars::members;
use crate::symmetry::{Grid, PAIRS, PointGroup, Rotation, cubic_rotations, lattice_inverse};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use scalade_crystal::{Matrix3, row_times};
use std::f64::consts::PI;

/// A band: energy, slope and second derivatives at one k, term by term.
struct Term {
    energy: f64,
    slope: [f64; 3],
    second: Matrix3,
}

fn list(bands: &StarInterpolation) -> Vec<Member> {
    let mut out = Vec::new();
    for (star, cell) in bands.cells().iter().enumerate() {
        let all = members(bands.group(), *cell);
        let share = 1.0 / all.len() as f64;
        let vector = |cell: [i32; 3]| row_times(cell.map(f64::from), bands.lattice_angstrom());
        out.extend(all.into_iter().map(|cell| Member { cell, vector: vector(cell), star, share }));
    }
    out
}

fn plain(bands: &StarInterpolation, list: &[Member], k: [f64; 3], band: usize) -> Term {
    let mut out = Term { energy: 0.0, slope: [0.0; 3], second: [[0.0; 3]; 3] };
    for m in list {
        let turns: f64 = (0..3).map(|i| k[i] * f64::from(m.cell[i])).sum();
        let (sine, cosine) = (2.0 * PI * (turns - turns.round())).sin_cos();
        let a = bands.coefficients()[m.star * bands.bands() + band] * m.share;
        out.energy += a * cosine;
        for i in 0..3 {
            out.slope[i] -= a * sine * m.vector[i];
            for j in 0..3 {
                out.second[i][j] -= a * cosine * m.vector[i] * m.vector[j];
            }
        }
    }
    out
}

/// A lattice with rotations of k.
#[derive(Clone, Debug)]
struct Crystal {
    lattice: Matrix3,
    rotations: Vec<Rotation>,
    /// Divisions that the rotations allow are equal ones.
    equal: bool,
}

/// Rotations of a cube that keep the lattice, in its coordinates; all those that do are a group.
fn of_cube(lattice: &Matrix3, wanted: impl Fn(&Rotation) -> bool) -> Vec<Rotation> {
    let back = lattice_inverse(lattice).unwrap();
    let turned = |m: &Rotation| -> Option<Rotation> {
        let mut out = [[0; 3]; 3];
        for i in 0..3 {
            for j in 0..3 {
                let sum: f64 =
                    (0..9).map(|p| lattice[i][p / 3] * f64::from(m[p / 3][p % 3]) * back[p % 3][j]).sum();
                if (sum - sum.round()).abs() > 1e-9 {
                    return None;
                }
                out[i][j] = sum.round() as i32;
            }
        }
        Some(out)
    };
    cubic_rotations().iter().filter(|m| wanted(m)).filter_map(turned).collect()
}

fn powers(m: Rotation, other: Option<Rotation>) -> Vec<Rotation> {
    let product = |a: &Rotation, b: &Rotation| -> Rotation {
        std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
    };
    let mut out = vec![m];
    out.extend(other);
    loop {
        let more: Vec<Rotation> =
            out.iter().flat_map(|a| out.iter().map(|b| product(a, b)).collect::<Vec<_>>()).collect();
        let before = out.len();
        for m in more {
            if !out.contains(&m) {
                out.push(m);
            }
        }
        if out.len() == before {
            return out;
        }
    }
}

const SIXFOLD: Rotation = [[1, 1, 0], [-1, 0, 0], [0, 0, 1]];
const THREEFOLD: Rotation = [[0, 1, 0], [-1, -1, 0], [0, 0, 1]];
const ACROSS: Rotation = [[0, 1, 0], [1, 0, 0], [0, 0, -1]];

fn crystals() -> impl Strategy<Value = Crystal> {
    let sizes = (2.0..4.0f64, 2.0..6.0f64, 2.5..5.0f64, -0.8..0.8f64, -0.8..0.8f64, -0.8..0.8f64);
    (0..12usize, sizes).prop_map(|(which, (a, b, c, u, v, w))| {
        let cube = [[a, 0.0, 0.0], [0.0, a, 0.0], [0.0, 0.0, a]];
        let fcc = [[0.0, a, a], [a, 0.0, a], [a, a, 0.0]];
        let bcc = [[-a, a, a], [a, -a, a], [a, a, -a]];
        let block = [[a, 0.0, 0.0], [0.0, b, 0.0], [0.0, 0.0, c]];
        let hexagon = [[a, 0.0, 0.0], [-0.5 * a, a * 0.75f64.sqrt(), 0.0], [0.0, 0.0, c]];
        let skew = [[a, 0.0, 0.0], [u, b, 0.0], [v, w, c]];
        let monoclinic = [[a, 0.0, u], [0.0, b, 0.0], [v, 0.0, c]];
        let rhombic = [[a, 0.7, 0.7], [0.7, a, 0.7], [0.7, 0.7, a]];
        let determinant_one = |m: &Rotation| {
            let c = m.map(|row| row.map(f64::from));
            scalade_crystal::determinant(&c) > 0.0
        };
        // Axes turned in a ring or kept, with an even number of signs: 23, the rotations of a tetrahedron.
        let cyclic =
            |m: &Rotation| determinant_one(m) && matches!((0..3).filter(|i| m[*i][*i] != 0).count(), 0 | 3);
        let (lattice, rotations, equal) = match which {
            0 => (cube, of_cube(&cube, |_| true), true),
            1 => (fcc, of_cube(&fcc, |_| true), true),
            2 => (bcc, of_cube(&bcc, determinant_one), true),
            3 => (block, of_cube(&block, |m| (0..3).all(|i| m[i][i] != 0) && determinant_one(m)), false),
            4 => (hexagon, powers(SIXFOLD, Some(ACROSS)), true),
            5 => (hexagon, powers(THREEFOLD, Some(ACROSS)), true),
            6 => (hexagon, powers(THREEFOLD, None), true),
            7 => (rhombic, of_cube(&rhombic, |m| m.iter().flatten().all(|x| *x >= 0)), true),
            8 => (monoclinic, powers([[-1, 0, 0], [0, 1, 0], [0, 0, -1]], None), false),
            9 => (skew, Vec::new(), false),
            10 => (cube, powers([[0, -1, 0], [1, 0, 0], [0, 0, 1]], None), true),
            _ => (cube, of_cube(&cube, cyclic), true),
        };
        Crystal { lattice, rotations, equal }
    })
}

/// An interpolation through numbers drawn at random: nothing about it is smooth.
fn interpolation(crystal: &Crystal, n: usize, energies: &[f64]) -> StarInterpolation {
    let group = PointGroup::new(&crystal.lattice, &crystal.rotations, true).unwrap();
    let grid = Grid::new([n; 3], &group).unwrap();
    let mut k_points = Vec::new();
    for (i1, plane) in grid.planes.iter().enumerate() {
        k_points.extend(plane.iter().map(|p| grid.k(i1, p.index)));
    }
    let energy = |i: usize| energies[i % energies.len()] + 0.1 * (i as f64).sin();
    let parts = BandSetParts {
        lattice_angstrom: crystal.lattice,
        weights: vec![1.0 / k_points.len() as f64; k_points.len()],
        energies_ev: (0..k_points.len()).map(|i| (0..3).map(|b| energy(3 * i + b)).collect()).collect(),
        k_points,
        rotations: crystal.rotations.clone(),
        spin_degeneracy: 2.0,
        ..BandSetParts::default()
    };
    StarInterpolation::new(&BandSet::new(parts).unwrap(), 5.0).unwrap()
}

/// Largest |a|, |a| R and |a| R^2 summed over all lattice vectors: what rounding is measured by.
fn sizes(bands: &StarInterpolation, list: &[Member], band: usize) -> [f64; 3] {
    let mut out = [0.0; 3];
    for m in list {
        let a = (bands.coefficients()[m.star * bands.bands() + band] * m.share).abs();
        let length = scalade_crystal::norm(m.vector);
        out = std::array::from_fn(|i| out[i] + a * length.powi(i as i32));
    }
    out
}

/// The relative error allowed, of the sums of absolute values.
const ROUNDING: f64 = 1e-12;

fn agrees_anywhere(bands: &StarInterpolation, list: &[Member], k: &[[f64; 3]]) {
    let found = bands.at(k).unwrap();
    for band in 0..bands.bands() {
        let size = sizes(bands, list, band).map(|s| ROUNDING * s.max(1e-3));
        let width = |i: usize| (found[band].energy_ev - found[3 * i + band].energy_ev).abs();
        let width = (0..k.len()).map(width).fold(0.0, f64::max);
        for (i, k) in k.iter().enumerate() {
            let want = plain(bands, list, *k, band);
            let got = found[i * bands.bands() + band];
            let alone = bands.at(&[*k]).unwrap()[band];
            for got in [got, alone] {
                assert!((got.energy_ev - want.energy).abs() < size[0].min(1e-11 * width.max(1e-3)));
                for axis in 0..3 {
                    let off = got.slope[axis] - want.slope[axis];
                    assert!(off.abs() < size[1], "slope off by {off:e} of {size:?} at {k:?}");
                }
            }
            let second = bands.curvature(*k, band).unwrap();
            for (i, j) in PAIRS.into_iter().chain(PAIRS.map(|(i, j)| (j, i))) {
                let off = second[i][j] - want.second[i][j];
                assert!(off.abs() < size[2], "curvature off by {off:e} of {size:?}");
            }
        }
    }
}

fn agrees_on_grid(bands: &StarInterpolation, list: &[Member], grid: &Grid) {
    let of_stars = |b: usize| bands.coefficients().iter().skip(b).step_by(bands.bands()).copied().collect();
    let coefficients: Vec<Vec<f64>> = (0..bands.bands()).map(of_stars).collect();
    let slow = DensePlanes::new(grid, list, &coefficients);
    let fast = bands.on_grid(grid, 0..bands.bands()).unwrap();
    let (mut want, mut got) = (Vec::new(), Vec::new());
    for (i1, wanted) in grid.planes.iter().enumerate() {
        let first = want.len();
        slow.plane(i1, wanted, &mut want).unwrap();
        fast.plane(i1, wanted, &mut got).unwrap();
        assert_eq!((want.len() - first, want.len()), (wanted.len() * bands.bands(), got.len()));
    }
    let single = bands.on_grid(grid, 1..2).unwrap();
    for (i1, wanted) in grid.planes.iter().enumerate().filter(|p| !p.1.is_empty()) {
        let before = grid.planes[..i1].iter().map(Vec::len).sum::<usize>();
        let mut alone = Vec::new();
        single.plane(i1, wanted, &mut alone).unwrap();
        let same = got[before * bands.bands()..].iter().skip(1).step_by(bands.bands());
        assert!(alone.iter().zip(same).all(|(a, b)| a == b));
    }
    for (i, (want, got)) in want.iter().zip(&got).enumerate() {
        let size = sizes(bands, list, i % bands.bands());
        assert!((want.energy_ev - got.energy_ev).abs() < ROUNDING * size[0].max(1e-3));
        for pair in 0..6 {
            let off = want.products[pair] - got.products[pair];
            assert!(off.abs() < 4.0 * ROUNDING * size[1].powi(2).max(1e-3), "{off:e} {size:?} at {i}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn fast_sums_are_those_over_all_lattice_vectors(
        crystal in crystals(),
        n in 2usize..7,
        energies in prop::collection::vec(-2.0..2.0f64, 40),
        k in prop::collection::vec(prop::array::uniform3(-1.5..1.5f64), 1..24),
        divisions in prop::array::uniform3(1usize..14),
    ) {
        let bands = interpolation(&crystal, n, &energies);
        let list = list(&bands);
        agrees_anywhere(&bands, &list, &k);
        let divisions = if crystal.equal { [divisions[0]; 3] } else { divisions };
        agrees_on_grid(&bands, &list, &Grid::new(divisions, bands.group()).unwrap());
        agrees_on_grid(&bands, &list, &Grid::new(divisions, &PointGroup::identity()).unwrap());
    }
}

#[test]
fn every_kind_of_symmetry_is_drawn() {
    // Orders with inversion, which energies have in any case: 48, 16, 8, 24, 12, 6, 4, 2.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut orders: Vec<usize> = (0..300)
        .map(|_| {
            let crystal = crystals().new_tree(&mut runner).unwrap().current();
            PointGroup::new(&crystal.lattice, &crystal.rotations, true).unwrap().rotations().len()
        })
        .collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders, [2, 4, 6, 8, 12, 24, 48]);
}

#[test]
fn symmetry_leaves_few_inner_sums() {
    let cube = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]];
    let bands = interpolation(
        &Crystal { lattice: cube, rotations: cubic_rotations(), equal: true },
        6,
        &[0.0, 1.0, 2.0, 1.0, -1.0],
    );
    let members = list(&bands).len() as f64;
    // 16 of 48 rotations keep an axis.
    let (rows, terms) = bands.inner_sums();
    assert!((terms as f64) < members / 8.0 && rows < terms, "{rows} {terms} {members}");
    let zero = bands.at(&[[0.0; 3]]).unwrap();
    let total: f64 = bands.coefficients().iter().step_by(bands.bands()).sum();
    assert!((zero[0].energy_ev - total).abs() < 1e-12);
    assert_eq!(BandPoint::default().energy_ev, 0.0);
}
