use super::*;
use crate::Philox;

const GAS_STATES: [(f64, f64); 5] = [(0.5, 0.0), (0.6, 1.0), (0.9, 1.5), (1.2, 2.5), (0.8, 4.0)];

fn sampled(beta: f64, chemical_potential: f64, samples: Vec<[f64; 2]>) -> SampledState {
    SampledState { beta, chemical_potential, samples, inefficiency: 1.0 }
}

/// x^2/2 of an oscillator at these temperatures, with numbers of samples that differ.
fn oscillators(betas: &[f64], replica: u32) -> Vec<SampledState> {
    let mut rng = Philox::new(5, 0, replica);
    let mut energies = |count: usize, b: f64| -> Vec<[f64; 2]> {
        (0..count).map(|_| [0.5 * rng.normal().powi(2) / b, 0.0]).collect()
    };
    let draw = |(k, b): (usize, &f64)| sampled(*b, 0.0, energies(150 + 100 * (k % 2), *b));
    betas.iter().enumerate().map(draw).collect()
}

/// [E, N] of all 512 configurations of a periodic 3 x 3 lattice gas with unit repulsion of neighbours.
fn configurations() -> Vec<[f64; 2]> {
    let bonds: Vec<[u32; 2]> =
        (0..9).flat_map(|s| [[s, s / 3 * 3 + (s + 1) % 3], [s, (s + 3) % 9]]).collect();
    let energy = |c: u32| bonds.iter().filter(|[i, j]| (c >> i) & (c >> j) & 1 == 1).count();
    (0..512u32).map(|c| [energy(c) as f64, f64::from(c.count_ones())]).collect()
}

/// f, the probabilities, and the means of E and N.
fn exact(all: &[[f64; 2]], (beta, mu): (f64, f64)) -> (f64, Vec<f64>, [f64; 2]) {
    let logs: Vec<f64> = all.iter().map(|c| -reduced_potential(beta, mu, *c)).collect();
    let f = -log_sum_exp(&logs);
    let probabilities: Vec<f64> = logs.iter().map(|l| (l + f).exp()).collect();
    let means = [0, 1].map(|i| all.iter().zip(&probabilities).map(|(c, p)| c[i] * p).sum());
    (f, probabilities, means)
}

/// Samples of the lattice gas, each repeated as often as the inefficiency says.
fn gas(all: &[[f64; 2]], inefficiencies: [usize; 5], count: usize, replica: u32) -> Vec<SampledState> {
    let mut rng = Philox::new(6, 0, replica);
    let draw = |((beta, mu), g): ((f64, f64), usize)| {
        let mut cumulated = exact(all, (beta, mu)).1;
        (1..512).for_each(|c| cumulated[c] += cumulated[c - 1]);
        let uniform = (0..count).map(|_| rng.uniform());
        let drawn = uniform.map(|u| all[cumulated.partition_point(|c| *c < u).min(511)]);
        let samples = drawn.flat_map(|s| vec![s; g]).collect();
        SampledState { inefficiency: g as f64, ..sampled(beta, mu, samples) }
    };
    GAS_STATES.into_iter().zip(inefficiencies).map(draw).collect()
}

/// The first deviation (in standard errors) is below 4; their mean square is 1 and their mean 0, within 4 sigma.
fn assert_calibrated(what: &str, deviations: &[f64]) {
    let n = deviations.len() as f64;
    let (mean, square) = (ordered_sum(deviations) / n, deviations.iter().map(|z| z * z).sum::<f64>() / n);
    assert!(deviations[0].abs() < 4.0, "{what}: {} sigma", deviations[0]);
    assert!(mean.abs() < 4.0 / n.sqrt(), "{what}: mean {mean} of {n}");
    assert!((square - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "{what}: mean square {square} of {n}");
}

#[test]
fn oscillators_have_their_free_energies_with_calibrated_errors() {
    let betas = [1.0, 2.0, 4.0, 8.0];
    let mut deviations = vec![Vec::new(); 4];
    for replica in 0..300 {
        let r = Reweighting::new(&oscillators(&betas, replica)).unwrap();
        for k in 1..4 {
            let error = r.free_energy_covariance().row(k)[k].sqrt();
            deviations[k].push((r.free_energies()[k] - 0.5 * betas[k].ln()) / error);
            let at = r.at(betas[k], 0.0).free_energy;
            assert!((at.0 - r.free_energies()[k]).abs() < 1e-10 && (at.1 / error - 1.0).abs() < 1e-8);
        }
    }
    deviations[1..].iter().for_each(|z| assert_calibrated("oscillators", z));
    // Neither the order of the states nor a poor guess matters.
    let states = oscillators(&[1.0, 4.0, 16.0, 64.0, 256.0], 0);
    let shuffled = [0, 4, 1, 3, 2].map(|k: usize| states[k].clone());
    let (a, b) = (Reweighting::new(&states).unwrap(), Reweighting::new(&shuffled).unwrap());
    assert!((a.free_energies()[4] - b.free_energies()[1]).abs() < 1e-10);
}

#[test]
fn lattice_gas_agrees_with_enumeration_and_errors_are_calibrated() {
    let all = configurations();
    let target = (0.75, 2.0);
    let (f, probabilities, means) = exact(&all, target);
    let f0 = exact(&all, GAS_STATES[0]).0;
    for inefficiencies in [[1; 5], [1, 12, 1, 6, 2]] {
        let mut deviations = vec![Vec::new(); 4];
        for replica in 0..300 {
            let r = Reweighting::new(&gas(&all, inefficiencies, 60, replica)).unwrap();
            let p = r.at(target.0, target.1);
            deviations[0].push((p.free_energy.0 - (f - f0)) / p.free_energy.1);
            deviations[1].push((p.energy.0 - means[0]) / p.energy.1);
            deviations[2].push((p.number.0 - means[1]) / p.number.1);
            let f4 = r.free_energies()[4] - (exact(&all, GAS_STATES[4]).0 - f0);
            deviations[3].push(f4 / r.free_energy_covariance().row(4)[4].sqrt());
        }
        for (what, z) in ["free energy", "energy", "number", "f_4"].iter().zip(&deviations) {
            assert_calibrated(what, z);
        }
    }
    let p = Reweighting::new(&gas(&all, [1; 5], 20_000, 0)).unwrap().at(target.0, target.1);
    let moment = |i: usize, j: usize| -> f64 {
        all.iter().zip(&probabilities).map(|(c, p)| p * (c[i] - means[i]) * (c[j] - means[j])).sum()
    };
    assert!((p.energy_variance / moment(0, 0) - 1.0).abs() < 0.03);
    assert!((p.number_variance / moment(1, 1) - 1.0).abs() < 0.03);
    assert!((p.covariance / moment(0, 1) - 1.0).abs() < 0.03);
    assert!(p.effective_samples > 40_000.0 && p.effective_samples < 100_000.0, "{p:?}");
}

#[test]
fn combinations_vary_together_as_their_covariance_says() {
    let all = configurations();
    let f0 = exact(&all, GAS_STATES[0]).0;
    // phi + mu x per site at three potentials, one mean energy and one mean number: all from the same samples.
    let curve = [1.0, 2.0, 3.0].map(|mu: f64| (0.8, mu, [1.0 / 0.8 / 9.0, 0.0, mu / 9.0]));
    let others = [(0.7, 2.5, [0.0, 1.0, 0.0]), (1.0, 0.5, [0.0, 0.0, 1.0])];
    let of: Vec<Combination> = curve
        .into_iter()
        .chain(others)
        .map(|(beta, chemical_potential, coefficients)| Combination {
            beta,
            chemical_potential,
            coefficients,
        })
        .collect();
    let truth: Vec<f64> = of
        .iter()
        .map(|c| {
            let (f, _, means) = exact(&all, (c.beta, c.chemical_potential));
            c.coefficients[0] * (f - f0) + c.coefficients[1] * means[0] + c.coefficients[2] * means[1]
        })
        .collect();
    let (mut squares, mut contrast) = (Vec::new(), Vec::new());
    for replica in 0..300 {
        let r = Reweighting::new(&gas(&all, [1, 3, 1, 2, 1], 120, replica)).unwrap();
        let (values, covariance) = r.combinations(&of);
        let deviation: Vec<f64> = values.iter().zip(&truth).map(|(v, t)| v - t).collect();
        squares.push(Cholesky::new(&covariance).unwrap().inverse_quadratic(&deviation));
        // Neighbours of a curve move together: their difference is much better known than either.
        let variance =
            covariance.row(0)[0] + covariance.row(1)[1] - covariance.row(0)[1] - covariance.row(1)[0];
        contrast.push((deviation[0] - deviation[1]) / variance.sqrt());
        let single = r.at(0.7, 2.5);
        assert!((values[3] / single.energy.0 - 1.0).abs() < 1e-12);
        assert!((covariance.row(3)[3].sqrt() / single.energy.1 - 1.0).abs() < 1e-9);
    }
    assert_calibrated("difference along the curve", &contrast);
    // chi^2 of five numbers: mean 5, variance 10.
    let chi2 = squares.iter().sum::<f64>() / 300.0;
    assert!((chi2 - 5.0).abs() < 4.0 * (10.0f64 / 300.0).sqrt(), "{chi2}");
}

#[test]
fn errors_are_those_of_equations_8_and_15() {
    let r = Reweighting::new(&gas(&configurations(), [3; 5], 8, 1)).unwrap();
    let p = r.at(0.7, 2.2);
    let n = r.samples.len();
    // 1 - W diag(N_k) W^T is singular along ones only, to which differences of columns are orthogonal.
    let mut inner = Matrix::from_rows(n, n, vec![1.0 / n as f64; n * n]).unwrap();
    for (a, b) in (0..n * n).map(|i| (i / n, i % n)) {
        let pairs = r.memberships.row(a).iter().zip(r.memberships.row(b)).zip(&r.counts);
        inner.row_mut(a)[b] += f64::from(a == b) - pairs.map(|((x, y), c)| x * y / c).sum::<f64>();
    }
    let inverse = Cholesky::new(&inner).unwrap();
    let error = |v: Vec<f64>| (3.0 * inverse.inverse_quadratic(&v)).sqrt();
    let column = |k: usize, i: usize| r.memberships.row(i)[k] / r.counts[k];
    let weight =
        |i: usize| (p.free_energy.0 - reduced_potential(0.7, 2.2, r.samples[i]) - r.log_density[i]).exp();
    let energy = error((0..n).map(|i| weight(i) * (r.samples[i][0] - p.energy.0)).collect());
    let f = error((0..n).map(|i| weight(i) - column(0, i)).collect());
    let f3 = error((0..n).map(|i| column(3, i) - column(0, i)).collect());
    assert!((energy / p.energy.1 - 1.0).abs() < 1e-9 && (f / p.free_energy.1 - 1.0).abs() < 1e-9);
    assert!((f3 / r.free_energy_covariance().row(3)[3].sqrt() - 1.0).abs() < 1e-9);
    for (i, j) in (0..25).map(|i| (i / 5, i % 5)) {
        let direct: f64 = (0..n).map(|s| column(i, s) * r.counts[j] * column(j, s)).sum();
        assert!((r.overlap().row(i)[j] - direct).abs() < 1e-14);
        assert!((r.overlap().row(i).iter().sum::<f64>() - 1.0).abs() < 1e-11);
    }
}

#[test]
fn one_state_gives_averages_and_equal_states_no_difference() {
    let mut state = gas(&configurations(), [4, 1, 1, 1, 1], 50, 2).swap_remove(0);
    let r = Reweighting::new(std::slice::from_ref(&state)).unwrap();
    let p = r.at(state.beta, state.chemical_potential);
    let energies: Vec<f64> = state.samples.iter().map(|s| s[0]).collect();
    let (mean, n) = (crate::mean(&energies), energies.len() as f64);
    let variance = crate::variance(&energies) * (n - 1.0) / n;
    assert!((p.energy.0 - mean).abs() < 1e-12 && (p.energy_variance - variance).abs() < 1e-12);
    assert!((p.energy.1 - (4.0 * variance / n).sqrt()).abs() < 1e-12);
    assert!(p.free_energy.0.abs() < 1e-12 && p.free_energy.1 < 1e-12);
    assert!((p.effective_samples - n).abs() < 1e-9);
    let mut states = vec![state.clone(); 3];
    state.samples.truncate(1);
    states.push(state);
    let r = Reweighting::new(&states).unwrap();
    assert!(r.free_energies().iter().all(|f| f.abs() < 1e-12));
    assert!((0..4).all(|k| r.free_energy_covariance().row(k)[k] < 1e-12));
}

#[test]
fn two_states_solve_bennetts_equation() {
    let states = oscillators(&[1.0, 9.0], 3);
    let log_ratio = (states[1].samples.len() as f64 / states[0].samples.len() as f64).ln();
    let fermi = |k: usize, sign: f64, shift: f64| -> f64 {
        let terms = states[k].samples.iter().map(|s| 1.0 / (1.0 + (sign * (8.0 * s[0] - shift)).exp()));
        terms.sum()
    };
    let (mut low, mut high) = (-20.0, 20.0);
    for _ in 0..100 {
        let f = 0.5 * (low + high);
        let shift = f + log_ratio;
        if fermi(0, 1.0, shift) < fermi(1, -1.0, shift) { low = f } else { high = f }
    }
    let f = Reweighting::new(&states).unwrap().free_energies()[1];
    assert!((f - low).abs() < 1e-9, "{f} {low}");
}

/// A Gaussian density of states of width 1000: E ~ N(-beta 1e6, 1e6), f = -beta^2 1e6 / 2.
fn gaussians(betas: &[f64]) -> Vec<SampledState> {
    let mut rng = Philox::new(8, 0, 0);
    let mut draw = |b: f64| (0..500).map(|_| [1e3 * rng.normal() - 1e6 * b, 0.0]).collect();
    betas.iter().map(|b| sampled(*b, 0.0, draw(*b))).collect()
}

#[test]
fn large_systems_converge() {
    let betas: Vec<f64> = (0..12).map(|k| 1.0 + 1.5e-3 * f64::from(k)).collect();
    let r = Reweighting::new(&gaussians(&betas)).unwrap();
    let exact = -0.5e6 * (betas[11] * betas[11] - 1.0);
    let error = r.free_energy_covariance().row(11)[11].sqrt();
    assert!((r.free_energies()[11] - exact).abs() < 4.0 * error && error < 1.0, "{error}");
}

#[test]
fn what_cannot_be_reweighted_is_refused() {
    use ReweightingError as E;
    let good = oscillators(&[1.0, 2.0, 3.0], 4);
    let refused = |change: &dyn Fn(&mut Vec<SampledState>)| {
        let mut states = good.clone();
        change(&mut states);
        Reweighting::new(&states).unwrap_err()
    };
    assert_eq!(refused(&Vec::clear), E::NoStates);
    assert_eq!(refused(&|s| s[1].samples.clear()), E::NoSamples { state: 1 });
    assert_eq!(refused(&|s| s[2].inefficiency = 0.5), E::Inefficiency { state: 2, value: 0.5 });
    assert!(matches!(refused(&|s| s[1].beta = f64::NAN), E::NotFinite { state: 1, .. }));
    assert!(matches!(refused(&|s| s[0].samples[7][1] = f64::INFINITY), E::NotFinite { sample: 7, .. }));
    let huge = refused(&|s| (s[2].beta, s[1].samples[0][0]) = (1e200, 1e200));
    assert!(matches!(huge, E::NotFinite { what: "reduced potential", state: 2, sample: 150, .. }));
    let error = Reweighting::new(&gaussians(&[1.0, 1.001, 1.01, 1.011])).unwrap_err();
    assert!(matches!(error, E::NoOverlap { first: 1, second: 2, gap, .. } if gap > 1.0), "{error}");
}
