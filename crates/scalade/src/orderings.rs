//! Structures with energies: from a file to what voltages and expansions take.

use crate::error::ScaladeError;
use crate::ordering_files::structure_in;
use scalade_crystal::{MoyoFinder, Structure};
use scalade_energetics::{ComputedEntry, HostSpace, IonReference, VoltageProfile, element_of_species};
use scalade_formats::{
    Frame, InfoValue, StructureFormat, atomic_number, decode_text, energy_ev, read_structures_bytes,
    standard_error_ev,
};
use scalade_lattice::{MappingReport, MappingSettings, Parent, map_frames};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Tolerance on positions in the search for the symmetry of the ideal structure, angstrom. Relaxed end members keep their symmetry to a few
/// thousandths of an angstrom.
const SYMMETRY_TOLERANCE_ANGSTROM: f64 = 0.02;

/// Frames of one file or several with the working ion and the key of their energies.
#[derive(Clone, Debug)]
pub struct Orderings {
    /// The frames in the order of the files.
    pub frames: Vec<Frame>,
    /// Symbol of the working ion.
    pub working_ion: String,
    /// Key of the total energy in the comment lines.
    pub energy_key: String,
    /// Format of every file, by its name.
    pub(crate) formats: BTreeMap<String, StructureFormat>,
}

/// Reads a whole file as text; a missing one is bad input.
pub fn read_text(path: &Path) -> Result<String, ScaladeError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| ScaladeError::input(format!("cannot read {name}: {e}")))?;
    decode_text(&bytes, &name, "text")
        .map(std::string::ToString::to_string)
        .map_err(|e| ScaladeError::input(e.to_string()))
}

/// Keys of a comment line that say how an energy was computed.
pub(crate) const METHOD_KEYS: [&str; 7] =
    ["functional", "xc", "hubbard_u", "ldauu", "model", "calculator", "method"];

/// The structure without the oxidation states of its species, which an expansion of one ion and its vacancies does not tell apart.
fn elements_of(structure: &Structure) -> Result<Structure, ScaladeError> {
    let species = structure.species().iter().map(|s| element_of_species(s).to_string()).collect();
    Structure::new(*structure.lattice_angstrom(), species, structure.fractional().to_vec())
        .map_err(|e| ScaladeError::input(e.to_string()))
}

/// One value of a comment line as a text.
fn shown(value: &InfoValue) -> Option<String> {
    match value {
        InfoValue::Text(text) => Some(text.clone()),
        InfoValue::Int(v) => Some(v.to_string()),
        InfoValue::Float(v) => Some(v.to_string()),
        InfoValue::Bool(v) => Some(if *v { "T" } else { "F" }.into()),
        _ => None,
    }
}

/// How the energy of a frame was computed, if its comment line says so.
fn method(frame: &Frame) -> Option<String> {
    method_of(frame, |key, value| Some(format!("{key}={value}")))
}

/// The same, as far as it concerns a frame that holds nothing but `element`: Hubbard parameters of other elements do not.
fn method_for_element(frame: &Frame, element: &str) -> Option<String> {
    method_of(frame, |key, value| {
        let parts: Vec<(&str, &str)> = value.split(',').filter_map(|part| part.split_once(':')).collect();
        let by_element =
            key == "hubbard_u" && parts.iter().all(|(symbol, _)| atomic_number(symbol).is_some());
        if !by_element || parts.is_empty() {
            return Some(format!("{key}={value}"));
        }
        let own = parts.iter().find(|(symbol, _)| *symbol == element);
        own.map(|(symbol, u)| format!("{key}={symbol}:{u}"))
    })
}

fn method_of(frame: &Frame, part: impl Fn(&str, &str) -> Option<String>) -> Option<String> {
    let value = |key: &&str| frame.info.get(*key).map(|v| shown(v).unwrap_or_else(|| format!("{v:?}")));
    let parts: Vec<String> = METHOD_KEYS.iter().filter_map(|key| part(key, &value(key)?)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

impl Orderings {
    /// Reads structures with energies in any format of [`read_structures_bytes`], which the name tells, else the content (text or bytes); `name` is what
    /// messages call the file.
    pub fn read(
        content: &(impl AsRef<[u8]> + ?Sized),
        name: &str,
        working_ion: &str,
        energy_key: &str,
    ) -> Result<Self, ScaladeError> {
        let frames =
            read_structures_bytes(content.as_ref(), name).map_err(|e| ScaladeError::input(e.to_string()))?;
        Ok(Self {
            frames,
            working_ion: working_ion.to_string(),
            energy_key: energy_key.to_string(),
            formats: BTreeMap::from([(name.to_string(), StructureFormat::of(name, content))]),
        })
    }

    /// Total energy of a frame, eV. A format without energies is named.
    fn energy_of(&self, frame: &Frame) -> Result<f64, ScaladeError> {
        energy_ev(frame, &self.energy_key).map_err(|e| {
            let format = self.formats.get(&frame.file).filter(|format| !format.holds_energies());
            ScaladeError::input(match format {
                None => e.to_string(),
                Some(format) => format!(
                    "{}: a {} file holds a structure without an energy, and energies are due here; give vasprun.xml, output of pw.x, a database or JSON of ASE, JSON of pymatgen, or extended XYZ with {}=... (eV per cell) in its comment line, which scalade convert writes from this file without the energy",
                    frame.file,
                    format.name(),
                    self.energy_key
                ),
            })
        })
    }

    /// Keeps the frames whose comment lines hold every `KEY=VALUE` of `conditions`. A key that no frame has, or a value that leaves none, is refused with
    /// what there is.
    pub fn retain(&mut self, conditions: &[String]) -> Result<(), ScaladeError> {
        for condition in conditions {
            let Some((key, wanted)) = condition.split_once('=').filter(|c| !c.0.is_empty()) else {
                let message = format!("--where {condition}: KEY=VALUE is due, such as --where model=PBE");
                return Err(ScaladeError::input(message));
            };
            let before: BTreeSet<String> =
                self.frames.iter().filter_map(|f| f.info.get(key).and_then(shown)).collect();
            self.frames.retain(|f| f.info.get(key).and_then(shown).is_some_and(|v| v == wanted));
            if self.frames.is_empty() {
                let have: Vec<String> = before.into_iter().take(8).collect();
                let have = if have.is_empty() { "no frame has that key".into() } else { have.join(", ") };
                let message = format!("--where {condition} leaves no frame; values of {key}: {have}");
                return Err(ScaladeError::input(message));
            }
        }
        Ok(())
    }

    /// Takes the frames out that hold nothing but the working ion; returns the lowest energy per ion among them, eV. Their method is part of the
    /// comparison of methods.
    pub fn take_reference(&mut self) -> Result<f64, ScaladeError> {
        let pure = |f: &Frame| !f.species.is_empty() && f.species.iter().all(|s| *s == self.working_ion);
        let (reference, hosts): (Vec<Frame>, Vec<Frame>) =
            std::mem::take(&mut self.frames).into_iter().partition(pure);
        self.frames = hosts;
        let methods = |frames: &[Frame]| {
            frames.iter().map(|f| method_for_element(f, &self.working_ion)).collect::<BTreeSet<_>>()
        };
        let (of_reference, of_hosts) = (methods(&reference), methods(&self.frames));
        if !reference.is_empty() && of_reference != of_hosts {
            let named = |set: BTreeSet<Option<String>>| {
                let names: Vec<String> =
                    set.into_iter().map(|m| m.unwrap_or_else(|| "not named".into())).collect();
                names.join("; ")
            };
            let message = format!(
                "the frames of pure {} and the others come from different methods ({} and {}); choose one with --where KEY=VALUE, or give --reference-energy",
                self.working_ion,
                named(of_reference),
                named(of_hosts)
            );
            return Err(ScaladeError::input(message));
        }
        let mut lowest: Option<f64> = None;
        for frame in &reference {
            let energy = self.energy_of(frame)?;
            let per_ion = energy / frame.species.len() as f64;
            lowest = Some(lowest.map_or(per_ion, |l| l.min(per_ion)));
        }
        lowest.ok_or_else(|| {
            let message = format!(
                "give --reference-energy, the energy per ion of the metal, such as --reference-energy \"-1.9 eV\"; no frame holds nothing but {}",
                self.working_ion
            );
            ScaladeError::input(message)
        })
    }

    /// Names of the frames; where several share one, the number of the frame is added, and the file if there are several.
    fn ids(&self) -> Vec<String> {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for frame in &self.frames {
            *count.entry(frame.id()).or_default() += 1;
        }
        let unique = |f: &Frame| match (count[&f.id()] > 1, self.formats.len() > 1) {
            (false, _) => f.id(),
            (true, false) => format!("{} (frame {})", f.id(), f.index),
            (true, true) => format!("{} ({}, frame {})", f.id(), f.file, f.index),
        };
        self.frames.iter().map(unique).collect()
    }

    /// Number of atoms of a frame.
    pub fn atoms_of(&self, id: &str) -> Option<usize> {
        let index = self.ids().iter().position(|known| known == id)?;
        self.frames.get(index).map(|f| f.species.len())
    }

    /// One entry per frame: its composition and total energy. A frame without a finite energy is refused with its number and line.
    fn entries(&self) -> Result<Vec<ComputedEntry>, ScaladeError> {
        let input = |e: scalade_formats::FormatError| ScaladeError::input(e.to_string());
        self.frames
            .iter()
            .zip(self.ids())
            .map(|(frame, id)| {
                let energy = self.energy_of(frame)?;
                // Compositions are all that a hull takes: neither a lattice nor periodicity is asked for.
                let entry = ComputedEntry::new(&id, frame.species.iter().map(|s| (s.as_str(), 1)), energy);
                let entry = match method(frame) {
                    Some(method) => entry.with_label(&method),
                    None => entry,
                };
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
        HostSpace::from_entries(&self.entries()?, &self.working_ion, 1).map_err(|e| {
            let way_out = match e {
                scalade_energetics::EnergeticsError::MixedLabels { .. } => {
                    "; choose the frames of one method, such as --where model=NAME"
                }
                _ => "",
            };
            ScaladeError::input(format!("{}: {e}{way_out}", self.file()))
        })
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

    /// The frame with most working ions per host formula unit, of the smallest cell and lowest energy among equals: its name, structure and formula
    /// units of the host.
    fn fullest(&self) -> Result<(String, scalade_crystal::Structure, f64), ScaladeError> {
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
        let structure =
            frame.ok_or_else(|| ScaladeError::internal(format!("no frame is called {}", fullest.id)))?;
        let structure = elements_of(&structure.structure().map_err(|e| ScaladeError::input(e.to_string()))?)?;
        Ok((fullest.id.clone(), structure, fullest.reduced_formulas as f64))
    }

    /// The ideal structure: that of the fullest frame.
    pub fn parent(&self) -> Result<Parent, ScaladeError> {
        let (id, structure, formulas) = self.fullest()?;
        Parent::new(&structure, &self.working_ion, formulas, &MoyoFinder, SYMMETRY_TOLERANCE_ANGSTROM)
            .map_err(|e| ScaladeError::input(format!("{}, ideal structure from {id}: {e}", self.file())))
    }

    /// The ideal structure from a file: all sites of the working ion occupied, the host that of the frames.
    pub fn parent_from(&self, bytes: &[u8], name: &str) -> Result<Parent, ScaladeError> {
        let structure = elements_of(&structure_in(bytes, name)?)?;
        let (_, frame, formulas) = self.fullest()?;
        let host = |s: &scalade_crystal::Structure| (s.len() - s.count(&self.working_ion)) as f64;
        let formulas = formulas * host(&structure) / host(&frame);
        Parent::new(&structure, &self.working_ion, formulas, &MoyoFinder, SYMMETRY_TOLERANCE_ANGSTROM)
            .map_err(|e| ScaladeError::input(format!("{name}: {e}")))
    }

    /// The frames with the names of their species as they stand in the file, all of one method.
    pub(crate) fn labelled_frames(&self) -> Result<Vec<scalade_lattice::Frame>, ScaladeError> {
        let methods: BTreeSet<Option<String>> = self.frames.iter().map(method).collect();
        if methods.len() > 1 {
            let named = |m: Option<String>| m.unwrap_or_else(|| "not named".into());
            let names: Vec<String> = methods.into_iter().map(named).take(8).collect();
            return Err(ScaladeError::input(format!(
                "{}: energies of different methods are not mixed ({}); choose the frames of one, such as --where model=NAME",
                self.file(),
                names.join("; ")
            )));
        }
        self.frames
            .iter()
            .zip(self.ids())
            .map(|(frame, id)| {
                let structure = frame.structure().map_err(|e| ScaladeError::input(e.to_string()))?;
                Ok(scalade_lattice::Frame { id, structure, energy_ev: Some(self.energy_of(frame)?) })
            })
            .collect()
    }

    /// Refuses more exclusions than are allowed, the first of them named.
    pub(crate) fn check_excluded(
        &self,
        excluded: &[scalade_lattice::Excluded],
        settings: &MappingSettings,
        max_excluded: usize,
    ) -> Result<(), ScaladeError> {
        if excluded.len() <= max_excluded {
            return Ok(());
        }
        let shown: Vec<String> = excluded
            .iter()
            .take(5)
            .map(|e| {
                let place = self.frames.get(e.frame).map_or_else(String::new, |f| f.place().to_string());
                format!("{place}, {}: {}", e.id, e.reason)
            })
            .collect();
        Err(ScaladeError::input(format!(
            "{} of {} structures are not on the lattice of the ideal structure and {max_excluded} may be left out:\n  {}\nremove or repair them, give another ideal structure (parent), widen the limits (max_strain {}, max_drift {} angstrom), or allow more with max_excluded (they are then listed and left out of the fit)",
            excluded.len(),
            self.frames.len(),
            shown.join("\n  "),
            settings.max_strain,
            settings.max_working_displacement_angstrom,
        )))
    }

    /// Maps every frame to the ideal lattice. More than `max_excluded` frames that do not fit are refused, the first of them named.
    pub fn map(
        &self,
        parent: &Parent,
        settings: &MappingSettings,
        max_excluded: usize,
    ) -> Result<MappingReport, ScaladeError> {
        let input = |e: scalade_formats::FormatError| ScaladeError::input(e.to_string());
        let frames = self
            .frames
            .iter()
            .zip(self.ids())
            .map(|(frame, id)| {
                Ok(scalade_lattice::Frame {
                    id,
                    structure: elements_of(&frame.structure().map_err(input)?)?,
                    energy_ev: Some(self.energy_of(frame)?),
                })
            })
            .collect::<Result<Vec<_>, ScaladeError>>()?;
        let report = map_frames(parent, &frames, settings);
        self.check_excluded(&report.excluded, settings, max_excluded)?;
        Ok(report)
    }

    /// The file, or the first of several, for messages.
    fn file(&self) -> String {
        let first = self.frames.first().map_or_else(|| "the file".to_string(), |f| f.file.clone());
        match self.formats.len() {
            0 | 1 => first,
            files => format!("{first} and {} other files", files - 1),
        }
    }
}
