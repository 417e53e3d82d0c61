//! Uncertainty of a value.

use serde::{Deserialize, Serialize};

/// How well a value is known. All numbers are in the unit of the value they belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Uncertainty {
    /// None is stated, and why.
    None {
        /// Why there is none (exact by definition, the source states none, ...).
        why: String,
    },
    /// A standard uncertainty (one standard deviation).
    Standard {
        /// The standard deviation, not negative.
        value: f64,
    },
    /// An interval with its coverage probability.
    Interval {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
        /// Coverage probability, in (0, 1).
        level: f64,
    },
    /// Samples of the joint ensemble: sample `k` of every value belongs to member `k` of the ladder.
    Samples {
        /// The samples.
        values: Vec<f64>,
    },
}

impl Uncertainty {
    /// A stated absence of uncertainty.
    pub fn none(why: &str) -> Self {
        Self::None { why: why.to_string() }
    }

    /// Standard deviation, if one can be given. An interval is read as a normal one; samples use the unbiased
    /// estimator sqrt(sum (x - mean)^2 / (n - 1)) and need at least two of them.
    pub fn standard(&self) -> Option<f64> {
        match self {
            Self::None { .. } => None,
            Self::Standard { value } => Some(*value),
            Self::Interval { low, high, level } => {
                Some((high - low) / (2.0 * normal_quantile(0.5 + level / 2.0)))
            }
            Self::Samples { values } => {
                let n = values.len();
                if n < 2 {
                    return None;
                }
                let mean = values.iter().sum::<f64>() / n as f64;
                let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
                Some((squares / (n - 1) as f64).sqrt())
            }
        }
    }

    /// The first reason why this is not a valid uncertainty, if any.
    pub(crate) fn defect(&self) -> Option<String> {
        match self {
            Self::None { why } if why.trim().is_empty() => Some("no reason is given for its absence".into()),
            Self::Standard { value } if !(value.is_finite() && *value >= 0.0) => {
                Some(format!("the standard uncertainty {value} is not a finite number >= 0"))
            }
            Self::Interval { low, high, level }
                if !(low.is_finite() && high.is_finite() && low <= high && *level > 0.0 && *level < 1.0) =>
            {
                Some(format!("the interval [{low}, {high}] at level {level} is not an interval"))
            }
            Self::Samples { values } => {
                let bad = values.iter().position(|v| !v.is_finite());
                bad.map(|i| format!("sample {i} is {}", values[i]))
            }
            _ => None,
        }
    }

    /// All numbers multiplied by `factor` (an interval with a negative factor changes ends).
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        match self {
            Self::None { why } => Self::None { why: why.clone() },
            Self::Standard { value } => Self::Standard { value: value * factor.abs() },
            Self::Interval { low, high, level } => {
                let (a, b) = (low * factor, high * factor);
                Self::Interval { low: a.min(b), high: a.max(b), level: *level }
            }
            Self::Samples { values } => Self::Samples { values: values.iter().map(|v| v * factor).collect() },
        }
    }
}

/// Quantile of the standard normal distribution: rational approximation 26.2.23 of Abramowitz and Stegun
/// (absolute error below 4.5e-4, enough to turn a stated interval into a standard deviation of two digits).
fn normal_quantile(p: f64) -> f64 {
    let q = 1.0 - p;
    let t = (-2.0 * q.ln()).sqrt();
    t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_of_each_kind() {
        assert_eq!(Uncertainty::none("exact").standard(), None);
        assert_eq!(Uncertainty::Standard { value: 0.2 }.standard(), Some(0.2));
        let interval = Uncertainty::Interval { low: -1.959_964, high: 1.959_964, level: 0.95 };
        assert!((interval.standard().unwrap() - 1.0).abs() < 1e-3);
        let samples = Uncertainty::Samples { values: vec![1.0, 2.0, 3.0] };
        assert_eq!(samples.standard(), Some(1.0));
        assert_eq!(Uncertainty::Samples { values: vec![1.0] }.standard(), None);
    }

    #[test]
    fn scaling_keeps_order() {
        let scaled = Uncertainty::Interval { low: 1.0, high: 2.0, level: 0.9 }.scaled(-1.0);
        assert_eq!(scaled, Uncertainty::Interval { low: -2.0, high: -1.0, level: 0.9 });
    }
}
