//! Forward sensitivities: the tangents of a run, carried along with its time steps.
//!
//! A time step solves F(y, y', p) = 0 with y' = a y + sum c_i y_i over earlier states. Differentiating it gives
//!
//! ```text
//! (F_y + a F_y') s = -F_p - F_y' sum c_i s_i,
//! ```
//!
//! with the derivatives at the new state: one factorisation serves all parameters (staggered direct method, M.
//! Caracotsios and W. E. Stewart, Comput. Chem. Eng. 9 (1985) 359). What is found is the derivative of the discrete
//! solution for given time steps. Stages of the one-step method go the same way.
//!
//! Steps of a protocol that end by a condition g(y, t, p) = 0 end at a time that depends on the parameters,
//!
//! ```text
//! dt_e/dp = -(g_p + g_y s)/(g_t + g_y y'),
//! ```
//!
//! after which concentrations go on with s + y' dt_e/dp, and everything later is shifted by dt_e/dp (R. Serban and A.
//! C. Hindmarsh, ASME IDETC 2005, DETC2005-85597, treat smooth problems; S. Galan, W. F. Feehery, P. I. Barton, Appl.
//! Numer. Math. 31 (1999) 17 the jumps).

use super::pair::Pair;
use super::points::{MOST, Point, combine, multistep, polynomial};
use super::{Parameter, Sensitivities, located};
use crate::error::CellError;
use crate::model::{CORRECTION, CellModel, INSTANT, MOST_CORRECTIONS, integral};
use crate::run::{Entry, Follower, Inputs};
use crate::solver::LastStep;
use crate::solver::bdf::{DaeSystem, Trouble};
use crate::solver::one_step::{A, GAMMA, INTERPOLATED, NODES, STAGES};

/// Length, s, of an implicit step by which the slope of a tangent is found.
pub(super) const SLOPE_STEP: f64 = 1e-9;

/// Tangents of a run, as far as it has come.
#[derive(Debug)]
pub(super) struct Forward<'a> {
    pub(super) inputs: Inputs<'a>,
    pub(super) base: CellModel,
    pub(super) pairs: Vec<Pair>,
    pub(super) approximate: bool,
    /// States through which the last step is interpolated and from which the next one starts, the latest first.
    pub(super) points: Vec<Point>,
    /// Room for the next one.
    spare: Point,
    /// How many of them the polynomial of the last step goes through.
    pub(super) interpolated: usize,
    /// Slopes of the tangents at the start of the next one-step step.
    start_slopes: Option<Vec<Vec<f64>>>,
    /// Derivatives of the time at which the present protocol step began.
    pub(super) shifts: Vec<f64>,
    /// Time, charge and energy at which it began, and the derivatives of the integrals there.
    pub(super) step_start: (f64, f64),
    pub(super) step_start_integrals: Vec<[f64; 2]>,
    pub(super) step_start_energy: f64,
    slope: Vec<f64>,
    /// For each parameter the part of its tangent's slope that comes from earlier states.
    histories: Vec<Vec<f64>>,
    scratch: [Vec<f64>; 3],
    /// Outputs at the start of a piece, which wait for the slope that follows.
    waiting: Vec<usize>,
    pub(super) result: Sensitivities,
}

impl<'a> Forward<'a> {
    pub(super) fn new(inputs: Inputs<'a>, parameters: &[Parameter]) -> Result<Self, CellError> {
        let base = CellModel::new(inputs.parameters, inputs.options)?;
        let n = base.layout.dimension;
        let pairs = parameters
            .iter()
            .map(|parameter| Pair::new(parameter, inputs.parameters, inputs.options, &base))
            .collect::<Result<Vec<Pair>, CellError>>()?;
        let start = Point {
            time: 0.0,
            y: base.rested_state(inputs.parameters),
            tangents: pairs.iter().map(Pair::rested).collect(),
        };
        // The column of a temperature that stays is not part of the Newton matrix.
        let temperature_moves = start.tangents.iter().any(|t| t[base.layout.temperature] != 0.0);
        let count = pairs.len();
        let zero = || vec![0.0; n];
        Ok(Self {
            approximate: base.newton_matrix_is_approximate() || temperature_moves,
            points: vec![start],
            spare: Point::default(),
            interpolated: 1,
            start_slopes: None,
            shifts: vec![0.0; count],
            step_start: (0.0, 0.0),
            step_start_integrals: vec![[0.0; 2]; count],
            step_start_energy: 0.0,
            slope: zero(),
            histories: vec![zero(); count],
            scratch: [zero(), zero(), zero()],
            waiting: Vec::new(),
            result: Sensitivities::new(parameters),
            inputs,
            base,
            pairs,
        })
    }

    pub(super) fn set_time(&mut self, time: f64) {
        self.base.set_time(time);
        for pair in &mut self.pairs {
            pair.set_time(time);
        }
    }

    /// Keeps and factors the derivatives at `y` and `self.slope`.
    fn factor(&mut self, y: &[f64], leading: f64) -> Result<(), Trouble> {
        self.base.linearize(y, &self.slope)?;
        self.base.factor(leading)
    }

    /// Overwrites `tangents` by the solution for each parameter, where its slope is leading times it plus its part of
    /// `self.histories`.
    fn solve(&mut self, y: &[f64], leading: f64, tangents: &mut [Vec<f64>]) -> Result<(), Trouble> {
        let mass = &mut self.scratch[0];
        for ((tangent, history), pair) in tangents.iter_mut().zip(&self.histories).zip(&mut self.pairs) {
            pair.residual_by_parameter(&self.base, (y, &self.slope), tangent)?;
            self.base.mass_times(history, mass);
            for (t, m) in tangent.iter_mut().zip(mass.iter()) {
                *t = -*t - m;
            }
        }
        self.base.solve_several(tangents);
        for (index, tangent) in tangents.iter_mut().enumerate() {
            if self.approximate {
                self.correct(index, y, leading, tangent)?;
            }
            self.integrals(index, y, leading, tangent);
        }
        Ok(())
    }

    /// Corrects a tangent for what the Newton matrix leaves out.
    fn correct(&mut self, index: usize, y: &[f64], leading: f64, tangent: &mut [f64]) -> Result<(), Trouble> {
        let [_, slope_tangent, residual] = &mut self.scratch;
        let (pair, history) = (&mut self.pairs[index], &self.histories[index]);
        let main = self.base.layout.integrals;
        tangent[main..].fill(0.0);
        let mut before = f64::INFINITY;
        for _ in 0..MOST_CORRECTIONS {
            for i in 0..main {
                slope_tangent[i] = leading * tangent[i] + history[i];
            }
            slope_tangent[main..].fill(0.0);
            pair.residual_along((y, &self.slope), (tangent, slope_tangent), residual)?;
            self.base.solve(residual);
            for (t, r) in tangent[..main].iter_mut().zip(residual.iter()) {
                *t -= r;
            }
            let size = self.base.norm(residual);
            if size <= CORRECTION * self.base.norm(tangent) || size >= 0.5 * before {
                break;
            }
            before = size;
        }
        Ok(())
    }

    /// Tangents of charge and energy.
    fn integrals(&self, index: usize, y: &[f64], leading: f64, tangent: &mut [f64]) {
        let l = self.base.layout;
        let (current, voltage) = (tangent[l.current], tangent[l.voltage]);
        tangent[l.integrals..].fill(0.0);
        let power = current * y[l.voltage] + y[l.current] * voltage;
        for (place, rate) in [(integral::CHARGE, current), (integral::ENERGY, power)] {
            let at = l.integrals + place;
            tangent[at] = (rate - self.histories[index][at]) / leading;
        }
    }

    /// Tangents at `y` of which the concentrations, temperature and integrals are those of `known`: the potentials
    /// follow at once.
    pub(super) fn project(&mut self, y: &[f64], known: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, Trouble> {
        self.slope.fill(0.0);
        self.factor(y, INSTANT)?;
        for (history, known) in self.histories.iter_mut().zip(known) {
            for (h, k) in history.iter_mut().zip(known) {
                *h = -INSTANT * k;
            }
        }
        let mut tangents = vec![vec![0.0; y.len()]; known.len()];
        self.solve(y, INSTANT, &mut tangents)?;
        Ok(tangents)
    }

    fn begin(&mut self, time: f64, y: &[f64]) -> Result<(), Trouble> {
        self.set_time(time);
        self.base.set_weights(y);
        let known = std::mem::take(&mut self.points[0].tangents);
        let tangents = self.project(y, &known)?;
        self.points.clear();
        self.points.push(Point { time, y: y.to_vec(), tangents });
        self.interpolated = 1;
        self.start_slopes = None;
        Ok(())
    }

    fn multistep(&mut self, time: f64, y: &[f64], leading: f64, order: usize) -> Result<(), Trouble> {
        self.set_time(time);
        self.base.set_weights(y);
        let used = if order == 1 { 1 } else { (order + 1).min(self.points.len()) };
        let times: Vec<f64> = self.points[..used].iter().map(|p| p.time).collect();
        let weights = multistep(&times, time, leading);
        combine(&weights, self.points.iter().map(|p| p.y.as_slice()), &mut self.slope);
        for (s, y) in self.slope.iter_mut().zip(y) {
            *s += leading * y;
        }
        self.factor(y, leading)?;
        let mut next = std::mem::take(&mut self.spare);
        next.tangents.resize_with(self.pairs.len(), || vec![0.0; y.len()]);
        for (index, history) in self.histories.iter_mut().enumerate() {
            combine(&weights, self.points.iter().map(|p| p.tangents[index].as_slice()), history);
        }
        self.solve(y, leading, &mut next.tangents)?;
        next.time = time;
        next.y.clear();
        next.y.extend_from_slice(y);
        self.points.insert(0, next);
        if self.points.len() > MOST {
            self.spare = self.points.pop().unwrap_or_default();
        }
        self.interpolated = (order + 1).min(self.points.len());
        Ok(())
    }

    /// Slopes of the tangents at the start of a one-step step.
    fn first_slopes(&mut self, y: &[f64], slope: &[f64]) -> Result<Vec<Vec<f64>>, Trouble> {
        let leading = 1.0 / SLOPE_STEP;
        self.slope.copy_from_slice(slope);
        self.factor(y, leading)?;
        let differential = self.base.differential();
        let start = std::mem::take(&mut self.points[0].tangents);
        for (history, start) in self.histories.iter_mut().zip(&start) {
            for (h, s) in history.iter_mut().zip(start) {
                *h = -leading * s;
            }
        }
        let mut slopes = vec![vec![0.0; y.len()]; start.len()];
        self.solve(y, leading, &mut slopes)?;
        for (slope, start) in slopes.iter_mut().zip(&start) {
            for (i, (a, s)) in slope.iter_mut().zip(start).enumerate() {
                *a = if differential.get(i).is_none_or(|d| *d) { leading * (*a - s) } else { 0.0 };
            }
        }
        self.points[0].tangents = start;
        Ok(slopes)
    }

    fn one_step(
        &mut self,
        start: f64,
        length: f64,
        stages: &[Vec<f64>],
        slopes: &[Vec<f64>],
    ) -> Result<(), Trouble> {
        let count = self.pairs.len();
        let n = self.base.layout.dimension;
        let leading = 1.0 / (GAMMA * length);
        self.set_time(start);
        self.base.set_weights(&stages[0]);
        let first = match self.start_slopes.take() {
            Some(first) => first,
            None => self.first_slopes(&stages[0], &slopes[0])?,
        };
        let before = self.points[0].tangents.clone();
        let differential = self.base.differential();
        let mut stage_slopes = vec![first];
        let mut stage_tangents = vec![before];
        for stage in 1..STAGES {
            self.set_time(start + NODES[stage] * length);
            self.slope.copy_from_slice(&slopes[stage]);
            self.factor(&stages[stage], leading)?;
            for (index, history) in self.histories.iter_mut().enumerate() {
                let mut known = stage_tangents[0][index].clone();
                for (coefficient, slopes) in A[stage][..stage].iter().zip(&stage_slopes) {
                    for (b, s) in known.iter_mut().zip(&slopes[index]) {
                        *b += length * coefficient * s;
                    }
                }
                for (h, b) in history.iter_mut().zip(&known) {
                    *h = -leading * b;
                }
            }
            let mut tangents = vec![vec![0.0; n]; count];
            self.solve(&stages[stage], leading, &mut tangents)?;
            let changes = tangents.iter().zip(&self.histories).map(|(tangent, history)| {
                let change = tangent.iter().zip(history).enumerate().map(|(i, (t, h))| {
                    if differential.get(i).is_none_or(|d| *d) { leading * t + h } else { 0.0 }
                });
                change.collect()
            });
            let changes: Vec<Vec<f64>> = changes.collect();
            stage_slopes.push(changes);
            stage_tangents.push(tangents);
        }
        self.start_slopes = stage_slopes.pop();
        self.points.clear();
        for stage in INTERPOLATED.into_iter().rev().chain([0]) {
            let tangents = std::mem::take(&mut stage_tangents[stage]);
            self.points.push(Point {
                time: start + NODES[stage] * length,
                y: stages[stage].clone(),
                tangents,
            });
        }
        self.interpolated = self.points.len();
        Ok(())
    }

    /// Weights of the points in value and slope at `time`.
    pub(super) fn weights(&self, time: f64) -> [[f64; MOST]; 2] {
        let times: Vec<f64> = self.points[..self.interpolated].iter().map(|p| p.time).collect();
        polynomial(&times, time)
    }

    /// Derivatives of an output at a time that stays.
    fn fill_output(&mut self, place: usize) {
        let time = self.result.time_s[place];
        let [value, slope] = self.weights(time);
        let l = self.base.layout;
        let area = self.inputs.parameters.total_area_m2();
        let points = &self.points[..self.interpolated];
        let of_state = |w: &[f64], at: usize| points.iter().zip(w).map(|(p, w)| w * p.y[at]).sum::<f64>();
        let charge = l.integrals + integral::CHARGE;
        for (index, pair) in self.pairs.iter().enumerate() {
            let shift = self.shifts[index];
            let tangent = |at: usize| {
                let own: f64 = points.iter().zip(&value).map(|(p, w)| w * p.tangents[index][at]).sum();
                match (shift == 0.0, points.len()) {
                    (true, _) => own,
                    (false, 1) => f64::NAN,
                    _ => own - of_state(&slope, at) * shift,
                }
            };
            let by_area = pair.of_sets(crate::ParameterSet::total_area_m2);
            self.result.voltage_v[index][place] = tangent(l.voltage);
            self.result.current_a[index][place] =
                tangent(l.current) * area + of_state(&value, l.current) * by_area;
            self.result.temperature_k[index][place] = tangent(l.temperature);
            self.result.discharge_capacity_ah[index][place] =
                (tangent(charge) * area + of_state(&value, charge) * by_area) / 3600.0;
        }
    }

    fn fill_waiting(&mut self) {
        for place in std::mem::take(&mut self.waiting) {
            self.fill_output(place);
        }
    }
}

impl Follower for Forward<'_> {
    fn follow(&mut self, entry: Entry<'_>) -> Result<(), CellError> {
        let (time, outcome) = match entry {
            Entry::Hold { held, slope, start } => {
                self.base.control = held.row(self.inputs.parameters);
                self.base.control_slope = slope.row(self.inputs.parameters).value();
                self.base.control_start = start;
                for pair in &mut self.pairs {
                    pair.hold(held, slope, start);
                }
                return Ok(());
            }
            Entry::Begin { time, y } => (time, self.begin(time, y)),
            Entry::Step(LastStep::Multistep { time, y, leading, order }) => {
                (time, self.multistep(time, y, leading, order))
            }
            Entry::Step(LastStep::OneStep { start, length, stages, slopes }) => {
                (start + length, self.one_step(start, length, stages, slopes))
            }
            Entry::End { step, cause, time, y } => {
                self.fill_waiting();
                return self.end(step, cause, (time, y));
            }
        };
        outcome.map_err(|trouble| located(&self.base, time, trouble))?;
        if self.interpolated > 1 {
            self.fill_waiting();
        }
        Ok(())
    }

    fn output(&mut self, time: f64) {
        let place = self.result.time_s.len();
        self.result.time_s.push(time);
        for list in [
            &mut self.result.voltage_v,
            &mut self.result.current_a,
            &mut self.result.temperature_k,
            &mut self.result.discharge_capacity_ah,
        ] {
            for values in list {
                values.push(f64::NAN);
            }
        }
        if self.interpolated > 1 {
            self.fill_output(place);
        } else {
            self.waiting.push(place);
        }
    }
}
