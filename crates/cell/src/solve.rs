//! Runs a protocol.

use crate::ageing::AgeingOptions;
use crate::closed_form;
use crate::error::CellError;
use crate::mesh::MeshOptions;
use crate::model::{CellModel, ControlRow, integral};
use crate::parameters::ParameterSet;
use crate::protocol::{Control, Limit, PlacedStep, Protocol, Step, StepState};
use crate::solution::{
    DfnSolution, EndReason, EnergyBalance, Inventory, Profile, StepSummary, StoichiometryRange, WorkCounters,
};
use crate::solver::bdf::Bdf;
use serde::{Deserialize, Serialize};

/// Which model is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Doyle-Fuller-Newman model: porous electrodes resolved through the thickness.
    #[default]
    Dfn,
    /// Single-particle model with electrolyte.
    Spme,
    /// Single-particle model. Where the particle diffusivities are constant, the temperature is, nothing ages and
    /// the steps are constant currents and rests (without limits on dV/dt and conditions), it is evaluated in
    /// closed form, with the equations of [`crate::single_particle_voltage`] and without a mesh; outputs and
    /// limits are then exact to rounding, integrals to `rtol`.
    Spm,
}

/// Treatment of temperature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Thermal {
    /// The initial temperature throughout.
    #[default]
    Isothermal,
    /// One temperature for the whole cell: rho c V dT/dt = heat - h A (T - ambient).
    Lumped,
}

/// How to solve the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DfnOptions {
    /// Model.
    pub model: ModelKind,
    /// Ageing of the negative electrode.
    pub ageing: AgeingOptions,
    /// Mesh.
    pub mesh: MeshOptions,
    /// Relative tolerance of concentrations and temperature; potentials are held to `rtol` volts.
    pub rtol: f64,
    /// Tolerance of concentrations relative to their scale (maximum, or initial salt concentration), where
    /// they are near zero.
    pub atol: f64,
    /// Treatment of temperature.
    pub thermal: Thermal,
    /// Most time steps in one protocol step.
    pub max_steps: usize,
    /// A step ends when a surface stoichiometry comes this close to 0 or 1.
    pub stoichiometry_margin: f64,
    /// Times at which profiles are kept, s.
    pub profile_times_s: Vec<f64>,
    /// Whether to integrate the dissipation inside the particles and the change of free energy (costs time;
    /// isothermal audit).
    pub audit_heat_of_mixing: bool,
}

impl Default for DfnOptions {
    fn default() -> Self {
        Self {
            model: ModelKind::Dfn,
            ageing: AgeingOptions::default(),
            mesh: MeshOptions::default(),
            rtol: 3e-5,
            atol: 1e-6,
            thermal: Thermal::Isothermal,
            max_steps: 100_000,
            stoichiometry_margin: 1e-6,
            profile_times_s: Vec::new(),
            audit_heat_of_mixing: false,
        }
    }
}

impl DfnOptions {
    /// A coarser mesh and tolerance: about 1e-4 V at less than half the time, for sweeps and fits.
    pub fn draft() -> Self {
        let mut options = Self { rtol: 1e-4, ..Self::default() };
        for electrode in [&mut options.mesh.negative, &mut options.mesh.positive] {
            electrode.elements = 1;
            electrode.particle.order = 8;
        }
        options
    }

    fn validate(&self) -> Result<(), CellError> {
        let inside = |option, value: f64, low: f64, high: f64, requirement| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(CellError::Option { option, value, requirement })
            }
        };
        inside("rtol", self.rtol, 1e-12, 1e-2, "must lie between 1e-12 and 1e-2")?;
        inside("atol", self.atol, 1e-14, 1e-2, "must lie between 1e-14 and 1e-2")?;
        inside("stoichiometry_margin", self.stoichiometry_margin, 0.0, 0.1, "must lie between 0 and 0.1")?;
        check_times("profile times [s]", &self.profile_times_s)
    }
}

fn check_times(option: &'static str, times: &[f64]) -> Result<(), CellError> {
    if let Some(value) = times.iter().find(|t| !(t.is_finite() && **t >= 0.0)) {
        return Err(CellError::Option {
            option,
            value: *value,
            requirement: "must be finite and not negative",
        });
    }
    if let Some(pair) = times.windows(2).find(|w| w[1] < w[0]) {
        return Err(CellError::Option { option, value: pair[1], requirement: "must not decrease" });
    }
    Ok(())
}

/// Solves `protocol` for a cell that starts at rest, and gives voltage, current, temperature and charge at
/// `output_times` (s, not decreasing; those beyond the end of the run are left out) with audits of
/// conservation, energy and work.
///
/// # Errors
/// Parameters, options and protocols that make no sense; starting potentials that cannot be found; time
/// steps that cannot be taken: with the variable, its place, the time and the residual.
pub fn solve(
    parameters: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
) -> Result<DfnSolution, CellError> {
    options.validate()?;
    protocol.validate()?;
    check_times("output times [s]", output_times)?;
    if let Some(solution) = closed_form::solve(parameters, protocol, options, output_times)? {
        return Ok(solution);
    }
    let model = CellModel::new(parameters, options)?;
    let mut run = Run::new(parameters, model, options, output_times);
    let mut steps = protocol.steps();
    while let Some(placed) = steps.next() {
        let ended_by_limit = run.step(&placed)?;
        if placed.step.leaves_repeat && ended_by_limit {
            steps.leave_repeat();
        }
    }
    Ok(run.finish())
}

/// Lithium of one electrode at the start, and what it can hold, mol/m2.
#[derive(Debug, Clone, Copy)]
struct ElectrodeStart {
    lithium: f64,
    capacity: f64,
}

/// What ends a step before its duration.
#[derive(Debug, Clone, Copy)]
enum Cause {
    /// The limit of the step with this index.
    Limit(usize),
    /// Particles of an electrode (0 negative, 1 positive) that are empty or full at their surface.
    Particles(usize),
}

impl Cause {
    fn end_reason(self, step: &Step) -> EndReason {
        match self {
            Self::Limit(index) => step.limits[index].end_reason(),
            Self::Particles(0) => EndReason::NegativeStoichiometry,
            Self::Particles(_) => EndReason::PositiveStoichiometry,
        }
    }
}

struct Run<'a> {
    parameters: &'a ParameterSet,
    options: &'a DfnOptions,
    output_times: &'a [f64],
    model: CellModel,
    bdf: Bdf,
    time: f64,
    y: Vec<f64>,
    scratch: Vec<f64>,
    started: bool,
    /// Time and charge (A s/m2) at the start of the step.
    step_start: (f64, f64),
    /// Index of the next output and the next profile.
    next_output: usize,
    next_profile: usize,
    /// Unknowns at the start.
    start: Vec<f64>,
    starts: Vec<ElectrodeStart>,
    start_salt: f64,
    start_temperature: f64,
    solution: DfnSolution,
}

impl<'a> Run<'a> {
    fn new(
        parameters: &'a ParameterSet,
        model: CellModel,
        options: &'a DfnOptions,
        output_times: &'a [f64],
    ) -> Self {
        let y = model.rested_state(parameters);
        let starts: Vec<ElectrodeStart> = model
            .electrodes
            .iter()
            .map(|e| ElectrodeStart { lithium: e.lithium(&y), capacity: e.capacity() })
            .collect();
        let nothing = StoichiometryRange { low: 1.0, high: 0.0 };
        let area = parameters.total_area_m2();
        let solution = DfnSolution {
            time_s: Vec::with_capacity(output_times.len()),
            voltage_v: Vec::with_capacity(output_times.len()),
            current_a: Vec::with_capacity(output_times.len()),
            temperature_k: Vec::with_capacity(output_times.len()),
            discharge_capacity_ah: Vec::with_capacity(output_times.len()),
            end_time_s: 0.0,
            end_reason: EndReason::TimeLimit,
            end_voltage_v: 0.0,
            end_temperature_k: 0.0,
            end_capacity_ah: 0.0,
            inventory: Inventory {
                solid_lithium_mol: area * starts.iter().map(|s| s.lithium).sum::<f64>(),
                ..Inventory::default()
            },
            energy: EnergyBalance::default(),
            negative_stoichiometry: nothing,
            positive_stoichiometry: nothing,
            steps: Vec::new(),
            profiles: Vec::new(),
            work: WorkCounters::default(),
        };
        Self {
            parameters,
            options,
            output_times,
            bdf: Bdf::new(&model),
            time: 0.0,
            scratch: y.clone(),
            start: y.clone(),
            started: false,
            step_start: (0.0, 0.0),
            next_output: 0,
            next_profile: 0,
            starts,
            start_salt: model.salt(&y),
            start_temperature: parameters.initial_temperature_k,
            solution,
            y,
            model,
        }
    }

    fn control_row(&self, control: &Control) -> Result<ControlRow, CellError> {
        let area = self.parameters.total_area_m2();
        Ok(match control {
            Control::Current { amperes } => ControlRow::Current(amperes / area),
            Control::CRate(rate) => ControlRow::Current(self.parameters.current_of_rate(*rate) / area),
            Control::Voltage { volts } => ControlRow::Voltage(*volts),
            Control::Power { watts } => ControlRow::Power(watts / area),
            Control::Rest => ControlRow::Current(0.0),
            Control::Resistance { ohms } => ControlRow::Resistance(ohms * area),
            Control::Profile { factor, .. } => {
                let requirement = "this model holds currents, voltages and powers, not traces over time";
                return Err(CellError::Option { option: "factor of a trace", value: *factor, requirement });
            }
        })
    }

    /// Does one step; gives whether one of its limits ended it.
    fn step(&mut self, placed: &PlacedStep) -> Result<bool, CellError> {
        let step = placed.step;
        let area = self.parameters.total_area_m2();
        self.model.control = self.control_row(&step.control)?;
        if !self.started {
            let mut y = std::mem::take(&mut self.y);
            let outcome = self.model.guess_potentials(&mut y, self.time);
            self.y = y;
            outcome?;
            self.started = true;
        }
        self.model.solve_potentials(&mut self.y, self.time)?;
        let slope = self.model.starting_slope(&self.y, self.time)?;
        let start = self.time;
        let (longest, asked_for) = step.longest_s(self.parameters.nominal_capacity_ah);
        let stop = start + longest;
        let integrals = self.model.layout.integrals;
        let before = [self.y[integrals + integral::CHARGE], self.y[integrals + integral::ENERGY]];
        self.step_start = (start, before[0]);
        self.bdf.restart(&mut self.model, start, &self.y, &slope, longest);
        self.record_start();
        let cause = if let Some(cause) = self.met_limit(step, &self.y, start, f64::INFINITY)? {
            Some(cause)
        } else {
            self.integrate(step, stop)?
        };
        self.audit(&self.y.clone());
        let at_end = if asked_for { EndReason::TimeLimit } else { EndReason::LongestDuration };
        let reason = cause.map_or(at_end, |cause| cause.end_reason(step));
        self.solution.steps.push(StepSummary {
            cycle: placed.cycle,
            start_s: start,
            end_s: self.time,
            end_reason: reason,
            charge_ah: (self.y[integrals + integral::CHARGE] - before[0]) * area / 3600.0,
            energy_wh: (self.y[integrals + integral::ENERGY] - before[1]) * area / 3600.0,
            ageing: self.model.ageing_state(&self.y, &self.start, area),
        });
        self.solution.end_reason = reason;
        Ok(matches!(cause, Some(Cause::Limit(_))))
    }

    /// Steps until a limit, which is given, or `stop`; leaves the state at the end in `self.y`.
    fn integrate(&mut self, step: &Step, stop: f64) -> Result<Option<Cause>, CellError> {
        for _ in 0..self.options.max_steps {
            self.bdf.advance(&mut self.model, stop).map_err(|failure| {
                let (variable, node) = self.model.describe(failure.trouble.unknown);
                CellError::TimeStep {
                    reason: failure.trouble.reason,
                    variable,
                    node,
                    time_s: self.bdf.time,
                    step_s: failure.step,
                    value: failure.trouble.value,
                }
            })?;
            self.solution.work.outside_table += self.model.outside;
            let y = std::mem::take(&mut self.bdf.y);
            self.audit(&y);
            let time = self.bdf.time;
            let slope = self.voltage_slope(step, time);
            let met = self.met_limit(step, &y, time, slope);
            self.bdf.y = y;
            if met?.is_some() {
                let (cause, time) = self.locate(step)?;
                self.record_until(time);
                self.time = time;
                return Ok(Some(cause));
            }
            self.record_until(self.bdf.time);
            if self.bdf.time >= stop {
                self.time = stop;
                self.y.copy_from_slice(&self.bdf.y);
                return Ok(None);
            }
        }
        Err(CellError::TooManySteps { steps: self.options.max_steps, time_s: self.bdf.time })
    }

    /// The limit that is closest to being met at a state, or furthest beyond, and its value: met when not
    /// positive, NaN for a condition without a value.
    fn nearest_limit(&self, step: &Step, y: &[f64], time: f64, slope: f64) -> (Cause, f64) {
        let area = self.parameters.total_area_m2();
        let l = self.model.layout;
        let state = StepState {
            voltage_v: y[l.voltage],
            current_a: y[l.current] * area,
            temperature_k: y[l.temperature],
            time_s: time - self.step_start.0,
            charge_ah: (y[l.integrals + integral::CHARGE] - self.step_start.1) * area / 3600.0,
            voltage_slope_v_per_s: slope,
        };
        let capacity = self.parameters.nominal_capacity_ah;
        let margin = self.options.stoichiometry_margin;
        let particles = [1.0, -1.0].map(|sign| {
            let (low, high) = self.surface_range(sign, y);
            (Cause::Particles(usize::from(sign < 0.0)), (low - margin).min(1.0 - margin - high))
        });
        let limits = step.limits.iter().enumerate();
        limits
            .map(|(index, limit)| (Cause::Limit(index), limit.gap(&state, capacity)))
            .chain(particles)
            .reduce(|best, gap| if gap.1 < best.1 || gap.1.is_nan() { gap } else { best })
            .unwrap_or(particles[0])
    }

    fn met_limit(&self, step: &Step, y: &[f64], time: f64, slope: f64) -> Result<Option<Cause>, CellError> {
        let (cause, value) = self.nearest_limit(step, y, time, slope);
        if value.is_nan() {
            let requirement =
                "the condition that ends a step has no value here; check its logarithms, roots and quotients";
            return Err(CellError::Option { option: "condition of a step", value, requirement });
        }
        Ok((value <= 0.0).then_some(cause))
    }

    /// dV/dt at `time` in the last time step, if the step asks for it.
    fn voltage_slope(&mut self, step: &Step, time: f64) -> f64 {
        if !step.limits.iter().any(|limit| matches!(limit, Limit::VoltageSlopeBelow { .. })) {
            return f64::INFINITY;
        }
        let width = 1e-3 * (self.bdf.time - self.bdf.previous_time());
        let mut y = std::mem::take(&mut self.scratch);
        self.bdf.interpolate_all(time, &mut y);
        let voltage = y[self.model.layout.voltage];
        self.bdf.interpolate_all(time - width, &mut y);
        let before = y[self.model.layout.voltage];
        self.scratch = y;
        (voltage - before) / width
    }

    /// Smallest and largest surface stoichiometry of the negative (`sign` 1) or the positive electrode (-1);
    /// an electrode without particles is half full.
    fn surface_range(&self, sign: f64, y: &[f64]) -> (f64, f64) {
        let mut range = (f64::MAX, f64::MIN);
        for family in self.model.electrodes.iter().filter(|e| e.sign == sign).flat_map(|e| &e.families) {
            let start = family.surface_start();
            for c in &y[start..start + family.count()] {
                let x = c / family.max_concentration;
                range = (range.0.min(x), range.1.max(x));
            }
        }
        if range.0 > range.1 { (0.5, 0.5) } else { range }
    }

    /// The nearest limit and its value at `time` in the last step.
    fn gap(&mut self, step: &Step, time: f64) -> (Cause, f64) {
        let slope = self.voltage_slope(step, time);
        let mut y = std::mem::take(&mut self.scratch);
        self.bdf.interpolate_all(time, &mut y);
        let nearest = self.nearest_limit(step, &y, time, slope);
        self.scratch = y;
        nearest
    }

    /// Time within the last step at which a limit is met, and the state there: bisection on the
    /// interpolating polynomial, then secant steps in which the potentials are solved again for the
    /// interpolated concentrations.
    fn locate(&mut self, step: &Step) -> Result<(Cause, f64), CellError> {
        let (mut low, mut high) = (self.bdf.previous_time(), self.bdf.time);
        let mut cause = self.gap(step, high).0;
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high || high - low < 1e-9 * (high.abs() + 1.0) {
                break;
            }
            let (found, value) = self.gap(step, middle);
            if value <= 0.0 {
                high = middle;
                cause = found;
            } else {
                low = middle;
            }
        }
        let mut time = high;
        self.bdf.interpolate_all(time, &mut self.y);
        if !matches!(self.model.control, ControlRow::Current(_)) {
            return Ok((cause, time));
        }
        let Cause::Limit(index) = cause else { return Ok((cause, time)) };
        if let Limit::VoltageBelow { volts } | Limit::VoltageAbove { volts } = step.limits[index] {
            time = self.polish(time, volts)?;
        }
        Ok((cause, time))
    }

    fn polish(&mut self, located: f64, target: f64) -> Result<f64, CellError> {
        let span = self.bdf.time - self.bdf.previous_time();
        let ends = (self.bdf.previous_time(), self.bdf.time + 0.1 * span);
        let mut time = located;
        let width = 1e-4 * span;
        let unknown = self.model.layout.voltage;
        for _ in 0..8 {
            self.bdf.interpolate_all(time, &mut self.y);
            self.model.solve_potentials(&mut self.y, time)?;
            let miss = self.y[unknown] - target;
            let at = |t: f64| self.bdf.interpolate(t, unknown);
            let slope = (at(time + width) - at(time - width)) / (2.0 * width);
            let change = -miss / slope;
            if !change.is_finite() || change.abs() < 1e-10 * (time.abs() + 1.0) {
                break;
            }
            time = (time + change).clamp(ends.0, ends.1);
        }
        Ok(time)
    }

    /// Outputs and profiles that fall on the start of a step.
    fn record_start(&mut self) {
        let y = std::mem::take(&mut self.y);
        while self.next_output < self.output_times.len() && self.output_times[self.next_output] <= self.time {
            self.push_output(self.output_times[self.next_output], &y);
            self.next_output += 1;
        }
        while self.next_profile < self.options.profile_times_s.len()
            && self.options.profile_times_s[self.next_profile] <= self.time
        {
            self.push_profile(self.options.profile_times_s[self.next_profile], &y);
            self.next_profile += 1;
        }
        self.y = y;
    }

    /// Outputs and profiles up to `end` within the last time step.
    fn record_until(&mut self, end: f64) {
        let mut y = std::mem::take(&mut self.scratch);
        while self.next_output < self.output_times.len() && self.output_times[self.next_output] <= end {
            let time = self.output_times[self.next_output];
            self.bdf.interpolate_all(time, &mut y);
            self.push_output(time, &y);
            self.next_output += 1;
        }
        while self.next_profile < self.options.profile_times_s.len()
            && self.options.profile_times_s[self.next_profile] <= end
        {
            let time = self.options.profile_times_s[self.next_profile];
            self.bdf.interpolate_all(time, &mut y);
            self.push_profile(time, &y);
            self.next_profile += 1;
        }
        self.scratch = y;
    }

    fn push_output(&mut self, time: f64, y: &[f64]) {
        let area = self.parameters.total_area_m2();
        let l = self.model.layout;
        self.solution.time_s.push(time);
        self.solution.voltage_v.push(y[l.voltage]);
        self.solution.current_a.push(y[l.current] * area);
        self.solution.temperature_k.push(y[l.temperature]);
        self.solution.discharge_capacity_ah.push(y[l.integrals + integral::CHARGE] * area / 3600.0);
    }

    fn push_profile(&mut self, time_s: f64, y: &[f64]) {
        let l = self.model.layout;
        // The pores were open at both ends of the step.
        let electrolyte_concentration = self.model.salt_concentrations(y).unwrap_or_default();
        let of = |sign: f64| self.model.electrodes.iter().filter(move |e| e.sign == sign);
        // The first material stands for the electrode.
        let surface = |sign: f64| -> Vec<f64> {
            of(sign)
                .flat_map(|electrode| {
                    let family = &electrode.families[0];
                    let start = family.surface_start();
                    y[start..start + family.count()].iter().map(|c| c / family.max_concentration)
                })
                .collect()
        };
        let flux = |sign: f64| -> Vec<f64> {
            of(sign)
                .flat_map(|electrode| {
                    let family = &electrode.families[0];
                    y[family.flux..family.flux + family.count()].iter().copied()
                })
                .collect()
        };
        self.solution.profiles.push(Profile {
            time_s,
            position_m: self.model.line.nodes.clone(),
            electrolyte_concentration,
            electrolyte_potential_v: y[l.ionic..l.solid].to_vec(),
            negative_surface_stoichiometry: surface(1.0),
            positive_surface_stoichiometry: surface(-1.0),
            negative_interfacial_current: flux(1.0),
            positive_interfacial_current: flux(-1.0),
        });
    }

    /// Conservation and ranges at a state.
    fn audit(&mut self, y: &[f64]) {
        let l = self.model.layout;
        let charge = y[l.integrals + integral::CHARGE];
        let current = y[l.current];
        let audit = &mut self.solution.inventory;
        let worst = |old: f64, new: f64| if new.is_nan() { new } else { old.max(new) };
        let mut total = (0.0, 0.0);
        for (electrode, start) in self.model.electrodes.iter().zip(&self.starts) {
            let lithium = electrode.lithium(y);
            total = (total.0 + lithium, total.1 + start.lithium);
            let expected = start.lithium - electrode.sign * charge / crate::FARADAY;
            let miss = ((lithium - expected) / start.capacity).abs();
            audit.coulomb_count_error = worst(audit.coulomb_count_error, miss);
            let interfacial = electrode.interfacial_current(y);
            let miss = (interfacial - electrode.sign * current).abs() / current.abs().max(1.0);
            audit.charge_balance_error = worst(audit.charge_balance_error, miss);
        }
        if self.model.electrodes.len() == 1 {
            // The lithium sheet gave what the electrode gained.
            total.0 -= charge / crate::FARADAY;
        }
        audit.solid_lithium_drift = worst(audit.solid_lithium_drift, (total.0 / total.1 - 1.0).abs());
        if self.start_salt > 0.0 {
            audit.salt_drift = worst(audit.salt_drift, (self.model.salt(y) / self.start_salt - 1.0).abs());
        }
        let ranges = [1.0, -1.0].map(|sign| self.surface_range(sign, y));
        let kept = [&mut self.solution.negative_stoichiometry, &mut self.solution.positive_stoichiometry];
        for (range, (low, high)) in kept.into_iter().zip(ranges) {
            *range = StoichiometryRange { low: range.low.min(low), high: range.high.max(high) };
        }
    }

    fn finish(self) -> DfnSolution {
        let area = self.parameters.total_area_m2();
        let l = self.model.layout;
        let mut solution = self.solution;
        let sums = &self.y[l.integrals..];
        solution.end_time_s = self.time;
        solution.end_voltage_v = self.y[l.voltage];
        solution.end_temperature_k = self.y[l.temperature];
        solution.end_capacity_ah = sums[integral::CHARGE] * area / 3600.0;
        let heat: f64 = sums[integral::OHMIC_SOLID..=integral::REVERSIBLE].iter().sum();
        let stored =
            self.model.thermal.map_or(0.0, |t| t.capacity * (self.y[l.temperature] - self.start_temperature));
        solution.energy = EnergyBalance {
            electrical_j: sums[integral::ENERGY] * area,
            ohmic_solid_j: sums[integral::OHMIC_SOLID] * area,
            ohmic_electrolyte_j: sums[integral::OHMIC_ELECTROLYTE] * area,
            reaction_j: sums[integral::REACTION] * area,
            reversible_j: sums[integral::REVERSIBLE] * area,
            mixing_j: sums[integral::MIXING] * area,
            free_energy_change_j: 0.0,
            cooling_j: if self.model.thermal.is_some() { (heat - stored) * area } else { 0.0 },
            stored_heat_j: stored * area,
        };
        if self.options.audit_heat_of_mixing {
            solution.energy.free_energy_change_j = self.model.free_energy(&self.y) * area;
        }
        let counters = self.bdf.counters;
        solution.work = WorkCounters {
            steps: counters.steps,
            residuals: counters.residuals,
            linearizations: counters.linearizations,
            factorizations: counters.factorizations,
            newton_iterations: counters.newton_iterations,
            error_test_failures: counters.error_failures,
            newton_failures: counters.newton_failures,
            outside_table: solution.work.outside_table,
        };
        solution
    }
}
