//! The single-particle model under piecewise constant current, without time steps.
//!
//! With a constant diffusivity the particles are linear, so that their surface is known exactly at every time
//! ([`sphere`]), and the voltage is a function of the two surface stoichiometries. What is left is to find the
//! first time at which a limit is met, and to integrate voltage and heats.
//!
//! Both are done on panels in the square root of the time since the step began, in which the response to a jump of
//! the current is analytic. A panel holds nine Chebyshev points, over which no surface stoichiometry changes by more
//! than 0.1; it is shortened until the interpolation error, told by the last Chebyshev coefficients, is at most 3 `rtol`
//! volts (the integrals are then far more accurate, being exact for polynomials of degree 9, and outputs are not
//! interpolated at all). A limit is taken as not met within a panel only if the interpolant stays away from it by more
//! than that error between the points too (bound of its Bernstein coefficients), or if voltage and interpolant are
//! monotone there; otherwise the panel is halved, until the limit can be overstepped by 1e-9 V at most. The time at which
//! a limit is met is found from the exact solution to 1e-11 of the time since the step began.

mod cell;
mod panel;
mod sphere;
mod steps;

use crate::error::CellError;
use crate::options::{DfnOptions, HysteresisLaw, ModelKind, Thermal};
use crate::parameters::{ActiveMaterial, Kinetics, ParameterSet};
use crate::protocol::{Control, Limit, Protocol, ProtocolItem, Step};
use crate::solution::DfnSolution;
use steps::ClosedRun;

/// Bound on the error of voltages, V: a hundred times the largest rounding that is seen.
pub(crate) const VOLTAGE_ERROR: f64 = 1e-10;
/// Bound on the error of times at which limits are met, relative to the end of the run.
pub(crate) const TIME_ERROR: f64 = 1e-10;

/// Runs `protocol` if the closed form applies to it; `None` if it does not, if a material function has no value on the
/// way, or if more than `max_steps` panels are needed: then the general solver tells what there is to tell.
///
/// # Errors
/// What [`ParameterSet::validate`] and the mesh's checks say.
pub(crate) fn run(
    parameters: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
) -> Result<Option<DfnSolution>, CellError> {
    if !applies(parameters, options) || !protocol.items.iter().all(item_applies) {
        return Ok(None);
    }
    parameters.validate()?;
    options.mesh.validate()?;
    let Some(mut run) = ClosedRun::new(parameters, options, output_times) else { return Ok(None) };
    let mut steps = protocol.steps();
    while let Some(placed) = steps.next() {
        let Ok(ended_by_limit) = run.step(&placed) else { return Ok(None) };
        if placed.step.leaves_repeat && ended_by_limit {
            steps.leave_repeat();
        }
    }
    Ok(Some(run.finish()))
}

fn applies(p: &ParameterSet, options: &DfnOptions) -> bool {
    let plain = |material: &ActiveMaterial| {
        material.radius_distribution.is_none()
            && (options.hysteresis == HysteresisLaw::Off || material.hysteresis.is_none())
            // Other kinetics, and potentials that depend on temperature themselves, are left to the general solver.
            && material.kinetics != Kinetics::Msmr
            && material.open_circuit.at_reference.msmr().is_none()
            && material.diffusivity.at_reference.as_constant().is_some()
    };
    options.model == ModelKind::Spm
        && options.thermal == Thermal::Isothermal
        && !options.ageing.is_active()
        && !options.ageing.pore_clogging
        && !options.audit_heat_of_mixing
        && [p.negative.porous(), Some(&p.positive)]
            .into_iter()
            .flatten()
            .all(|electrode| electrode.blended.is_empty() && plain(&electrode.material))
}

fn item_applies(item: &ProtocolItem) -> bool {
    match item {
        ProtocolItem::Step(step) => step_applies(step),
        ProtocolItem::Repeat { items, .. } => items.iter().all(item_applies),
    }
}

fn step_applies(step: &Step) -> bool {
    matches!(step.control, Control::Current { .. } | Control::CRate(_) | Control::Rest)
        && step.limits.iter().all(|limit| match limit {
            Limit::VoltageBelow { .. }
            | Limit::VoltageAbove { .. }
            | Limit::CurrentBelow { .. }
            | Limit::CurrentAbove { .. }
            | Limit::CRateBelow { .. }
            | Limit::CRateAbove { .. }
            | Limit::ChargeAbove { .. }
            | Limit::TemperatureAbove { .. }
            | Limit::TemperatureBelow { .. } => true,
            Limit::VoltageSlopeBelow { .. } | Limit::Custom(_) => false,
        })
}
