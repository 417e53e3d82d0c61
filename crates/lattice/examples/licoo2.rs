//! From the bundled LiCoO2 orderings to V(x): prints fit quality, interactions, voltages and speed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/common/mod.rs"]
mod common;

use scalade_crystal::MoyoFinder;
use scalade_lattice::{
    Cutoffs, Fit, FitSettings, MappedStructure, MappingSettings, Member, Parent, Silent, VoltageCurve,
    VoltageSettings, choose_cutoffs, compute_voltage, map_frames,
};
use scalade_numerics::cpu_seconds;
use std::time::Instant;

fn main() {
    let start = Instant::now();
    let frames = common::read_frames("orderings.extxyz");
    let parent = Parent::new(&frames[0].structure, "Li", 1.0, &MoyoFinder, 1e-3).unwrap();
    let report = map_frames(&parent, &frames, &MappingSettings::default());
    println!("mapped {} of {} frames, {:?}", report.mapped.len(), frames.len(), start.elapsed());
    let largest = |f: &dyn Fn(&MappedStructure) -> f64| report.mapped.iter().map(f).fold(0.0, f64::max);
    println!(
        "largest strain {:.4}, host shift {:.3}, Li shift {:.3} angstrom",
        largest(&|m| m.strain),
        largest(&|m| m.host_displacement_angstrom),
        largest(&|m| m.working_displacement_angstrom)
    );
    let fit = fit_best(&parent, &report.mapped);
    print_curve(&voltages(&fit));
}

fn fit_best(parent: &Parent, mapped: &[MappedStructure]) -> Fit {
    let mut candidates = Vec::new();
    for pair in [7.0, 9.0, 12.0] {
        for (triplet, quadruplet) in [(0.0, 0.0), (5.0, 0.0), (5.8, 0.0), (5.0, 5.0), (5.8, 5.8)] {
            candidates.push(Cutoffs(vec![pair, triplet, quadruplet]));
        }
    }
    let began = Instant::now();
    let settings = FitSettings::new(Cutoffs(vec![7.0]));
    let (fit, scores) = choose_cutoffs(parent, mapped, &settings, &candidates).unwrap();
    println!("{} fits in {:?}", scores.len(), began.elapsed());
    println!(
        "  pairs to, triplets to, quadruplets to (angstrom): orbits, LOO, training meV/f.u., ln evidence"
    );
    for s in &scores {
        println!(
            "  {:?}: {} {:.3} {:.3} {:.1}",
            s.cutoffs.0,
            s.orbits,
            1e3 * s.leave_one_out_rmse_ev,
            1e3 * s.training_rmse_ev,
            s.log_evidence
        );
    }
    println!(
        "chosen: LOO {:.3} training {:.3} meV/f.u.; rank {} of {} columns, {:.1} effective; {:?}",
        1e3 * fit.leave_one_out_rmse_ev,
        1e3 * fit.training_rmse_ev,
        fit.rank,
        fit.columns,
        fit.effective_parameters,
        fit.hyperparameters
    );
    for p in fit.parity.iter().filter(|p| p.site_fraction == 0.0 || p.site_fraction == 1.0) {
        println!(
            "end member {}: data - fitted {:.3} meV, leave-one-out {:.3} meV",
            p.id,
            1e3 * (p.data_ev - p.fitted_ev),
            1e3 * p.leave_one_out_residual_ev
        );
    }
    println!("order diameter(A) multiplicity J(meV/cluster) +- prior");
    for i in &fit.interactions {
        println!(
            "  {} {:.3} {} {:.3} {:.3} {:.3}",
            i.order,
            i.diameter_angstrom,
            i.multiplicity,
            1e3 * i.value_ev,
            1e3 * i.standard_deviation_ev,
            1e3 * i.prior_width_ev
        );
    }
    println!("hull disagreements: {:#?}", fit.hull_disagreements);
    fit
}

fn voltages(fit: &Fit) -> VoltageCurve {
    let reference_ev = -2.0623168473947775;
    let settings = VoltageSettings::default();
    let mut last = None;
    let members = (0..fit.hamiltonian.samples_ev.len()).map(|k| (Member::Sample(k), 300.0));
    let temperatures = [280.0, 300.0, 320.0].map(|t| (Member::Mean, t));
    for (member, temperature_k) in temperatures.into_iter().chain(members) {
        let (cpu, wall) = (cpu_seconds(), Instant::now());
        let (curve, result) =
            compute_voltage(&fit.hamiltonian, member, temperature_k, reference_ev, &settings, &Silent)
                .unwrap();
        let spent = cpu_seconds() - cpu;
        println!(
            "{member:?} {temperature_k} K: {} chemical potentials twice, {} trials, {spent:.2} CPU-s, {:.2e} trials/CPU-s, {:?}",
            result.up.len(),
            result.trials,
            result.trials as f64 / spent,
            wall.elapsed()
        );
        let mean = curve.voltage_std.iter().sum::<f64>() / curve.x.len() as f64;
        let most = curve.voltage_std.iter().copied().fold(0.0, f64::max);
        println!(
            "  V error mean {:.2} mV, largest {:.2} mV; closure {:.3} +- {:.3} meV/site; misfit {:?}; {} drifting; two-phase {:?}",
            1e3 * mean,
            1e3 * most,
            1e3 * curve.closure_ev,
            1e3 * curve.closure_std_ev,
            curve.smoothing_misfit,
            curve.unequilibrated,
            curve.two_phase
        );
        if temperature_k == 300.0 && member == Member::Mean {
            last = Some(curve);
        }
    }
    last.unwrap()
}

fn print_curve(curve: &VoltageCurve) {
    println!("x V(V) +- dV/dT(mV/K) +- theta +- mixing free energy(meV)");
    for i in (0..curve.x.len()).filter(|i| (i + 1) % 8 == 0 || *i == 0 || i + 1 == curve.x.len()) {
        println!(
            "{:.3} {:.4} {:.4} {:+.3} {:.3} {:.3} {:.3} {:.2}",
            curve.x[i],
            curve.voltage_v[i],
            curve.voltage_std[i],
            1e3 * curve.dvdt_v_per_k[i],
            1e3 * curve.dvdt_std[i],
            curve.theta[i],
            curve.theta_std[i],
            1e3 * curve.mixing_free_energy_ev[i]
        );
    }
}
