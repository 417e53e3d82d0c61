//! Open-circuit potentials with branches for lithiation and delithiation ([`HysteresisLaw`]).
//!
//! The state of the one-state model depends on nothing but the interfacial current of its node: in the Newton step
//! it is eliminated into the kinetic row of the node, exactly. The state of the current-sigmoid model is a function of
//! the cell current, whose column of the Newton matrix it joins.

use crate::error::CellError;
use crate::expression::FormulaWorkspace;
use crate::options::HysteresisLaw;
use crate::parameters::ActiveMaterial;
use crate::property::{Property, Undefined};

/// Steepness of the current sigmoid, m2/A: `PyBaMM`'s constant.
pub(super) const STEEPNESS: f64 = 100.0;

/// Hysteresis of one family.
#[derive(Debug, Clone)]
pub(crate) struct HysteresisBlock {
    law: HysteresisLaw,
    lithiation: Property,
    delithiation: Property,
    /// Half the decay constant times 3/(F R c_max): rate of h per interfacial current, m2/(A s).
    rate: f64,
    initial: f64,
    /// Steepness of the sigmoid, m2/A.
    pub(super) steepness: f64,
    /// 1 for the negative electrode, -1 for the positive one.
    sign: f64,
    /// Position of the states of the one-state model, node by node.
    pub(super) start: usize,
    /// Position of the cell current.
    pub(super) current: usize,
    /// Half the difference of the branches at each node, V.
    half_gap: Vec<f64>,
    /// State at each node.
    state: Vec<f64>,
    /// Potential above that of the material without hysteresis at each node, V.
    pub(super) departure: Vec<f64>,
    values: [Vec<f64>; 2],
    slopes: [Vec<f64>; 2],
    /// Derivative of the kinetic row with respect to the state, V.
    row_state: Vec<f64>,
    /// Derivative of the kinetic row with respect to the cell current, V m2/A.
    pub(super) row_current: Vec<f64>,
    /// Decay of the state, 1/s, and its rate's derivative with respect to the interfacial current, m2/(A s).
    decay: Vec<f64>,
    drive: Vec<f64>,
    /// Reciprocal of the state's diagonal in the Newton matrix, s; 0 where states do not move.
    eliminated: Vec<f64>,
}

impl HysteresisBlock {
    /// `None` if the law asks for none or the material has no branches; `flux_scale` is 1/(F R).
    pub(super) fn new(
        material: &ActiveMaterial,
        law: HysteresisLaw,
        (sign, flux_scale): (f64, f64),
        count: usize,
    ) -> Result<Option<Self>, CellError> {
        let Some(branches) = &material.hysteresis else { return Ok(None) };
        let decay = match law {
            HysteresisLaw::Off => return Ok(None),
            HysteresisLaw::CurrentSigmoid => 0.0,
            HysteresisLaw::OneState => branches.decay_constant.ok_or_else(|| CellError::Parameter {
                name: match material.name.as_str() {
                    "" => "hysteresis decay constant".to_owned(),
                    name => format!("hysteresis decay constant of {name}"),
                },
                value: f64::NAN,
                requirement: "is not in the parameter set, but the one-state model needs it; give it, or take the current sigmoid".to_owned(),
            })?,
        };
        let zero = || vec![0.0; count];
        Ok(Some(Self {
            law,
            lithiation: branches.lithiation.clone(),
            delithiation: branches.delithiation.clone(),
            rate: 0.5 * decay * 3.0 * flux_scale / material.max_concentration,
            initial: branches.initial_state.unwrap_or(0.0),
            steepness: STEEPNESS,
            sign,
            start: 0,
            current: 0,
            half_gap: zero(),
            state: zero(),
            departure: zero(),
            values: [zero(), zero()],
            slopes: [zero(), zero()],
            row_state: zero(),
            row_current: zero(),
            decay: zero(),
            drive: zero(),
            eliminated: zero(),
        }))
    }

    /// Number of unknowns.
    pub(super) fn len(&self) -> usize {
        if self.law == HysteresisLaw::OneState { self.state.len() } else { 0 }
    }

    /// Positions of the states among the unknowns; empty if they are none.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.len()
    }

    pub(super) fn initialise(&self, y: &mut [f64]) {
        y[self.range()].fill(self.initial);
    }

    /// State at node `k`, between -1 and 1. An unknown may leave this range by the tolerance of the integration;
    /// the potential takes it at the bound.
    pub(super) fn state_at(&self, y: &[f64], k: usize) -> f64 {
        match self.law {
            HysteresisLaw::OneState => y[self.start + k].clamp(-1.0, 1.0),
            _ => self.sign * (self.steepness * y[self.current]).tanh(),
        }
    }

    /// Adds the departure of the potential to `voltage`, which holds the potential without hysteresis, and with
    /// `slope` replaces its derivative along `direction`.
    pub(super) fn evaluate(
        &mut self,
        y: &[f64],
        variables: [&[f64]; 4],
        direction: [f64; 4],
        workspace: &mut FormulaWorkspace,
        voltage: &mut [f64],
        slope: Option<&mut [f64]>,
    ) -> Result<usize, Undefined> {
        let mut outside = 0;
        let branches = [&self.lithiation, &self.delithiation];
        for (i, branch) in branches.into_iter().enumerate() {
            let (value, slopes) = (&mut self.values[i], &mut self.slopes[i]);
            outside += if slope.is_some() {
                branch.evaluate_dual(variables, direction, workspace, value, slopes)?
            } else {
                branch.evaluate(variables, workspace, value)?
            };
        }
        for k in 0..voltage.len() {
            let h = self.state_at(y, k);
            let [low, high] = [self.values[0][k], self.values[1][k]];
            self.state[k] = h;
            self.half_gap[k] = 0.5 * (high - low);
            let potential = 0.5 * ((1.0 + h) * high + (1.0 - h) * low);
            self.departure[k] = potential - voltage[k];
            voltage[k] = potential;
        }
        if let Some(slope) = slope {
            for (k, slope) in slope.iter_mut().enumerate() {
                let h = self.state[k];
                *slope = 0.5 * ((1.0 + h) * self.slopes[1][k] + (1.0 - h) * self.slopes[0][k]);
            }
        }
        Ok(outside)
    }

    /// Rows of the states: dh/dt - rate (j - |j| h).
    pub(super) fn residual(&self, (y, slope): (&[f64], &[f64]), flux: usize, out: &mut [f64]) {
        for (k, i) in self.range().enumerate() {
            let j = y[flux + k];
            out[i] = slope[i] - self.rate * (j - j.abs() * y[i]);
        }
    }

    /// Keeps the derivatives at `y`.
    pub(super) fn keep(&mut self, y: &[f64], flux: usize) {
        for k in 0..self.half_gap.len() {
            if self.law == HysteresisLaw::OneState {
                let (h, j) = (y[self.start + k], y[flux + k]);
                self.row_state[k] = if h.abs() <= 1.0 { -self.half_gap[k] } else { 0.0 };
                self.decay[k] = self.rate * j.abs();
                self.drive[k] = self.rate * (1.0 - j.signum() * h);
            } else {
                let cosine = (self.steepness * y[self.current]).cosh();
                self.row_current[k] = -self.half_gap[k] * self.sign * self.steepness / (cosine * cosine);
            }
        }
    }

    /// What the state of node `k` adds to the derivative of the kinetic row with respect to j once it is
    /// eliminated; with `leading` absent it does not move.
    pub(super) fn factor(&mut self, k: usize, leading: Option<f64>) -> f64 {
        self.eliminated[k] = match (self.law, leading) {
            (HysteresisLaw::OneState, Some(leading)) => 1.0 / (leading + self.decay[k]),
            _ => 0.0,
        };
        self.row_state[k] * self.drive[k] * self.eliminated[k]
    }

    /// What the right-hand side of the state at node `k` takes from that of the kinetic row.
    pub(super) fn known(&self, b: &[f64], k: usize) -> f64 {
        if self.eliminated[k] == 0.0 {
            0.0
        } else {
            self.row_state[k] * self.eliminated[k] * b[self.start + k]
        }
    }

    /// The change of the states, once `b` holds those of the currents at `flux`.
    pub(super) fn finish(&self, b: &mut [f64], flux: usize) {
        for (k, i) in self.range().enumerate() {
            b[i] = (b[i] + self.drive[k] * b[flux + k]) * self.eliminated[k];
        }
    }
}
