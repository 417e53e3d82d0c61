//! Traces of current, power or voltage over time.

use crate::error::CellError;
use serde::{Deserialize, Serialize};

/// Most samples of a trace.
const MOST_SAMPLES: usize = 5_000_000;
/// Longest trace, s (10 years).
const LONGEST: f64 = 3.2e8;
/// Least time between samples that are not a jump, s: below it clocks of long runs have no digits left.
const LEAST_INTERVAL: f64 = 1e-6;
/// Longest name, bytes.
const LONGEST_NAME: usize = 4096;

/// What a trace prescribes. Discharge is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DriveQuantity {
    /// Current, A.
    Current,
    /// Current in multiples of the nominal capacity per hour.
    CRate,
    /// Power delivered, W.
    Power,
    /// Terminal voltage, V.
    Voltage,
}

impl DriveQuantity {
    /// Symbol of the unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Current => "A",
            Self::CRate => "C",
            Self::Power => "W",
            Self::Voltage => "V",
        }
    }

    /// Name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::CRate => "C-rate",
            Self::Power => "power",
            Self::Voltage => "voltage",
        }
    }
}

/// What a trace does between its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Hold {
    /// Straight lines from sample to sample.
    #[default]
    Linear,
    /// Each value is held until the next sample.
    Step,
}

/// A part of a trace between neighbouring samples, in which the prescribed value is a straight line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DriveSegment {
    /// Start, s since the trace began.
    pub start_s: f64,
    /// End, s; larger than the start.
    pub end_s: f64,
    /// Value just after the start, in the unit of the quantity.
    pub start_value: f64,
    /// Value just before the end.
    pub end_value: f64,
}

impl DriveSegment {
    /// Value at a time, s, on the line of this segment.
    pub fn value(&self, time_s: f64) -> f64 {
        let fraction = (time_s - self.start_s) / (self.end_s - self.start_s);
        self.start_value + fraction * (self.end_value - self.start_value)
    }
}

/// A trace over time: samples (t, value), the first at t = 0, joined by straight lines or held stepwise. Two
/// samples at the same time are a jump. Beyond its last sample a trace begins anew.
///
/// ```
/// use scalade_cell::{DriveCycle, DriveQuantity, Hold};
/// let times = vec![0.0, 10.0, 10.0, 30.0];
/// let trace = DriveCycle::new("pulse", DriveQuantity::Current, times, vec![0.0, 1.0, 3.0, 1.0], Hold::Linear)?;
/// assert_eq!((trace.value(5.0), trace.value(10.0), trace.value(20.0)), (0.5, 3.0, 2.0));
/// assert_eq!(trace.segment(50.0).end_s, 60.0);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Samples", into = "Samples")]
pub struct DriveCycle {
    name: String,
    quantity: DriveQuantity,
    hold: Hold,
    times_s: Vec<f64>,
    values: Vec<f64>,
}

/// A trace as a document holds it, not yet checked.
#[derive(Serialize, Deserialize)]
struct Samples {
    name: String,
    quantity: DriveQuantity,
    #[serde(default)]
    hold: Hold,
    times_s: Vec<f64>,
    values: Vec<f64>,
}

impl TryFrom<Samples> for DriveCycle {
    type Error = CellError;

    fn try_from(s: Samples) -> Result<Self, CellError> {
        Self::new(&s.name, s.quantity, s.times_s, s.values, s.hold)
    }
}

impl From<DriveCycle> for Samples {
    fn from(c: DriveCycle) -> Self {
        Self { name: c.name, quantity: c.quantity, hold: c.hold, times_s: c.times_s, values: c.values }
    }
}

impl DriveCycle {
    /// A trace of `values` (in the SI unit of `quantity`, discharge positive) at `times_s`. `name` is how a
    /// protocol's text speaks of it, as a rule the file's name.
    ///
    /// # Errors
    /// [`CellError::Trace`] for fewer than 2 or more than 5 million samples, values that are not finite,
    /// times that do not begin at 0, decrease, repeat more than once, lie closer than 1e-6 s or exceed
    /// 3.2e8 s, and names that are empty, longer than 4096 bytes or hold quotes or control characters.
    pub fn new(
        name: &str,
        quantity: DriveQuantity,
        times_s: Vec<f64>,
        values: Vec<f64>,
        hold: Hold,
    ) -> Result<Self, CellError> {
        let fault =
            |message: String| CellError::Trace { name: name.chars().take(120).collect(), line: 0, message };
        check_name(name)?;
        if times_s.len() != values.len() {
            return Err(fault(format!("{} times and {} values", times_s.len(), values.len())));
        }
        if !(2..=MOST_SAMPLES).contains(&values.len()) {
            return Err(fault(format!("{} samples; 2 to {MOST_SAMPLES} are needed", values.len())));
        }
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(fault(format!("value {} of sample {} is not finite", values[index], index + 1)));
        }
        check_times(&times_s)
            .map_err(|(index, message)| fault(format!("sample {}: {message}", index + 1)))?;
        Ok(Self { name: name.to_owned(), quantity, hold, times_s, values })
    }

    /// The same samples under another name.
    ///
    /// # Errors
    /// [`CellError::Trace`] for names that [`Self::new`] refuses.
    pub fn named(mut self, name: &str) -> Result<Self, CellError> {
        check_name(name)?;
        name.clone_into(&mut self.name);
        Ok(self)
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is prescribed.
    pub fn quantity(&self) -> DriveQuantity {
        self.quantity
    }

    /// What happens between samples.
    pub fn hold(&self) -> Hold {
        self.hold
    }

    /// The same samples, joined differently.
    #[must_use]
    pub fn held(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// Times of the samples, s.
    pub fn times_s(&self) -> &[f64] {
        &self.times_s
    }

    /// Values of the samples, in the SI unit of the quantity.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Time of the last sample, s: the length of one pass.
    pub fn length_s(&self) -> f64 {
        self.times_s[self.times_s.len() - 1]
    }

    /// The part of the trace that holds `time_s` (not negative), or begins there if it is that of a sample.
    /// Its end lies beyond `time_s`.
    pub fn segment(&self, time_s: f64) -> DriveSegment {
        let length = self.length_s();
        let last = self.times_s.len() - 1;
        let time = if time_s > 0.0 { time_s } else { 0.0 };
        let mut pass = (time / length).floor();
        let local = (time - pass * length).clamp(0.0, length);
        // Index of the sample that ends the segment.
        let mut end = self.times_s.partition_point(|t| *t <= local).max(1);
        loop {
            if end > last {
                pass += 1.0;
                end = self.times_s.partition_point(|t| *t <= 0.0).max(1);
            }
            let end_s = pass * length + self.times_s[end];
            if end_s > time || end_s.is_nan() || end_s.is_infinite() {
                let held = self.hold == Hold::Step;
                return DriveSegment {
                    start_s: pass * length + self.times_s[end - 1],
                    end_s,
                    start_value: self.values[end - 1],
                    end_value: self.values[if held { end - 1 } else { end }],
                };
            }
            end += 1;
        }
    }

    /// Value at `time_s`; at a jump, the one after it.
    pub fn value(&self, time_s: f64) -> f64 {
        self.segment(time_s).value(time_s)
    }

    /// Largest |value|.
    pub fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |largest, v| largest.max(v.abs()))
    }
}

fn check_name(name: &str) -> Result<(), CellError> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(|c: char| c == '"' || c.is_control()) {
        return Err(CellError::Trace {
            name: name.chars().take(120).collect(),
            line: 0,
            message: format!(
                "its name must have 1 to {LONGEST_NAME} bytes without quotes and control characters"
            ),
        });
    }
    Ok(())
}

/// The first sample whose time does not fit, and why; fewer than two samples are not judged.
pub(super) fn check_times(times: &[f64]) -> Result<(), (usize, String)> {
    if let Some(index) = times.iter().position(|t| !t.is_finite()) {
        return Err((index, format!("time {} is not finite", times[index])));
    }
    if times.first().is_some_and(|t| *t != 0.0) {
        return Err((0, format!("a trace begins at 0 s, not at {} s", times[0])));
    }
    for index in 1..times.len() {
        let (before, now) = (times[index - 1], times[index]);
        if now < before {
            return Err((index, format!("time {now} s comes after {before} s; sort the samples")));
        }
        if now == before && index >= 2 && times[index - 2] == now {
            let message = format!("three samples at {now} s; two are a jump, more mean nothing");
            return Err((index, message));
        }
        if now > before && now - before < LEAST_INTERVAL {
            let interval = now - before;
            return Err((index, format!("{interval:e} s after the one before; at least 1e-6 s are needed")));
        }
    }
    match times {
        [_, .., end] if *end > LONGEST => Err((times.len() - 1, format!("{end} s exceed {LONGEST:e} s"))),
        [_, .., end] if *end == 0.0 => Err((0, "the trace has no duration".to_owned())),
        _ => Ok(()),
    }
}
