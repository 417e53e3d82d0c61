//! Voltages between the vertices of the hull.

use crate::composition::{ComputedEntry, HostSpace, mixed};
use crate::error::EnergeticsError;
use crate::hull::{ConvexHull, HullPoint};
use scalade_record::{Provenance, RecordError, Scale, Tracked, Uncertainty};
use serde::{Deserialize, Serialize};

/// Charge number of the cation an element gives up on insertion; `None` where it is not unique.
///
/// ```
/// assert_eq!(scalade_energetics::valence_of("Mg"), Some(2));
/// assert_eq!(scalade_energetics::valence_of("Fe"), None);
/// ```
pub fn valence_of(symbol: &str) -> Option<u32> {
    match symbol {
        "H" | "Li" | "Na" | "K" | "Rb" | "Cs" | "Ag" => Some(1),
        "Be" | "Mg" | "Ca" | "Sr" | "Ba" | "Zn" | "Cd" => Some(2),
        "Al" | "Sc" | "Y" | "La" => Some(3),
        _ => None,
    }
}

/// The working ion and the energy of its elemental reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IonReference {
    /// Element of the working ion.
    pub symbol: String,
    /// Charge number z.
    pub valence: u32,
    /// Energy of the reference (bulk metal), eV per ion.
    pub energy_ev: f64,
    /// Its standard error, eV; where none is stated it adds nothing to the standard error of a voltage.
    pub standard_error_ev: Option<f64>,
    /// What the energy was computed with. If given, the entries must have the same label.
    pub label: Option<String>,
}

impl IonReference {
    /// A reference with the valence that [`valence_of`] knows. Errors: [`EnergeticsError::Valence`],
    /// [`EnergeticsError::Reference`].
    pub fn new(symbol: &str, energy_ev: f64) -> Result<Self, EnergeticsError> {
        let valence =
            valence_of(symbol).ok_or_else(|| EnergeticsError::Valence { symbol: symbol.to_string() })?;
        Self::with_valence(symbol, valence, energy_ev)
    }

    /// A reference with a stated valence. Errors: [`EnergeticsError::Reference`].
    pub fn with_valence(symbol: &str, valence: u32, energy_ev: f64) -> Result<Self, EnergeticsError> {
        let reference =
            Self { symbol: symbol.to_string(), valence, energy_ev, standard_error_ev: None, label: None };
        reference.check()?;
        Ok(reference)
    }

    /// The same reference with its standard error, eV.
    #[must_use]
    pub fn with_standard_error_ev(mut self, standard_error_ev: f64) -> Self {
        self.standard_error_ev = Some(standard_error_ev);
        self
    }

    /// The same reference with the label of its method.
    #[must_use]
    pub fn with_label(mut self, label: &str) -> Self {
        self.label = Some(label.to_string());
        self
    }

    fn check(&self) -> Result<(), EnergeticsError> {
        let refuse = |what, value, want| {
            Err(EnergeticsError::Reference { symbol: self.symbol.clone(), what, value, want })
        };
        if !(1..=8).contains(&self.valence) {
            return refuse("the valence", f64::from(self.valence), "it must be 1 to 8");
        }
        if !self.energy_ev.is_finite() || self.energy_ev.abs() > 1e9 {
            return refuse("the energy", self.energy_ev, "it must be a finite number, eV per ion");
        }
        match self.standard_error_ev {
            Some(error) if !(0.0..=1e9).contains(&error) => {
                refuse("the standard error", error, "it must be a finite number >= 0, eV per ion")
            }
            _ => Ok(()),
        }
    }

    /// Voltage of inserting from one composition to another; `None` if they are equal.
    fn step(&self, from: &HullPoint, to: &HullPoint) -> Option<Step> {
        let (from, to) = if from.x <= to.x { (from, to) } else { (to, from) };
        let dx = to.x - from.x;
        if dx == 0.0 {
            return None;
        }
        let z = f64::from(self.valence);
        let voltage_v = -((to.energy_ev - from.energy_ev) / dx - self.energy_ev) / z;
        let both = from.standard_error_ev.zip(to.standard_error_ev);
        let standard_error_v =
            both.map(|(a, b)| a.hypot(b) / dx).map(|e| e.hypot(self.standard_error_ev.unwrap_or(0.0)) / z);
        let (from_id, to_id) = (from.id.clone(), to.id.clone());
        Some(Step { x_from: from.x, x_to: to.x, voltage_v, standard_error_v, from_id, to_id })
    }
}

/// A constant voltage between two compositions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Smaller composition, working ions per host formula unit.
    pub x_from: f64,
    /// Larger composition.
    pub x_to: f64,
    /// Voltage against the reference, V.
    pub voltage_v: f64,
    /// Its standard error, V, if both energies have one: independent errors of the two energies and of the
    /// reference. It does not cover the choice of
    /// the vertices.
    pub standard_error_v: Option<f64>,
    /// Id of the entry at `x_from`.
    pub from_id: String,
    /// Id of the entry at `x_to`.
    pub to_id: String,
}

/// Voltage against composition at zero kelvin, with the hull it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoltageProfile {
    /// Formula of the host, per which x and energies are counted.
    pub host_formula: String,
    /// The working ion and its reference.
    pub reference: IonReference,
    /// Steps in order of x; their voltages do not increase.
    pub steps: Vec<Step>,
    /// Average over the whole range of x, V.
    pub average_voltage_v: f64,
    /// Its standard error, V, if both end members have one.
    pub average_standard_error_v: Option<f64>,
    /// The hull, with formation energies and energies above it.
    pub hull: ConvexHull,
}

impl VoltageProfile {
    /// The profile of a set whose energies are already per host formula unit.
    ///
    /// Errors: all entries of one composition; a reference of another ion, not finite, or of another label.
    pub fn new(space: &HostSpace, reference: &IonReference) -> Result<Self, EnergeticsError> {
        reference.check()?;
        if reference.symbol != space.working_ion {
            let (ion, reference) = (space.working_ion.clone(), reference.symbol.clone());
            return Err(EnergeticsError::OtherIon { ion, reference });
        }
        if reference.label.is_some() && reference.label != space.label {
            let id = space.points.first().map_or("", |point| point.id.as_str());
            let name = format!("the reference of {}", reference.symbol);
            return Err(mixed((id, space.label.as_ref()), (&name, reference.label.as_ref())));
        }
        let hull = ConvexHull::new(space)?;
        let vertices: Vec<&HullPoint> = hull.vertex_points().collect();
        let steps: Vec<Step> =
            vertices.windows(2).filter_map(|pair| reference.step(pair[0], pair[1])).collect();
        let ends = vertices.first().zip(vertices.last());
        let average =
            ends.and_then(|(first, last)| reference.step(first, last)).ok_or(EnergeticsError::Empty)?;
        Ok(Self {
            host_formula: space.host_formula.clone(),
            reference: reference.clone(),
            steps,
            average_voltage_v: average.voltage_v,
            average_standard_error_v: average.standard_error_v,
            hull,
        })
    }

    /// Average voltage between any two entries, on the hull or not. Errors: unknown ids, equal compositions.
    pub fn average_between(&self, first: &str, second: &str) -> Result<Step, EnergeticsError> {
        let (a, b) = (self.hull.point(first)?, self.hull.point(second)?);
        self.reference.step(a, b).ok_or_else(|| EnergeticsError::SameComposition {
            first: first.to_string(),
            second: second.to_string(),
            x: a.x,
        })
    }

    /// Covariance of the step voltages, V^2, row by row; `None` unless all vertices have a standard error.
    /// Neighbouring steps share a vertex, and all
    /// share the reference:
    /// cov(k, k) = (s_k^2 + s_(k+1)^2)/(dx_k z)^2 + s_ref^2/z^2, cov(k, k+1) = -s_(k+1)^2/(dx_k dx_(k+1)
    /// z^2) + s_ref^2/z^2.
    pub fn step_covariance(&self) -> Option<Vec<Vec<f64>>> {
        let errors: Option<Vec<f64>> = self.hull.vertex_points().map(|v| v.standard_error_ev).collect();
        let errors = errors?;
        let z = f64::from(self.reference.valence);
        let shared = (self.reference.standard_error_ev.unwrap_or(0.0) / z).powi(2);
        let n = self.steps.len();
        let width: Vec<f64> = self.steps.iter().map(|step| (step.x_to - step.x_from) * z).collect();
        let mut covariance = vec![vec![shared; n]; n];
        for k in 0..n {
            covariance[k][k] += (errors[k].powi(2) + errors[k + 1].powi(2)) / width[k].powi(2);
            if k + 1 < n {
                let neighbours = errors[k + 1].powi(2) / (width[k] * width[k + 1]);
                covariance[k][k + 1] -= neighbours;
                covariance[k + 1][k] -= neighbours;
            }
        }
        Some(covariance)
    }

    /// The average voltage with its record.
    pub fn tracked_average(&self, provenance: Provenance) -> Result<Tracked<f64>, RecordError> {
        track(self.average_voltage_v, self.average_standard_error_v, provenance)
    }

    /// The step voltages with their records, in order of x.
    pub fn tracked_steps(&self, provenance: &Provenance) -> Result<Vec<Tracked<f64>>, RecordError> {
        self.steps.iter().map(|s| track(s.voltage_v, s.standard_error_v, provenance.clone())).collect()
    }
}

fn track(value: f64, standard: Option<f64>, provenance: Provenance) -> Result<Tracked<f64>, RecordError> {
    let uncertainty = match standard {
        Some(value) => Uncertainty::Standard { value },
        None => Uncertainty::none("no standard error is stated for the energies"),
    };
    Tracked::new(value, "V", uncertainty, provenance, Scale::Atomic)
}

/// Hull and voltages of a set of entries. `formula_multiple` reduced host formulas make the unit that x is
/// counted per (1 unless
/// custom says otherwise, such as 2 for Mn2O4).
///
/// Errors: as [`HostSpace::from_entries`] and [`VoltageProfile::new`].
pub fn voltage_profile(
    entries: &[ComputedEntry],
    reference: &IonReference,
    formula_multiple: u64,
) -> Result<VoltageProfile, EnergeticsError> {
    VoltageProfile::new(&HostSpace::from_entries(entries, &reference.symbol, formula_multiple)?, reference)
}
