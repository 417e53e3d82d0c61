//! The bundled relaxed orderings against their ideal counterparts, which the mapping never sees.
#![allow(clippy::unwrap_used)]

mod common;

use common::read_frames;
use scalade_crystal::{MoyoFinder, Structure};
use scalade_lattice::{
    Cutoffs, Exclusion, Frame, MappingSettings, Parent, correlations, map_frame, map_frames,
};
use scalade_numerics::Philox;

fn parent(frames: &[Frame]) -> Parent {
    Parent::new(&frames[0].structure, "Li", 1.0, &MoyoFinder, 1e-3).unwrap()
}

/// Number of ordered pairs of occupied sites at each distance up to 9 angstrom, per Co, by straight Cartesian counting.
fn pair_histogram(frame: &Frame) -> Vec<(i64, f64)> {
    let s = &frame.structure;
    let lithium: Vec<usize> = (0..s.len()).filter(|a| s.species()[*a] == "Li").collect();
    let mut counts = std::collections::BTreeMap::new();
    for a in &lithium {
        for b in &lithium {
            for image in 0..23i32.pow(3) {
                let n = [image / 529 - 11, image / 23 % 23 - 11, image % 23 - 11].map(f64::from);
                let d: [f64; 3] =
                    std::array::from_fn(|i| s.fractional()[*a][i] - s.fractional()[*b][i] + n[i]);
                let r = scalade_crystal::norm(scalade_crystal::row_times(d, s.lattice_angstrom()));
                if r < 6.5 {
                    *counts.entry((r * 1e3).round() as i64).or_insert(0.0) += 1.0 / s.count("Co") as f64;
                }
            }
        }
    }
    counts.into_iter().collect()
}

#[test]
fn all_138_orderings_map_and_agree_with_the_ideal_ones() {
    let frames = read_frames("orderings.extxyz");
    let mut ideal = read_frames("ideal_orderings.extxyz");
    for frame in &mut ideal {
        frame.energy_ev = Some(0.0);
    }
    let parent = parent(&frames);
    let settings = MappingSettings::default();
    let report = map_frames(&parent, &frames, &settings);
    assert_eq!((report.mapped.len(), report.excluded.len()), (138, 0), "{:?}", report.excluded);
    let oracle = map_frames(&parent, &ideal, &settings);
    assert_eq!(oracle.mapped.len(), 138);
    let orbits = parent.sites.orbits(&Cutoffs(vec![9.0, 5.8, 5.0])).unwrap();
    for (relaxed, exact) in report.mapped.iter().zip(&oracle.mapped) {
        assert_eq!(relaxed.id, exact.id);
        assert!(exact.strain < 1e-6 && exact.working_displacement_angstrom < 1e-5);
        assert!(relaxed.strain < 0.08 && relaxed.working_displacement_angstrom < 0.45, "{relaxed:?}");
        let a = correlations(&orbits, &relaxed.supercell, &relaxed.occupied).unwrap();
        let b = correlations(&orbits, &exact.supercell, &exact.occupied).unwrap();
        for (k, (a, b)) in a.iter().zip(&b).enumerate() {
            assert!((a - b).abs() < 1e-12, "{} orbit {k}: {a} {b}", relaxed.id);
        }
    }
    // The oracle itself, by counting neighbours in the ideal frames: <n n'> = (1 + 2 <s> + <s s'>)/4.
    for index in [2, 8, 23, 71, 101] {
        let mapped = &report.mapped[index];
        let correlation = correlations(&orbits, &mapped.supercell, &mapped.occupied).unwrap();
        let mut expected = std::collections::BTreeMap::new();
        expected.insert(0, mapped.site_fraction());
        for (o, c) in
            orbits.iter().zip(&correlation).filter(|(o, _)| o.order == 2 && o.diameter_angstrom < 6.5)
        {
            let both = (1.0 + 2.0 * correlation[0] + c) / 4.0 * 2.0 * o.clusters.len() as f64;
            *expected.entry((o.diameter_angstrom * 1e3).round() as i64).or_insert(0.0) += both;
        }
        expected.retain(|_, v| *v > 1e-9);
        let counted = pair_histogram(&ideal[index]);
        assert_eq!(counted.len(), expected.len(), "{counted:?} {expected:?}");
        for ((r, n), (s, m)) in counted.iter().zip(&expected) {
            assert!((r - s).abs() <= 2 && (n - m).abs() < 1e-9, "{counted:?} {expected:?}");
        }
    }
}

/// The same crystal: rotated, atoms permuted, positions shifted together, another basis of the lattice.
fn disguise(frame: &Frame, rng: &mut Philox) -> Frame {
    let s = &frame.structure;
    let (a, b) = (rng.uniform() * 6.0, rng.uniform() * 6.0);
    let turn = |v: [f64; 3]| {
        let w = [a.cos() * v[0] - a.sin() * v[1], a.sin() * v[0] + a.cos() * v[1], v[2]];
        [w[0], b.cos() * w[1] - b.sin() * w[2], b.sin() * w[1] + b.cos() * w[2]]
    };
    let shift = [rng.uniform() * 5.0, rng.uniform() * 5.0, rng.uniform() * 5.0];
    let l = s.lattice_angstrom().map(turn);
    let sum = |p: [f64; 3], q: [f64; 3], t: f64| std::array::from_fn(|i| p[i] + t * q[i]);
    let l0: [f64; 3] = sum(l[0], l[1], 2.0);
    let l2: [f64; 3] = sum(l[2], l0, -1.0);
    let mut order: Vec<usize> = (0..s.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, rng.below(i as u32 + 1) as usize);
    }
    let positions: Vec<[f64; 3]> = order
        .iter()
        .map(|n| {
            let r = turn(s.cartesian_angstrom(*n));
            std::array::from_fn(|i| r[i] + shift[i])
        })
        .collect();
    let species = order.iter().map(|n| s.species()[*n].clone()).collect();
    let structure = Structure::from_cartesian([l[1], l2, l0], species, &positions).unwrap();
    Frame { structure, ..frame.clone() }
}

#[test]
fn rotation_permutation_shift_and_change_of_basis_do_not_change_the_correlations() {
    let frames = read_frames("orderings.extxyz");
    let parent = parent(&frames);
    let orbits = parent.sites.orbits(&Cutoffs(vec![9.0, 5.8])).unwrap();
    let mut rng = Philox::new(4, 0, 0);
    for index in [1, 2, 8, 42, 98, 101, 137] {
        let hidden = disguise(&frames[index], &mut rng);
        let (a, b) = [&frames[index], &hidden]
            .map(|f| map_frame(&parent, 0, f, &MappingSettings::default()).unwrap())
            .into();
        let [a, b] = [a, b].map(|m: scalade_lattice::MappedStructure| {
            correlations(&orbits, &m.supercell, &m.occupied).unwrap()
        });
        for (x, y) in a.iter().zip(&b) {
            assert!((x - y).abs() < 1e-12);
        }
    }
    // The parent may be any supercell of the primitive cell.
    let twofold = frames
        .iter()
        .find(|f| f.structure.count("Co") > 1 && f.structure.count("Li") == f.structure.count("Co"));
    assert!(twofold.is_none(), "the data hold one fully lithiated frame");
    let one = &frames[0].structure;
    let double = |axis: usize| {
        let mut l = *one.lattice_angstrom();
        let step = l[axis];
        l[axis] = step.map(|c| 2.0 * c);
        let cartesian: Vec<[f64; 3]> = (0..2 * one.len())
            .map(|n| {
                let r = one.cartesian_angstrom(n / 2);
                std::array::from_fn(|i| r[i] + if n % 2 == 1 { step[i] } else { 0.0 })
            })
            .collect();
        let species = (0..2 * one.len()).map(|n| one.species()[n / 2].clone()).collect();
        Structure::from_cartesian(l, species, &cartesian).unwrap()
    };
    for axis in [0, 2] {
        let other = Parent::new(&double(axis), "Li", 2.0, &MoyoFinder, 1e-3).unwrap();
        assert!((other.formula_units_per_cell - 1.0).abs() < 1e-12);
        let other_orbits = other.sites.orbits(&Cutoffs(vec![9.0, 5.8])).unwrap();
        assert_eq!(other_orbits.len(), orbits.len());
        let [a, b] = [(&parent, &orbits), (&other, &other_orbits)].map(|(p, o)| {
            let m = map_frame(p, 0, &frames[71], &MappingSettings::default()).unwrap();
            correlations(o, &m.supercell, &m.occupied).unwrap()
        });
        let sort = |mut v: Vec<f64>| {
            v.sort_by(f64::total_cmp);
            v
        };
        for (x, y) in sort(a).iter().zip(sort(b)) {
            assert!((x - y).abs() < 1e-12);
        }
    }
}

/// A change of species and fractional positions.
type Change<'a> = dyn Fn(&mut Vec<String>, &mut Vec<[f64; 3]>) + 'a;

#[test]
fn every_frame_is_accounted_for_with_a_reason() {
    let frames = read_frames("orderings.extxyz");
    let parent = parent(&frames);
    let settings = MappingSettings::default();
    let base = &frames[42];
    let rebuilt = |change: &Change<'_>| {
        let s = &base.structure;
        let (mut species, mut fractional) = (s.species().to_vec(), s.fractional().to_vec());
        change(&mut species, &mut fractional);
        Frame {
            structure: Structure::new(*s.lattice_angstrom(), species, fractional).unwrap(),
            ..base.clone()
        }
    };
    let lithium: Vec<usize> =
        (0..base.structure.len()).filter(|a| base.structure.species()[*a] == "Li").collect();
    let twice = rebuilt(&|_, f| {
        f[lithium[0]] = f[lithium[1]].map(|c| c + 0.01);
    });
    let lost = rebuilt(&|s, f| {
        s.remove(1);
        f.remove(1);
    });
    let off = rebuilt(&|_, f| f[lithium[0]] = f[0]);
    let unknown = rebuilt(&|s, _| s[lithium[0]] = "Na".into());
    let scrambled = rebuilt(&|s, f| {
        let oxygen = s.iter().position(|n| n == "O").unwrap();
        f[oxygen][0] += 0.21;
        f[oxygen][1] += 0.17;
    });
    let crowded = rebuilt(&|s, f| {
        for _ in 0..3 {
            s.push("Li".into());
            f.push([0.11, 0.2, 0.3]);
        }
    });
    let mut stretched = base.clone();
    let l = base.structure.lattice_angstrom().map(|v| v.map(|c| 1.4 * c));
    stretched.structure =
        Structure::new(l, base.structure.species().to_vec(), base.structure.fractional().to_vec()).unwrap();
    let all = vec![
        base.clone(),
        Frame { energy_ev: None, ..base.clone() },
        Frame { energy_ev: Some(f64::NAN), ..base.clone() },
        twice,
        lost,
        off,
        unknown,
        scrambled,
        crowded,
        stretched,
    ];
    let report = map_frames(&parent, &all, &settings);
    assert_eq!(report.mapped.iter().map(|m| m.frame).collect::<Vec<_>>(), [0]);
    let reasons: Vec<&Exclusion> = report.excluded.iter().map(|e| &e.reason).collect();
    assert_eq!(report.excluded.iter().map(|e| e.frame).collect::<Vec<_>>(), (1..10).collect::<Vec<_>>());
    assert!(matches!(reasons[0], Exclusion::MissingEnergy));
    assert!(matches!(reasons[1], Exclusion::NonFiniteEnergy { .. }));
    assert!(matches!(reasons[2], Exclusion::SiteTakenTwice { .. }), "{:?}", reasons[2]);
    assert!(matches!(reasons[3], Exclusion::LostHostAtoms { .. }), "{:?}", reasons[3]);
    assert!(matches!(reasons[4], Exclusion::OffSite { .. }), "{:?}", reasons[4]);
    assert!(matches!(reasons[5], Exclusion::UnknownSpecies { .. }));
    assert!(
        matches!(reasons[6], Exclusion::HostMismatch { .. } | Exclusion::SiteTakenTwice { .. }),
        "{:?}",
        reasons[6]
    );
    assert!(matches!(reasons[7], Exclusion::TooManyIons { .. }));
    assert!(matches!(reasons[8], Exclusion::NoLatticeMatch { closest, .. } if *closest > 0.12));
}
