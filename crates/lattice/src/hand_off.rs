//! Voltage curves of the best expansion and of its ensemble, as typed hand-offs.

use crate::{LatticeError, VoltageCurve};
use scalade_handoff::{
    OpenCircuitVoltage, OutOfDomain, ThermodynamicFactor, ThermodynamicFactorTable, VoltageMember,
    VoltageTable,
};

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

/// The open-circuit voltage from the best curve and those of the posterior samples (member k of the hand-off is `members[k]`), all on one grid
/// of compositions at one temperature. `valence` is the charge number z of the working ion: the curves are per ion, the voltage per charge.
/// The standard error is that of sampling; what the fit does not know is carried by the members.
pub fn open_circuit_voltage(
    best: &VoltageCurve,
    members: &[VoltageCurve],
    working_ion: &str,
    valence: f64,
    out_of_domain: OutOfDomain,
) -> Result<OpenCircuitVoltage, LatticeError> {
    same_grid(best, members)?;
    LatticeError::require((1.0..=8.0).contains(&valence), "valence", valence, "1 to 8 is due")?;
    let per_charge = |list: &[f64]| list.iter().map(|v| v / valence).collect::<Vec<f64>>();
    let member = |m: &VoltageCurve| VoltageMember {
        voltage_v: per_charge(&m.voltage_v),
        entropic_v_per_k: per_charge(&m.dvdt_v_per_k),
    };
    Ok(OpenCircuitVoltage::new(VoltageTable {
        working_ion: working_ion.into(),
        reference_electrode: format!("{working_ion} metal"),
        stoichiometry: best.x.clone(),
        voltage_v: per_charge(&best.voltage_v),
        entropic_v_per_k: per_charge(&best.dvdt_v_per_k),
        standard_error_v: per_charge(&best.voltage_std),
        reference_temperature_k: best.temperature_k,
        // The table's own integral of V: on its grid and from its first composition.
        free_energy_ev: Vec::new(),
        two_phase: best.two_phase.clone(),
        members: members.iter().map(member).collect(),
        out_of_domain,
    })?)
}

/// The thermodynamic factor from best curves at several temperatures and members at the temperature `curves[reference]`; `second` is the
/// index of another curve with the members at its temperature. Compositions that lie in a
/// two-phase interval of any curve have no factor and are left out. The standard error is that of sampling.
pub fn thermodynamic_factor(
    curves: &[VoltageCurve],
    reference: usize,
    members: &[VoltageCurve],
    second: Option<(usize, &[VoltageCurve])>,
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
    let there = match second {
        None => &[][..],
        Some((index, members)) => {
            let Some(curve) = curves.get(index) else {
                return Err(LatticeError::Length { what: "curves", expected: index + 1, got: curves.len() });
            };
            same_grid(curve, members)?;
            members
        }
    };
    let all = || curves.iter().chain(members).chain(there);
    let defined = |i: &usize| all().all(|c| c.theta[*i] > 0.0);
    let kept: Vec<usize> = (0..best.x.len()).filter(defined).collect();
    let pick = |list: &[f64]| kept.iter().map(|i| list[*i]).collect::<Vec<f64>>();
    let mut order: Vec<usize> = (0..curves.len()).collect();
    order.sort_by(|a, b| curves[*a].temperature_k.total_cmp(&curves[*b].temperature_k));
    let table = ThermodynamicFactorTable {
        stoichiometry: pick(&best.x),
        temperature_k: order.iter().map(|i| curves[*i].temperature_k).collect(),
        factor: order.iter().map(|i| pick(&curves[*i].theta)).collect(),
        relative_standard_error: kept.iter().map(|i| best.theta_std[*i] / best.theta[*i]).collect(),
        reference: order.iter().position(|i| *i == reference).unwrap_or(0),
        members: members.iter().map(|m| pick(&m.theta)).collect(),
        second: second.and_then(|(index, _)| order.iter().position(|i| *i == index)),
        members_at_second: there.iter().map(|m| pick(&m.theta)).collect(),
    };
    Ok(ThermodynamicFactor::try_from(table)?)
}
