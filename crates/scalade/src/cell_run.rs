//! Cells from the ladder: parameter sets with hand-offs put in, discharges, rate sweeps.

use crate::error::ScaladeError;
use scalade_cell::{
    Activated, Control, DfnOptions, DfnSolution, MeshOptions, OpenCircuitPotential, Outside, ParameterSet,
    Property, Protocol, Step, Table, Thermal,
};
use scalade_handoff::{Diffusivity, OpenCircuitVoltage, Projection, kind};
use scalade_units::{Quantity, constants, dimension};

/// Names of the bundled parameter sets, in lower case.
pub fn parameter_set_names() -> Vec<String> {
    ParameterSet::names().iter().map(|set| set.name.to_lowercase()).collect()
}

/// A bundled parameter set by name, in any case.
pub fn parameter_set(name: &str) -> Result<ParameterSet, ScaladeError> {
    let names = parameter_set_names();
    if !names.contains(&name.to_lowercase()) {
        let short: String = name.chars().take(80).collect();
        let hint = scalade_study::did_you_mean(&short.to_lowercase(), names.iter().map(String::as_str))
            .unwrap_or_default();
        return Err(ScaladeError::input(format!(
            "unknown parameter set \"{short}\"; {hint} there are {}",
            names.join(", ")
        )));
    }
    Ok(ParameterSet::bundled(name)?)
}

/// The paper a bundled set comes from: (text, doi).
pub fn parameter_source(name: &str) -> Option<(&'static str, &'static str)> {
    let set = ParameterSet::names().iter().find(|set| set.name.eq_ignore_ascii_case(name))?;
    Some((set.citation, set.doi))
}

/// A discharge current written as a rate ("1C", "C/2", "0.5C"), as a current ("0.34 A"), or as a bare number of C.
pub fn read_rate(text: &str, nominal_capacity_ah: f64) -> Result<f64, ScaladeError> {
    let bad = || {
        ScaladeError::input(format!(
            "cannot read the rate \"{text}\"; write a multiple of the nominal capacity per hour such as 1C or C/2, or a current such as \"0.5 A\""
        ))
    };
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let rate = if let Some(divisor) = compact.strip_prefix("C/") {
        1.0 / divisor.parse::<f64>().map_err(|_| bad())?
    } else if let Some(number) = compact.strip_suffix('C') {
        if number.is_empty() { 1.0 } else { number.parse::<f64>().map_err(|_| bad())? }
    } else if let Ok(number) = compact.parse::<f64>() {
        number
    } else {
        let current: Quantity = text.parse().map_err(|_| bad())?;
        current.in_si(dimension::CURRENT).map_err(|e| ScaladeError::input(e.to_string()))?
            / nominal_capacity_ah
    };
    if !(rate.is_finite() && rate > 0.0 && rate < 1e4) {
        let advice = "a discharge rate must be positive and below 10000C";
        return Err(ScaladeError::input(format!("the rate \"{text}\" is {rate}C; {advice}")));
    }
    Ok(rate)
}

/// Puts the ladder's voltage into the positive electrode: U(x, T) of the best curve or of an ensemble member.
pub fn set_positive_voltage(
    set: &mut ParameterSet,
    voltage: &OpenCircuitVoltage,
    member: Option<usize>,
) -> Result<(), ScaladeError> {
    let table = voltage.table();
    let (v, s) = match member {
        None => (&table.voltage_v, &table.entropic_v_per_k),
        Some(k) => {
            let member = table.members.get(k).ok_or_else(|| {
                ScaladeError::internal(format!("member {k} of an ensemble of {}", table.members.len()))
            })?;
            (&member.voltage_v, &member.entropic_v_per_k)
        }
    };
    let shift = set.reference_temperature_k - table.reference_temperature_k;
    let at_reference: Vec<f64> = v.iter().zip(s).map(|(v, s)| v + shift * s).collect();
    let x = &table.stoichiometry;
    set.positive.material.open_circuit = OpenCircuitPotential {
        at_reference: Property::Table(Table::new(x.clone(), at_reference, false, Outside::Extend)?),
        entropic_slope: Property::Table(Table::new(x.clone(), s.clone(), false, Outside::Clamp)?),
    };
    Ok(())
}

/// Puts the ladder's diffusivity into the positive electrode's particles, reduced to a scalar by `projection`.
///
/// The activation energy is that of the table's middle: over the few kelvin of a discharge a single one is exact to the error of the table.
pub fn set_positive_diffusivity(
    set: &mut ParameterSet,
    diffusivity: &Diffusivity<kind::Chemical>,
    projection: Projection,
    member: Option<usize>,
) -> Result<(), ScaladeError> {
    let table = diffusivity.table();
    let x = table.stoichiometry.clone();
    let (mut value, mut slope) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    diffusivity.evaluate(member, projection, &x, set.reference_temperature_k, &mut value, &mut slope)?;
    let energy_ev = diffusivity.activation_energy_ev(member)[x.len() / 2];
    set.positive.material.diffusivity = Activated {
        at_reference: Property::Table(Table::new(x, value, true, Outside::Clamp)?),
        activation_energy_j_per_mol: energy_ev * constants::FARADAY,
    };
    Ok(())
}

/// A constant-current discharge of a rested cell down to its lower cut-off voltage.
#[derive(Clone, Debug)]
pub struct Discharge {
    /// Multiple of the nominal capacity per hour.
    pub rate: f64,
    /// Lumped temperature instead of isothermal.
    pub thermal: bool,
    /// Second-order finite volumes per layer and per particle instead of the default high-order mesh.
    pub finite_volumes: Option<usize>,
    /// Lower cut-off voltage instead of the parameter set's, V.
    pub lower_voltage_v: Option<f64>,
}

impl Discharge {
    /// A discharge at `rate` C with the default mesh, isothermal.
    pub fn at(rate: f64) -> Self {
        Self { rate, thermal: false, finite_volumes: None, lower_voltage_v: None }
    }

    /// Runs it; voltages and temperatures are given at `times_s` (not decreasing).
    pub fn solve(&self, set: &ParameterSet, times_s: &[f64]) -> Result<DfnSolution, ScaladeError> {
        let mut options = DfnOptions { thermal: self.thermal_model(set)?, ..DfnOptions::default() };
        if let Some(points) = self.finite_volumes {
            if !(2..=400).contains(&points) {
                return Err(ScaladeError::input(format!(
                    "{points} finite volumes per layer; choose 2 to 400"
                )));
            }
            options.mesh = MeshOptions::finite_volumes(points, points);
        }
        let cut_off = self.lower_voltage_v.unwrap_or(set.lower_voltage_v);
        // Ten times the nominal duration: a cell that has not ended by then is not discharged by this current.
        let step =
            Step::lasting(Control::CRate(self.rate), 36_000.0 / self.rate).until_voltage_below(cut_off);
        Ok(scalade_cell::solve(set, &Protocol::sequence(vec![step]), &options, times_s)?)
    }

    fn thermal_model(&self, set: &ParameterSet) -> Result<Thermal, ScaladeError> {
        match (self.thermal, &set.thermal) {
            (false, _) => Ok(Thermal::Isothermal),
            (true, Some(_)) => Ok(Thermal::Lumped),
            (true, None) => Err(ScaladeError::input(format!(
                "the parameter set {} has no thermal data; run it isothermally or choose a set with thermal data, such as chen2020",
                set.name
            ))),
        }
    }
}

/// Why a discharge ended, in words.
pub fn end_reason(solution: &DfnSolution) -> String {
    use scalade_cell::EndReason as R;
    let volts = solution.end_voltage_v;
    match solution.end_reason {
        R::MinimumVoltage => format!("the voltage reached its lower cut-off, {volts:.3} V"),
        R::MaximumVoltage => format!("the voltage reached its upper cut-off, {volts:.3} V"),
        R::Failure => format!("the solver could not go on beyond {} s", solution.end_time_s),
        R::TimeLimit => "the time limit was reached".into(),
        R::LongestDuration => {
            "the time limit of the protocol was reached before any limit of the step".into()
        }
        R::MinimumCurrent => "the current fell to its limit".into(),
        R::MaximumCurrent => "the current rose to its limit".into(),
        R::Charge => "the charge asked for was moved".into(),
        R::MaximumTemperature => {
            format!("the temperature rose to its limit, {:.2} K", solution.end_temperature_k)
        }
        R::MinimumTemperature => {
            format!("the temperature fell to its limit, {:.2} K", solution.end_temperature_k)
        }
        R::VoltageSlope => "the slope of the voltage fell to its limit".into(),
        R::Condition => "the condition of the step was met".into(),
        R::NegativeStoichiometry => {
            "the negative electrode's particles are empty or full at their surface".into()
        }
        R::PositiveStoichiometry => {
            "the positive electrode's particles are empty or full at their surface".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_the_ways_people_write_them() {
        let rate = |text: &str| read_rate(text, 5.0).unwrap();
        assert_eq!(rate("1C"), 1.0);
        assert_eq!(rate("C"), 1.0);
        assert_eq!(rate("C/2"), 0.5);
        assert_eq!(rate("0.5 C"), 0.5);
        assert_eq!(rate("2"), 2.0);
        assert_eq!(rate("2.5 A"), 0.5);
        assert_eq!(rate("500 mA"), 0.1);
        for bad in ["", "fast", "-1C", "C/0", "0C", "nanC", "3 V", "1e9C"] {
            assert!(read_rate(bad, 5.0).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_sets_are_refused_with_the_list() {
        let message = parameter_set("marquis").unwrap_err().to_string();
        assert!(message.contains("marquis2019") && message.contains("okane2022"), "{message}");
    }

    #[test]
    fn every_bundled_set_is_found_in_any_case_with_its_paper() {
        for set in ParameterSet::names() {
            assert_eq!(parameter_set(&set.name.to_uppercase()).unwrap().name, set.name);
            assert_eq!(parameter_source(&set.name.to_lowercase()), Some((set.citation, set.doi)));
        }
        assert_eq!(parameter_source("nobody1900"), None);
    }
}
