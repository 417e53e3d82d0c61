//! From blocks of independent replicas to diffusivities with errors: plateaus, agreement of estimators, verdicts.

use crate::TensorWithError;
use crate::error::exceeds;
use crate::sampling::{Block, Kind, PAIRS, Symmetric, full, trace};
use scalade_numerics::{mean, variance};
use serde::{Deserialize, Serialize};

/// Square angstrom in square metres.
pub(crate) const SQUARE_ANGSTROM: f64 = 1e-20;
/// Coarser windows may undercut a plateau by this many standard errors of the difference.
const PLATEAU_Z: f64 = 2.0;
/// A fall by less than this share is a plateau however well it is resolved; what is resolved of it enters the error.
const PLATEAU_SHARE: f64 = 0.001;
/// Where there is no such plateau, the longest window with a fall below this share is taken.
const TAIL_SHARE: f64 = 0.03;
/// The diffusivity is read this many levels past the first flat window, so at windows four times as long: what a fall that stays
/// unseen at two standard errors leaves there is a quarter of it even under the slowest tail, 1/t, and the error has doubled meanwhile.
const READING_MARGIN: usize = 2;
/// Share of a fall from t to 4t that is still to come under a tail 1/t.
const REMAINING_SHARE: f64 = 1.0 / 3.0;
/// Relative standard error of a diffusivity's trace above which it is not called converged.
const LARGEST_RELATIVE_ERROR: f64 = 0.3;
/// Standard errors by which the two estimates of the jump diffusivity may differ.
const LARGEST_DISAGREEMENT: f64 = 5.0;
/// Ratio of the variance between replicas to that within above which replicas count as different: the errors then come from replica
/// means alone.
const HETEROGENEITY: f64 = 3.0;

/// A diffusivity with what is known about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Diffusivity {
    /// A plateau was reached.
    Converged {
        /// Tensor, m2/s.
        tensor: TensorWithError,
        /// Degrees of freedom of the standard errors: blocks less one, or replicas less one where replicas differ.
        degrees_of_freedom: usize,
        /// Window length from which the slope was taken, s.
        window_s: f64,
    },
    /// The mean squared displacement grows slower than time.
    SubDiffusive {
        /// Local exponent d ln M/d ln t at the longest windows.
        exponent: f64,
        /// Its standard error.
        exponent_std: f64,
    },
    /// No number can be given.
    NotConverged {
        /// Why, with numbers.
        reason: String,
    },
}

impl Diffusivity {
    /// Standard error of the trace relative to it: not finite without a tensor or where the trace is not positive. Components of a layered host share their
    /// noise only weakly, so that their errors are added in quadrature.
    pub fn relative_error(&self) -> f64 {
        let Some(found) = self.tensor() else { return f64::INFINITY };
        let trace: f64 = (0..3).map(|a| found.value_m2_s[a][a]).sum();
        let error = (0..3).map(|a| found.std_m2_s[a][a].powi(2)).sum::<f64>().sqrt();
        if trace > 0.0 { error / trace } else { f64::INFINITY }
    }

    /// The tensor if there is one.
    pub fn tensor(&self) -> Option<&TensorWithError> {
        match self {
            Self::Converged { tensor, .. } => Some(tensor),
            _ => None,
        }
    }
}

/// A number with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithError {
    /// Value.
    pub value: f64,
    /// Standard error.
    pub std: f64,
}

/// Levels of a running diffusivity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plateau {
    /// The shortest window that longer ones do not undercut.
    pub flat_from: usize,
    /// Where the diffusivity is read.
    pub read_at: usize,
}

/// The blocks and the window chosen for each kind of diffusivity.
pub(crate) struct Judged<'a> {
    pub blocks: &'a [&'a Block],
    pub per_replica: usize,
    pub complete: bool,
    pub equilibrated: bool,
    pub single_file: bool,
    pub hop_angstrom: f64,
    pub ions_per_carrier: f64,
    /// The estimator of single ions with the smaller error.
    pub tracer: Kind,
    /// The estimator of collective motion with the smaller error.
    pub collective: Kind,
    /// By [`Kind`].
    pub plateau: [Option<Plateau>; Kind::COUNT],
}

impl Judged<'_> {
    pub fn with_plateaus(mut self) -> Self {
        let kinds = [Kind::IonSquares, Kind::IonDrift, Kind::TotalSquares, Kind::TotalDrift];
        self.plateau = kinds.map(|kind| self.find_plateau(kind));
        let quieter = |one: Kind, other: Kind| if self.error(other) < self.error(one) { other } else { one };
        (self.tracer, self.collective) =
            (quieter(Kind::IonSquares, Kind::IonDrift), quieter(Kind::TotalDrift, Kind::TotalSquares));
        self
    }

    /// Standard error of the trace where it is read.
    fn error(&self, kind: Kind) -> f64 {
        self.read(kind).map_or(f64::INFINITY, |values| self.mean_error(&values).1)
    }

    /// Traces of the blocks where the diffusivity is read.
    fn read(&self, kind: Kind) -> Option<Vec<f64>> {
        self.plateau[kind as usize].map(|p| self.traces(kind, p.read_at))
    }

    fn levels(&self) -> usize {
        self.blocks.first().map_or(0, |b| b.levels())
    }

    fn traces(&self, kind: Kind, level: usize) -> Vec<f64> {
        self.blocks.iter().map(|b| trace(&b.running(kind, level))).collect()
    }

    /// Mean, standard error and its degrees of freedom: from all blocks, or from replica means where these scatter more
    /// than blocks within a replica explain (analysis of variance).
    pub fn mean_error(&self, values: &[f64]) -> (f64, f64, usize) {
        let n = values.len().max(1) as f64;
        let replicas: Vec<f64> = values.chunks(self.per_replica.max(1)).map(mean).collect();
        let within: f64 =
            values.chunks(self.per_replica.max(1)).map(variance).sum::<f64>() / replicas.len() as f64;
        let between = variance(&replicas) * self.per_replica as f64;
        let (squared, degrees) = if self.per_replica > 1 && between > HETEROGENEITY * within {
            (variance(&replicas) / replicas.len() as f64, replicas.len().saturating_sub(1))
        } else {
            (variance(values) / n, values.len().saturating_sub(1))
        };
        (mean(values), squared.sqrt(), degrees)
    }

    /// The shortest window whose running diffusivity the two next longer windows do not undercut: differences are taken block by
    /// block, so that the common noise drops out. Only a fall counts: D(t) of reversible dynamics cannot rise. A fall within the noise goes
    /// unseen, so that the value there lies too high by a good part of its own error on average; it is read further along.
    fn find_plateau(&self, kind: Kind) -> Option<Plateau> {
        let levels = self.levels();
        if self.blocks.len() < 8 || levels <= READING_MARGIN {
            return None;
        }
        let flat = |level: usize, share: f64| {
            let here = mean(&self.traces(kind, level)).abs();
            (1..=READING_MARGIN).all(|further| {
                let (fall, error) = self.fall(kind, level, level + further);
                fall <= PLATEAU_Z * error + share * here
            })
        };
        let first = self.blocks.first().map_or(0, |b| b.first_level(kind));
        let mut all = first..levels - READING_MARGIN;
        let shortest = all.clone().find(|level| flat(*level, PLATEAU_SHARE));
        let flat_from = shortest.or_else(|| all.rfind(|level| flat(*level, TAIL_SHARE)))?;
        Some(Plateau { flat_from, read_at: flat_from + READING_MARGIN })
    }

    /// Fall of the trace between two levels with its standard error.
    fn fall(&self, kind: Kind, from: usize, to: usize) -> (f64, f64) {
        let pairs = self.traces(kind, from).into_iter().zip(self.traces(kind, to));
        let (fall, error, _) = self.mean_error(&pairs.map(|(here, there)| here - there).collect::<Vec<_>>());
        (fall, error)
    }

    /// Tensor where it is read. What is still to come of a fall that is resolved adds to the errors in quadrature.
    fn tensor(&self, kind: Kind, plateau: Plateau) -> TensorWithError {
        let values: Vec<Symmetric> = self.blocks.iter().map(|b| b.running(kind, plateau.read_at)).collect();
        let mut out = self.with_error(&values);
        let systematic = self.remaining_fall(kind, plateau);
        for (value, error) in out.value_m2_s.iter().flatten().zip(out.std_m2_s.iter_mut().flatten()) {
            *error = error.hypot(systematic * value);
        }
        out
    }

    /// Relative error of the trace that longer windows alone bring down, 0 where there is no plateau.
    pub fn systematic(&self, kind: Kind) -> f64 {
        self.plateau[kind as usize].map_or(0.0, |p| self.remaining_fall(kind, p).abs())
    }

    /// Relative fall of the trace still to come, 0 if the fall so far is below two standard errors.
    fn remaining_fall(&self, kind: Kind, plateau: Plateau) -> f64 {
        let (fall, error) = self.fall(kind, plateau.flat_from, plateau.read_at);
        let value = mean(&self.traces(kind, plateau.read_at));
        if fall > PLATEAU_Z * error { REMAINING_SHARE * fall / value } else { 0.0 }
    }

    pub fn uncorrelated(&self) -> TensorWithError {
        self.with_error(&self.blocks.iter().map(|b| b.uncorrelated).collect::<Vec<_>>())
    }

    /// Mean squared displacement of an ion over the longest window of each block, square angstrom.
    fn longest_msd(&self) -> Vec<f64> {
        self.blocks.iter().filter_map(|b| b.tracer_msd.last().map(trace)).collect()
    }

    pub fn longest_rms(&self) -> f64 {
        mean(&self.longest_msd()).sqrt()
    }

    /// Difference of the two estimates of the same diffusivity, in standard errors.
    fn disagreement(&self, kind: Kind) -> Option<f64> {
        let (one, other) = if kind.is_tracer() {
            (Kind::IonSquares, Kind::IonDrift)
        } else {
            (Kind::TotalSquares, Kind::TotalDrift)
        };
        let pairs = self.read(one)?.into_iter().zip(self.read(other)?);
        let (gap, error, _) = self.mean_error(&pairs.map(|(a, b)| a - b).collect::<Vec<_>>());
        (error > 0.0).then(|| gap / error)
    }

    pub fn verdict(&self, kind: Kind) -> Diffusivity {
        let no = |reason: String| Diffusivity::NotConverged { reason };
        let name = if kind.is_tracer() { "tracer diffusivity" } else { "jump diffusivity" };
        if !self.complete {
            return no(format!(
                "{name}: the hop rate rose more than twentyfold over the pilot's; equilibrate longer"
            ));
        }
        if !self.equilibrated {
            return no(format!("{name}: the energy still drifts after equilibration; raise the sweeps"));
        }
        if kind.is_tracer() && self.single_file {
            let (exponent, exponent_std) = self.exponent();
            return Diffusivity::SubDiffusive { exponent, exponent_std };
        }
        let rms = (mean(&self.longest_msd()) * self.ions_per_carrier).sqrt();
        if exceeds(self.hop_angstrom, rms) {
            return no(format!(
                "{name}: carriers moved {rms:.3} angstrom (rms) in the longest window, less than one hop of {:.3}; hops are undone, raise the budget",
                self.hop_angstrom
            ));
        }
        let Some(plateau) = self.plateau[kind as usize] else {
            return no(format!(
                "{name}: the running diffusivity still falls at the longest window; raise the budget"
            ));
        };
        if let Some(z) = self.disagreement(kind).filter(|z| z.abs() > LARGEST_DISAGREEMENT) {
            return no(format!(
                "{name}: displacements and drift give values {z:.1} standard errors apart; raise the budget"
            ));
        }
        let (value, error, degrees_of_freedom) = self.mean_error(&self.traces(kind, plateau.read_at));
        if exceeds(error, LARGEST_RELATIVE_ERROR * value) {
            return no(format!(
                "{name}: trace {:.3e} m2/s with standard error {:.3e}; raise the budget",
                value * SQUARE_ANGSTROM,
                error * SQUARE_ANGSTROM
            ));
        }
        let window_s = self.blocks.first().map_or(0.0, |b| b.interval_s) * (1u64 << plateau.read_at) as f64;
        let tensor = self.tensor(kind, plateau);
        Diffusivity::Converged { tensor, degrees_of_freedom, window_s }
    }

    /// Local exponent of the tracer's mean squared displacement at the longest windows.
    fn exponent(&self) -> (f64, f64) {
        let values: Vec<f64> = self
            .blocks
            .iter()
            .filter_map(|b| match b.tracer_msd.as_slice() {
                [.., before, last] => Some((trace(last) / trace(before)).log2()).filter(|v| v.is_finite()),
                _ => None,
            })
            .collect();
        let (value, error, _) = self.mean_error(&values);
        (value, error)
    }

    /// Ratio of two traces (`None` is the uncorrelated part), its error from the scatter of linearised block values.
    pub fn ratio(&self, above: Kind, below: Option<Kind>) -> Option<WithError> {
        let series = |kind: Kind| {
            self.verdict(kind).tensor()?;
            self.read(kind)
        };
        let uncorrelated = || self.blocks.iter().map(|b| trace(&b.uncorrelated)).collect::<Vec<_>>();
        let a = series(above)?;
        let b = match below {
            Some(kind) => series(kind)?,
            None => uncorrelated(),
        };
        let (top, bottom) = (mean(&a), mean(&b));
        let value = top / bottom;
        let linear: Vec<f64> = a.iter().zip(&b).map(|(p, q)| (p - value * q) / bottom).collect();
        let (_, noise, _) = self.mean_error(&linear);
        // What is still to come of the falls moves the ratio too.
        let fall = |kind: Kind| self.plateau[kind as usize].map_or(0.0, |p| self.remaining_fall(kind, p));
        let std = noise.hypot(value * fall(above).hypot(below.map_or(0.0, fall)));
        (value.is_finite() && std.is_finite()).then_some(WithError { value, std })
    }

    pub fn running(&self) -> Vec<[f64; 5]> {
        let first = self.blocks.first().map_or(0, |b| b.first_level(self.tracer));
        (first..self.levels())
            .map(|level| {
                let interval = self.blocks.first().map_or(0.0, |b| b.interval_s) * (1u64 << level) as f64;
                let (tracer, tracer_error, _) = self.mean_error(&self.traces(self.tracer, level));
                let (jump, jump_error, _) = self.mean_error(&self.traces(self.collective, level));
                let unit = SQUARE_ANGSTROM / 3.0;
                [interval, tracer * unit, tracer_error * unit, jump * unit, jump_error * unit]
            })
            .collect()
    }

    /// Traces of the mean squared displacements of an ion, and of the total one over the number of ions, against the window.
    pub fn displacements(&self) -> Vec<[f64; 5]> {
        let Some(block) = self.blocks.first() else { return Vec::new() };
        let first = block.first_ion_level;
        let single = |b: &&Block, level: usize| b.tracer_msd.get(level - first).map_or(f64::NAN, trace);
        let total = |b: &&Block, level: usize| b.total_msd.get(level).map_or(f64::NAN, trace);
        (first..first + block.tracer_msd.len())
            .map(|level| {
                let of = |get: &dyn Fn(&&Block, usize) -> f64| {
                    self.mean_error(&self.blocks.iter().map(|b| get(b, level)).collect::<Vec<_>>())
                };
                let ((ion, ion_error, _), (all, all_error, _)) = (of(&single), of(&total));
                [block.interval_s * (1u64 << level) as f64, ion, ion_error, all, all_error]
            })
            .collect()
    }

    fn with_error(&self, values: &[Symmetric]) -> TensorWithError {
        let (mut value, mut error) = ([0.0; 6], [0.0; 6]);
        for k in 0..PAIRS.len() {
            let component: Vec<f64> = values.iter().map(|v| v[k]).collect();
            let (m, e, _) = self.mean_error(&component);
            value[k] = m * SQUARE_ANGSTROM;
            error[k] = e * SQUARE_ANGSTROM;
        }
        TensorWithError { value_m2_s: full(&value), std_m2_s: full(&error) }
    }
}
