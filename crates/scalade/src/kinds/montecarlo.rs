//! Step kind `montecarlo`: V(x,T), thermodynamic factor and two-phase intervals from a lattice Hamiltonian.

use super::failure;
use super::jobs::{Shared, run_jobs};
use crate::error::ScaladeError;
use scalade_handoff::{LatticeHamiltonian, OutOfDomain};
use scalade_lattice::{
    LatticeError, Member, Monitor, ScanSettings, VoltageCurve, VoltageSettings, compute_voltage,
    open_circuit_voltage, thermodynamic_factor,
};
use scalade_numerics::variance;
use scalade_record::{Scale, Uncertainty};
use scalade_study::{
    InputSpec, InputType, Inputs, KindSpec, OutputSpec, Outputs, StepContext, StepFailure, StepKind,
};
use scalade_units::{constants::ELEMENTARY_CHARGE, dimension as d};
use serde::{Deserialize, Serialize};

/// The kind.
pub struct MonteCarloKind {
    spec: KindSpec,
}

impl Default for MonteCarloKind {
    fn default() -> Self {
        let count = |key: &str, default: i64, about: &str| {
            InputSpec::new(key, InputType::Integer { min: Some(1), max: Some(10_000_000) }, about)
                .default(default)
        };
        let spec = KindSpec::new(
            "montecarlo",
            3,
            Scale::Lattice,
            "Semi-grand-canonical Monte Carlo: V(x,T), thermodynamic factor, two-phase intervals",
        )
        .input(InputSpec::new(
            "hamiltonian",
            InputType::hand_off("LatticeHamiltonian"),
            "Energy of occupations",
        ))
        .input(InputSpec::new(
            "reference_energy",
            InputType::Quantity(d::ENERGY),
            "Energy of the working ion's reference, per ion",
        ))
        .input(
            InputSpec::new(
                "valence",
                InputType::Integer { min: Some(1), max: Some(8) },
                "Charge number of the working ion",
            )
            .default(1),
        )
        .input(
            InputSpec::new(
                "temperatures",
                InputType::Quantity(d::TEMPERATURE).list(),
                "Temperatures; the ensemble is run at the first and the last",
            )
            .positive()
            .within_si(10.0, 5000.0)
            .default(serde_json::json!(["300 K"])),
        )
        .input(
            InputSpec::new(
                "cells",
                InputType::Integer { min: Some(1), max: Some(512) }.list(),
                "Primitive cells of the box along each lattice vector",
            )
            .default(serde_json::json!([12, 12, 12])),
        )
        .input(count("sweeps", 120, "Recorded sweeps per chemical potential"))
        .input(count("equilibration", 24, "Sweeps before recording"))
        .output(OutputSpec::hand_off(
            "voltage",
            "OpenCircuitVoltage",
            "V(x,T) with dV/dT, two-phase intervals, ensemble",
        ))
        .output(OutputSpec::hand_off(
            "thermodynamic_factor",
            "ThermodynamicFactor",
            "d(mu/kT)/d ln x over x and T, ensemble",
        ))
        .output(OutputSpec::number("half_voltage", "V", "Voltage at x = 1/2 and the first temperature"))
        .output(OutputSpec::number(
            "half_thermodynamic_factor",
            "",
            "Thermodynamic factor at x = 1/2 and the first temperature",
        ));
        Self { spec }
    }
}

impl StepKind for MonteCarloKind {
    fn spec(&self) -> &KindSpec {
        &self.spec
    }

    fn validate(&self, inputs: &Inputs) -> Vec<scalade_study::InputProblem> {
        let problem = |key: &str, message: &str| scalade_study::InputProblem {
            key: key.into(),
            message: message.into(),
            help: None,
        };
        let mut problems = Vec::new();
        if inputs.integers("cells").is_ok_and(|c| c.len() != 3) {
            problems.push(problem("cells", "three numbers of cells are due"));
        }
        if inputs.quantities_si("temperatures").is_ok_and(|t| t.is_empty()) {
            problems.push(problem("temperatures", "at least one temperature is due"));
        }
        problems
    }

    fn run(&self, inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure> {
        let hamiltonian: LatticeHamiltonian = inputs.hand_off("hamiltonian")?.value;
        hamiltonian.check().map_err(|e| failure(e.into()))?;
        let reference_ev = inputs.quantity_si("reference_energy")? / ELEMENTARY_CHARGE;
        let valence = inputs.integer("valence")? as f64;
        let temperatures = inputs.quantities_si("temperatures")?;
        let settings = settings(inputs, context.seed())?;
        // The ensemble at two temperatures: what it says about the temperature dependence comes from the widest pair.
        let samples = hamiltonian.samples_ev.len();
        let ensemble = |t: f64| (0..samples).map(move |k| (Member::Sample(k), t));
        let mut jobs: Vec<(Member, f64)> = temperatures.iter().map(|t| (Member::Mean, *t)).collect();
        jobs.extend(ensemble(temperatures[0]));
        if let [_, .., last] = temperatures[..] {
            jobs.extend(ensemble(last));
        }
        let name = |job: &(Member, f64)| format!("{:?}-{}", job.0, job.1);
        let curves: Vec<VoltageCurve> = run_jobs(context, &jobs, name, |job, shared| {
            let watch = Watch(shared);
            match compute_voltage(&hamiltonian, job.0, job.1, reference_ev, &settings, &watch) {
                Ok((curve, _)) => Ok(curve),
                Err(LatticeError::Cancelled { .. }) => Err(StepFailure::Interrupted),
                Err(e) => Err(failure(lattice_failure(&e))),
            }
        })?;
        let (mean, members) = curves.split_at(temperatures.len());
        let (members, at_last) = members.split_at(samples);
        assemble(context, &hamiltonian, valence, mean, (members, at_last))
    }
}

/// What kind of failure an error of the lattice is: no convergence is not bad input.
pub(crate) fn lattice_failure(error: &LatticeError) -> ScaladeError {
    let message = error.to_string();
    match error {
        LatticeError::Closure { .. } | LatticeError::NotFinite { .. } => {
            ScaladeError::NotConverged { message }
        }
        _ => ScaladeError::Input { message },
    }
}

struct Watch<'a>(&'a Shared<'a>);

impl Monitor for Watch<'_> {
    fn progress(&self, done: usize, total: usize) {
        self.0.part(done, total, "Monte Carlo");
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

fn settings(inputs: &Inputs, seed: u64) -> Result<VoltageSettings, StepFailure> {
    let cells = inputs.integers("cells")?;
    let [a, b, c] = cells[..] else {
        return Err(StepFailure::bad_input("cells", "three numbers of cells are due"));
    };
    let scan = ScanSettings {
        dims: [a as usize, b as usize, c as usize],
        sweeps: inputs.count("sweeps")?,
        equilibration: inputs.count("equilibration")?,
        seed,
        ..ScanSettings::default()
    };
    Ok(VoltageSettings { scan, ..VoltageSettings::default() })
}

/// Curves for the report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ThermoDetail {
    /// Best curves, one per temperature.
    pub mean: Vec<VoltageCurve>,
    /// Members' voltages at the first temperature.
    pub member_voltage_v: Vec<Vec<f64>>,
    /// Standard deviation over the members, V, and the statistical error of the best curve, V, at x = 1/2.
    pub half_voltage_errors_v: [f64; 2],
}

fn over_members(members: &[VoltageCurve], i: usize, get: fn(&VoltageCurve) -> &Vec<f64>) -> f64 {
    let values: Vec<f64> = members.iter().map(|m| get(m)[i]).collect();
    variance(&values).sqrt()
}

/// Index of the composition nearest to one half.
fn half(x: &[f64]) -> usize {
    (0..x.len()).min_by(|a, b| (x[*a] - 0.5).abs().total_cmp(&(x[*b] - 0.5).abs())).unwrap_or(0)
}

fn assemble(
    context: &StepContext,
    hamiltonian: &LatticeHamiltonian,
    valence: f64,
    mean: &[VoltageCurve],
    (members, at_last): (&[VoltageCurve], &[VoltageCurve]),
) -> Result<Outputs, StepFailure> {
    let mut outputs = Outputs::new();
    let best = &mean[0];
    let h = half(&best.x);
    let spread = Uncertainty::none("carried by the ensemble and the standard error within");
    let ion = &hamiltonian.working_ion;
    let voltage = open_circuit_voltage(best, members, ion, valence, OutOfDomain::Extend)
        .map_err(StepFailure::internal)?;
    outputs.hand_off("voltage", "OpenCircuitVoltage", context.tracked(voltage, "", spread.clone())?)?;
    let second = (!at_last.is_empty()).then(|| (mean.len() - 1, at_last));
    let factor = thermodynamic_factor(mean, 0, members, second).map_err(StepFailure::internal)?;
    outputs.hand_off("thermodynamic_factor", "ThermodynamicFactor", context.tracked(factor, "", spread)?)?;
    let errors = [over_members(members, h, |m| &m.voltage_v) / valence, best.voltage_std[h] / valence];
    let standard = |errors: [f64; 2]| Uncertainty::Standard { value: errors[0].hypot(errors[1]) };
    outputs.number("half_voltage", context.tracked(best.voltage_v[h] / valence, "V", standard(errors))?)?;
    let factor_errors = [over_members(members, h, |m| &m.theta), best.theta_std[h]];
    outputs
        .number("half_thermodynamic_factor", context.tracked(best.theta[h], "", standard(factor_errors))?)?;
    if best.two_phase.iter().any(|[low, high]| (*low..=*high).contains(&0.5)) {
        outputs.warn("x = 1/2 lies in a two-phase interval: its thermodynamic factor is zero there");
    }
    let all = || mean.iter().chain(members).chain(at_last);
    let drifting: usize = all().map(|c| c.unequilibrated).sum();
    if drifting > 0 {
        outputs.warn(format!(
            "{drifting} runs at single chemical potentials, in {} curves, may still have been drifting; raise sweeps or equilibration",
            all().count()
        ));
    }
    let detail = ThermoDetail {
        mean: mean.to_vec(),
        member_voltage_v: members.iter().map(|m| m.voltage_v.iter().map(|v| v / valence).collect()).collect(),
        half_voltage_errors_v: errors,
    };
    outputs.plain("detail", &detail)?;
    outputs.cite("A. Van der Ven et al., Phys. Rev. B 58, 2975 (1998)", Some("10.1103/PhysRevB.58.2975"));
    Ok(outputs)
}
