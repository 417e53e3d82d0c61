//! What a run keeps: outputs, profiles, audits and the final sums.

use super::Run;
use crate::model::integral;
use crate::protocol::Step;
use crate::solution::{DfnSolution, EnergyBalance, Profile, StoichiometryRange, WorkCounters};

impl Run<'_> {
    /// Outputs and profiles that fall on the start of a step, or of a piece of it.
    pub(super) fn record_start(&mut self) {
        let y = std::mem::take(&mut self.y);
        while let Some(time) = self.due_output(self.time) {
            self.push_output(time, &y);
        }
        if self.options.record_every_step && self.last_record_s != Some(self.time) {
            self.push_output(self.time, &y);
        }
        while let Some(time) = self.due_profile(self.time) {
            self.push_profile(time, &y);
        }
        self.y = y;
    }

    /// Outputs, profiles and probes up to `end` within the last time step.
    pub(super) fn record_until(&mut self, end: f64) {
        let mut y = std::mem::take(&mut self.scratch);
        while let Some(time) = self.due_output(end) {
            self.integrators.interpolate(time, &mut y);
            self.push_output(time, &y);
        }
        while let Some(time) = self.due_profile(end) {
            self.integrators.interpolate(time, &mut y);
            self.push_profile(time, &y);
        }
        let (step, start) = (self.solution.steps.len(), self.step_start.0);
        while let Some(local) = self.probes.due(step, end - start) {
            self.integrators.interpolate(start + local, &mut y);
            self.probes.keep(step, y[self.model.layout.voltage]);
        }
        self.scratch = y;
    }

    /// The state at the end of a time step, at `time`.
    pub(super) fn record_time_step(&mut self, time: f64) {
        let y = std::mem::take(self.integrators.state());
        let step = self.solution.steps.len();
        self.probes.offer(step, time - self.step_start.0, y[self.model.layout.voltage]);
        if self.options.record_every_step {
            self.push_output(time, &y);
        }
        *self.integrators.state() = y;
    }

    /// The state at the end of a protocol step.
    pub(super) fn record_end(&mut self, step: &Step) {
        self.probes.end(self.solution.steps.len(), self.time - self.step_start.0);
        let wanted = self.options.record_every_step || step.period_s.is_some();
        if wanted && self.last_record_s.is_none_or(|last| last < self.time) {
            let y = std::mem::take(&mut self.y);
            self.push_output(self.time, &y);
            self.y = y;
        }
    }

    /// Next output time up to `end`: of the list asked for, or of the step's period.
    fn due_output(&mut self, end: f64) -> Option<f64> {
        let listed = self.output_times.get(self.next_output).copied().unwrap_or(f64::INFINITY);
        let periodic = self.step_start.0 + self.next_period;
        if listed.min(periodic) > end || listed.min(periodic) == f64::INFINITY {
            return None;
        }
        if listed <= periodic {
            self.next_output += 1;
        }
        if periodic <= listed {
            self.next_period += self.period;
        }
        Some(listed.min(periodic))
    }

    fn due_profile(&mut self, end: f64) -> Option<f64> {
        let time = self.options.profile_times_s.get(self.next_profile).copied().filter(|t| *t <= end)?;
        self.next_profile += 1;
        Some(time)
    }

    fn push_output(&mut self, time: f64, y: &[f64]) {
        let area = self.parameters.total_area_m2();
        let l = self.model.layout;
        self.last_record_s = Some(time);
        self.solution.time_s.push(time);
        self.solution.voltage_v.push(y[l.voltage]);
        self.solution.current_a.push(y[l.current] * area);
        self.solution.temperature_k.push(y[l.temperature]);
        self.solution.discharge_capacity_ah.push(y[l.integrals + integral::CHARGE] * area / 3600.0);
        if let Some(follower) = self.follower.as_deref_mut() {
            follower.output(time);
        }
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
            hysteresis_states: self.model.hysteresis_states(y),
        });
    }

    /// Conservation and ranges at a state.
    pub(super) fn audit(&mut self, y: &[f64]) {
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

    pub(super) fn finish(self) -> DfnSolution {
        let area = self.parameters.total_area_m2();
        let l = self.model.layout;
        let work = self.work_so_far();
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
            hysteresis_j: sums[integral::HYSTERESIS] * area,
            mixing_j: sums[integral::MIXING] * area,
            free_energy_change_j: 0.0,
            surface_work_j: sums[integral::SURFACE] * area,
            residual_j: (sums[integral::ENERGY]
                + sums[integral::OHMIC_SOLID]
                + sums[integral::OHMIC_ELECTROLYTE]
                + sums[integral::REACTION]
                + sums[integral::HYSTERESIS]
                + sums[integral::SURFACE])
                * area,
            cooling_j: if self.model.thermal.is_some() { (heat - stored) * area } else { 0.0 },
            stored_heat_j: stored * area,
        };
        if self.options.audit_heat_of_mixing {
            solution.energy.free_energy_change_j = self.model.free_energy(&self.y) * area;
        }
        solution.work = work;
        solution
    }

    /// Work of this run and of what went before its checkpoint.
    pub(super) fn work_so_far(&self) -> WorkCounters {
        let counters = self.integrators.counters();
        let before = &self.earlier_work;
        WorkCounters {
            steps: before.steps + counters.steps,
            residuals: before.residuals + counters.residuals,
            linearizations: before.linearizations + counters.linearizations,
            factorizations: before.factorizations + counters.factorizations,
            newton_iterations: before.newton_iterations + counters.newton_iterations,
            error_test_failures: before.error_test_failures + counters.error_failures,
            newton_failures: before.newton_failures + counters.newton_failures,
            outside_table: self.solution.work.outside_table,
        }
    }
}
