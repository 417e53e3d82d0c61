//! One vacancy in an infinite crystal against closed forms, published values, lattice sums and the master equation of periodic boxes.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod boxes;

use boxes::{Crystal, limit, periodic_box};
use scalade_crystal::{LatticeSite, NamedLattice};
use scalade_hopping::dilute::{
    DiluteTransport, ShellHop, TaggedAtom, VacancyCrystal, VacancyHop, dilute_transport,
};
use scalade_hopping::gas::GasModel;
use scalade_hopping::{Follow, HoppingError, exact_gas_transport};
use std::f64::consts::PI;

fn gas(lattice: NamedLattice, pairs: &[f64]) -> GasModel {
    let mut dims = [1; 3];
    dims[..lattice.dimensions()].fill(4);
    GasModel::new(lattice.vectors(), lattice.basis(), lattice.dimensions(), dims, pairs, 1.0).unwrap()
}

fn named(lattice: NamedLattice) -> VacancyCrystal {
    VacancyCrystal::of_gas(&gas(lattice, &[])).unwrap()
}

fn alike(lattice: NamedLattice) -> DiluteTransport {
    dilute_transport(&named(lattice), &TaggedAtom::alike()).unwrap()
}

/// Closed forms. On the square f = 1/(pi - 1); on the triangular lattice the resistances 1/3, 2 sqrt(3)/pi - 2/3 and 8/3 - 4 sqrt(3)/pi to
/// the neighbours of a bond (D. Atkinson, F. J. van Steenwijk, Am. J. Phys. 67, 486 (1999)) give f = (pi + 6 sqrt 3)/(11 pi - 6 sqrt 3).
#[test]
fn i1_dilute_vacancy_closed_forms() {
    let root = 3f64.sqrt();
    for (lattice, exact) in [
        (NamedLattice::Chain, 0.0),
        (NamedLattice::Square, 1.0 / (PI - 1.0)),
        (NamedLattice::Triangular, (PI + 6.0 * root) / (11.0 * PI - 6.0 * root)),
        (NamedLattice::Honeycomb, 1.0 / 3.0),
        (NamedLattice::Diamond, 0.5),
    ] {
        let found = alike(lattice);
        let error = (found.correlation_factor() - exact).abs();
        assert!(error < 1e-11, "{lattice:?} {}", found.correlation_factor());
        assert!(error < 10.0 * found.correlation_error() && found.correlation_error() < 1e-10, "{lattice:?}");
    }
}

/// Published values (G. L. Montet, Phys. Rev. B 7, 650 (1973); M. Koiwa, S. Ishioka, Phil. Mag. A 47, 927 (1983);
/// hcp across and along c: J. G. Mullen, Phys. Rev. 124, 1723 (1961), whose fifth digit is uncertain by one) to the digits they have.
#[test]
fn i1_dilute_vacancy_published_values() {
    let checks = [
        (NamedLattice::Sc, 0, 0.653_109, 5e-7),
        (NamedLattice::Bcc, 0, 0.727_194_14, 5e-9),
        (NamedLattice::Fcc, 0, 0.781_451_42, 5e-9),
        (NamedLattice::Hcp, 0, 0.781_21, 1e-5),
        (NamedLattice::Hcp, 2, 0.781_46, 1e-5),
    ];
    for (lattice, axis, value, tolerance) in checks {
        let found = alike(lattice).correlation_factor_along(axis).unwrap();
        assert!((found - value).abs() < tolerance, "{lattice:?} {axis}: {found}");
    }
}

/// gamma = sum_n g(d_n - d_0) d_n d_0 over the neighbours, by a sum over the wave vectors of a box of `size` primitive cells. Where the neighbours hold one
/// vector representation, f = (1 - gamma)/(1 + gamma).
fn gamma(vectors: &[[i32; 3]], cosines: &[f64], cells: &[[i32; 3]], size: usize) -> f64 {
    let step = 2.0 * PI / size as f64;
    let cosine: Vec<f64> = (0..size).map(|m| (step * m as f64).cos()).collect();
    let phase = |k: [usize; 3], cell: &[i32; 3]| -> f64 {
        let m: i64 = (0..3).map(|a| k[a] as i64 * i64::from(cell[a])).sum();
        cosine[m.rem_euclid(size as i64) as usize]
    };
    let mut sum = 0.0;
    for flat in 1..size.pow(3) {
        let k = [flat / size / size, flat / size % size, flat % size];
        let rate: f64 = vectors.iter().map(|v| 1.0 - phase(k, v)).sum();
        sum += cells.iter().zip(cosines).map(|(cell, c)| c * phase(k, cell)).sum::<f64>() / rate;
    }
    sum / size.pow(3) as f64
}

/// The same factors by lattice sums over boxes, extrapolated in the powers of the length that the images of a dipole bring.
#[test]
fn i1_dilute_vacancy_by_lattice_sums() {
    for lattice in [NamedLattice::Sc, NamedLattice::Bcc, NamedLattice::Fcc] {
        let model = gas(lattice, &[]);
        let hops = &model.hops()[0];
        let vectors: Vec<[i32; 3]> = hops.iter().map(|h| h.to.cell).collect();
        let cells: Vec<[i32; 3]> =
            vectors.iter().map(|v| std::array::from_fn(|a| v[a] - vectors[0][a])).collect();
        let cosines: Vec<f64> =
            hops.iter().map(|h| (0..3).map(|a| h.vector[a] * hops[0].vector[a]).sum()).collect();
        let sizes = [12, 16, 24, 36, 48];
        let values: Vec<f64> = sizes.iter().map(|n| gamma(&vectors, &cosines, &cells, *n)).collect();
        let gamma = limit(&sizes, &values, &[3, 5, 7, 9]);
        let expected = (1.0 - gamma) / (1.0 + gamma);
        let found = alike(lattice).correlation_factor();
        assert!((found - expected).abs() < 1e-9, "{lattice:?} {found} {expected}");
    }
}

/// One vacancy in boxes by the master equation, extrapolated in the number of sites.
#[test]
fn i1_dilute_vacancy_is_the_limit_of_boxes() {
    let checks: [(NamedLattice, &[usize], &[i32]); 4] = [
        (NamedLattice::Sc, &[8, 12, 16], &[3, 5]),
        (NamedLattice::Hcp, &[6, 8, 12], &[3, 5]),
        (NamedLattice::Square, &[16, 24, 36], &[2, 4]),
        (NamedLattice::Honeycomb, &[12, 18, 27], &[2, 4]),
    ];
    for (lattice, sizes, powers) in checks {
        let values: Vec<f64> = sizes
            .iter()
            .map(|n| {
                let mut dims = [1; 3];
                dims[..lattice.dimensions()].fill(*n);
                let model =
                    GasModel::new(lattice.vectors(), lattice.basis(), lattice.dimensions(), dims, &[], 1.0);
                let model = model.unwrap();
                let exact = exact_gas_transport(&model, model.sites() - 1, Follow::One).unwrap();
                exact.diffusivity[0][0] / exact.uncorrelated[0][0]
            })
            .collect();
        let expected = limit(sizes, &values, powers);
        let found = alike(lattice).correlation_factor_along(0).unwrap();
        assert!((found - expected).abs() < 2e-5, "{lattice:?} {found} {expected}");
    }
}

/// A vacancy among atoms that are all alike moves as without tags: N - 1 states of N, and its displacement is minus that of all atoms, one as good as another.
#[test]
fn the_tag_of_an_atom_changes_nothing_for_the_vacancy() {
    let mut crystals: Vec<VacancyCrystal> = NamedLattice::ALL.map(named).to_vec();
    crystals.push(tetragonal(0.2).compiled());
    for crystal in crystals {
        let found = dilute_transport(&crystal, &TaggedAtom::alike()).unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let d = found.vacancy[i][j];
                assert!((found.tagged_vacancy[i][j] + d).abs() < 1e-11, "{found:?}");
                assert!((found.vacancy_correction[i][j] + d).abs() < 1e-11, "{found:?}");
            }
        }
    }
}

/// Simple tetragonal: rate 1 along a and b, `rate` along c.
fn tetragonal(rate: f64) -> Crystal {
    let lattice = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.3]];
    let mut hops = Vec::new();
    for (axis, rate) in [1.0, 1.0, rate].into_iter().enumerate() {
        for sign in [1, -1] {
            let mut cell = [0; 3];
            cell[axis] = sign;
            hops.push(VacancyHop { from: 0, to: LatticeSite { cell, basis: 0 }, rate });
        }
    }
    Crystal { lattice, basis: vec![[0.0; 3]], dimensions: 3, hops }
}

fn both_ways(hops: &[(usize, [i32; 3], usize, f64, f64)]) -> Vec<VacancyHop> {
    let mut out = Vec::new();
    for (from, cell, to, forth, back) in hops {
        out.push(VacancyHop { from: *from, to: LatticeSite { cell: *cell, basis: *to }, rate: *forth });
        let cell = cell.map(|c| -c);
        out.push(VacancyHop { from: *to, to: LatticeSite { cell, basis: *from }, rate: *back });
    }
    out
}

/// A plane without symmetry: two sublattices of unequal energy, four kinds of hops, oblique axes.
fn oblique() -> Crystal {
    // The second sublattice has twice the vacancies of the first.
    let hops = both_ways(&[
        (0, [0, 0, 0], 1, 2.0, 1.0),
        (0, [-1, 0, 0], 1, 0.6, 0.3),
        (0, [0, -1, 0], 1, 1.0, 0.5),
        (1, [1, 1, 0], 1, 0.25, 0.25),
    ]);
    Crystal {
        lattice: [[1.0, 0.1, 0.0], [0.3, 1.2, 0.0], [0.0, 0.0, 1.0]],
        basis: vec![[0.0; 3], [0.4, 0.35, 0.0]],
        dimensions: 2,
        hops,
    }
}

/// The same in space.
fn triclinic() -> Crystal {
    let mut hops = oblique().hops;
    hops.extend(both_ways(&[(0, [0, 0, 1], 0, 0.4, 0.4), (0, [0, 0, -1], 1, 0.8, 0.4)]));
    Crystal {
        lattice: [[1.0, 0.1, 0.0], [0.3, 1.2, 0.1], [-0.2, 0.1, 0.9]],
        basis: vec![[0.0; 3], [0.4, 0.35, 0.3]],
        dimensions: 3,
        hops,
    }
}

/// A ladder of two rows: one dimension in which atoms do pass.
fn ladder() -> Crystal {
    let hops =
        both_ways(&[(0, [1, 0, 0], 0, 1.0, 1.0), (1, [1, 0, 0], 1, 0.5, 0.5), (0, [0, 0, 0], 1, 0.7, 0.35)]);
    Crystal {
        lattice: [[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]],
        basis: vec![[0.0; 3], [0.2, 0.3, 0.0]],
        dimensions: 1,
        hops,
    }
}

fn agrees(crystal: &Crystal, atom: &TaggedAtom, sizes: &[usize], powers: &[i32], tolerance: f64) {
    let found = dilute_transport(&crystal.compiled(), atom).unwrap();
    let boxes: Vec<[[[f64; 3]; 3]; 3]> = sizes.iter().map(|n| periodic_box(crystal, atom, *n)).collect();
    let tensors = [found.tagged, found.tagged_vacancy, found.vacancy_correction];
    for (t, tensor) in tensors.iter().enumerate() {
        for i in 0..crystal.dimensions {
            for j in 0..crystal.dimensions {
                let values: Vec<f64> = boxes.iter().map(|b| b[t][i][j]).collect();
                let expected = limit(sizes, &values, powers);
                let error = (tensor[i][j] - expected).abs();
                assert!(error < tolerance, "{t} {i}{j}: {} {expected} {values:?}", tensor[i][j]);
            }
        }
    }
}

#[test]
fn anisotropic_and_low_crystals_are_the_limit_of_boxes() {
    let alike = TaggedAtom::alike();
    agrees(&tetragonal(0.25), &alike, &[8, 12, 16], &[3, 5], 2e-5);
    agrees(&oblique(), &alike, &[12, 18, 26], &[2, 4], 2e-5);
    agrees(&triclinic(), &alike, &[6, 8, 12], &[3, 5], 1e-4);
    agrees(&ladder(), &alike, &[32, 48, 64, 96, 128], &[1, 2, 3, 4], 1e-7);
}

#[test]
fn atoms_that_bind_vacancies_are_the_limit_of_boxes() {
    let atom = TaggedAtom {
        exchange: 3.0,
        binding_kt: vec![-1.0, 0.4],
        hops: vec![
            ShellHop { shells: [1, 1], factor: 0.3 },
            ShellHop { shells: [2, 1], factor: 1.7 },
            ShellHop { shells: [0, 1], factor: 0.6 },
        ],
    };
    agrees(&tetragonal(0.25), &atom, &[8, 12, 16], &[3, 5], 1e-4);
    agrees(&oblique(), &atom, &[12, 18, 26], &[2, 4], 1e-4);
    agrees(&ladder(), &atom, &[32, 48, 64, 96, 128], &[1, 2, 3, 4], 1e-7);
    let fcc = Crystal::of(NamedLattice::Fcc);
    agrees(&fcc, &atom, &[8, 10, 14], &[3, 5], 2e-4);
}

fn five(w: [f64; 5]) -> f64 {
    // w0, w1, w2, w3, w4.
    let atom = TaggedAtom {
        exchange: w[2] / w[0],
        binding_kt: vec![-(w[4] / w[3]).ln()],
        hops: vec![
            ShellHop { shells: [1, 1], factor: w[1] / w[0] },
            ShellHop { shells: [1, 0], factor: (w[3] * w[4]).sqrt() / w[0] },
        ],
    };
    dilute_transport(&named(NamedLattice::Fcc), &atom).unwrap().correlation_factor()
}

/// f = (2 w1 + 7 F w3)/(2 w1 + 2 w2 + 7 F w3) with F of w4/w0 alone, given within 1 % by
/// 7 F = 7 - (10 x^4 + 180.5 x^3 + 927 x^2 + 1341 x)/(2 x^4 + 40.2 x^3 + 254 x^2 + 597 x + 436) (J. R. Manning, Phys. Rev. 136, A1758 (1964)).
#[test]
fn five_frequencies_of_fcc() {
    // 7 F from one set of frequencies tells f of others with the same w4/w0.
    let seven = |w: [f64; 5]| {
        let f = five(w);
        (2.0 * f * w[2] / (1.0 - f) - 2.0 * w[1]) / w[3]
    };
    for x in [0.1_f64, 1.0, 4.0] {
        let one = seven([1.0, 0.7, 2.0, 1.3, x]);
        let other = seven([1.0, 3.0, 0.4, 0.2, x]);
        assert!((one - other).abs() < 1e-9, "{x}: {one} {other}");
        let top = 10.0 * x.powi(4) + 180.5 * x.powi(3) + 927.0 * x * x + 1341.0 * x;
        let bottom = 2.0 * x.powi(4) + 40.2 * x.powi(3) + 254.0 * x * x + 597.0 * x + 436.0;
        let manning = 7.0 - top / bottom;
        assert!((one / manning - 1.0).abs() < 0.01, "{x}: {one} {manning}");
    }
    let same = five([1.0; 5]);
    assert!((same - alike(NamedLattice::Fcc).correlation_factor()).abs() < 1e-12, "{same}");
}

#[test]
fn a_fast_atom_goes_back_and_a_slow_one_forgets() {
    for lattice in [NamedLattice::Fcc, NamedLattice::Square, NamedLattice::Hcp] {
        let of = |exchange: f64| {
            let atom = TaggedAtom { exchange, ..TaggedAtom::alike() };
            dilute_transport(&named(lattice), &atom).unwrap().correlation_factor()
        };
        let (slow, same, fast) = (of(1e-7), of(1.0), of(1e7));
        assert!((slow - 1.0).abs() < 1e-6 && slow < 1.0, "{lattice:?} {slow}");
        assert!((same - alike(lattice).correlation_factor()).abs() < 1e-13, "{lattice:?}");
        assert!(fast > 0.0 && fast < 1e-5, "{lattice:?} {fast}");
        // The diffusivity of a fast atom tends to a limit: what the vacancy does between its visits.
        let (fast, faster) = (1e7 * fast, 1e12 * of(1e12));
        assert!((fast - faster).abs() < 1e-6 * faster, "{lattice:?} {fast} {faster}");
    }
}

/// Another cell of the same crystal: bcc as two sublattices of a cube.
#[test]
fn the_choice_of_the_cell_plays_no_part() {
    let cube = GasModel::named(NamedLattice::Bcc, &[4, 4, 4], &[], 1.0).unwrap();
    let cube = VacancyCrystal::of_gas(&cube).unwrap();
    let atom = TaggedAtom { exchange: 2.0, binding_kt: vec![-0.5], hops: Vec::new() };
    let [a, b] = [named(NamedLattice::Bcc), cube].map(|c| dilute_transport(&c, &atom).unwrap());
    for (x, y) in [
        (a.tagged[0][0], b.tagged[0][0]),
        (a.tagged_vacancy[2][2], b.tagged_vacancy[2][2]),
        (a.vacancy_correction[1][1], b.vacancy_correction[1][1]),
    ] {
        assert!((x - y).abs() < 1e-11, "{x} {y}");
    }
}

/// Strong anisotropy: towards no hops along c at all, the tracer in the planes tends to the square lattice.
#[test]
fn planes_that_hardly_exchange_are_planes() {
    let square = 1.0 / (PI - 1.0);
    let mut last = f64::INFINITY;
    for rate in [1e-1, 1e-2, 1e-3, 1e-4] {
        let found = dilute_transport(&tetragonal(rate).compiled(), &TaggedAtom::alike()).unwrap();
        let factor = found.correlation_factor_along(0).unwrap();
        let gap = factor - square;
        assert!(gap > 0.0 && gap < last, "{rate}: {factor}");
        assert!(found.tagged_error < 1e-10, "{rate}: {found:?}");
        last = gap;
    }
    assert!(last < 1e-3, "{last}");
}

/// Pair energies between ions change nothing where all sites have the same neighbours; where they do not, they weigh the sublattices.
#[test]
fn pair_energies_act_by_numbers_of_neighbours() {
    let interacting = VacancyCrystal::of_gas(&gas(NamedLattice::Hcp, &[1.5, -0.3, 0.2])).unwrap();
    let found = dilute_transport(&interacting, &TaggedAtom::alike()).unwrap();
    let bare = alike(NamedLattice::Hcp);
    assert!((found.tagged[0][0] - bare.tagged[0][0]).abs() < 1e-12);
    // Corners and middles of the edges of a square have four and two neighbours: a vacancy prefers the corners where ions repel.
    let lattice = [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 5.0]];
    let basis = vec![[0.0; 3], [0.5, 0.0, 0.0], [0.0, 0.5, 0.0]];
    let sites = |n: usize| GasModel::new(lattice, basis.clone(), 2, [n, n, 1], &[0.7], 1.0).unwrap();
    let crystal = VacancyCrystal::of_gas(&sites(4)).unwrap();
    assert!((crystal.weights()[0] / crystal.weights()[1] - 1.4f64.exp()).abs() < 1e-12);
    let sizes = [10, 14, 20];
    let values: Vec<f64> = sizes
        .iter()
        .map(|n| {
            let model = sites(*n);
            let exact = exact_gas_transport(&model, model.sites() - 1, Follow::One).unwrap();
            exact.diffusivity[0][0] / exact.uncorrelated[0][0]
        })
        .collect();
    let expected = limit(&sizes, &values, &[2, 4]);
    let found = dilute_transport(&crystal, &TaggedAtom::alike()).unwrap().correlation_factor();
    assert!((found - expected).abs() < 2e-5, "{found} {expected}");
}

#[test]
fn what_cannot_be_is_refused() {
    let said = |crystal: &Crystal| {
        VacancyCrystal::new(crystal.lattice, crystal.basis.clone(), crystal.dimensions, &crystal.hops)
            .unwrap_err()
    };
    // Round a triangle of sublattices the rates must multiply to the same both ways.
    let mut broken = oblique();
    broken.hops[2].rate *= 1.1;
    assert!(matches!(said(&broken), HoppingError::DetailedBalance { .. }), "{}", said(&broken));
    let mut one_way = tetragonal(1.0);
    one_way.hops.pop();
    assert!(matches!(said(&one_way), HoppingError::DetailedBalance { .. }));
    let mut planes = tetragonal(1.0);
    planes.hops.truncate(4);
    assert!(said(&planes).to_string().contains("fewer dimensions"));
    let mut apart = tetragonal(1.0);
    for hop in &mut apart.hops {
        hop.to.cell = hop.to.cell.map(|c| 2 * c);
    }
    assert!(said(&apart).to_string().contains("crystals that no hop joins is 8"), "{}", said(&apart));
    let mut alone = tetragonal(1.0);
    alone.basis.push([0.5; 3]);
    assert!(said(&alone).to_string().contains("one by one"));
    for rate in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        assert!(said(&tetragonal(rate)).to_string().contains("rate of a vacancy hop"), "{rate}");
    }
    let refused =
        |atom: TaggedAtom| dilute_transport(&named(NamedLattice::Square), &atom).unwrap_err().to_string();
    let atom = TaggedAtom::alike();
    assert!(refused(TaggedAtom { exchange: 0.0, ..atom.clone() }).contains("exchange"));
    assert!(refused(TaggedAtom { binding_kt: vec![f64::NAN], ..atom.clone() }).contains("NaN"));
    assert!(refused(TaggedAtom { binding_kt: vec![0.0; 9], ..atom.clone() }).contains("at most 8"));
    let far = ShellHop { shells: [0, 0], factor: 2.0 };
    assert!(refused(TaggedAtom { hops: vec![far], ..atom.clone() }).contains("beyond all shells"));
    let twice = [[1, 2], [2, 1]].map(|shells| ShellHop { shells, factor: 2.0 });
    assert!(refused(TaggedAtom { hops: twice.to_vec(), ..atom }).contains("given before"));
}
