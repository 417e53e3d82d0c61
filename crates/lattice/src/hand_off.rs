//! Voltage curves of the best expansion and of its ensemble, as typed hand-offs.

use crate::{LatticeError, VoltageCurve};
use scalade_handoff::{
    OpenCircuitVoltage, OutOfDomain, ThermodynamicFactor, ThermodynamicFactorTable, VoltageMember,
    VoltageTable,
};
use scalade_numerics::variance;

/// Refuses curves on another grid of compositions or at another temperature.
fn same_grid(best: &VoltageCurve, members: &[VoltageCurve]) -> Result<(), LatticeError> {
    for member in members {
        if member.x != best.x {
            let (expected, got) = (best.x.len(), member.x.len());
            return Err(LatticeError::Length {
                what: "compositions of an ensemble member (the same ones are due)",
                expected,
                got,
            });
        }
        LatticeError::require(
            member.temperature_k == best.temperature_k,
            "temperature of an ensemble member (kelvin)",
            member.temperature_k,
            "that of the best curve is due",
        )?;
    }
    Ok(())
}

/// Standard uncertainty of a value: the sampling error of the best curve, and the spread of the members beyond their own sampling errors.
fn uncertainty(best: f64, members: &[VoltageCurve], value: &dyn Fn(&VoltageCurve) -> (f64, f64)) -> f64 {
    let values: Vec<f64> = members.iter().map(|m| value(m).0).collect();
    let sampling = members.iter().map(|m| value(m).1.powi(2)).sum::<f64>() / members.len().max(1) as f64;
    (best * best + (variance(&values) - sampling).max(0.0)).sqrt()
}

/// The open-circuit voltage from the best curve and those of the posterior samples (member k of the hand-off is `members[k]`), all on one grid
/// of compositions at one temperature.
pub fn open_circuit_voltage(
    best: &VoltageCurve,
    members: &[VoltageCurve],
    working_ion: &str,
    reference_electrode: &str,
    out_of_domain: OutOfDomain,
) -> Result<OpenCircuitVoltage, LatticeError> {
    same_grid(best, members)?;
    let standard_error_v = (0..best.x.len())
        .map(|i| uncertainty(best.voltage_std[i], members, &|m| (m.voltage_v[i], m.voltage_std[i])))
        .collect();
    let member = |m: &VoltageCurve| VoltageMember {
        voltage_v: m.voltage_v.clone(),
        entropic_v_per_k: m.dvdt_v_per_k.clone(),
    };
    Ok(OpenCircuitVoltage::new(VoltageTable {
        working_ion: working_ion.into(),
        reference_electrode: reference_electrode.into(),
        stoichiometry: best.x.clone(),
        voltage_v: best.voltage_v.clone(),
        entropic_v_per_k: best.dvdt_v_per_k.clone(),
        standard_error_v,
        reference_temperature_k: best.temperature_k,
        // The table's own integral of V: on its grid and from its first composition.
        free_energy_ev: Vec::new(),
        two_phase: best.two_phase.clone(),
        members: members.iter().map(member).collect(),
        out_of_domain,
    })?)
}

/// The thermodynamic factor from best curves at rising temperatures and members at the temperature `curves[reference]`. Refused where a
/// two-phase interval reaches into the grid: there is no factor there.
pub fn thermodynamic_factor(
    curves: &[VoltageCurve],
    reference: usize,
    members: &[VoltageCurve],
) -> Result<ThermodynamicFactor, LatticeError> {
    let Some(best) = curves.get(reference) else {
        return Err(LatticeError::Length { what: "curves", expected: reference + 1, got: curves.len() });
    };
    same_grid(best, members)?;
    for curve in curves {
        if curve.x != best.x {
            let (expected, got) = (best.x.len(), curve.x.len());
            return Err(LatticeError::Length { what: "compositions at a temperature", expected, got });
        }
    }
    let relative_standard_error = (0..best.x.len())
        .map(|i| {
            let relative =
                uncertainty(best.theta_std[i], members, &|m| (m.theta[i], m.theta_std[i])) / best.theta[i];
            if relative.is_finite() { relative } else { 0.0 }
        })
        .collect();
    let table = ThermodynamicFactorTable {
        stoichiometry: best.x.clone(),
        temperature_k: curves.iter().map(|c| c.temperature_k).collect(),
        factor: curves.iter().map(|c| c.theta.clone()).collect(),
        relative_standard_error,
        reference,
        members: members.iter().map(|m| m.theta.clone()).collect(),
    };
    Ok(ThermodynamicFactor::try_from(table)?)
}
