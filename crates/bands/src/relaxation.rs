//! Relaxation times.

use crate::error::{BandsError, positive, refuse, within};

/// How long a state lives. Times that differ between k points enter by products of the bands.
#[derive(Clone, Debug, PartialEq)]
pub struct RelaxationTime {
    law: Law,
}

#[derive(Clone, Debug, PartialEq)]
enum Law {
    Constant(f64),
    Power { time_s: f64, exponent: f64, edge_ev: f64 },
    Table { energy_ev: Vec<f64>, time_s: Vec<f64> },
}

impl RelaxationTime {
    /// One time (s) for all states. With 1 s, conductivities are sigma/tau in S/(m s) and heat conductivities kappa_e/tau.
    ///
    /// Errors: a time that is not a finite number > 0.
    pub fn constant(time_s: f64) -> Result<Self, BandsError> {
        Ok(Self { law: Law::Constant(positive("the relaxation time (s)", time_s)?) })
    }

    /// tau = `time_s` (|E - `edge_ev`|/kT)^`exponent`, on both sides of the edge.
    ///
    /// Errors: a time that is not > 0, an exponent outside -1.4 to 10 (below -3/2 the integrals diverge at the edge), an edge that is not finite.
    pub fn power(time_s: f64, exponent: f64, edge_ev: f64) -> Result<Self, BandsError> {
        positive("the relaxation time (s)", time_s)?;
        if !(-1.4..=10.0).contains(&exponent) {
            return refuse("the exponent of the relaxation time", exponent, "-1.4 to 10 is due");
        }
        if !within(edge_ev, 1e5) {
            return refuse("the band edge (eV)", edge_ev, "a finite energy is due");
        }
        Ok(Self { law: Law::Power { time_s, exponent, edge_ev } })
    }

    /// Times (s) at rising energies (eV), ln tau linear between them and constant beyond the ends.
    ///
    /// Errors: fewer than two points, lengths that differ, energies that do not rise, times that are not > 0.
    pub fn table(energy_ev: &[f64], time_s: &[f64]) -> Result<Self, BandsError> {
        if energy_ev.len() < 2 || energy_ev.len() != time_s.len() {
            let want = "two or more energies and a time for each are due";
            let (got, expected) = (time_s.len(), energy_ev.len().max(2));
            return Err(BandsError::Count { what: "relaxation times", got, expected, want });
        }
        for time in time_s {
            positive("a relaxation time (s)", *time)?;
        }
        if let Some(bad) = energy_ev.iter().find(|e| !within(**e, 1e5)) {
            return refuse("an energy of the relaxation times (eV)", *bad, "a finite energy is due");
        }
        if let Some(pair) = energy_ev.windows(2).find(|p| p[1] <= p[0]) {
            return refuse("an energy of the relaxation times (eV)", pair[1], "energies must rise");
        }
        Ok(Self { law: Law::Table { energy_ev: energy_ev.to_vec(), time_s: time_s.to_vec() } })
    }

    /// The time at an energy, s; for the power law without its (kT)^-r, which [`Self::thermal_factor`] holds.
    pub(crate) fn at(&self, energy: f64) -> f64 {
        match &self.law {
            Law::Constant(time) => *time,
            Law::Power { time_s, exponent, edge_ev } => time_s * (energy - edge_ev).abs().powf(*exponent),
            Law::Table { energy_ev, time_s } => {
                let right = energy_ev.partition_point(|e| *e <= energy);
                if right == 0 {
                    return time_s[0];
                }
                if right == energy_ev.len() {
                    return time_s[right - 1];
                }
                let share = (energy - energy_ev[right - 1]) / (energy_ev[right] - energy_ev[right - 1]);
                time_s[right - 1] * (time_s[right] / time_s[right - 1]).powf(share)
            }
        }
    }

    /// What multiplies all times at a temperature.
    pub(crate) fn thermal_factor(&self, kt: f64) -> f64 {
        match &self.law {
            Law::Power { exponent, .. } => kt.powf(-exponent),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_follow_their_laws() {
        let power = RelaxationTime::power(2e-14, -0.5, 1.0).unwrap();
        assert!((power.at(1.25) * power.thermal_factor(0.0625) / 1e-14 - 1.0).abs() < 1e-14);
        assert_eq!(power.at(0.75), power.at(1.25));
        let table = RelaxationTime::table(&[0.0, 1.0, 2.0], &[1e-14, 4e-14, 4e-14]).unwrap();
        assert!((table.at(0.5) / 2e-14 - 1.0).abs() < 1e-14);
        assert_eq!((table.at(-3.0), table.at(1.5), table.at(7.0)), (1e-14, 4e-14, 4e-14));
        assert!(RelaxationTime::constant(0.0).is_err());
        assert!(RelaxationTime::power(1e-14, -2.0, 0.0).is_err());
        assert!(RelaxationTime::power(1e-14, 0.5, f64::NAN).is_err());
        assert!(RelaxationTime::table(&[0.0], &[1.0]).is_err());
        assert!(RelaxationTime::table(&[0.0, 0.0], &[1.0, 1.0]).is_err());
        assert!(RelaxationTime::table(&[0.0, f64::INFINITY], &[1.0, 1.0]).is_err());
        assert!(RelaxationTime::table(&[0.0, 1.0], &[1.0, -1.0]).is_err());
    }
}
