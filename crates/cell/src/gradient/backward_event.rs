//! Ends of protocol steps on the way back.

use super::Fault;
use super::backward::{Backward, Bars, Interpolation};
use super::event::TIME_DIFFERENCE;
use super::pair::Pair;
use super::tape::End;
use crate::error::CellError;
use crate::model::{INSTANT, integral};
use crate::run::{Cause, Gap};
use crate::solver::bdf::DaeSystem;

/// Differences by which the gap is differentiated, relative to the sizes of its arguments.
const DIFFERENCE: f64 = 1e-5;

impl Backward<'_> {
    /// Goes back through an end whose time depends on the parameters: from the bar of the tangents after it to that
    /// of the interpolated ones. `started` are time and charge (C/m2) at the start of the step.
    pub(super) fn event(
        &mut self,
        (at, end, cause): (&Interpolation<'_>, &End, Cause),
        started: (f64, f64),
        mut bar: Vec<f64>,
        (done, bars): (usize, &mut Bars),
    ) -> Result<Vec<f64>, Fault> {
        let l = self.base.layout;
        let (time, y) = (end.time, end.y.as_slice());
        let mut interpolated = vec![0.0; y.len()];
        at.rate(&mut interpolated);
        self.base.linearize(y, &vec![0.0; y.len()])?;
        self.base.factor(INSTANT)?;
        let moving = self.base.rate_of_all(y, &interpolated)?;
        let margin = self.inputs.options.stoichiometry_margin;
        let base = Gap { parameters: self.inputs.parameters, model: &self.base, margin, step_start: started };
        let slope = at.of(l.voltage)[1];
        let gap = |y: &[f64], time: f64, slope: f64| base.to(cause, &end.step, (y, time, slope));
        let shift = TIME_DIFFERENCE * at.last_length();
        let in_time = [shift, -shift].map(|shift| {
            let state: Vec<f64> = y.iter().zip(&moving).map(|(y, r)| y + shift * r).collect();
            gap(&state, time + shift, at.slope_at(time + shift, l.voltage))
        });
        let by_time = (in_time[0] - in_time[1]) / (2.0 * shift);
        let own: f64 = bar.iter().zip(&moving).map(|(b, r)| b * r).sum();
        // With respect to the gap.
        let weight = -(own + self.shift) / by_time;
        if !weight.is_finite() {
            return Err(Fault::Error(standstill(by_time)));
        }
        let mut state = y.to_vec();
        let surfaces = self.base.families().flat_map(|f| f.surface_start()..f.surface_start() + f.count());
        let charge = l.integrals + integral::CHARGE;
        for unknown in [l.voltage, l.current, l.temperature, charge].into_iter().chain(surfaces) {
            let size = DIFFERENCE * y[unknown].abs().max(1.0);
            let mut side = |change: f64| {
                state[unknown] = y[unknown] + change;
                gap(&state, time, slope)
            };
            let derivative = (side(size) - side(-size)) / (2.0 * size);
            state[unknown] = y[unknown];
            bar[unknown] += weight * derivative;
            if unknown == charge {
                self.start_integrals[0] -= weight * derivative;
            }
        }
        let size = DIFFERENCE * slope.abs().max(1e-9);
        let by_slope = (gap(y, time, slope + size) - gap(y, time, slope - size)) / (2.0 * size);
        if by_slope != 0.0 {
            for (index, share) in at.weights[1][..at.states.len()].iter().enumerate() {
                let point = bars.point(done, index);
                point.resize(y.len(), 0.0);
                point[l.voltage] += weight * by_slope * share;
            }
        }
        for (pair, gradient) in self.pairs.iter().zip(&mut self.gradient) {
            let sides = [0, 1].map(|side| {
                let (model, parameters) = (&pair.models[side], &pair.sets[side]);
                Gap { parameters, model, ..base }.to(cause, &end.step, (y, time, slope))
            });
            *gradient += weight * Pair::difference(sides);
        }
        Ok(self.project(y, bar)?)
    }
}

/// The condition that ends a step does not change in time.
pub(super) fn standstill(by_time: f64) -> CellError {
    CellError::Option {
        option: "rate of change of the condition that ends a step",
        value: by_time,
        requirement: "must not vanish: the end time has no derivative with respect to the parameters",
    }
}
