//! Open-circuit voltage V(x, T): the hand-off from lattice statistics to particles and cells.

use crate::HandoffError;
use crate::domain::{DomainUse, OutOfDomain, check_finite, check_stoichiometries, resolve};
use scalade_numerics::Pchip;
use serde::{Deserialize, Serialize};

/// One member of the ensemble: voltage and entropic coefficient at the table's stoichiometries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoltageMember {
    /// Voltage at the reference temperature, V.
    pub voltage_v: Vec<f64>,
    /// dV/dT at constant composition, V/K.
    pub entropic_v_per_k: Vec<f64>,
}

/// What an open-circuit voltage is made of; [`OpenCircuitVoltage::new`] checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoltageTable {
    /// Working ion.
    pub working_ion: String,
    /// The electrode that the voltage is measured against, such as "Li metal".
    pub reference_electrode: String,
    /// Working ions per site, strictly increasing within [0, 1].
    pub stoichiometry: Vec<f64>,
    /// Best voltage at the reference temperature, V.
    pub voltage_v: Vec<f64>,
    /// Best dV/dT at constant composition, V/K.
    pub entropic_v_per_k: Vec<f64>,
    /// Statistical standard error of the best voltage, V; what the fit below does not know is carried by the members.
    pub standard_error_v: Vec<f64>,
    /// Temperature of `voltage_v`, K.
    pub reference_temperature_k: f64,
    /// Free energy per site relative to the reference electrode at the table's stoichiometries, eV: g(x) - g(x_0), which must
    /// equal -e times the integral of V. Left empty, it is computed.
    pub free_energy_ev: Vec<f64>,
    /// Two-phase intervals in x, where the equilibrium voltage is constant.
    pub two_phase: Vec<[f64; 2]>,
    /// The ensemble; member k belongs to member k of every other hand-off.
    pub members: Vec<VoltageMember>,
    /// Policy outside the table.
    pub out_of_domain: OutOfDomain,
}

/// V(x, T) = V(x, T_ref) + (T - T_ref) dV/dT(x), both monotone cubics in x.
///
/// Admissible only if V does not rise with x outside the declared two-phase intervals (thermodynamic stability) and if the
/// free energy equals minus the integral of V to 1e-10 eV.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "VoltageTable", into = "VoltageTable")]
pub struct OpenCircuitVoltage {
    table: VoltageTable,
    best: (Pchip, Pchip),
    members: Vec<(Pchip, Pchip)>,
}

const NAME: &str = "OpenCircuitVoltage";

impl TryFrom<VoltageTable> for OpenCircuitVoltage {
    type Error = HandoffError;

    fn try_from(table: VoltageTable) -> Result<Self, HandoffError> {
        Self::new(table)
    }
}

impl From<OpenCircuitVoltage> for VoltageTable {
    fn from(voltage: OpenCircuitVoltage) -> Self {
        voltage.table
    }
}

fn interpolant(x: &[f64], y: &[f64]) -> Result<Pchip, HandoffError> {
    Pchip::new(x, y).map_err(|_| HandoffError::Length {
        what: "voltage table",
        expected: x.len(),
        got: y.len(),
    })
}

impl OpenCircuitVoltage {
    /// Checks a table and prepares its interpolants.
    pub fn new(mut table: VoltageTable) -> Result<Self, HandoffError> {
        let x = &table.stoichiometry;
        check_stoichiometries("stoichiometry", x)?;
        let n = x.len();
        check_finite("voltage", &table.voltage_v, n)?;
        check_finite("entropic coefficient", &table.entropic_v_per_k, n)?;
        check_finite("standard error of the voltage", &table.standard_error_v, n)?;
        if let Some(index) = table.standard_error_v.iter().position(|s| *s < 0.0) {
            let value = table.standard_error_v[index];
            return Err(HandoffError::Value {
                what: "standard error of the voltage",
                index,
                value,
                want: "not negative",
            });
        }
        let t = table.reference_temperature_k;
        if !(t.is_finite() && t > 0.0) {
            return Err(HandoffError::Value {
                what: "reference temperature",
                index: 0,
                value: t,
                want: "above 0 K",
            });
        }
        check_intervals(&table.two_phase)?;
        check_monotone("the best curve", x, &table.voltage_v, &table.two_phase)?;
        let best = (interpolant(x, &table.voltage_v)?, interpolant(x, &table.entropic_v_per_k)?);
        let mut members = Vec::with_capacity(table.members.len());
        for (k, member) in table.members.iter().enumerate() {
            check_finite("voltage of a member", &member.voltage_v, n)?;
            check_finite("entropic coefficient of a member", &member.entropic_v_per_k, n)?;
            check_monotone(&format!("member {k}"), x, &member.voltage_v, &table.two_phase)?;
            members.push((interpolant(x, &member.voltage_v)?, interpolant(x, &member.entropic_v_per_k)?));
        }
        let integral: Vec<f64> = x.iter().map(|v| -best.0.integral(*v)).collect();
        if table.free_energy_ev.is_empty() {
            table.free_energy_ev = integral;
        } else {
            check_finite("free energy", &table.free_energy_ev, n)?;
            for (i, (g, want)) in table.free_energy_ev.iter().zip(&integral).enumerate() {
                if (g - want).abs() > 1e-10 {
                    return Err(HandoffError::Inadmissible {
                        hand_off: NAME,
                        requirement: "g(x) - g(x_0) = -e times the integral of V, to 1e-10 eV,",
                        place: format!("x = {}", table.stoichiometry[i]),
                        violation: g - want,
                    });
                }
            }
        }
        Ok(Self { table, best, members })
    }

    /// The table.
    pub fn table(&self) -> &VoltageTable {
        &self.table
    }

    /// Number of ensemble members.
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Voltage (V), dV/dx (V) and dV/dT (V/K) at the stoichiometries `x` and one temperature (K), of the best curve
    /// (`member = None`) or of an ensemble member. The three output slices must be as long as `x`.
    pub fn evaluate(
        &self,
        member: Option<usize>,
        x: &[f64],
        temperature_k: f64,
        voltage_v: &mut [f64],
        slope_v: &mut [f64],
        entropic_v_per_k: &mut [f64],
    ) -> Result<DomainUse, HandoffError> {
        for (what, length) in [
            ("voltage", voltage_v.len()),
            ("slope", slope_v.len()),
            ("entropic coefficient", entropic_v_per_k.len()),
        ] {
            if length != x.len() {
                return Err(HandoffError::Length { what, expected: x.len(), got: length });
            }
        }
        let (voltage, entropic) = match member {
            None => (&self.best.0, &self.best.1),
            Some(k) => self.members.get(k).map(|m| (&m.0, &m.1)).ok_or(HandoffError::Length {
                what: "ensemble members",
                expected: k + 1,
                got: self.members.len(),
            })?,
        };
        let dt = temperature_k - self.table.reference_temperature_k;
        let mut count = DomainUse::default();
        for (i, value) in x.iter().enumerate() {
            let (at, flat) = resolve(self.table.out_of_domain, NAME, *value, voltage.domain(), &mut count)?;
            let (v, dv) = voltage.evaluate(at);
            let (s, ds) = entropic.evaluate(at);
            voltage_v[i] = v + dt * s;
            slope_v[i] = if flat { 0.0 } else { dv + dt * ds };
            entropic_v_per_k[i] = s;
        }
        Ok(count)
    }

    /// The voltage with every value multiplied by `factor` (a re-tuned hand-off; the caller keeps the record).
    pub fn scaled(&self, factor: f64) -> Result<Self, HandoffError> {
        let mut table = self.table.clone();
        let scale = |list: &mut Vec<f64>| list.iter_mut().for_each(|v| *v *= factor);
        scale(&mut table.voltage_v);
        scale(&mut table.entropic_v_per_k);
        scale(&mut table.standard_error_v);
        table.members.iter_mut().for_each(|m| {
            scale(&mut m.voltage_v);
            scale(&mut m.entropic_v_per_k);
        });
        table.free_energy_ev.clear();
        Self::new(table)
    }
}

fn check_intervals(two_phase: &[[f64; 2]]) -> Result<(), HandoffError> {
    let mut last = 0.0;
    for (index, [low, high]) in two_phase.iter().enumerate() {
        if !(*low >= last && high > low && *high <= 1.0) {
            let want = "two-phase intervals rise, do not overlap, and lie within [0, 1]";
            return Err(HandoffError::Value { what: "two-phase intervals", index, value: *low, want });
        }
        last = *high;
    }
    Ok(())
}

fn check_monotone(who: &str, x: &[f64], v: &[f64], two_phase: &[[f64; 2]]) -> Result<(), HandoffError> {
    for i in 1..x.len() {
        let inside = two_phase.iter().any(|[low, high]| x[i - 1] >= *low && x[i] <= *high);
        if v[i] > v[i - 1] && !inside {
            return Err(HandoffError::Inadmissible {
                hand_off: NAME,
                requirement: "dV/dx <= 0 outside two-phase intervals (in V)",
                place: format!("{who}, x = {} to {}", x[i - 1], x[i]),
                violation: v[i] - v[i - 1],
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> VoltageTable {
        let x: Vec<f64> = (1..20).map(|i| f64::from(i) / 20.0).collect();
        // The ideal lattice gas of L18: V = V0 - kT/e ln(x/(1-x)).
        let voltage_v: Vec<f64> = x.iter().map(|x| 4.0 - 0.025_692_579_1 * (x / (1.0 - x)).ln()).collect();
        let n = x.len();
        VoltageTable {
            working_ion: "Li".into(),
            reference_electrode: "Li metal".into(),
            entropic_v_per_k: x.iter().map(|x| -8.617e-5 * (x / (1.0 - x)).ln()).collect(),
            standard_error_v: vec![1e-3; n],
            members: vec![VoltageMember {
                voltage_v: voltage_v.iter().map(|v| v + 0.01).collect(),
                entropic_v_per_k: vec![0.0; n],
            }],
            stoichiometry: x,
            voltage_v,
            reference_temperature_k: 298.15,
            free_energy_ev: Vec::new(),
            two_phase: vec![],
            out_of_domain: OutOfDomain::Error,
        }
    }

    fn at(
        v: &OpenCircuitVoltage,
        member: Option<usize>,
        x: f64,
        t: f64,
    ) -> Result<(f64, f64, f64), HandoffError> {
        let (mut a, mut b, mut c) = ([0.0], [0.0], [0.0]);
        v.evaluate(member, &[x], t, &mut a, &mut b, &mut c)?;
        Ok((a[0], b[0], c[0]))
    }

    #[test]
    fn l18_ideal_lattice_gas() {
        let v = OpenCircuitVoltage::new(table()).unwrap();
        assert!((at(&v, None, 0.1, 298.15).unwrap().0 - 4.056_452_366_3).abs() < 1e-9);
        // Between and at nodes the slope agrees with a difference of values.
        for x in [0.3, 0.475, 0.61] {
            let h = 1e-6;
            let (_, slope, _) = at(&v, None, x, 310.0).unwrap();
            let difference =
                (at(&v, None, x + h, 310.0).unwrap().0 - at(&v, None, x - h, 310.0).unwrap().0) / (2.0 * h);
            assert!((slope - difference).abs() < 1e-5, "{slope} {difference}");
        }
        assert!((at(&v, Some(0), 0.5, 298.15).unwrap().0 - 4.01).abs() < 1e-12);
        assert!(at(&v, Some(1), 0.5, 298.15).is_err());
    }

    #[test]
    fn the_policy_outside_is_kept() {
        let mut t = table();
        let v = OpenCircuitVoltage::new(t.clone()).unwrap();
        assert!(matches!(at(&v, None, 0.99, 298.15), Err(HandoffError::Domain { .. })));
        assert!(at(&v, None, f64::NAN, 298.15).is_err());
        t.out_of_domain = OutOfDomain::Clamp;
        let v = OpenCircuitVoltage::new(t.clone()).unwrap();
        assert_eq!(at(&v, None, 0.99, 298.15).unwrap().1, 0.0);
        t.out_of_domain = OutOfDomain::Extend;
        let v = OpenCircuitVoltage::new(t).unwrap();
        assert!(at(&v, None, 0.99, 298.15).unwrap().0 < at(&v, None, 0.95, 298.15).unwrap().0);
        let (mut a, mut b, mut c) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        let count = v.evaluate(None, &[0.5, 0.99], 298.15, &mut a, &mut b, &mut c).unwrap();
        assert_eq!(count, DomainUse { evaluated: 2, outside: 1 });
    }

    #[test]
    fn inadmissible_tables_are_refused_with_the_violation() {
        let mut rising = table();
        rising.voltage_v[10] += 0.05;
        match OpenCircuitVoltage::new(rising.clone()) {
            Err(HandoffError::Inadmissible { violation, .. }) => assert!(violation > 0.03),
            other => panic!("{other:?}"),
        }
        rising.two_phase = vec![[0.5, 0.6]];
        assert!(OpenCircuitVoltage::new(rising).is_ok());
        let good = OpenCircuitVoltage::new(table()).unwrap();
        let mut tampered = good.table().clone();
        tampered.free_energy_ev[5] += 1e-6;
        assert!(OpenCircuitVoltage::new(tampered).is_err());
        let mut short = table();
        short.voltage_v.pop();
        assert!(OpenCircuitVoltage::new(short).is_err());
        let mut nan = table();
        nan.entropic_v_per_k[0] = f64::NAN;
        assert!(OpenCircuitVoltage::new(nan).is_err());
    }

    #[test]
    fn reads_back_and_checks_what_it_reads() {
        let v = OpenCircuitVoltage::new(table()).unwrap();
        let text = serde_json::to_string(&v).unwrap();
        assert_eq!(serde_json::from_str::<OpenCircuitVoltage>(&text).unwrap(), v);
        let tampered = text.replacen("\"voltage_v\":[", "\"voltage_v\":[1.0,", 1);
        assert!(serde_json::from_str::<OpenCircuitVoltage>(&tampered).is_err());
    }
}
