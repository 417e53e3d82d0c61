//! Structures with energies: from a file to what voltages and expansions take.

use crate::error::ScaladeError;
use scalade_crystal::MoyoFinder;
use scalade_energetics::{ComputedEntry, HostSpace, IonReference, VoltageProfile};
use scalade_formats::{Frame, decode_text, energy_ev, read_extxyz, standard_error_ev};
use scalade_lattice::{MappingReport, MappingSettings, Parent, map_frames};
use std::collections::BTreeMap;
use std::path::Path;

/// Tolerance on positions in the search for the symmetry of the ideal structure, angstrom. Relaxed end members keep their symmetry to a few
/// thousandths of an angstrom.
const SYMMETRY_TOLERANCE_ANGSTROM: f64 = 0.02;

/// Frames of a file with the working ion and the key of their energies.
#[derive(Clone, Debug)]
pub struct Orderings {
    /// The frames in the order of the file.
    pub frames: Vec<Frame>,
    /// Symbol of the working ion.
    pub working_ion: String,
    /// Key of the total energy in the comment lines.
    pub energy_key: String,
}

/// Reads a whole file as text; a missing one is bad input.
pub fn read_text(path: &Path) -> Result<String, ScaladeError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| ScaladeError::input(format!("cannot read {name}: {e}")))?;
    decode_text(&bytes, &name, "text")
        .map(std::string::ToString::to_string)
        .map_err(|e| ScaladeError::input(e.to_string()))
}

impl Orderings {
    /// Reads extended XYZ text; `name` is what messages call the file.
    pub fn read(text: &str, name: &str, working_ion: &str, energy_key: &str) -> Result<Self, ScaladeError> {
        let frames = read_extxyz(text, name).map_err(|e| ScaladeError::input(e.to_string()))?;
        Ok(Self { frames, working_ion: working_ion.to_string(), energy_key: energy_key.to_string() })
    }

    /// Names of the frames; where several share one, the number of the frame is added.
    fn ids(&self) -> Vec<String> {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for frame in &self.frames {
            *count.entry(frame.id()).or_default() += 1;
        }
        let unique =
            |f: &Frame| if count[&f.id()] > 1 { format!("{} (frame {})", f.id(), f.index) } else { f.id() };
        self.frames.iter().map(unique).collect()
    }

    /// One entry per frame: its composition and total energy. A frame without a finite energy is refused with its number and line.
    fn entries(&self) -> Result<Vec<ComputedEntry>, ScaladeError> {
        let input = |e: scalade_formats::FormatError| ScaladeError::input(e.to_string());
        self.frames
            .iter()
            .zip(self.ids())
            .map(|(frame, id)| {
                let energy = energy_ev(frame, &self.energy_key).map_err(input)?;
                // Compositions are all that a hull takes: neither a lattice nor periodicity is asked for.
                let entry = ComputedEntry::new(&id, frame.species.iter().map(|s| (s.as_str(), 1)), energy);
                let error = standard_error_ev(frame, "energy_std").map_err(input)?;
                Ok(match error {
                    Some(error) => entry.with_standard_error_ev(error),
                    None => entry,
                })
            })
            .collect()
    }

    /// Energies per host formula unit.
    pub fn host_space(&self) -> Result<HostSpace, ScaladeError> {
        HostSpace::from_entries(&self.entries()?, &self.working_ion, 1)
            .map_err(|e| ScaladeError::input(format!("{}: {e}", self.file())))
    }

    /// Hull and voltages. `valence` replaces the one known for the element; `error_per_formula_ev` is a standard error for frames without one.
    pub fn voltage_profile(
        &self,
        reference_energy_ev: f64,
        valence: Option<u32>,
        error_per_formula_ev: Option<f64>,
    ) -> Result<VoltageProfile, ScaladeError> {
        let input =
            |e: scalade_energetics::EnergeticsError| ScaladeError::input(format!("{}: {e}", self.file()));
        let mut space = self.host_space()?;
        for point in &mut space.points {
            point.standard_error_ev = point.standard_error_ev.or(error_per_formula_ev);
        }
        let reference = match valence {
            Some(z) => IonReference::with_valence(&self.working_ion, z, reference_energy_ev),
            None => IonReference::new(&self.working_ion, reference_energy_ev),
        };
        VoltageProfile::new(&space, &reference.map_err(input)?).map_err(input)
    }

    /// The ideal structure: that of the frame with most working ions per host formula unit, of the smallest cell and lowest energy among equals.
    pub fn parent(&self) -> Result<Parent, ScaladeError> {
        let space = self.host_space()?;
        let fullest = space
            .points
            .iter()
            .max_by(|a, b| {
                let smaller = b.reduced_formulas.cmp(&a.reduced_formulas);
                a.x.total_cmp(&b.x).then(smaller).then(b.energy_ev.total_cmp(&a.energy_ev))
            })
            .ok_or_else(|| ScaladeError::input(format!("{}: there are no frames", self.file())))?;
        let frame = self.ids().iter().position(|id| *id == fullest.id).and_then(|i| self.frames.get(i));
        let structure = frame
            .ok_or_else(|| ScaladeError::internal(format!("no frame is called {}", fullest.id)))?
            .structure()
            .map_err(|e| ScaladeError::input(e.to_string()))?;
        let formulas = fullest.reduced_formulas as f64;
        Parent::new(&structure, &self.working_ion, formulas, &MoyoFinder, SYMMETRY_TOLERANCE_ANGSTROM)
            .map_err(|e| {
                ScaladeError::input(format!("{}, ideal structure from {}: {e}", self.file(), fullest.id))
            })
    }

    /// Maps every frame to the ideal lattice. More than `max_excluded` frames that do not fit are refused, the first of them named.
    pub fn map(&self, parent: &Parent, max_excluded: usize) -> Result<MappingReport, ScaladeError> {
        let input = |e: scalade_formats::FormatError| ScaladeError::input(e.to_string());
        let frames = self
            .frames
            .iter()
            .zip(self.ids())
            .map(|(frame, id)| {
                Ok(scalade_lattice::Frame {
                    id,
                    structure: frame.structure().map_err(input)?,
                    energy_ev: Some(energy_ev(frame, &self.energy_key).map_err(input)?),
                })
            })
            .collect::<Result<Vec<_>, ScaladeError>>()?;
        let report = map_frames(parent, &frames, &MappingSettings::default());
        if report.excluded.len() > max_excluded {
            let shown: Vec<String> = report
                .excluded
                .iter()
                .take(5)
                .map(|e| {
                    let place = self.frames.get(e.frame).map_or_else(String::new, |f| f.place().to_string());
                    format!("{place}, {}: {}", e.id, e.reason)
                })
                .collect();
            return Err(ScaladeError::input(format!(
                "{} of {} structures are not on the lattice of the ideal structure and {max_excluded} may be left out:\n  {}\nremove or repair them, or allow more with max_excluded (they are then listed and left out of the fit)",
                report.excluded.len(),
                frames.len(),
                shown.join("\n  ")
            )));
        }
        Ok(report)
    }

    fn file(&self) -> String {
        self.frames.first().map_or_else(|| "the file".to_string(), |f| f.file.clone())
    }
}
