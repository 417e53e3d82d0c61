//! `montecarlo FRAMES`: V(x,T) with bands, plateaus, thermodynamic factors and incremental capacities from a fitted expansion.
//!
//! Of one temperature the document is its curve; of several it holds `curves`, one for each. Lists run over `x`, the occupied fraction of the sites
//! of the working ion:
//!
//! - `voltage_V` with `std_error_V`, the statistical error of sampling;
//! - `thermodynamic_factor` d(mu/kT)/d ln x, 0 in two-phase intervals;
//! - `incremental_capacity_per_V` -dx/dV = x z e/(kT theta), null where the voltage has a plateau;
//! - with members of the posterior: `fit_std_V`, their standard deviation, and `band_V`, 1.96 times the root of the sum of the squares of both errors.
//!
//! `widest_statistical_band_V` is the largest full width 2 * 1.96 * std_error_V outside two-phase intervals.

use crate::error::ScaladeError;
use crate::kinds;
use crate::rungs::{FittedExpansion, electronvolt, quantity, with_threads};
use rayon::prelude::*;
use scalade_lattice::{Member, Silent, VoltageCurve, VoltageSettings, compute_voltage, incremental_capacity};
use scalade_numerics::cpu_seconds;
use scalade_numerics::variance;
use scalade_units::dimension;
use serde_json::{Value, json};
use std::time::Instant;

/// Most curves of one run.
const MOST_CURVES: usize = 4096;
/// Standard errors of a 95 % band.
const BAND_SIGMAS: f64 = 1.96;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct CurveRequest<'a> {
    /// Energy of the working ion's reference, per ion.
    pub reference_energy: &'a str,
    /// Temperatures, separated by commas.
    pub temperatures: &'a str,
    /// Sweeps per chemical potential.
    pub sweeps: Option<u32>,
    /// Members of the posterior that are sampled beside the best coefficients.
    pub members: usize,
    /// Charge number of the working ion: voltages are per charge.
    pub valence: u32,
    /// Threads.
    pub jobs: Option<usize>,
}

/// Temperatures (K) of a list with commas.
pub(crate) fn temperatures(text: &str) -> Result<Vec<f64>, ScaladeError> {
    let list = text
        .split(',')
        .filter(|t| !t.trim().is_empty())
        .map(|t| quantity("temperature", t.trim(), dimension::TEMPERATURE))
        .collect::<Result<Vec<f64>, _>>()?;
    if list.is_empty() {
        return Err(ScaladeError::input(
            "--temperature is empty; give some, such as \"270 K, 300 K, 330 K\"",
        ));
    }
    for (i, t) in list.iter().enumerate() {
        if list[..i].contains(t) {
            return Err(ScaladeError::input(format!("--temperature: {t} K stands twice")));
        }
    }
    Ok(list)
}

/// `montecarlo`: the curves of all temperatures.
pub fn montecarlo(fitted: &FittedExpansion, request: &CurveRequest) -> Result<Value, ScaladeError> {
    let reference = electronvolt("reference energy", request.reference_energy)?;
    let temperatures = temperatures(request.temperatures)?;
    if !(1..=8).contains(&request.valence) {
        let valence = request.valence;
        return Err(ScaladeError::input(format!("--valence {valence}: a charge number from 1 to 8 is due")));
    }
    let mut settings = VoltageSettings::default();
    settings.scan.seed = fitted.seed();
    if let Some(sweeps) = request.sweeps {
        settings.scan.sweeps = sweeps as usize;
    }
    let hamiltonian = &fitted.fit.hamiltonian;
    let members = request.members;
    if temperatures.len().saturating_mul(members + 1) > MOST_CURVES {
        return Err(ScaladeError::input(format!(
            "{} temperatures and {members} members are more than {MOST_CURVES} curves; give fewer",
            temperatures.len()
        )));
    }
    if members > hamiltonian.samples_ev.len() {
        return Err(ScaladeError::internal("fewer posterior samples than members"));
    }
    let tasks: Vec<(f64, Member)> = temperatures
        .iter()
        .flat_map(|t| std::iter::once(Member::Mean).chain((0..members).map(Member::Sample)).map(|m| (*t, m)))
        .collect();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let run = || {
        tasks
            .par_iter()
            .map(|(t, member)| {
                compute_voltage(hamiltonian, *member, *t, reference, &settings, &Silent)
                    .map(|(curve, scan)| (curve, scan.trials))
            })
            .collect::<Result<Vec<(VoltageCurve, u64)>, _>>()
    };
    let done = with_threads(request.jobs, run)?.map_err(|e| kinds::lattice_failure(&e))?;
    let trials: u64 = done.iter().map(|d| d.1).sum();
    let curves: Vec<Value> =
        done.chunks(members + 1).map(|of| curve(of, f64::from(request.valence))).collect();
    let beside = json!({
        "trials": trials,
        "wall_time_s": start.elapsed().as_secs_f64(),
        "cpu_time_s": cpu_seconds() - cpu,
    });
    let mut document = match <[Value; 1]>::try_from(curves) {
        Ok([only]) => only,
        Err(curves) => json!({ "curves": curves }),
    };
    if let (Value::Object(map), Value::Object(more)) = (&mut document, beside) {
        map.extend(more);
    }
    Ok(document)
}

/// The best curve with what its members say.
fn curve(of: &[(VoltageCurve, u64)], valence: f64) -> Value {
    let best = &of[0].0;
    let per_charge = |list: &[f64]| list.iter().map(|v| v / valence).collect::<Vec<f64>>();
    let in_plateau = |x: f64| best.two_phase.iter().any(|[low, high]| (*low..=*high).contains(&x));
    // Twice the charge, half the voltage.
    let capacities: Vec<Option<[f64; 2]>> = incremental_capacity(best)
        .iter()
        .map(|c| c.map(|c| [valence * c.value, valence * c.error]))
        .collect();
    let voltage_std = per_charge(&best.voltage_std);
    let widest = best
        .x
        .iter()
        .zip(&voltage_std)
        .filter(|(x, _)| !in_plateau(**x))
        .fold(0.0f64, |w, (_, s)| w.max(2.0 * BAND_SIGMAS * s));
    let mut document = json!({
        "temperature_K": best.temperature_k,
        "x": best.x,
        "voltage_V": per_charge(&best.voltage_v),
        "std_error_V": voltage_std,
        "widest_statistical_band_V": widest,
        "entropic_coefficient_V_per_K": per_charge(&best.dvdt_v_per_k),
        "thermodynamic_factor": best.theta,
        "thermodynamic_factor_std_error": best.theta_std,
        "incremental_capacity_per_V": capacities.iter().map(|c| c.map(|c| c[0])).collect::<Vec<_>>(),
        "incremental_capacity_std_error_per_V": capacities.iter().map(|c| c.map(|c| c[1])).collect::<Vec<_>>(),
        "free_energy_eV": best.free_energy_ev,
        "two_phase_intervals": best.two_phase,
        "transitions": best.transitions.iter().map(|t| json!({
            "chemical_potential_eV": t.chemical_potential_ev, "std_error_eV": t.chemical_potential_std_ev,
            "x": t.x, "hysteresis_eV": t.hysteresis_ev,
        })).collect::<Vec<_>>(),
        "unequilibrated_points": best.unequilibrated,
    });
    if of.len() > 2
        && let Value::Object(map) = &mut document
    {
        let spread = |i: usize| {
            let values: Vec<f64> = of[1..].iter().map(|m| m.0.voltage_v[i] / valence).collect();
            variance(&values).sqrt()
        };
        let fit: Vec<f64> = (0..best.x.len()).map(spread).collect();
        let band: Vec<f64> =
            fit.iter().zip(&best.voltage_std).map(|(f, s)| BAND_SIGMAS * f.hypot(s / valence)).collect();
        map.insert("members".into(), json!(of.len() - 1));
        map.insert("fit_std_V".into(), json!(fit));
        map.insert("band_V".into(), json!(band));
    }
    document
}
