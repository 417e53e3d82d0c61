//! Ends of protocol steps: by how much their times change.

use super::backward_event::standstill;
use super::forward::Forward;
use super::pair::Pair;
use super::points::{Point, combine};
use super::{StepSensitivity, located};
use crate::error::CellError;
use crate::model::integral;
use crate::protocol::Step;
use crate::run::{Cause, Gap};

/// A difference in time by which the gap is differentiated, relative to the last time step.
pub(super) const TIME_DIFFERENCE: f64 = 1e-4;

impl Forward<'_> {
    /// Slope of the state at `time`, and tangents there, by the polynomial of the last step.
    fn interpolate(&mut self, time: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
        let [value, slope] = self.weights(time);
        let n = self.base.layout.dimension;
        let points = &self.points[..self.interpolated];
        let mut rate = vec![0.0; n];
        combine(&slope, points.iter().map(|p| p.y.as_slice()), &mut rate);
        let tangents = (0..self.pairs.len()).map(|index| {
            let mut tangent = vec![0.0; n];
            combine(&value, points.iter().map(|p| p.tangents[index].as_slice()), &mut tangent);
            tangent
        });
        (rate, tangents.collect())
    }

    /// Takes the end of a protocol step at a state.
    pub(super) fn end(
        &mut self,
        step: &Step,
        cause: Option<Cause>,
        (time, y): (f64, &[f64]),
    ) -> Result<(), CellError> {
        let (rate, mut tangents) = self.interpolate(time);
        if let Some(cause) = cause
            && self.interpolated > 1
        {
            self.set_time(time);
            let project = self
                .project(y, &tangents)
                .and_then(|tangents| Ok((tangents, self.base.rate_of_all(y, &rate)?)));
            let (at_time, rate) = project.map_err(|trouble| located(&self.base, time, trouble))?;
            tangents = self.moved(step, cause, (time, y), (&rate, at_time))?;
        }
        self.keep_step(time, y, &tangents);
        self.points.clear();
        self.points.push(Point { time, y: y.to_vec(), tangents });
        self.interpolated = 1;
        Ok(())
    }

    /// Voltage slope at `time` along the tangents of parameter `index` times `theta`.
    fn voltage_slope(&self, time: f64, along: Option<(usize, f64)>) -> f64 {
        let voltage = self.base.layout.voltage;
        let [_, slope] = self.weights(time);
        let points = self.points[..self.interpolated].iter().zip(&slope);
        points
            .map(|(p, w)| w * (p.y[voltage] + along.map_or(0.0, |(i, theta)| theta * p.tangents[i][voltage])))
            .sum()
    }

    /// Changes of the end time, and the tangents there, from those `at_time`.
    fn moved(
        &mut self,
        step: &Step,
        cause: Cause,
        (time, y): (f64, &[f64]),
        (rate, mut at_time): (&[f64], Vec<Vec<f64>>),
    ) -> Result<Vec<Vec<f64>>, CellError> {
        let margin = self.inputs.options.stoichiometry_margin;
        let gap = |model, parameters, start: f64| Gap {
            parameters,
            model,
            margin,
            step_start: (self.step_start.0, start),
        };
        let length = (self.points[0].time - self.points[1].time).abs();
        let shift = TIME_DIFFERENCE * length;
        let in_time = [shift, -shift].map(|shift| {
            let state: Vec<f64> = y.iter().zip(rate).map(|(y, r)| y + shift * r).collect();
            let slope = self.voltage_slope(time + shift, None);
            gap(&self.base, self.inputs.parameters, self.step_start.1).to(
                cause,
                step,
                (&state, time + shift, slope),
            )
        });
        let by_time = (in_time[0] - in_time[1]) / (2.0 * shift);
        let mut changes = Vec::with_capacity(self.pairs.len());
        for (index, pair) in self.pairs.iter().enumerate() {
            let sides = [0, 1].map(|side| {
                let theta = Pair::theta(side);
                let state: Vec<f64> = y.iter().zip(&at_time[index]).map(|(y, s)| y + theta * s).collect();
                let start = self.step_start.1 + theta * self.step_start_integrals[index][0];
                let slope = self.voltage_slope(time, Some((index, theta)));
                gap(&pair.models[side], &pair.sets[side], start).to(cause, step, (&state, time, slope))
            });
            let change = -Pair::difference(sides) / by_time;
            if !change.is_finite() {
                return Err(standstill(by_time));
            }
            changes.push(change);
        }
        for ((tangent, change), total) in at_time.iter_mut().zip(&changes).zip(&mut self.shifts) {
            for (t, r) in tangent.iter_mut().zip(rate) {
                *t += change * r;
            }
            *total += change;
        }
        Ok(at_time)
    }

    /// Keeps what the step brought, and what the next one starts from.
    fn keep_step(&mut self, time: f64, y: &[f64], tangents: &[Vec<f64>]) {
        let l = self.base.layout;
        let [charge, energy] = [integral::CHARGE, integral::ENERGY].map(|place| l.integrals + place);
        let area = self.inputs.parameters.total_area_m2();
        let mut kept = StepSensitivity::default();
        let drawn = [y[charge] - self.step_start.1, y[energy] - self.step_start_energy];
        for (index, pair) in self.pairs.iter().enumerate() {
            let by_area = pair.of_sets(crate::ParameterSet::total_area_m2);
            let before = self.step_start_integrals[index];
            let of = |place: usize, which: usize| {
                ((tangents[index][place] - before[which]) * area + drawn[which] * by_area) / 3600.0
            };
            kept.end_time_s.push(self.shifts[index]);
            kept.charge_ah.push(of(charge, 0));
            kept.energy_wh.push(of(energy, 1));
            self.step_start_integrals[index] = [tangents[index][charge], tangents[index][energy]];
        }
        self.step_start = (time, y[charge]);
        self.step_start_energy = y[energy];
        self.result.steps.push(kept);
    }
}
