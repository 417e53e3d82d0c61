//! The few numbers a run is judged by.

use scalade_study::{RunRecord, StepRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One headline number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// Stable name.
    pub id: String,
    /// What it is.
    pub label: String,
    /// Value in `unit`.
    pub value: f64,
    /// Unit.
    pub unit: String,
    /// Standard uncertainty in `unit`; null where none is stated.
    pub std_error: Option<f64>,
    /// Scale at which it was computed.
    pub scale: String,
    /// Where it comes from.
    pub provenance: String,
    /// Whether it is sealed against change at a larger scale.
    pub sealed: bool,
    /// Seals broken on the way to it: step.input and the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retuned: Vec<String>,
    /// The step output it is, as `scalade why` takes it.
    pub quantity: String,
    /// A value known from elsewhere, with its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// (id, kind, output, label).
const HEADLINES: [(&str, &str, &str, &str); 8] = [
    ("average_voltage", "voltage", "average_voltage", "Average voltage between the end members, 0 K"),
    ("voltage_at_half_lithiation", "montecarlo", "half_voltage", "Voltage at half lithiation"),
    (
        "diffusivity_half_lithiation_300k",
        "diffusion",
        "half_diffusivity",
        "Chemical diffusivity at half lithiation, 300 K",
    ),
    (
        "diffusion_activation_energy",
        "diffusion",
        "half_activation_energy",
        "Activation energy of the chemical diffusivity at half lithiation",
    ),
    (
        "thermodynamic_factor_half_lithiation",
        "montecarlo",
        "half_thermodynamic_factor",
        "Thermodynamic factor at half lithiation",
    ),
    ("capacity_1c", "cell", "capacity", "Capacity of the 1C discharge"),
    (
        "voltage_1c_half_discharge",
        "cell",
        "half_discharge_voltage",
        "Voltage when half of the 1C capacity is discharged",
    ),
    ("temperature_rise_1c", "cell", "temperature_rise", "Largest temperature rise of the 1C discharge"),
];

/// Values known from elsewhere for the bundled LiCoO2 study. They are context, not targets: nothing is fitted to them.
fn known(id: &str) -> Option<&'static str> {
    match id {
        "average_voltage" => Some(
            "3.78 V, LDA (Wolverton and Zunger, Phys. Rev. B 57, 2242 (1998)); measured cells lie near 3.9 to 4.2 V over x = 1 to 0.5",
        ),
        "capacity_1c" => Some("0.68397 A.h with the LiCoO2 of the Marquis2019 set, isothermal"),
        "voltage_1c_half_discharge" => {
            Some("3.613 V at 1800 s with the LiCoO2 of the Marquis2019 set, isothermal")
        }
        _ => None,
    }
}

/// Whether a step's figures are those that the name promises: at 300 K and half lithiation, at 1C.
fn describes(id: &str, step: &StepRecord) -> bool {
    let detail =
        |key: &str| step.outputs.get("detail").map(|o| o.tracked.value[key].clone()).unwrap_or_default();
    let near =
        |value: &Value, want: f64, within: f64| value.as_f64().is_some_and(|v| (v - want).abs() < within);
    match id {
        "diffusivity_half_lithiation_300k" => {
            let half = detail("x").as_array().is_some_and(|x| x.iter().any(|x| near(x, 0.5, 0.01)));
            half && near(&detail("temperature_k"), 300.0, 0.5)
        }
        "capacity_1c" | "voltage_1c_half_discharge" | "temperature_rise_1c" => {
            near(&detail("rate"), 1.0, 1e-9)
        }
        _ => true,
    }
}

/// The headline numbers that a run holds, in a fixed order. Where a study has several steps of one kind, the first by name counts.
pub fn headlines(record: &RunRecord) -> Vec<Headline> {
    let bundled = record.study == "licoo2";
    HEADLINES
        .iter()
        .filter_map(|(id, kind, output, label)| {
            let (name, step) = record.steps.iter().find(|(_, s)| s.kind == *kind && describes(id, s))?;
            let tracked = step.outputs.get(*output)?.number()?;
            Some(Headline {
                id: (*id).into(),
                label: (*label).into(),
                value: tracked.value,
                unit: tracked.unit.clone(),
                std_error: tracked.uncertainty.standard(),
                scale: tracked.scale.to_string(),
                provenance: tracked.provenance.to_string(),
                sealed: tracked.sealed,
                retuned: step.retuned.iter().map(|m| format!("{}.{}: {}", m.step, m.key, m.reason)).collect(),
                quantity: format!("{name}.{output}"),
                reference: known(id).filter(|_| bundled).map(str::to_string),
            })
        })
        .collect()
}
