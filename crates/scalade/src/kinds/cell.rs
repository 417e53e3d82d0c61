//! Step kind `cell`: a Doyle-Fuller-Newman cell, with the ensemble of the ladder.

use super::{failure, fraction_of_variance};
use crate::cell_run::{self, Discharge};
use crate::error::ScaladeError;
use rayon::prelude::*;
use scalade_cell::{DfnSolution, ParameterSet};
use scalade_handoff::{Diffusivity, OpenCircuitVoltage, Projection, kind};
use scalade_record::{Scale, Uncertainty};
use scalade_study::{
    InputSpec, InputType, Inputs, KindSpec, OutputSpec, Outputs, StepContext, StepFailure, StepKind,
};
use scalade_units::dimension as d;
use serde::{Deserialize, Serialize};

/// A discharge curve with the band of the ensemble.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CurveBand {
    /// Discharged capacity, A h.
    pub capacity_ah: Vec<f64>,
    /// Time, s.
    pub time_s: Vec<f64>,
    /// Voltage of the best curve, V.
    pub voltage_v: Vec<f64>,
    /// Temperature of the best curve, K.
    pub temperature_k: Vec<f64>,
    /// Standard deviation of the voltage over the ensemble, V; where a member has ended it counts no more.
    pub voltage_std_v: Vec<f64>,
    /// Members that had not ended, at each point.
    pub members_alive: Vec<usize>,
}

/// One discharge of the rate sweep.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RateCurve {
    /// Multiple of the nominal capacity per hour.
    pub rate: f64,
    /// Discharged capacity, A h.
    pub capacity_ah: Vec<f64>,
    /// Voltage, V.
    pub voltage_v: Vec<f64>,
    /// Capacity at the cut-off, A h.
    pub end_capacity_ah: f64,
    /// Largest temperature, K.
    pub peak_temperature_k: f64,
}

/// Profiles and sums for the report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellDetail {
    /// Rate of the main discharge, multiples of the nominal capacity per hour.
    pub rate: f64,
    /// The main discharge.
    pub discharge: CurveBand,
    /// The rate sweep.
    pub rates: Vec<RateCurve>,
    /// Positive stoichiometries at the particle surfaces: lowest and highest.
    pub positive_stoichiometry: [f64; 2],
    /// Largest relative drift of lithium in the particles and of salt in the electrolyte.
    pub conservation_drift: [f64; 2],
    /// Heat, J: reaction, ohmic in electrolyte, ohmic in solid, reversible.
    pub heat_j: [f64; 4],
    /// Share of the variance by source, for capacity, mid voltage and temperature rise: voltage curve, diffusivity.
    pub variance: Vec<VarianceShares>,
    /// Why the main discharge ended.
    pub end_reason: String,
}

/// First-order shares of the variance of one prediction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VarianceShares {
    /// Prediction.
    pub prediction: String,
    /// Unit.
    pub unit: String,
    /// (source, share, standard deviation).
    pub shares: Vec<(String, f64, f64)>,
}

/// The numbers a discharge is judged by.
#[derive(Clone, Copy, Debug)]
struct Figures {
    capacity_ah: f64,
    half_voltage_v: f64,
    temperature_rise_k: f64,
}

const POINTS: usize = 200;

/// The kind.
pub struct CellKind {
    spec: KindSpec,
}

impl Default for CellKind {
    fn default() -> Self {
        Self { spec: spec() }
    }
}

fn spec() -> KindSpec {
    let optional = |key: &str, dimension, about: &str| {
        InputSpec::new(key, InputType::Quantity(dimension), about).positive().optional()
    };
    let fraction =
        |key: &str, about: &str| InputSpec::new(key, InputType::number_within(0.01, 0.99), about).optional();
    let names = cell_run::parameter_set_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    KindSpec::new("cell", 1, Scale::Cell, "Discharge of a Doyle-Fuller-Newman cell at constant current")
        .unseeded()
        .input(InputSpec::new(
            "parameters",
            InputType::choice(&names),
            "Parameter set for everything not given here",
        ))
        .input(
            InputSpec::new(
                "positive_voltage",
                InputType::hand_off("OpenCircuitVoltage"),
                "V(x,T) of the positive electrode",
            )
            .optional(),
        )
        .input(
            InputSpec::new(
                "positive_diffusivity",
                InputType::hand_off("Diffusivity<Chemical>"),
                "Chemical diffusivity of the positive electrode's particles",
            )
            .optional(),
        )
        .input(
            InputSpec::new(
                "projection",
                InputType::choice(&["fast-plane", "isotropic", "fast-axis"]),
                "Scalar that stands for the diffusivity tensor in a radial particle",
            )
            .default("fast-plane"),
        )
        .input(optional(
            "positive_conductivity",
            d::CONDUCTIVITY,
            "Electronic conductivity of the positive electrode's solid",
        ))
        .input(optional("positive_particle_radius", d::LENGTH, "Particle radius of the positive electrode"))
        .input(optional("negative_particle_radius", d::LENGTH, "Particle radius of the negative electrode"))
        .input(optional("positive_thickness", d::LENGTH, "Thickness of the positive electrode"))
        .input(optional("negative_thickness", d::LENGTH, "Thickness of the negative electrode"))
        .input(fraction(
            "positive_porosity",
            "Porosity of the positive electrode (transport follows with Bruggeman's exponent 1.5)",
        ))
        .input(fraction(
            "positive_active_fraction",
            "Volume fraction of active material in the positive electrode",
        ))
        .input(optional(
            "heat_transfer_coefficient",
            d::HEAT_TRANSFER,
            "Heat-transfer coefficient to the surroundings",
        ))
        .input(
            optional(
                "ambient_temperature",
                d::TEMPERATURE,
                "Temperature of the surroundings and of the cell at the start",
            )
            .within_si(250.0, 340.0),
        )
        .input(optional("lower_voltage", d::VOLTAGE, "Cut-off voltage"))
        .input(
            InputSpec::new("thermal", InputType::Boolean, "Lumped temperature (true) or isothermal (false)")
                .default(true),
        )
        .input(
            InputSpec::new(
                "rate",
                InputType::number_within(1e-3, 100.0),
                "Discharge rate, multiples of the nominal capacity per hour",
            )
            .default(1.0),
        )
        .input(
            InputSpec::new("rates", InputType::number_within(1e-3, 100.0).list(), "Rates of the sweep")
                .default(serde_json::json!([])),
        )
        .output(OutputSpec::number("capacity", "A.h", "Capacity at the cut-off voltage"))
        .output(OutputSpec::number(
            "half_discharge_voltage",
            "V",
            "Voltage when half of the capacity is discharged",
        ))
        .output(OutputSpec::number("temperature_rise", "K", "Largest temperature above the surroundings"))
        .output(OutputSpec::number("energy", "W.h", "Energy delivered"))
}

impl StepKind for CellKind {
    fn spec(&self) -> &KindSpec {
        &self.spec
    }

    fn estimate_seconds(&self, _inputs: &Inputs) -> Option<f64> {
        Some(0.5)
    }

    fn run(&self, inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure> {
        run(inputs, context)
    }

    fn scale_handoff(
        &self,
        key: &str,
        value: serde_json::Value,
        factor: f64,
    ) -> Result<serde_json::Value, String> {
        scale(key, value, factor)
    }
}

fn scale(key: &str, value: serde_json::Value, factor: f64) -> Result<serde_json::Value, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    match key {
        "positive_voltage" => {
            let voltage: OpenCircuitVoltage = serde_json::from_value(value).map_err(|e| text(&e))?;
            let scaled = voltage.scaled(factor).map_err(|e| text(&e))?;
            serde_json::to_value(scaled).map_err(|e| text(&e))
        }
        "positive_diffusivity" => {
            let diffusivity: Diffusivity<kind::Chemical> =
                serde_json::from_value(value).map_err(|e| text(&e))?;
            let scaled = diffusivity.scaled(factor).map_err(|e| text(&e))?;
            serde_json::to_value(scaled).map_err(|e| text(&e))
        }
        _ => match value.as_f64() {
            Some(number) => Ok((number * factor).into()),
            None => Err(format!("\"{key}\" cannot be multiplied by a factor")),
        },
    }
}

/// The hand-offs a cell may take, read once.
struct HandOffs {
    voltage: Option<OpenCircuitVoltage>,
    diffusivity: Option<Diffusivity<kind::Chemical>>,
    projection: Projection,
}

impl HandOffs {
    fn read(inputs: &Inputs) -> Result<Self, StepFailure> {
        let voltage = if inputs.has("positive_voltage") {
            Some(inputs.hand_off("positive_voltage")?.value)
        } else {
            None
        };
        let diffusivity = if inputs.has("positive_diffusivity") {
            Some(inputs.hand_off("positive_diffusivity")?.value)
        } else {
            None
        };
        let projection = match inputs.text("projection")? {
            "isotropic" => Projection::Isotropic,
            "fast-axis" => Projection::FastAxis,
            _ => Projection::FastPlane,
        };
        Ok(Self { voltage, diffusivity, projection })
    }

    /// Members that every hand-off has.
    fn members(&self) -> usize {
        let voltage = self.voltage.as_ref().map(OpenCircuitVoltage::member_count);
        let diffusivity = self.diffusivity.as_ref().map(Diffusivity::member_count);
        match (voltage, diffusivity) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => 0,
        }
    }

    fn apply(
        &self,
        base: &ParameterSet,
        voltage_member: Option<usize>,
        diffusivity_member: Option<usize>,
    ) -> Result<ParameterSet, ScaladeError> {
        let mut set = base.clone();
        if let Some(voltage) = &self.voltage {
            cell_run::set_positive_voltage(&mut set, voltage, voltage_member)?;
        }
        if let Some(diffusivity) = &self.diffusivity {
            cell_run::set_positive_diffusivity(&mut set, diffusivity, self.projection, diffusivity_member)?;
        }
        Ok(set)
    }
}

/// The parameter set with the step's own numbers put in.
fn base_parameters(inputs: &Inputs) -> Result<ParameterSet, StepFailure> {
    let mut set = cell_run::parameter_set(inputs.text("parameters")?).map_err(failure)?;
    let quantity = |key: &str, slot: &mut f64| -> Result<(), StepFailure> {
        if inputs.has(key) {
            *slot = inputs.quantity_si(key)?;
        }
        Ok(())
    };
    quantity("positive_conductivity", &mut set.positive.conductivity_s_per_m)?;
    quantity("positive_particle_radius", &mut set.positive.material.particle_radius_m)?;
    quantity("positive_thickness", &mut set.positive.thickness_m)?;
    if let Some(negative) = set.negative.porous_mut() {
        quantity("negative_particle_radius", &mut negative.material.particle_radius_m)?;
        quantity("negative_thickness", &mut negative.thickness_m)?;
    }
    quantity("lower_voltage", &mut set.lower_voltage_v)?;
    if inputs.has("positive_porosity") {
        let porosity = inputs.number("positive_porosity")?;
        set.positive.porosity = porosity;
        set.positive.electrolyte_efficiency = porosity.powf(1.5);
        set.positive.solid_efficiency = (1.0 - porosity).powf(1.5);
    }
    if inputs.has("positive_active_fraction") {
        set.positive.material.fraction = inputs.number("positive_active_fraction")?;
    }
    if set.positive.porosity + set.positive.material.fraction > 1.0 {
        let message = format!(
            "porosity {} and active fraction {} of the positive electrode add up to more than 1",
            set.positive.porosity, set.positive.material.fraction
        );
        return Err(StepFailure::bad_input("positive_active_fraction", message));
    }
    if let Some(thermal) = &mut set.thermal {
        quantity("heat_transfer_coefficient", &mut thermal.heat_transfer_coefficient)?;
        if inputs.has("ambient_temperature") {
            thermal.ambient_temperature_k = inputs.quantity_si("ambient_temperature")?;
        }
    }
    quantity("ambient_temperature", &mut set.initial_temperature_k)?;
    Ok(set)
}

/// Runs to the end first, then again with output times that divide the discharge evenly.
fn curve(set: &ParameterSet, discharge: &Discharge) -> Result<DfnSolution, ScaladeError> {
    let end = discharge.solve(set, &[])?.end_time_s;
    let times: Vec<f64> = (0..=POINTS).map(|i| end * i as f64 / POINTS as f64).collect();
    discharge.solve(set, &times)
}

fn figures(set: &ParameterSet, solution: &DfnSolution) -> Figures {
    let half = 0.5 * solution.end_capacity_ah;
    let i = solution.discharge_capacity_ah.partition_point(|q| *q < half);
    let i = i.clamp(1, solution.voltage_v.len().saturating_sub(1));
    let (q0, q1) = (solution.discharge_capacity_ah[i - 1], solution.discharge_capacity_ah[i]);
    let t = if q1 > q0 { (half - q0) / (q1 - q0) } else { 0.0 };
    let half_voltage_v = solution.voltage_v[i - 1] * (1.0 - t) + solution.voltage_v[i] * t;
    let peak = solution.temperature_k.iter().copied().fold(solution.end_temperature_k, f64::max);
    let ambient = set.thermal.as_ref().map_or(set.initial_temperature_k, |t| t.ambient_temperature_k);
    Figures { capacity_ah: solution.end_capacity_ah, half_voltage_v, temperature_rise_k: peak - ambient }
}

fn run(inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure> {
    let base = base_parameters(inputs)?;
    let hand_offs = HandOffs::read(inputs)?;
    let discharge =
        Discharge { thermal: inputs.boolean("thermal")?, ..Discharge::at(inputs.number("rate")?) };
    let best_set = hand_offs.apply(&base, None, None).map_err(failure)?;
    let best = curve(&best_set, &discharge).map_err(failure)?;
    context.progress(0.2, "ensemble");
    let members = hand_offs.members();
    let ensemble = |voltage: bool, diffusivity: bool| -> Result<Vec<DfnSolution>, StepFailure> {
        let member = |k: usize| {
            let set = hand_offs.apply(&base, voltage.then_some(k), diffusivity.then_some(k))?;
            curve(&set, &discharge)
        };
        let all = context.install(|| (0..members).into_par_iter().map(member).collect::<Result<_, _>>());
        all.map_err(failure)
    };
    let both = ensemble(true, true)?;
    let voltage_only = if hand_offs.voltage.is_some() { ensemble(true, false)? } else { Vec::new() };
    let diffusivity_only = if hand_offs.diffusivity.is_some() { ensemble(false, true)? } else { Vec::new() };
    context.progress(0.7, "rate sweep");
    let wanted = inputs.numbers("rates")?;
    let at_rate = |rate: &f64| rate_curve(&best_set, &Discharge { rate: *rate, ..discharge.clone() });
    let rates: Vec<RateCurve> =
        context.install(|| wanted.par_iter().map(at_rate).collect::<Result<_, _>>()).map_err(failure)?;
    let of = |list: &[DfnSolution]| list.iter().map(|s| figures(&best_set, s)).collect::<Vec<_>>();
    let noise = voltage_noise(&hand_offs, &best);
    let result = EnsembleFigures {
        figures: figures(&best_set, &best),
        both: of(&both),
        sources: vec![("V(x,T)".into(), of(&voltage_only)), ("D(x,T)".into(), of(&diffusivity_only))],
        noise,
    };
    assemble(inputs, context, &best, &both, rates, &result)
}

/// Figures of the best run and of the ensembles.
struct EnsembleFigures {
    figures: Figures,
    both: Vec<Figures>,
    sources: Vec<(String, Vec<Figures>)>,
    noise: f64,
}

/// Statistical noise of Monte Carlo in the voltage half-way through the discharge, V: what the members do not hold.
fn voltage_noise(hand_offs: &HandOffs, best: &DfnSolution) -> f64 {
    let Some(voltage) = &hand_offs.voltage else { return 0.0 };
    let x = 0.5 * (best.positive_stoichiometry.low + best.positive_stoichiometry.high);
    let nodes = &voltage.table().stoichiometry;
    let i = nodes.partition_point(|v| *v < x).min(nodes.len() - 1);
    voltage.table().standard_error_v[i]
}

fn rate_curve(set: &ParameterSet, discharge: &Discharge) -> Result<RateCurve, ScaladeError> {
    let solution = curve(set, discharge)?;
    Ok(RateCurve {
        rate: discharge.rate,
        peak_temperature_k: solution.temperature_k.iter().copied().fold(solution.end_temperature_k, f64::max),
        end_capacity_ah: solution.end_capacity_ah,
        capacity_ah: solution.discharge_capacity_ah,
        voltage_v: solution.voltage_v,
    })
}

/// Standard deviation of the members' voltage at the capacities of the best curve.
fn band(best: &DfnSolution, members: &[DfnSolution]) -> CurveBand {
    let mut std = Vec::with_capacity(best.voltage_v.len());
    let mut alive = Vec::with_capacity(best.voltage_v.len());
    for q in &best.discharge_capacity_ah {
        let values: Vec<f64> = members.iter().filter_map(|m| voltage_at_capacity(m, *q)).collect();
        alive.push(values.len());
        std.push(scalade_numerics::variance(&values).sqrt());
    }
    CurveBand {
        capacity_ah: best.discharge_capacity_ah.clone(),
        time_s: best.time_s.clone(),
        voltage_v: best.voltage_v.clone(),
        temperature_k: best.temperature_k.clone(),
        voltage_std_v: std,
        members_alive: alive,
    }
}

fn voltage_at_capacity(solution: &DfnSolution, capacity_ah: f64) -> Option<f64> {
    let q = &solution.discharge_capacity_ah;
    if capacity_ah > solution.end_capacity_ah {
        return None;
    }
    let i = q.partition_point(|v| *v < capacity_ah).clamp(1, q.len() - 1);
    let t = ((capacity_ah - q[i - 1]) / (q[i] - q[i - 1])).clamp(0.0, 1.0);
    Some(solution.voltage_v[i - 1] * (1.0 - t) + solution.voltage_v[i] * t)
}

fn assemble(
    inputs: &Inputs,
    context: &StepContext,
    best: &DfnSolution,
    both: &[DfnSolution],
    rates: Vec<RateCurve>,
    result: &EnsembleFigures,
) -> Result<Outputs, StepFailure> {
    let mut outputs = Outputs::new();
    let uncertainty = |get: fn(&Figures) -> f64, noise: f64| {
        let values: Vec<f64> = result.both.iter().map(get).collect();
        if values.len() < 2 {
            return Uncertainty::none("no input of this step carries an ensemble");
        }
        Uncertainty::Standard { value: scalade_numerics::variance(&values).sqrt().hypot(noise) }
    };
    let f = &result.figures;
    outputs
        .number("capacity", context.tracked(f.capacity_ah, "A.h", uncertainty(|f| f.capacity_ah, 0.0))?)?;
    let half = uncertainty(|f| f.half_voltage_v, result.noise);
    outputs.number("half_discharge_voltage", context.tracked(f.half_voltage_v, "V", half)?)?;
    let rise = uncertainty(|f| f.temperature_rise_k, 0.0);
    outputs.number("temperature_rise", context.tracked(f.temperature_rise_k, "K", rise)?)?;
    let energy = best.energy.electrical_j / 3600.0;
    let none = Uncertainty::none("see the capacity and the voltage");
    outputs.number("energy", context.tracked(energy, "W.h", none)?)?;
    let detail = CellDetail {
        rate: inputs.number("rate")?,
        discharge: band(best, both),
        rates,
        positive_stoichiometry: [best.positive_stoichiometry.low, best.positive_stoichiometry.high],
        conservation_drift: [best.inventory.solid_lithium_drift, best.inventory.salt_drift],
        heat_j: [
            best.energy.reaction_j,
            best.energy.ohmic_electrolyte_j,
            best.energy.ohmic_solid_j,
            best.energy.reversible_j,
        ],
        variance: variance_shares(result),
        end_reason: cell_run::end_reason(best),
    };
    outputs.plain("detail", &detail)?;
    if best.work.outside_table > 0 {
        outputs.warn(format!(
            "{} evaluations lay outside a table of the positive electrode (surface stoichiometry {:.4} to {:.4}) and were continued from its end",
            best.work.outside_table, best.positive_stoichiometry.low, best.positive_stoichiometry.high
        ));
    }
    if let Some((text, doi)) = cell_run::parameter_source(inputs.text("parameters")?) {
        outputs.cite(text, Some(doi));
    }
    outputs.cite(
        "M. Doyle, T. F. Fuller, J. Newman, J. Electrochem. Soc. 140, 1526 (1993)",
        Some("10.1149/1.2221597"),
    );
    Ok(outputs)
}

fn variance_shares(result: &EnsembleFigures) -> Vec<VarianceShares> {
    type Get = fn(&Figures) -> f64;
    let predictions: [(&str, &str, Get, f64); 3] = [
        ("capacity", "A.h", |f| f.capacity_ah, 0.0),
        ("half-discharge voltage", "V", |f| f.half_voltage_v, result.noise),
        ("temperature rise", "K", |f| f.temperature_rise_k, 0.0),
    ];
    predictions
        .into_iter()
        .map(|(prediction, unit, get, noise)| {
            let mut parts: Vec<(String, f64)> = result
                .sources
                .iter()
                .map(|(name, list)| {
                    let values: Vec<f64> = list.iter().map(get).collect();
                    (name.clone(), scalade_numerics::variance(&values))
                })
                .collect();
            parts.push(("Monte Carlo noise".into(), noise * noise));
            VarianceShares {
                prediction: prediction.into(),
                unit: unit.into(),
                shares: fraction_of_variance(&parts),
            }
        })
        .collect()
}
