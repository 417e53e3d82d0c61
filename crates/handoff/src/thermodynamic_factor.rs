//! Thermodynamic factor d(mu/kT)/d ln x over composition and temperature.

use crate::HandoffError;
use crate::domain::{check_finite, check_stoichiometries};
use scalade_numerics::Pchip;
use scalade_units::constants::BOLTZMANN_EV;
use serde::{Deserialize, Serialize};

/// What a thermodynamic factor is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThermodynamicFactorTable {
    /// Working ions per site, strictly increasing within (0, 1).
    pub stoichiometry: Vec<f64>,
    /// Temperatures, K, strictly increasing.
    pub temperature_k: Vec<f64>,
    /// Best values, one list over stoichiometries per temperature.
    pub factor: Vec<Vec<f64>>,
    /// Relative statistical standard error at the reference temperature; the members carry the rest.
    pub relative_standard_error: Vec<f64>,
    /// Index of the reference temperature.
    pub reference: usize,
    /// Ensemble at the reference temperature, one list per member.
    pub members: Vec<Vec<f64>>,
    /// Index of a second temperature at which the ensemble is known too.
    #[serde(default)]
    pub second: Option<usize>,
    /// Ensemble there, one list per member; empty without a second temperature.
    #[serde(default)]
    pub members_at_second: Vec<Vec<f64>>,
}

/// theta(x, T) = d(mu/kT)/d ln x, with ln theta a monotone cubic in x and theta linear in 1/T between the table's temperatures
/// (exact for a regular solution, whose theta is a + b/T).
///
/// Admissible only if positive: inside a spinodal it is not, and a two-phase interval has no thermodynamic factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ThermodynamicFactorTable", into = "ThermodynamicFactorTable")]
pub struct ThermodynamicFactor {
    table: ThermodynamicFactorTable,
    curves: Vec<Pchip>,
    members: Vec<Pchip>,
    members_at_second: Vec<Pchip>,
}

const NAME: &str = "ThermodynamicFactor";

impl TryFrom<ThermodynamicFactorTable> for ThermodynamicFactor {
    type Error = HandoffError;

    fn try_from(table: ThermodynamicFactorTable) -> Result<Self, HandoffError> {
        let x = &table.stoichiometry;
        check_stoichiometries("stoichiometry", x)?;
        let (n, temperatures) = (x.len(), table.temperature_k.len());
        check_finite("temperatures", &table.temperature_k, temperatures)?;
        check_finite("relative standard error", &table.relative_standard_error, n)?;
        if table.factor.len() != temperatures || table.reference >= temperatures {
            let (expected, got) = (temperatures, table.factor.len());
            return Err(HandoffError::Length { what: "curves and reference temperature", expected, got });
        }
        for (index, pair) in table.temperature_k.windows(2).enumerate() {
            if pair[1] <= pair[0] || pair[0] <= 0.0 {
                let want = "temperatures are positive and rise";
                return Err(HandoffError::Value {
                    what: "temperatures",
                    index: index + 1,
                    value: pair[1],
                    want,
                });
            }
        }
        let curve = |values: &Vec<f64>| -> Result<Pchip, HandoffError> {
            check_finite("thermodynamic factor", values, n)?;
            if let Some(i) = values.iter().position(|v| *v <= 0.0) {
                return Err(HandoffError::Inadmissible {
                    hand_off: NAME,
                    requirement: "a positive factor",
                    place: format!("x = {}", x[i]),
                    violation: values[i],
                });
            }
            let logs: Vec<f64> = values.iter().map(|v| v.ln()).collect();
            Pchip::new(x, &logs).map_err(|_| HandoffError::Length {
                what: NAME,
                expected: n,
                got: logs.len(),
            })
        };
        let curves = table.factor.iter().map(curve).collect::<Result<_, _>>()?;
        let members = table.members.iter().map(curve).collect::<Result<_, _>>()?;
        let members_at_second = table.members_at_second.iter().map(curve).collect::<Result<_, _>>()?;
        let expected = if table.second.is_some() { table.members.len() } else { 0 };
        if table.members_at_second.len() != expected {
            let got = table.members_at_second.len();
            return Err(HandoffError::Length { what: "members at the second temperature", expected, got });
        }
        if let Some(index) = table.second.filter(|s| *s >= temperatures || *s == table.reference) {
            let want = "another temperature of the table is due";
            return Err(HandoffError::Value { what: "second temperature", index, value: index as f64, want });
        }
        Ok(Self { table, curves, members, members_at_second })
    }
}

impl From<ThermodynamicFactor> for ThermodynamicFactorTable {
    fn from(factor: ThermodynamicFactor) -> Self {
        factor.table
    }
}

impl ThermodynamicFactor {
    /// The table.
    pub fn table(&self) -> &ThermodynamicFactorTable {
        &self.table
    }

    /// Best values at the compositions `x` and one temperature (K); compositions outside the table are refused.
    pub fn evaluate(&self, x: &[f64], temperature_k: f64) -> Result<Vec<f64>, HandoffError> {
        let t = &self.table.temperature_k;
        let (low, high) = (t[0], t[t.len() - 1]);
        // A kelvin of tolerance at the ends: a table at 300 K serves 298.15 K only if it says so.
        if !(temperature_k >= low - 1e-9 && temperature_k <= high + 1e-9) {
            let variable = "temperature";
            return Err(HandoffError::Domain { hand_off: NAME, variable, value: temperature_k, low, high });
        }
        let right = t.partition_point(|v| *v < temperature_k).min(t.len() - 1);
        let left = right.saturating_sub(1);
        let weight = if right == left {
            1.0
        } else {
            (1.0 / temperature_k - 1.0 / t[left]) / (1.0 / t[right] - 1.0 / t[left])
        };
        x.iter()
            .map(|at| {
                let a = value(&self.curves[left], *at)?;
                let b = value(&self.curves[right], *at)?;
                Ok(a.exp() * (1.0 - weight) + b.exp() * weight)
            })
            .collect()
    }

    /// Values of one member at the compositions `x` and the reference temperature.
    pub fn evaluate_member(&self, member: usize, x: &[f64]) -> Result<Vec<f64>, HandoffError> {
        let curve = self.members.get(member).ok_or(HandoffError::Length {
            what: "ensemble members",
            expected: member + 1,
            got: self.members.len(),
        })?;
        x.iter().map(|at| value(curve, *at).map(f64::exp)).collect()
    }

    /// -d ln theta/d(1/kT) of one member at the compositions `x` between the reference and the second temperature, eV; none without a second
    /// temperature.
    pub fn member_activation_energy_ev(
        &self,
        member: usize,
        x: &[f64],
    ) -> Result<Option<Vec<f64>>, HandoffError> {
        let (Some(second), Some(there)) = (self.table.second, self.members_at_second.get(member)) else {
            return Ok(None);
        };
        let here = self.evaluate_member(member, x)?;
        let inverse = |index: usize| 1.0 / (BOLTZMANN_EV * self.table.temperature_k[index]);
        let change = inverse(second) - inverse(self.table.reference);
        let energy = |(at, here): (&f64, &f64)| value(there, *at).map(|log| -(log - here.ln()) / change);
        x.iter().zip(&here).map(energy).collect::<Result<_, _>>().map(Some)
    }

    /// Relative standard uncertainty at the compositions `x`: that of the nearest composition of the table.
    pub fn relative_standard_error(&self, x: &[f64]) -> Vec<f64> {
        let nodes = &self.table.stoichiometry;
        x.iter()
            .map(|at| {
                let right = nodes.partition_point(|v| v < at).clamp(1, nodes.len() - 1);
                let nearest = if at - nodes[right - 1] <= nodes[right] - at { right - 1 } else { right };
                self.table.relative_standard_error[nearest]
            })
            .collect()
    }
}

fn value(curve: &Pchip, at: f64) -> Result<f64, HandoffError> {
    let (low, high) = curve.domain();
    if at >= low && at <= high {
        Ok(curve.evaluate(at).0)
    } else {
        Err(HandoffError::Domain { hand_off: NAME, variable: "stoichiometry", value: at, low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regular_solution(kelvin: f64, x: f64) -> f64 {
        // I9: theta = 1/(1-c) - 2 Omega c/kT with Omega = 0.04 eV.
        1.0 / (1.0 - x) - 2.0 * 0.04 * x / (scalade_units::constants::BOLTZMANN_EV * kelvin)
    }

    fn table() -> ThermodynamicFactorTable {
        let x: Vec<f64> = (1..=39).map(|i| f64::from(i) / 40.0).collect();
        let at = |t: f64| x.iter().map(|x| regular_solution(t, *x)).collect::<Vec<_>>();
        ThermodynamicFactorTable {
            temperature_k: vec![300.0, 320.0],
            factor: vec![at(300.0), at(320.0)],
            relative_standard_error: vec![0.01; x.len()],
            reference: 0,
            members: vec![at(310.0)],
            second: Some(1),
            members_at_second: vec![at(330.0)],
            stoichiometry: x,
        }
    }

    #[test]
    fn i09_regular_solution() {
        let theta = ThermodynamicFactor::try_from(table()).unwrap();
        let values = theta.evaluate(&[0.2, 0.5], 300.0).unwrap();
        assert!((values[0] - 0.631_092_37).abs() < 1e-8 && (values[1] - 0.452_730_92).abs() < 1e-8);
        let between = theta.evaluate(&[0.5], 310.0).unwrap()[0];
        assert!((between / regular_solution(310.0, 0.5) - 1.0).abs() < 1e-12);
        assert!((theta.evaluate_member(0, &[0.5]).unwrap()[0] - regular_solution(310.0, 0.5)).abs() < 1e-12);
        assert!(theta.evaluate(&[0.5], 298.15).is_err());
        assert!(theta.evaluate(&[0.999], 300.0).is_err());
        assert!(theta.evaluate_member(1, &[0.5]).is_err());
        let energy = theta.member_activation_energy_ev(0, &[0.5]).unwrap().unwrap()[0];
        let logs = (regular_solution(330.0, 0.5) / regular_solution(310.0, 0.5)).ln();
        let expected = logs * BOLTZMANN_EV / (1.0 / 300.0 - 1.0 / 320.0);
        assert!((energy / expected - 1.0).abs() < 1e-10, "{energy} {expected}");
    }

    #[test]
    fn the_second_temperature_is_another_one_with_every_member() {
        assert!(
            ThermodynamicFactor::try_from(ThermodynamicFactorTable { second: Some(0), ..table() }).is_err()
        );
        assert!(
            ThermodynamicFactor::try_from(ThermodynamicFactorTable { second: Some(2), ..table() }).is_err()
        );
        assert!(ThermodynamicFactor::try_from(ThermodynamicFactorTable { second: None, ..table() }).is_err());
        let without = ThermodynamicFactorTable { second: None, members_at_second: Vec::new(), ..table() };
        let without = ThermodynamicFactor::try_from(without).unwrap();
        assert_eq!(without.member_activation_energy_ev(0, &[0.5]).unwrap(), None);
    }

    #[test]
    fn a_spinodal_has_no_admissible_factor() {
        let mut t = table();
        t.factor[0][20] = -0.1;
        assert!(
            matches!(ThermodynamicFactor::try_from(t), Err(HandoffError::Inadmissible { violation, .. }) if violation == -0.1)
        );
    }
}
