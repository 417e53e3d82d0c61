//! The discrete adjoint: the gradient of a scalar of a run by one pass backwards over its time steps.
//!
//! What a scalar L takes from the tangents s of [`super::forward`] is handed back from step to step. From a time step
//! (F_y + a F_y') s = -F_p - F_y' h with h = sum c_i s_i and the derivative b of L with respect to s,
//!
//! ```text
//! (F_y + a F_y')^T l = b,    dL/dp -= l F_p,    dL/dh = -F_y'^T l,
//! ```
//!
//! whatever the number of parameters (Y. Cao, S. Li, L. Petzold, R. Serban, SIAM J. Sci. Comput. 24 (2003) 1076, for
//! the continuous equations; here the discrete ones are transposed, ends of steps and jumps included, so that the
//! result is that of the forward sensitivities to rounding).

use super::LossSlope;
use super::forward::SLOPE_STEP;
use super::pair::Pair;
use super::points::{MOST, combine, multistep, polynomial};
use super::tape::{End, Hold, Piece, Tape, TimeStep};
use crate::model::{CellModel, INSTANT, integral};
use crate::run::Inputs;
use crate::solver::bdf::{DaeSystem, Trouble};
use crate::solver::one_step::{A, GAMMA, INTERPOLATED, NODES, STAGES};

/// Derivatives of the scalar with respect to a vector of unknowns at some time; empty as long as they are 0.
type Bar = Vec<f64>;

/// The pass backwards.
#[derive(Debug)]
pub(super) struct Backward<'a> {
    pub(super) inputs: Inputs<'a>,
    pub(super) base: CellModel,
    pub(super) pairs: Vec<Pair>,
    differential: Vec<bool>,
    held: Option<usize>,
    slope: Vec<f64>,
    scratch: Vec<f64>,
    /// With respect to the parameters.
    pub(super) gradient: Vec<f64>,
    /// With respect to the time at which the present protocol step began.
    pub(super) shift: f64,
    /// With respect to charge and energy there.
    pub(super) start_integrals: [f64; 2],
    pub(super) slopes: LossSlope,
}

/// Adds `weight` times `from` to a bar.
pub(super) fn add(bar: &mut Bar, weight: f64, from: &[f64]) {
    if bar.is_empty() {
        bar.resize(from.len(), 0.0);
    }
    for (b, f) in bar.iter_mut().zip(from) {
        *b += weight * f;
    }
}

/// Times and states that the polynomial after time step `done` of a piece goes through, the latest first.
fn points(piece: &Piece, done: usize) -> (Vec<f64>, Vec<&[f64]>) {
    let node = |i: usize| match i.checked_sub(1).and_then(|i| piece.steps.get(i)) {
        None => (piece.time, piece.y.as_slice()),
        Some(TimeStep::Multistep { time, y, .. }) => (*time, y.as_slice()),
        Some(TimeStep::OneStep { start, length, stages, .. }) => {
            (start + length, stages[STAGES - 1].as_slice())
        }
    };
    match done.checked_sub(1).and_then(|i| piece.steps.get(i)) {
        None => (vec![piece.time], vec![&piece.y]),
        Some(TimeStep::Multistep { order, .. }) => {
            (0..(order + 1).min(done + 1)).map(|back| node(done - back)).unzip()
        }
        Some(TimeStep::OneStep { start, length, stages, .. }) => {
            let stage = |i: usize| (start + NODES[i] * length, stages[i].as_slice());
            INTERPOLATED.into_iter().rev().chain([0]).map(stage).unzip()
        }
    }
}

/// Weights of value and slope at `time` of the polynomial after time step `done`, and those of the states.
pub(super) struct Interpolation<'a> {
    pub(super) states: Vec<&'a [f64]>,
    times: Vec<f64>,
    pub(super) weights: [[f64; MOST]; 2],
}

impl<'a> Interpolation<'a> {
    pub(super) fn new(piece: &'a Piece, done: usize, time: f64) -> Self {
        let (times, states) = points(piece, done);
        let weights = polynomial(&times, time);
        Self { states, times, weights }
    }

    /// Value and slope of one unknown.
    pub(super) fn of(&self, unknown: usize) -> [f64; 2] {
        self.weights.map(|w| self.states.iter().zip(w).map(|(y, w)| w * y[unknown]).sum())
    }

    /// Slope of one unknown at another time.
    pub(super) fn slope_at(&self, time: f64, unknown: usize) -> f64 {
        let [_, slope] = polynomial(&self.times, time);
        self.states.iter().zip(slope).map(|(y, w)| w * y[unknown]).sum()
    }

    pub(super) fn rate(&self, out: &mut [f64]) {
        combine(&self.weights[1], self.states.iter().copied(), out);
    }

    pub(super) fn last_length(&self) -> f64 {
        self.times.get(1).map_or(0.0, |before| (self.times[0] - before).abs())
    }
}

/// The bars of a piece while it is gone through.
pub(super) struct Bars {
    nodes: Vec<Bar>,
    /// Of the stages within the present one-step step, by stage.
    stages: Vec<Bar>,
    one_step: bool,
}

impl Bars {
    fn new(piece: &Piece) -> Self {
        let one_step = matches!(piece.steps.first(), Some(TimeStep::OneStep { .. }));
        Self { nodes: vec![Bar::new(); piece.steps.len() + 1], stages: vec![Bar::new(); STAGES], one_step }
    }

    /// The bar of point `index` of the polynomial after time step `done`.
    pub(super) fn point(&mut self, done: usize, index: usize) -> &mut Bar {
        if self.one_step && done > 0 {
            return match index {
                0 => &mut self.nodes[done],
                3 => &mut self.nodes[done - 1],
                _ => &mut self.stages[INTERPOLATED[2 - index]],
            };
        }
        &mut self.nodes[done - index]
    }
}

impl<'a> Backward<'a> {
    pub(super) fn new(inputs: Inputs<'a>, base: CellModel, pairs: Vec<Pair>, slopes: LossSlope) -> Self {
        let n = base.layout.dimension;
        let count = pairs.len();
        Self {
            inputs,
            differential: base.differential(),
            base,
            pairs,
            held: None,
            slope: vec![0.0; n],
            scratch: vec![0.0; n],
            gradient: vec![0.0; count],
            shift: 0.0,
            start_integrals: [0.0; 2],
            slopes,
        }
    }

    fn hold(&mut self, tape: &Tape, index: usize) {
        if self.held == Some(index) {
            return;
        }
        self.held = Some(index);
        if let Some(Hold { held, slope, start }) = tape.holds.get(index).copied() {
            self.base.control = held.row(self.inputs.parameters);
            self.base.control_slope = slope.row(self.inputs.parameters).value();
            self.base.control_start = start;
            for pair in &mut self.pairs {
                pair.hold(held, slope, start);
            }
        }
    }

    fn set_time(&mut self, time: f64) {
        self.base.set_time(time);
        for pair in &mut self.pairs {
            pair.set_time(time);
        }
    }

    fn moves(&self, unknown: usize) -> bool {
        self.differential.get(unknown).is_none_or(|d| *d)
    }

    /// Goes back through one implicit solution at `y` (with `self.slope`), of which `bar` is known: adds to the
    /// gradient and gives the derivatives with respect to that part of the tangent's slope which comes from earlier
    /// states.
    fn through(&mut self, y: &[f64], leading: f64, mut bar: Bar) -> Result<Bar, Trouble> {
        let l = self.base.layout;
        if bar.is_empty() {
            bar.resize(y.len(), 0.0);
        }
        let [charge, energy] = [integral::CHARGE, integral::ENERGY].map(|place| bar[l.integrals + place]);
        bar[l.current] += (charge + energy * y[l.voltage]) / leading;
        bar[l.voltage] += energy * y[l.current] / leading;
        self.base.linearize(y, &self.slope)?;
        self.base.factor(leading)?;
        self.base.solve_transposed(y, &mut bar);
        for (pair, gradient) in self.pairs.iter_mut().zip(&mut self.gradient) {
            pair.residual_by_parameter(&self.base, (y, &self.slope), &mut self.scratch)?;
            let product: f64 = bar[..l.integrals].iter().zip(&self.scratch).map(|(a, b)| a * b).sum();
            *gradient -= product;
        }
        let mut out = vec![0.0; y.len()];
        self.base.mass_times(&bar, &mut out);
        for value in &mut out {
            *value = -*value;
        }
        out[l.integrals..].fill(0.0);
        out[l.integrals + integral::CHARGE] = -charge / leading;
        out[l.integrals + integral::ENERGY] = -energy / leading;
        Ok(out)
    }

    /// Goes back through the projection onto consistent potentials at `y`.
    pub(super) fn project(&mut self, y: &[f64], bar: Bar) -> Result<Bar, Trouble> {
        self.slope.fill(0.0);
        let mut known = self.through(y, INSTANT, bar)?;
        for value in &mut known {
            *value *= -INSTANT;
        }
        Ok(known)
    }

    /// Goes back over a whole run.
    pub(super) fn run(&mut self, tape: &Tape) -> Result<(), (f64, super::Fault)> {
        let mut after = Bar::new();
        let mut step = tape.pieces.iter().filter(|piece| piece.end.is_some()).count();
        for piece in tape.pieces.iter().rev() {
            let mut bars = Bars::new(piece);
            let done = piece.steps.len();
            let at = |fault| (piece.time, fault);
            if let Some(end) = &piece.end {
                step -= 1;
                let hold = piece.steps.last().map_or(piece.hold, TimeStep::hold);
                self.hold(tape, hold);
                self.set_time(end.time);
                let started = tape.start_of(step, self.base.layout.integrals);
                self.end(piece, end, (step, started), std::mem::take(&mut after), &mut bars).map_err(at)?;
            } else {
                bars.nodes[done] = std::mem::take(&mut after);
            }
            let mut next_slopes = Bar::new();
            for index in (1..=done).rev() {
                self.outputs(piece, index, &mut bars);
                self.hold(tape, piece.steps[index - 1].hold());
                match &piece.steps[index - 1] {
                    TimeStep::Multistep { time, y, leading, order, .. } => {
                        self.multistep(piece, index, (*time, y, *leading, *order), &mut bars)
                    }
                    TimeStep::OneStep { start, length, stages, slopes, .. } => {
                        let first = index == 1;
                        let step = (*start, *length, stages.as_slice(), slopes.as_slice());
                        self.one_step(index, step, &mut next_slopes, first, &mut bars)
                    }
                }
                .map_err(|trouble| at(trouble.into()))?;
            }
            self.outputs(piece, 0, &mut bars);
            self.hold(tape, piece.hold);
            self.set_time(piece.time);
            let bar = std::mem::take(&mut bars.nodes[0]);
            after = self.project(&piece.y, bar).map_err(|trouble| at(trouble.into()))?;
        }
        for (pair, gradient) in self.pairs.iter().zip(&mut self.gradient) {
            let rested = pair.rested();
            *gradient += after.iter().zip(&rested).map(|(a, b)| a * b).sum::<f64>();
        }
        Ok(())
    }

    /// Takes the outputs after time step `done`.
    fn outputs(&mut self, piece: &Piece, done: usize, bars: &mut Bars) {
        let l = self.base.layout;
        let area = self.inputs.parameters.total_area_m2();
        let charge = l.integrals + integral::CHARGE;
        for output in piece.outputs.iter().filter(|output| output.after == done) {
            let of = |list: &[f64]| list.get(output.place).copied().unwrap_or(0.0);
            let (current, drawn) = (of(&self.slopes.current_a), of(&self.slopes.discharge_capacity_ah));
            let weights = [
                (l.voltage, of(&self.slopes.voltage_v)),
                (l.current, current * area),
                (l.temperature, of(&self.slopes.temperature_k)),
                (charge, drawn * area / 3600.0),
            ];
            if weights.iter().all(|(_, weight)| *weight == 0.0) {
                continue;
            }
            let at = Interpolation::new(piece, done, output.time);
            for (unknown, weight) in weights {
                for (index, share) in at.weights[0][..at.states.len()].iter().enumerate() {
                    let bar = bars.point(done, index);
                    bar.resize(l.dimension, 0.0);
                    bar[unknown] += weight * share;
                }
                self.shift -= weight * at.of(unknown)[1];
            }
            let by_area = current * at.of(l.current)[0] + drawn * at.of(charge)[0] / 3600.0;
            for (pair, gradient) in self.pairs.iter().zip(&mut self.gradient) {
                *gradient += by_area * pair.of_sets(crate::ParameterSet::total_area_m2);
            }
        }
    }

    fn multistep(
        &mut self,
        piece: &Piece,
        index: usize,
        (time, y, leading, order): (f64, &[f64], f64, usize),
        bars: &mut Bars,
    ) -> Result<(), Trouble> {
        let used = if order == 1 { 1 } else { (order + 1).min(index).min(MOST) };
        let nodes = (1..=used).map(|back| match (index - back).checked_sub(1).map(|i| &piece.steps[i]) {
            Some(TimeStep::Multistep { time, y, .. }) => (*time, y.as_slice()),
            _ => (piece.time, piece.y.as_slice()),
        });
        let (times, states): (Vec<f64>, Vec<&[f64]>) = nodes.unzip();
        let weights = multistep(&times, time, leading);
        combine(&weights, states.into_iter(), &mut self.slope);
        for (s, y) in self.slope.iter_mut().zip(y) {
            *s += leading * y;
        }
        self.set_time(time);
        let bar = std::mem::take(&mut bars.nodes[index]);
        let history = self.through(y, leading, bar)?;
        for (back, weight) in weights[..used].iter().enumerate() {
            add(&mut bars.nodes[index - 1 - back], *weight, &history);
        }
        Ok(())
    }

    /// `next_slopes` holds the bar of the slopes at the end of the step, and gets that of those at its start; where
    /// the step is the `first` of its piece, these come from its state.
    fn one_step(
        &mut self,
        index: usize,
        (start, length, stages, slopes): (f64, f64, &[Vec<f64>], &[Vec<f64>]),
        next_slopes: &mut Bar,
        first: bool,
        bars: &mut Bars,
    ) -> Result<(), Trouble> {
        let l = self.base.layout;
        let n = l.dimension;
        let leading = 1.0 / (GAMMA * length);
        let mut slope_bars = vec![vec![0.0; n]; STAGES];
        if !next_slopes.is_empty() {
            slope_bars[STAGES - 1] = std::mem::take(next_slopes);
        }
        let mut tangents = std::mem::replace(&mut bars.stages, vec![Bar::new(); STAGES]);
        tangents[STAGES - 1] = std::mem::take(&mut bars.nodes[index]);
        for stage in (1..STAGES).rev() {
            let mut bar = std::mem::take(&mut tangents[stage]);
            bar.resize(n, 0.0);
            // The slope is leading times the tangent plus the history, which is minus leading times what is known.
            for i in (0..n).filter(|i| self.moves(*i)) {
                bar[i] += leading * slope_bars[stage][i];
            }
            self.set_time(start + NODES[stage] * length);
            self.slope.copy_from_slice(&slopes[stage]);
            let mut history = self.through(&stages[stage], leading, bar)?;
            for i in (0..n).filter(|i| self.moves(*i)) {
                history[i] += slope_bars[stage][i];
            }
            for (earlier, coefficient) in A[stage][..stage].iter().enumerate() {
                add(&mut slope_bars[earlier], -leading * length * coefficient, &history);
            }
            add(&mut bars.nodes[index - 1], -leading, &history);
        }
        let first_slopes = std::mem::take(&mut slope_bars[0]);
        if first {
            self.first_slopes(&stages[0], &slopes[0], (start, &first_slopes), &mut bars.nodes[0])
        } else {
            *next_slopes = first_slopes;
            Ok(())
        }
    }

    /// Goes back through the slopes at the start of the first one-step step.
    fn first_slopes(
        &mut self,
        y: &[f64],
        slope: &[f64],
        (time, bar): (f64, &[f64]),
        to: &mut Bar,
    ) -> Result<(), Trouble> {
        let leading = 1.0 / SLOPE_STEP;
        let scaled: Bar =
            bar.iter().enumerate().map(|(i, b)| if self.moves(i) { leading * b } else { 0.0 }).collect();
        add(to, -1.0, &scaled);
        self.set_time(time);
        self.slope.copy_from_slice(slope);
        let history = self.through(y, leading, scaled)?;
        add(to, -leading, &history);
        Ok(())
    }

    /// Goes back through the end of protocol step `step`.
    fn end(
        &mut self,
        piece: &Piece,
        end: &End,
        (step, started): (usize, (f64, [f64; 2])),
        mut bar: Bar,
        bars: &mut Bars,
    ) -> Result<(), super::Fault> {
        let l = self.base.layout;
        bar.resize(l.dimension, 0.0);
        let area = self.inputs.parameters.total_area_m2();
        let places = [integral::CHARGE, integral::ENERGY].map(|place| l.integrals + place);
        let of = |list: &[f64]| list.get(step).copied().unwrap_or(0.0) / 3600.0;
        let mut before = [0.0; 2];
        for (which, weight) in
            [of(&self.slopes.charge_ah), of(&self.slopes.energy_wh)].into_iter().enumerate()
        {
            bar[places[which]] += self.start_integrals[which] + weight * area;
            before[which] = -weight * area;
            let drawn = end.y[places[which]] - started.1[which];
            for (pair, gradient) in self.pairs.iter().zip(&mut self.gradient) {
                *gradient += weight * drawn * pair.of_sets(crate::ParameterSet::total_area_m2);
            }
        }
        self.start_integrals = before;
        self.shift += self.slopes.end_time_s.get(step).copied().unwrap_or(0.0);
        let done = piece.steps.len();
        let at = Interpolation::new(piece, done, end.time);
        if let Some(cause) = end.cause
            && done > 0
        {
            bar = self.event((&at, end, cause), (started.0, started.1[0]), bar, (done, bars))?;
        }
        for (index, share) in at.weights[0][..at.states.len()].iter().enumerate() {
            add(bars.point(done, index), *share, &bar);
        }
        Ok(())
    }
}
