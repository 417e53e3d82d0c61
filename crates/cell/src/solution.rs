//! What a run gives back.

use serde::{Deserialize, Serialize};

/// Why a step or a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// The duration was used up.
    TimeLimit,
    /// No limit was met within the longest duration of a step that was given none
    /// ([`crate::Step::longest_s`]).
    LongestDuration,
    /// The voltage fell to its lower limit.
    MinimumVoltage,
    /// The voltage rose to its upper limit.
    MaximumVoltage,
    /// The magnitude of the current fell to its limit.
    MinimumCurrent,
    /// The magnitude of the current rose to its limit.
    MaximumCurrent,
    /// The charge asked for was moved.
    Charge,
    /// The temperature rose to its limit.
    MaximumTemperature,
    /// The temperature fell to its limit.
    MinimumTemperature,
    /// The slope of the voltage over time fell to its limit.
    VoltageSlope,
    /// A condition of the protocol was met.
    Condition,
    /// The solver could not go on; the error tells why.
    Failure,
    /// A surface stoichiometry of the negative electrode reached the limit set in the options.
    NegativeStoichiometry,
    /// A surface stoichiometry of the positive electrode reached the limit set in the options.
    PositiveStoichiometry,
}

impl EndReason {
    /// A warning, if the end is not one that the protocol asked for.
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::LongestDuration => Some(
                "a step met none of its limits and ended at the time limit of the protocol (10 times the nominal duration of its current, 48 h for a rest or a hold); give it a duration with 'for ...' or a limit that it reaches",
            ),
            Self::NegativeStoichiometry | Self::PositiveStoichiometry => Some(
                "a step ended because the particles of an electrode were empty or full at their surface, before any limit of the protocol; add a voltage limit",
            ),
            _ => None,
        }
    }
}

/// How much work a run took. In the closed form of the single-particle model `steps` counts the panels on which
/// the voltage was sampled, `residuals` its evaluations and `error_test_failures` panels done again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkCounters {
    /// Accepted time steps.
    pub steps: usize,
    /// Residual evaluations.
    pub residuals: usize,
    /// Evaluations of material derivatives.
    pub linearizations: usize,
    /// Factorisations of the Newton matrix.
    pub factorizations: usize,
    /// Newton iterations.
    pub newton_iterations: usize,
    /// Steps repeated because of the local error.
    pub error_test_failures: usize,
    /// Steps repeated because Newton's method failed or a material function had no value.
    pub newton_failures: usize,
    /// Material functions evaluated outside their table, at accepted steps.
    pub outside_table: usize,
}

/// Energies of a run, J.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EnergyBalance {
    /// Electrical energy delivered.
    pub electrical_j: f64,
    /// Ohmic heat of the solid.
    pub ohmic_solid_j: f64,
    /// Ohmic heat of the electrolyte, with the work against concentration gradients.
    pub ohmic_electrolyte_j: f64,
    /// Heat of the reaction overpotential.
    pub reaction_j: f64,
    /// Heat of hysteresis: work of the interfacial currents at what the potentials have above those without
    /// hysteresis. Negative for a while after a reversal, never over a closed loop.
    #[serde(default)]
    pub hysteresis_j: f64,
    /// Reversible (entropic) heat.
    pub reversible_j: f64,
    /// Dissipation by diffusion in the particles; 0 unless `audit_heat_of_mixing` is set. It is not part of
    /// the thermal model.
    pub mixing_j: f64,
    /// Change of the free energy of lithium in the particles; 0 unless `audit_heat_of_mixing` is set.
    /// Isothermally electrical + ohmic + reaction + hysteresis + mixing + change = 0.
    pub free_energy_change_j: f64,
    /// Work of the interfacial currents at the equilibrium potentials (without hysteresis) of the particles'
    /// surfaces; negative while the cell discharges.
    #[serde(default)]
    pub surface_work_j: f64,
    /// What is left of electrical + ohmic + reaction + hysteresis + surface work, which balance at every instant.
    #[serde(default)]
    pub residual_j: f64,
    /// Heat given to the surroundings; 0 without thermal model.
    pub cooling_j: f64,
    /// Heat stored by the temperature rise; 0 without thermal model.
    pub stored_heat_j: f64,
}

/// Amounts that a run must conserve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Lithium in the particles and in products of side reactions at the start, mol.
    pub solid_lithium_mol: f64,
    /// Largest relative change of it.
    pub solid_lithium_drift: f64,
    /// Largest relative change of the salt in the electrolyte.
    pub salt_drift: f64,
    /// Largest difference of a mean stoichiometry and its coulomb count.
    pub coulomb_count_error: f64,
    /// Largest |sum of interfacial currents -+ cell current| relative to the cell current (to 1 A/m2 if
    /// that is less).
    pub charge_balance_error: f64,
}

/// Smallest and largest surface stoichiometry seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StoichiometryRange {
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

/// Profiles through the thickness at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Time, s.
    pub time_s: f64,
    /// Nodes from the negative collector, m.
    pub position_m: Vec<f64>,
    /// Electrolyte concentration at the nodes, mol/m3.
    pub electrolyte_concentration: Vec<f64>,
    /// Electrolyte potential at the nodes, V against the negative collector.
    pub electrolyte_potential_v: Vec<f64>,
    /// Surface stoichiometry at the nodes of the negative electrode, collector first.
    pub negative_surface_stoichiometry: Vec<f64>,
    /// Surface stoichiometry at the nodes of the positive electrode, separator first.
    pub positive_surface_stoichiometry: Vec<f64>,
    /// Interfacial current density at the nodes of the negative electrode, A/m2.
    pub negative_interfacial_current: Vec<f64>,
    /// Interfacial current density at the nodes of the positive electrode, A/m2.
    pub positive_interfacial_current: Vec<f64>,
    /// States of hysteresis (-1 to 1) of each kind of particles with branches, those of the negative electrode first:
    /// for each its states at the nodes of the electrode, in the order of the position.
    #[serde(default)]
    pub hysteresis_states: Vec<Vec<f64>>,
}

/// What ageing has made of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct AgeingState {
    /// Lithium in the particles of both electrodes, mol: what can still be cycled.
    pub particle_lithium_mol: f64,
    /// Lithium bound in the SEI, on particles and in cracks, beyond that of the start, mol.
    pub sei_lithium_mol: f64,
    /// Plated lithium that can be stripped, mol.
    pub plated_lithium_mol: f64,
    /// Dead lithium, mol.
    pub dead_lithium_mol: f64,
    /// Mean thickness of the SEI over the particle surface, m.
    pub sei_thickness_m: f64,
    /// Mean length of cracks, m.
    pub crack_length_m: f64,
}

/// Mean states of hysteresis over the particle surfaces with branches: -1 on the branch of lithiation, 1 on that of
/// delithiation. `None` for an electrode without branches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HysteresisState {
    /// Negative electrode.
    pub negative: Option<f64>,
    /// Positive electrode.
    pub positive: Option<f64>,
}

/// How one protocol step went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepSummary {
    /// Cycle it belongs to, from 0.
    pub cycle: usize,
    /// Start, s.
    pub start_s: f64,
    /// End, s.
    pub end_s: f64,
    /// Why it ended.
    pub end_reason: EndReason,
    /// Charge drawn in the step, A h (negative when charging).
    pub charge_ah: f64,
    /// Energy delivered in the step, W h.
    pub energy_wh: f64,
    /// State of ageing at the end of the step, if anything ages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ageing: Option<AgeingState>,
    /// State of hysteresis at the end of the step, if branches are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hysteresis: Option<HysteresisState>,
}

/// Result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DfnSolution {
    /// Requested times that lie within the run, s.
    pub time_s: Vec<f64>,
    /// Terminal voltage at these times, V.
    pub voltage_v: Vec<f64>,
    /// Current at these times, A.
    pub current_a: Vec<f64>,
    /// Temperature at these times, K.
    pub temperature_k: Vec<f64>,
    /// Charge drawn up to these times, A h.
    pub discharge_capacity_ah: Vec<f64>,
    /// End of the run, s.
    pub end_time_s: f64,
    /// Why the run ended.
    pub end_reason: EndReason,
    /// Voltage at the end, V.
    pub end_voltage_v: f64,
    /// Temperature at the end, K.
    pub end_temperature_k: f64,
    /// Charge drawn at the end, A h.
    pub end_capacity_ah: f64,
    /// Conservation audit.
    pub inventory: Inventory,
    /// Energy audit.
    pub energy: EnergyBalance,
    /// Surface stoichiometries of the negative electrode.
    pub negative_stoichiometry: StoichiometryRange,
    /// Surface stoichiometries of the positive electrode.
    pub positive_stoichiometry: StoichiometryRange,
    /// Each step of the protocol.
    pub steps: Vec<StepSummary>,
    /// Profiles at the times asked for in the options.
    pub profiles: Vec<Profile>,
    /// Work done.
    pub work: WorkCounters,
}

impl DfnSolution {
    /// The lists that get an entry with each output.
    pub(crate) fn records_mut(&mut self) -> [&mut Vec<f64>; 5] {
        [
            &mut self.time_s,
            &mut self.voltage_v,
            &mut self.current_a,
            &mut self.temperature_k,
            &mut self.discharge_capacity_ah,
        ]
    }
}
