//! Bands on a set of k points, as a first-principles code gives them.

use crate::error::{BandsError, refuse, within};
use crate::symmetry::{PointGroup, Rotation, lattice_inverse};
use scalade_crystal::Matrix3;
use serde::Deserialize;

const MOST_K: usize = 1_000_000;
const MOST_BANDS: usize = 10_000;

/// Eigenvalues on k points with weights, and what is needed to use them.
#[derive(Clone, Debug, PartialEq)]
pub struct BandSet {
    /// Lattice vectors as rows, angstrom.
    lattice: Matrix3,
    /// Fractional k points.
    k_points: Vec<[f64; 3]>,
    weights: Vec<f64>,
    /// Row per k point, eV.
    energies: Vec<f64>,
    bands: usize,
    spin_degeneracy: f64,
    group: PointGroup,
    fermi_level_ev: Option<f64>,
    electrons: Option<f64>,
}

/// Parts of a [`BandSet`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BandSetParts {
    /// Lattice vectors as rows, angstrom.
    pub lattice_angstrom: Matrix3,
    /// Fractional k points (of the reciprocal vectors with a_i . b_j = 2 pi delta_ij).
    pub k_points: Vec<[f64; 3]>,
    /// Weights, >= 0, sum 1.
    pub weights: Vec<f64>,
    /// Eigenvalues \[k\]\[band\], eV; sorted within a k point when read, since codes sort them (bands are followed by order, not by character).
    pub energies_ev: Vec<Vec<f64>>,
    /// Rotations of fractional k.
    pub rotations: Vec<Rotation>,
    /// 2 for spin-paired bands, 1 for bands of one spin or with spin-orbit coupling.
    pub spin_degeneracy: f64,
    /// Fermi level of the calculation, eV.
    pub fermi_level_ev: Option<f64>,
    /// Electrons in these bands.
    pub electrons: Option<f64>,
}

impl BandSet {
    /// Checks the parts. Bands are taken to obey E(k) = E(-k), as without a magnetic field and spin-orbit coupling together.
    ///
    /// Errors: counts that do not fit, different numbers of bands at two k points, numbers that are not finite, weights that do not sum to 1, rotations
    /// that are no symmetry of the lattice.
    pub fn new(parts: BandSetParts) -> Result<Self, BandsError> {
        lattice_inverse(&parts.lattice_angstrom)?;
        let points = parts.k_points.len();
        let want = "at least one k point, at most 1000000, with a weight and energies each are due";
        for (what, got) in
            [("weights", parts.weights.len()), ("rows of eigenvalues", parts.energies_ev.len())]
        {
            if got != points || points == 0 || points > MOST_K {
                return Err(BandsError::Count { what, got, expected: points, want });
            }
        }
        if let Some(bad) = parts.k_points.iter().flatten().find(|x| !within(**x, 1e3)) {
            return refuse("a fractional coordinate of a k point", *bad, "a finite number is due");
        }
        let sum: f64 = parts.weights.iter().sum();
        if parts.weights.iter().any(|w| *w < 0.0) || !within(sum - 1.0, 1e-6) {
            return Err(BandsError::Weights { points, sum });
        }
        let bands = parts.energies_ev[0].len();
        if !(1..=MOST_BANDS).contains(&bands) {
            return refuse("the number of bands", bands as f64, "1 to 10000 is due");
        }
        let mut energies = Vec::with_capacity(points * bands);
        for (k, row) in parts.energies_ev.iter().enumerate() {
            if row.len() != bands {
                return Err(BandsError::BandMismatch { point: k + 1, got: row.len(), expected: bands });
            }
            if let Some((band, value)) = row.iter().enumerate().find(|(_, e)| !within(**e, 1e5)) {
                return Err(BandsError::Eigenvalue { point: k + 1, band: band + 1, value: *value });
            }
            let mut sorted = row.clone();
            sorted.sort_by(f64::total_cmp);
            energies.extend(sorted);
        }
        if parts.spin_degeneracy != 1.0 && parts.spin_degeneracy != 2.0 {
            return refuse("the spin degeneracy", parts.spin_degeneracy, "1 or 2 is due");
        }
        if let Some(bad) = parts.fermi_level_ev.filter(|e| !within(*e, 1e5)) {
            return refuse("the Fermi level (eV)", bad, "a finite energy is due");
        }
        let capacity = parts.spin_degeneracy * bands as f64;
        if let Some(electrons) = parts.electrons.filter(|n| !(0.0..=capacity).contains(n)) {
            return Err(BandsError::Electrons { electrons, capacity });
        }
        let group = PointGroup::new(&parts.lattice_angstrom, &parts.rotations, true)?;
        let weights = parts.weights.iter().map(|w| w / sum).collect();
        Ok(Self {
            lattice: parts.lattice_angstrom,
            k_points: parts.k_points,
            weights,
            energies,
            bands,
            spin_degeneracy: parts.spin_degeneracy,
            group,
            fermi_level_ev: parts.fermi_level_ev,
            electrons: parts.electrons,
        })
    }

    /// From the text of a band file of this project: `structure.cell_rows_A`, `k_points_fractional`, `weights`, `eigenvalues_eV`,
    /// `symmetry_rotations`, `fermi_level_eV`, `n_valence_electrons_in_these_bands`, `spin_degeneracy`.
    ///
    /// Errors: text that is not such JSON, with its line, and those of [`Self::new`].
    pub fn from_json(text: &str) -> Result<Self, BandsError> {
        #[derive(Deserialize)]
        struct StructurePart {
            #[serde(rename = "cell_rows_A")]
            cell: Matrix3,
        }
        #[derive(Deserialize)]
        struct File {
            structure: StructurePart,
            k_points_fractional: Vec<[f64; 3]>,
            weights: Vec<f64>,
            #[serde(rename = "eigenvalues_eV")]
            energies: Vec<Vec<f64>>,
            #[serde(default)]
            symmetry_rotations: Vec<Rotation>,
            #[serde(rename = "fermi_level_eV")]
            fermi_level: Option<f64>,
            #[serde(rename = "n_valence_electrons_in_these_bands")]
            electrons: Option<f64>,
            spin_degeneracy: f64,
        }
        let file: File = serde_json::from_str(text).map_err(|e| BandsError::Text {
            format: "bands in JSON",
            line: e.line(),
            reason: e.to_string(),
        })?;
        Self::new(BandSetParts {
            lattice_angstrom: file.structure.cell,
            k_points: file.k_points_fractional,
            weights: file.weights,
            energies_ev: file.energies,
            rotations: file.symmetry_rotations,
            spin_degeneracy: file.spin_degeneracy,
            fermi_level_ev: file.fermi_level,
            electrons: file.electrons,
        })
    }

    /// Lattice vectors as rows, angstrom.
    pub fn lattice_angstrom(&self) -> &Matrix3 {
        &self.lattice
    }

    /// Fractional k points.
    pub fn k_points(&self) -> &[[f64; 3]] {
        &self.k_points
    }

    /// Weights of the k points, sum 1.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// Ascending energies at k point `k` (from 0), eV.
    pub fn energies(&self, k: usize) -> &[f64] {
        &self.energies[k * self.bands..(k + 1) * self.bands]
    }

    /// Electrons that one band holds at one k.
    pub fn spin_degeneracy(&self) -> f64 {
        self.spin_degeneracy
    }

    /// Rotations, with k -> -k.
    pub fn group(&self) -> &PointGroup {
        &self.group
    }

    /// Fermi level of the calculation, eV.
    pub fn fermi_level_ev(&self) -> Option<f64> {
        self.fermi_level_ev
    }

    /// Electrons in these bands.
    pub fn electrons(&self) -> Option<f64> {
        self.electrons
    }

    /// Electrons per cell that the k points hold at a chemical potential (eV) and a width kT (eV; 0: a step).
    pub fn filling(&self, potential_ev: f64, kt_ev: f64) -> f64 {
        let mut sum = 0.0;
        for (k, weight) in self.weights.iter().enumerate() {
            for energy in self.energies(k) {
                let x = energy - potential_ev;
                let f = if kt_ev > 0.0 {
                    crate::distribution::fermi(x / kt_ev)
                } else {
                    f64::from(u8::from(x <= 0.0))
                };
                sum += weight * f;
            }
        }
        self.spin_degeneracy * sum
    }

    /// The bands from `first` on, `count` of them; the electrons of the bands left out below are taken off the count.
    ///
    /// Errors: bands that are not there, electrons that would not fit.
    pub fn window(&self, first: usize, count: usize) -> Result<Self, BandsError> {
        if count == 0 || first.checked_add(count).is_none_or(|end| end > self.bands) {
            let want = "a range within the bands is due";
            return Err(BandsError::Count {
                what: "bands of a window",
                got: first.saturating_add(count),
                expected: self.bands,
                want,
            });
        }
        let energies_ev =
            (0..self.k_points.len()).map(|k| self.energies(k)[first..first + count].to_vec()).collect();
        Self::new(BandSetParts {
            lattice_angstrom: self.lattice,
            k_points: self.k_points.clone(),
            weights: self.weights.clone(),
            energies_ev,
            rotations: self.group.rotations().to_vec(),
            spin_degeneracy: self.spin_degeneracy,
            fermi_level_ev: self.fermi_level_ev,
            electrons: self.electrons.map(|n| n - self.spin_degeneracy * first as f64),
        })
    }

    /// Scissors: every band above the lowest `filled` ones raised by `shift_ev`, to put a measured gap in place of a computed one.
    ///
    /// Errors: more bands than there are, a shift that is not finite or closes the gap.
    pub fn with_scissors(mut self, filled: usize, shift_ev: f64) -> Result<Self, BandsError> {
        if filled == 0 || filled >= self.bands {
            let want = "a gap above at least one band and below another is due";
            return Err(BandsError::Count {
                what: "bands below the gap",
                got: filled,
                expected: self.bands - 1,
                want,
            });
        }
        let edge = |range: std::ops::Range<usize>, fold: fn(f64, f64) -> f64, start: f64| {
            (0..self.k_points.len())
                .flat_map(|k| self.energies(k)[range.clone()].iter())
                .fold(start, |a, b| fold(a, *b))
        };
        let top = edge(0..filled, f64::max, f64::NEG_INFINITY);
        let bottom = edge(filled..self.bands, f64::min, f64::INFINITY);
        if !within(shift_ev, 1e3) || bottom + shift_ev <= top {
            return refuse(
                "the shift of the bands above the gap (eV)",
                shift_ev,
                "a finite shift that leaves a gap is due",
            );
        }
        for row in self.energies.chunks_mut(self.bands) {
            for energy in &mut row[filled..] {
                *energy += shift_ev;
            }
        }
        self.fermi_level_ev = Some(0.5 * (top + bottom + shift_ev));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> BandSetParts {
        BandSetParts {
            lattice_angstrom: [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]],
            k_points: vec![[0.0; 3], [0.5, 0.0, 0.0]],
            weights: vec![0.25, 0.75],
            energies_ev: vec![vec![1.0, -1.0], vec![0.5, 2.0]],
            rotations: Vec::new(),
            spin_degeneracy: 2.0,
            fermi_level_ev: Some(0.7),
            electrons: Some(2.0),
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let set = BandSet::new(parts()).unwrap();
        assert_eq!(set.energies(0), [-1.0, 1.0]);
        assert_eq!(set.filling(0.7, 0.0), 2.0);
        let failing = |change: fn(&mut BandSetParts)| {
            let mut p = parts();
            change(&mut p);
            BandSet::new(p).unwrap_err()
        };
        assert_eq!(
            failing(|p| p.energies_ev[1].truncate(1)),
            BandsError::BandMismatch { point: 2, got: 1, expected: 2 }
        );
        assert!(matches!(
            failing(|p| p.energies_ev[1][0] = f64::NAN),
            BandsError::Eigenvalue { point: 2, band: 1, .. }
        ));
        assert!(matches!(failing(|p| p.weights[0] = 0.3), BandsError::Weights { .. }));
        assert!(matches!(failing(|p| p.weights = vec![-0.5, 1.5]), BandsError::Weights { .. }));
        assert!(matches!(failing(|p| p.weights = vec![f64::NAN, 1.0]), BandsError::Weights { .. }));
        assert!(matches!(failing(|p| p.k_points.clear()), BandsError::Count { .. }));
        assert!(matches!(failing(|p| p.lattice_angstrom = [[0.0; 3]; 3]), BandsError::Lattice { .. }));
        assert!(matches!(failing(|p| p.electrons = Some(5.0)), BandsError::Electrons { .. }));
        failing(|p| p.k_points[0][0] = f64::INFINITY);
        failing(|p| p.spin_degeneracy = 0.0);
        failing(|p| p.fermi_level_ev = Some(f64::NAN));
        failing(|p| p.energies_ev = vec![Vec::new(), Vec::new()]);
    }

    #[test]
    fn windows_and_scissors_keep_count() {
        let set = BandSet::new(parts()).unwrap();
        let upper = set.window(1, 1).unwrap();
        assert_eq!((upper.energies(1)[0], upper.electrons()), (2.0, Some(0.0)));
        assert!(set.window(1, 2).is_err() && set.window(usize::MAX, 2).is_err() && set.window(0, 0).is_err());
        let open = set.clone().with_scissors(1, 1.0).unwrap();
        assert_eq!(open.energies(0), [-1.0, 2.0]);
        assert_eq!(open.fermi_level_ev(), Some(1.25));
        assert!(set.clone().with_scissors(1, -0.6).is_err() && set.with_scissors(2, 1.0).is_err());
    }

    #[test]
    fn json_errors_name_the_line() {
        let said = BandSet::from_json("{\n\"structure\": 3}").unwrap_err().to_string();
        assert!(said.contains("line 2"), "{said}");
    }
}
