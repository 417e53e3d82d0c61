//! Lattice gases: the engines made for them against slow references and exact results.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with it")]

use scalade_crystal::{LatticeSite, NamedLattice, row_times};
use scalade_hopping::gas::{GasEngine, GasModel, Selection, equilibrate_gas};
use scalade_hopping::sampling::{Kind, run_block, trace};
use scalade_hopping::{Attempt, Engine, Follow, exact_gas_transport, random_occupation};
use scalade_numerics::{Philox, mean, variance};

fn model(lattice: NamedLattice, size: &[usize], pairs: &[f64]) -> GasModel {
    GasModel::named(lattice, size, pairs, 1.0).unwrap()
}

/// Models of every kind: lattices of one and of several sites a cell, shells beyond the nearest, boxes with images.
fn zoo() -> Vec<(GasModel, usize)> {
    use NamedLattice::{Bcc, Chain, Diamond, Fcc, Hcp, Honeycomb, Sc, Square, Triangular};
    vec![
        (model(Chain, &[12], &[0.7]), 5),
        (model(Square, &[5, 4], &[0.5, -0.3]), 9),
        (model(Triangular, &[4, 5], &[-0.4]), 15),
        (model(Honeycomb, &[4, 3], &[0.8, 0.2, 0.1]), 10),
        (model(Sc, &[4, 3, 5], &[0.3, 0.0, -0.2]), 50),
        (model(Bcc, &[3, 3, 3], &[0.4, 0.6]), 30),
        (model(Fcc, &[2, 2, 3], &[0.25]), 20),
        (model(Diamond, &[2, 2, 2], &[-0.5, 0.1]), 60),
        (model(Hcp, &[3, 3, 2], &[0.2, 0.2]), 17),
        (model(Square, &[2, 5], &[0.6]), 4),
        (model(Square, &[1, 6], &[0.6]), 3),
        (model(Sc, &[3, 3, 3], &[]), 26),
    ]
}

fn start(model: &GasModel, ions: usize, seed: u64, selection: Selection) -> GasEngine<'_> {
    let mut rng = Philox::new(seed, 0, 0);
    let occupied = random_occupation(model.sites(), ions, &mut rng).unwrap();
    GasEngine::new(model, &occupied, selection, rng).unwrap()
}

/// Every model with every engine.
fn every() -> Vec<(usize, (GasModel, usize), Selection)> {
    let with = |(n, case): (usize, (GasModel, usize))| Selection::ALL.map(|s| (n, case.clone(), s));
    zoo().into_iter().enumerate().flat_map(with).collect()
}

/// Rates of all hops from total energies: (ion's site, vector, rate).
fn slow_rates(model: &GasModel, occupied: &[bool]) -> Vec<(usize, [f64; 3], f64)> {
    let here = model.energy(occupied);
    let mut out = Vec::new();
    for site in (0..occupied.len()).filter(|s| occupied[*s]) {
        for hop in &model.hops()[site % model.basis().len()] {
            let to = model.grid().offset(site, hop.to);
            if !occupied[to] {
                let mut after = occupied.to_vec();
                after.swap(site, to);
                let rate = model.rate() * (-(model.energy(&after) - here) / 2.0).exp();
                out.push((site, hop.vector, rate));
            }
        }
    }
    out
}

#[test]
fn drifts_and_counts_are_those_of_total_energies() {
    for (n, (model, ions), selection) in every() {
        let (model, ions) = (&model, &ions);
        let mut engine = start(model, *ions, n as u64, selection);
        for _ in 0..5 {
            engine.run_hops(97).unwrap();
            assert!(engine.balance_error() < 1e-12, "model {n}: {}", engine.balance_error());
            assert_eq!(engine.count_error(), 0, "model {n}");
            let occupied = engine.occupation();
            assert_eq!(occupied.iter().filter(|o| **o).count(), *ions);
            let rates = slow_rates(model, &occupied);
            let mut by_ion = Vec::new();
            let total = engine.drift(Some(&mut by_ion));
            let scale: f64 = rates.iter().map(|r| r.2).sum();
            for a in 0..3 {
                let slow: f64 = rates.iter().map(|(_, v, r)| v[a] * r).sum();
                assert!((total[a] - slow).abs() < 1e-12 * scale, "model {n}: {} {slow}", total[a]);
                let parts: f64 = by_ion.iter().map(|b| b[a]).sum();
                assert!((parts - slow).abs() < 1e-12 * scale, "model {n}");
            }
            // The sum over ions is the total displacement, and no ion strays from its site.
            let moved = engine.total_displacement_angstrom();
            for a in 0..3 {
                let sum: f64 = (0..*ions).map(|i| engine.displacement_angstrom(i)[a]).sum();
                assert!((sum - moved[a]).abs() < 1e-9, "model {n}: {sum} {}", moved[a]);
            }
        }
        let squares = engine.squared_hops();
        let trace = squares[0][0] + squares[1][1] + squares[2][2];
        assert!((trace - engine.events() as f64).abs() < 1e-9 * trace, "model {n}: hops of length 1");
    }
}

/// Every hop in proportion to its rate, and the clock by the mean time of a state: from many starts in one state.
#[test]
fn hops_are_chosen_by_their_rates() {
    for (n, (model, ions), selection) in every() {
        let (model, ions) = (&model, &ions);
        let origin = start(model, *ions, 40 + n as u64, selection);
        let occupied = origin.occupation();
        let rates = slow_rates(model, &occupied);
        let total: f64 = rates.iter().map(|r| r.2).sum();
        let runs = 20_000u32;
        let mut moved = vec![0u64; occupied.len() * occupied.len()];
        let mut time = 0.0;
        for run in 0..runs {
            let mut engine = origin.clone_with_stream(Philox::new(9, n as u32, run));
            while engine.attempt(f64::INFINITY).unwrap() != Attempt::Hopped {}
            time += engine.time_s();
            let after = engine.occupation();
            let from = (0..after.len()).find(|s| occupied[*s] && !after[*s]).unwrap();
            let to = (0..after.len()).find(|s| !occupied[*s] && after[*s]).unwrap();
            moved[from * after.len() + to] += 1;
        }
        // Hops between the same two sites over different vectors are one here.
        let mut expected = vec![0.0; moved.len()];
        for (from, vector, rate) in &rates {
            let hops = &model.hops()[from % model.basis().len()];
            let hop = hops.iter().find(|h| h.vector == *vector).unwrap();
            expected[from * occupied.len() + model.grid().offset(*from, hop.to)] += rate / total;
        }
        let (mut chi, mut freedom) = (0.0, -1.0);
        for (count, share) in moved.iter().zip(&expected) {
            let due = share * f64::from(runs);
            assert!(due > 0.0 || *count == 0, "model {n}: a hop that cannot be");
            if due > 0.0 {
                chi += (*count as f64 - due).powi(2) / due;
                freedom += 1.0;
            }
        }
        assert!((chi - freedom) / (2.0 * freedom).sqrt() < 4.0, "model {n}: chi^2 {chi} of {freedom}");
        let z = (time / f64::from(runs) * total - 1.0) * f64::from(runs).sqrt();
        assert!(z.abs() < 4.0, "model {n}: mean time {z} standard errors off");
    }
}

#[test]
fn running_to_a_time_makes_the_attempts_of_single_steps() {
    let gas = model(NamedLattice::Sc, &[4, 4, 4], &[0.4]);
    // The second box is one in which trials are drawn together.
    let large = model(NamedLattice::Sc, &[41, 41, 41], &[0.4]);
    // Several shells and sublattices; vacancies are fewer.
    let several = model(NamedLattice::Diamond, &[3, 3, 3], &[0.4, -0.3, 0.2]);
    for (gas, ions, step) in
        [(&gas, 30, 0.37), (&large, 30_000, 0.003), (&several, 150, 0.05), (&several, 80, 0.05)]
    {
        for selection in Selection::ALL {
            let mut one = start(gas, ions, 3, selection);
            let mut many = one.clone();
            for k in 1..200 {
                let limit = step * f64::from(k);
                assert!(one.run_until(limit, u64::MAX).unwrap());
                while many.attempt(limit).unwrap() != Attempt::TimeReached {}
                assert_eq!((one.attempts(), one.events()), (many.attempts(), many.events()), "{k}");
                assert!(one.time_s() <= limit);
            }
            assert_eq!(one.occupation(), many.occupation());
            let before = one.attempts();
            assert!(!one.run_until(1e9, 1000).unwrap());
            assert_eq!(one.attempts(), before + 1000);
        }
    }
}

/// Canonical weights: occupations of a small box come as often as e^(-E/kT), by exchanges and along a trajectory.
#[test]
fn equilibrium_is_canonical() {
    let gas = model(NamedLattice::Honeycomb, &[2, 2], &[0.9, -0.4]);
    let ions = 3;
    let sites = gas.sites();
    let states: Vec<Vec<bool>> = (0..1u32 << sites)
        .filter(|s| s.count_ones() == ions as u32)
        .map(|s| (0..sites).map(|k| s >> k & 1 == 1).collect())
        .collect();
    let weights: Vec<f64> = states.iter().map(|s| (-gas.energy(s)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let average = states.iter().zip(&weights).map(|(s, w)| w * gas.energy(s)).sum::<f64>() / sum;
    let energies: Vec<f64> = (0..3000)
        .map(|k| {
            let mut rng = Philox::new(4, 0, k);
            let mut occupied = random_occupation(sites, ions, &mut rng).unwrap();
            equilibrate_gas(&gas, &mut occupied, 20, &mut rng).unwrap();
            gas.energy(&occupied)
        })
        .collect();
    let error = (variance(&energies) / energies.len() as f64).sqrt();
    assert!((mean(&energies) - average).abs() < 4.0 * error, "{} {error} {average}", mean(&energies));
    // Along the trajectory, at equal times.
    for selection in Selection::ALL {
        let mut engine = start(&gas, ions, 8, selection);
        let mut blocks = Vec::new();
        let mut time = 20.0;
        for _ in 0..64 {
            let mut values = Vec::new();
            for _ in 0..400 {
                time += 0.5;
                engine.run_until(time, u64::MAX).unwrap();
                values.push(gas.energy(&engine.occupation()));
            }
            blocks.push(mean(&values));
        }
        let error = (variance(&blocks) / blocks.len() as f64).sqrt();
        let gap = mean(&blocks) - average;
        assert!(gap.abs() < 4.0 * error && error < 0.05 * average.abs(), "{selection:?}: {gap} {error}");
    }
}

/// Reference results I2 and I5 (with one ion fewer states than atoms): exact values of small boxes.
#[test]
fn i2_and_i5_by_every_engine() {
    use NamedLattice::{Chain, Sc, Square};
    type Case<'a> = (NamedLattice, &'a [usize], usize, f64, bool, f64);
    let cases: [Case<'_>; 8] = [
        (Square, &[4, 4], 15, 0.0, true, 17.0 / 31.0 / 15.0),
        (Sc, &[3, 3, 3], 26, 0.0, true, 34.0 / 47.0 / 26.0),
        (Chain, &[8], 4, 1.0, false, 0.641_290_641_7),
        (Square, &[4, 4], 8, 1.0, false, 0.444_677_116_6),
        (Square, &[4, 4], 12, 1.0, false, 0.260_889_914_8),
        (Square, &[4, 4], 4, 0.0, true, 0.727_178_850_1),
        (Sc, &[3, 3, 3], 3, 0.0, true, 0.908_745_788_7),
        (Sc, &[3, 3, 3], 3, 1.0, true, 0.888_674_018_5),
    ];
    let each = |case: Case<'static>| Selection::ALL.map(|selection| (case, selection));
    for (n, ((lattice, size, ions, coupling, tracer, exact), selection)) in
        cases.into_iter().flat_map(each).enumerate()
    {
        let gas = model(lattice, size, &[coupling]);
        let dimensions = lattice.dimensions() as f64;
        let mut engine = start(&gas, ions, 70 + n as u64, selection);
        engine.run_hops(5000).unwrap();
        let kind = if tracer { Kind::IonDrift } else { Kind::TotalDrift };
        // Windows longer than the longest relaxation of so small a box, 1/(2 - 2 cos(2 pi/L)) for its density.
        let interval = 0.4;
        let mut clock = engine.time_s();
        let blocks = if selection == Selection::Rejection { 700 } else { 250 };
        let values: Vec<f64> = (0..blocks)
            .map(|_| {
                let block = run_block(&mut engine, &mut clock, 1024, interval, u64::MAX, gas.sites())
                    .unwrap()
                    .unwrap();
                trace(&block.running(kind, 3)) / dimensions
            })
            .collect();
        let (value, error) = (mean(&values), (variance(&values) / values.len() as f64).sqrt());
        assert!((value - exact).abs() < 4.0 * error, "case {n}: {value} {error} {exact}");
        assert!(error < 0.1 / f64::from(blocks).sqrt() * exact, "case {n}: {error} of {exact}");
    }
}

/// Where ions are by their starts and what they travelled is where the occupation says that they are, on every lattice and across the edges of the box.
#[test]
fn ions_are_where_their_displacements_lead() {
    for (n, (gas, ions), selection) in every() {
        let (gas, ions) = (&gas, &ions);
        let mut engine = start(gas, *ions, 90 + n as u64, selection);
        // Ions are numbered in the order of the sites they start on.
        let first: Vec<usize> = (0..gas.sites()).filter(|s| engine.is_occupied(*s)).collect();
        engine.run_hops(3000).unwrap();
        let inverse = scalade_crystal::inverse(gas.lattice()).unwrap();
        let mut reached = vec![false; gas.sites()];
        for (ion, from) in first.iter().enumerate() {
            let LatticeSite { cell, basis } = gas.grid().site(*from);
            let (start, moved) = (gas.position(cell, basis), engine.displacement_angstrom(ion));
            let here = row_times(std::array::from_fn(|a| start[a] + moved[a]), &inverse);
            let site = (0..gas.basis().len()).find_map(|b| {
                let offset: [f64; 3] = std::array::from_fn(|a| here[a] - gas.basis()[b][a]);
                let near = offset.iter().all(|x| (x - x.round()).abs() < 1e-6);
                near.then(|| LatticeSite { cell: offset.map(|x| x.round() as i32), basis: b })
            });
            let site = gas.grid().index(site.unwrap());
            assert!(!std::mem::replace(&mut reached[site], true), "model {n}: two ions on site {site}");
        }
        assert_eq!(reached, engine.occupation(), "model {n}");
    }
}

/// Reference results I2 and I5 by the master equation of the gas, and boxes in which neighbours coincide: hops and bonds by vector.
#[test]
fn i2_and_i5_by_the_master_equation_of_the_gas() {
    use NamedLattice::{Chain, Sc, Square};
    type Case<'a> = (NamedLattice, &'a [usize], usize, f64, Follow, f64);
    let cases: [Case<'_>; 9] = [
        (Square, &[4, 4], 15, 0.0, Follow::One, 17.0 / 31.0 / 15.0),
        (Sc, &[3, 3, 3], 26, 0.0, Follow::One, 34.0 / 47.0 / 26.0),
        (Chain, &[8], 4, 1.0, Follow::All, 0.641_290_641_7),
        (Chain, &[12], 4, 1.0, Follow::All, 0.807_829_913_2),
        (Square, &[4, 4], 8, 1.0, Follow::All, 0.444_677_116_6),
        (Square, &[4, 4], 12, 1.0, Follow::All, 0.260_889_914_8),
        (Square, &[4, 4], 4, 0.0, Follow::One, 0.727_178_850_1),
        (Sc, &[3, 3, 3], 3, 1.0, Follow::One, 0.888_674_018_5),
        // Two sites that are neighbours twice: from either, two hops; each undoes nothing of the other on average.
        (Chain, &[2], 1, 0.0, Follow::All, 1.0),
    ];
    for (lattice, size, ions, coupling, follow, value) in cases {
        let exact = exact_gas_transport(&model(lattice, size, &[coupling]), ions, follow).unwrap();
        let got = exact.diffusivity[0][0];
        assert!((got - value).abs() < 1e-9, "{lattice:?} {size:?} {ions}: {got} {value}");
    }
    // Width 2: the sampled value is the exact one.
    let gas = model(Square, &[2, 5], &[0.6]);
    let exact = exact_gas_transport(&gas, 4, Follow::All).unwrap().diffusivity;
    let mut engine = start(&gas, 4, 3, Selection::Rejection);
    engine.run_hops(2000).unwrap();
    for axis in 0..2 {
        let mut clock = engine.time_s();
        let values: Vec<f64> = (0..400)
            .map(|_| {
                let block =
                    run_block(&mut engine, &mut clock, 1024, 0.4, u64::MAX, gas.sites()).unwrap().unwrap();
                block.running(Kind::TotalDrift, 3)[axis]
            })
            .collect();
        let error = (variance(&values) / values.len() as f64).sqrt();
        let gap = mean(&values) - exact[axis][axis];
        assert!(gap.abs() < 4.0 * error && error < 0.01 * exact[axis][axis], "{axis}: {gap} {error}");
    }
}
