//! A property of an event (a hop) as a function of what stands around it: the hand-off from computed hops to kinetics.

use crate::species_hamiltonian::{FURTHEST_CELL, finite, least_translate, length};
use crate::{FunctionOrbit, HandoffError, SiteFactor, SpeciesSite};
use scalade_crystal::{CrystalError, LatticeSite, Matrix3, SymmetryOperation, determinant, site_images};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most sites that change in an event.
pub const MOST_CHANGES: usize = 16;
/// Most operations of a primitive cell.
const MOST_OPERATIONS: usize = 48;
/// Largest entry of a rotation, and largest fractional coordinate: with the furthest cell their products stay far within 32 bits.
const LARGEST_ENTRY: u32 = 256;

/// A site that changes its species in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeciesChange {
    /// The site.
    pub site: LatticeSite,
    /// What stands there before: an index into the species of its sublattice.
    pub before: usize,
    /// What stands there after.
    pub after: usize,
}

impl SpeciesChange {
    /// The change of the reverse event.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { before: self.after, after: self.before, ..self }
    }
}

/// The event that undoes an event.
pub fn reversed(event: &[SpeciesChange]) -> Vec<SpeciesChange> {
    event.iter().map(|c| c.reversed()).collect()
}

/// What becomes of a property when an event is reversed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parity {
    /// The same for both directions, as the kinetically resolved activation is.
    #[default]
    Even,
    /// Of one direction only, as a barrier from one end is.
    Directed,
}

/// A space-group operation combined with a lattice translation, as a map of lattice sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteMap {
    rotation: [[i32; 3]; 3],
    /// Images of the sublattices in cell (0, 0, 0).
    images: Vec<LatticeSite>,
}

fn plus(a: [i32; 3], b: [i32; 3]) -> [i32; 3] {
    std::array::from_fn(|i| a[i].wrapping_add(b[i]))
}

fn minus(a: [i32; 3], b: [i32; 3]) -> [i32; 3] {
    std::array::from_fn(|i| a[i].wrapping_sub(b[i]))
}

impl SiteMap {
    /// The map of an operation: positions of the sublattices are fractional, and an image within `tolerance_angstrom` of a site is that site.
    ///
    /// Errors: an image that is no site.
    pub fn new(
        lattice_angstrom: &Matrix3,
        sites_fractional: &[[f64; 3]],
        operation: &SymmetryOperation,
        tolerance_angstrom: f64,
    ) -> Result<Self, CrystalError> {
        let images = site_images(lattice_angstrom, sites_fractional, operation, tolerance_angstrom)?;
        Ok(Self { rotation: operation.rotation, images })
    }

    /// The same followed by a translation by lattice vectors.
    #[must_use]
    pub fn moved(mut self, by: [i32; 3]) -> Self {
        for image in &mut self.images {
            image.cell = plus(image.cell, by);
        }
        self
    }

    /// Image of a site, whose sublattice must be one of those of the map.
    pub fn image(&self, site: LatticeSite) -> LatticeSite {
        let home = self.images[site.basis];
        let turned: [i32; 3] = self
            .rotation
            .map(|row| (0..3).fold(0i32, |sum, j| sum.wrapping_add(row[j].wrapping_mul(site.cell[j]))));
        LatticeSite { cell: plus(turned, home.cell), ..home }
    }

    /// Image of a product of site functions, in the order of its factors.
    pub fn term_image(&self, term: &[SiteFactor]) -> Vec<SiteFactor> {
        term.iter().map(|f| SiteFactor { site: self.image(f.site), ..*f }).collect()
    }

    /// Image of an event, in the order of its changes.
    pub fn event_image(&self, event: &[SpeciesChange]) -> Vec<SpeciesChange> {
        event.iter().map(|c| SpeciesChange { site: self.image(c.site), ..*c }).collect()
    }
}

/// The translation that takes one event to another, if they differ by one.
///
/// There is at most one: a translation that maps a finite set of sites on itself is none.
pub fn translation(from: &[SpeciesChange], to: &[SpeciesChange]) -> Option<[i32; 3]> {
    // Sorted by all but the cell first, which translations leave; cells of equal changes keep their order under them.
    let sorted = |event: &[SpeciesChange]| {
        let mut list = event.to_vec();
        list.sort_unstable_by_key(|c| (c.site.basis, c.before, c.after, c.site.cell));
        list
    };
    let (from, to) = (sorted(from), sorted(to));
    let by = minus(to.first()?.site.cell, from.first()?.site.cell);
    let meets = |(a, b): (&SpeciesChange, &SpeciesChange)| {
        let site = LatticeSite { cell: plus(a.site.cell, by), ..a.site };
        SpeciesChange { site, ..*a } == *b
    };
    (from.len() == to.len() && from.iter().zip(&to).all(meets)).then_some(by)
}

/// The maps that take an event to itself or, for an even property, to its reverse: of each operation at most one translation does.
pub fn stabiliser(maps: &[SiteMap], event: &[SpeciesChange], parity: Parity) -> Vec<SiteMap> {
    let back = reversed(event);
    let fitted = |map: &SiteMap| {
        let image = map.event_image(event);
        let by = translation(&image, event)
            .or_else(|| (parity == Parity::Even).then(|| translation(&image, &back)).flatten())?;
        Some(map.clone().moved(by))
    };
    maps.iter().filter_map(fitted).collect()
}

/// The event moved so that one of its sites lies in cell (0, 0, 0), of such the one that sorts first, and for an even property of both directions: equal
/// for events that translation (and reversal) joins.
pub fn canonical_event(event: &[SpeciesChange], parity: Parity) -> Vec<SpeciesChange> {
    let least = |event: &[SpeciesChange]| least_translate(event, |c| &mut c.site);
    match parity {
        Parity::Directed => least(event),
        Parity::Even => least(event).min(least(&reversed(event))),
    }
}

/// One map for each event of a primitive cell that symmetry makes of an event: each event once, with its reverse if the property is even. The maps lead to
/// the [`canonical_event`], by which they are ordered.
pub fn event_maps(
    maps: &[SiteMap],
    event: &[SpeciesChange],
    parity: Parity,
) -> Vec<(Vec<SpeciesChange>, SiteMap)> {
    let mut found: BTreeMap<Vec<SpeciesChange>, SiteMap> = BTreeMap::new();
    for map in maps {
        let image = map.event_image(event);
        let canonical = canonical_event(&image, parity);
        let by = translation(&image, &canonical).or_else(|| translation(&reversed(&image), &canonical));
        if let Some(by) = by {
            found.entry(canonical).or_insert_with(|| map.clone().moved(by));
        }
    }
    found.into_iter().collect()
}

/// For every orbit the mean of its products of site functions, the species of each site told by `species` as an index into those of its sublattice. Not a
/// number where a term names a site, a function or a species that `sites` does not have.
pub fn orbit_means(
    orbits: &[FunctionOrbit],
    sites: &[SpeciesSite],
    species: impl Fn(LatticeSite) -> usize,
) -> Vec<f64> {
    let factor = |f: &SiteFactor| {
        let functions = sites.get(f.site.basis).map(|s| &s.functions);
        let values = functions.and_then(|list| list.get(f.function.wrapping_sub(1)));
        values.and_then(|v| v.get(species(f.site))).copied().unwrap_or(f64::NAN)
    };
    let mean = |orbit: &FunctionOrbit| {
        let product = |term: &Vec<SiteFactor>| term.iter().map(factor).product::<f64>();
        orbit.terms.iter().map(product).sum::<f64>() / orbit.terms.len() as f64
    };
    orbits.iter().map(mean).collect()
}

/// An event with the products of site functions of its surroundings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalEvent {
    /// The changes; one of the sites lies in cell (0, 0, 0).
    pub changes: Vec<SpeciesChange>,
    /// The orbits of the expansion in the same order, about this event.
    pub orbits: Vec<FunctionOrbit>,
}

impl LocalEvent {
    /// The property (eV) at this event, by straight summation: `sites` and `coefficients_ev` (or one of the samples) are those of its expansion, and
    /// `species` tells what stands on a site, as an index into the species of its sublattice. For the event moved by lattice vectors R, ask for the
    /// species of site + R. Not a number where `species` tells of none that is known.
    pub fn value_ev(
        &self,
        sites: &[SpeciesSite],
        coefficients_ev: &[f64],
        species: impl Fn(LatticeSite) -> usize,
    ) -> f64 {
        value(&self.orbits, sites, coefficients_ev, species)
    }
}

fn value(
    orbits: &[FunctionOrbit],
    sites: &[SpeciesSite],
    coefficients_ev: &[f64],
    species: impl Fn(LatticeSite) -> usize,
) -> f64 {
    let Some((constant, rest)) = coefficients_ev.split_first() else { return f64::NAN };
    if rest.len() != orbits.len() {
        return f64::NAN;
    }
    constant + orbit_means(orbits, sites, species).iter().zip(rest).map(|(m, c)| m * c).sum::<f64>()
}

/// A local cluster expansion: a property of an event as a function of the species s_i around it,
///
/// Q = c_0 + sum_orbits c_o (1/N_o) sum_(terms of o) prod_((i, f) in term) phi_f(s_i)
///
/// (A. Van der Ven, G. Ceder, M. Asta, P. D. Tepesch, Phys. Rev. B 64, 184307 (2001), for the kinetically resolved activation
/// E_saddle - (E_initial + E_final)/2). An orbit holds its N_o terms about the prototype event: products of site functions on sites with a choice, none of
/// them a site of the event, that the operations of the event take into one another. Coefficients belong to the mean of the terms; c_o/N_o is the
/// coefficient of a single term, that is of the sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalExpansion {
    /// Lattice vectors of the primitive cell as rows, angstrom.
    pub lattice_angstrom: Matrix3,
    /// The sublattices.
    pub sites: Vec<SpeciesSite>,
    /// Operations of the space group modulo lattice translations.
    pub operations: Vec<SymmetryOperation>,
    /// Distance within which the image of a site is taken for a site, angstrom.
    pub tolerance_angstrom: f64,
    /// The prototype event.
    pub event: Vec<SpeciesChange>,
    /// Whether the reverse of an event has the same value.
    #[serde(default)]
    pub parity: Parity,
    /// The orbits about the prototype; their terms are told apart as they are, not up to a translation.
    pub orbits: Vec<FunctionOrbit>,
    /// Best coefficients: `[c_0, c_1, ...]`, one more than there are orbits, eV.
    pub coefficients_ev: Vec<f64>,
    /// Posterior samples, each like `coefficients_ev`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples_ev: Vec<Vec<f64>>,
    /// The attempt frequency about the event, where it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_frequency: Option<LocalFrequencies>,
}

/// The attempt frequency nu of an event as a function of the species around it: ln(nu/Hz) on the orbits of the [`LocalExpansion`] that holds it.
///
/// An event and its reverse share orbits and coefficients where the parity is even, and with them nu: their rates differ by the energies of the ends alone,
/// so that they obey detailed balance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalFrequencies {
    /// Best coefficients like those of the expansion (the constant, then one for the mean of each orbit), of ln(nu/Hz).
    pub coefficients_ln_hz: Vec<f64>,
    /// Posterior samples, one for each of the expansion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples_ln_hz: Vec<Vec<f64>>,
}

fn far(site: LatticeSite) -> bool {
    site.cell.iter().any(|n| n.unsigned_abs() > FURTHEST_CELL)
}

/// Checks an event: 1 to [`MOST_CHANGES`] different sites that exist, each of which changes from one of its species to another.
pub fn check_event(sites: &[SpeciesSite], event: &[SpeciesChange]) -> Result<(), HandoffError> {
    if event.is_empty() || event.len() > MOST_CHANGES {
        let (expected, got) = (event.len().clamp(1, MOST_CHANGES), event.len());
        return Err(HandoffError::Length { what: "sites of an event (1 to 16)", expected, got });
    }
    let mut seen = BTreeSet::new();
    for (change, entry) in event.iter().enumerate() {
        let error = |reason| Err(HandoffError::Event { change, reason });
        let Some(site) = sites.get(entry.site.basis) else {
            return error("it names a sublattice that does not exist");
        };
        if entry.before.max(entry.after) >= site.species.len() {
            return error("it names a species that its sublattice does not take");
        }
        if entry.before == entry.after {
            return error("nothing changes there");
        }
        if far(entry.site) {
            return error("its site lies more than 2^20 cells away");
        }
        if !seen.insert(entry.site) {
            return error("its site changes twice");
        }
    }
    Ok(())
}

impl LocalExpansion {
    /// The property (eV) at the prototype with the best coefficients; see [`LocalEvent::value_ev`].
    pub fn value(&self, species: impl Fn(LatticeSite) -> usize) -> f64 {
        value(&self.orbits, &self.sites, &self.coefficients_ev, species)
    }

    /// Lower and upper bound of an expansion on these orbits with the given coefficients, whatever the species are: from the largest magnitude of every site
    /// function. Not a number where the coefficients or the functions do not fit.
    pub fn bounds(&self, coefficients: &[f64]) -> [f64; 2] {
        let Some((constant, rest)) = coefficients.split_first() else { return [f64::NAN; 2] };
        if rest.len() != self.orbits.len() {
            return [f64::NAN; 2];
        }
        let largest = |f: &SiteFactor| {
            let functions = self.sites.get(f.site.basis).map(|s| &s.functions);
            let values = functions.and_then(|list| list.get(f.function.wrapping_sub(1)));
            values.map_or(f64::NAN, |v| v.iter().fold(0.0, |m: f64, x| m.max(x.abs())))
        };
        let mean = |orbit: &FunctionOrbit| {
            let product = |term: &Vec<SiteFactor>| term.iter().map(largest).product::<f64>();
            orbit.terms.iter().map(product).sum::<f64>() / orbit.terms.len() as f64
        };
        // What is not there adds nothing, however large its functions are.
        let acting = self.orbits.iter().zip(rest).filter(|o| *o.1 != 0.0);
        let reach: f64 = acting.map(|(orbit, c)| c.abs() * mean(orbit)).sum();
        [constant - reach, constant + reach]
    }

    /// Every event of a primitive cell that symmetry makes of the prototype, each once (with its reverse if the property is even), with its own terms: the
    /// property of any hop anywhere is that of one of these moved by lattice vectors.
    ///
    /// Errors: those of [`Self::check`].
    pub fn events(&self) -> Result<Vec<LocalEvent>, HandoffError> {
        let maps = self.checked_maps()?;
        let orbit = |map: &SiteMap, orbit: &FunctionOrbit| FunctionOrbit {
            terms: orbit.terms.iter().map(|t| sorted(map.term_image(t))).collect(),
            ..*orbit
        };
        let about = |(changes, map): (Vec<SpeciesChange>, SiteMap)| LocalEvent {
            changes,
            orbits: self.orbits.iter().map(|o| orbit(&map, o)).collect(),
        };
        Ok(event_maps(&maps, &self.event, self.parity).into_iter().map(about).collect())
    }

    /// The operations as maps of the sites.
    fn maps(&self) -> Result<Vec<SiteMap>, HandoffError> {
        self.check_sites()?;
        if self.operations.is_empty() || self.operations.len() > MOST_OPERATIONS {
            let got = self.operations.len();
            let expected = got.clamp(1, MOST_OPERATIONS);
            return Err(HandoffError::Length { what: "symmetry operations (1 to 48)", expected, got });
        }
        let positions: Vec<[f64; 3]> = self.sites.iter().map(|s| s.fractional).collect();
        let mut out = Vec::with_capacity(self.operations.len());
        for (operation, given) in self.operations.iter().enumerate() {
            let error = |reason: String| HandoffError::Operation { operation, reason };
            let bound = f64::from(LARGEST_ENTRY);
            let small = given.rotation.iter().flatten().all(|e| e.unsigned_abs() <= LARGEST_ENTRY);
            if !small || !given.translation.iter().all(|t| t.abs() <= bound) {
                return Err(error("its entries exceed 256 in magnitude".into()));
            }
            let map = SiteMap::new(&self.lattice_angstrom, &positions, given, self.tolerance_angstrom)
                .map_err(|e| error(e.to_string()))?;
            for (site, image) in self.sites.iter().zip(&map.images) {
                let other = &self.sites[image.basis];
                if (&site.species, &site.functions) != (&other.species, &other.functions) {
                    return Err(error("it exchanges sublattices that do not take the same species".into()));
                }
            }
            out.push(map);
        }
        self.check_group()?;
        Ok(out)
    }

    /// Rotations of a primitive cell are all different, the identity is among them and so is the product of any two.
    fn check_group(&self) -> Result<(), HandoffError> {
        let rotations: BTreeSet<[[i32; 3]; 3]> = self.operations.iter().map(|o| o.rotation).collect();
        let error = |operation, reason: &str| HandoffError::Operation { operation, reason: reason.into() };
        if rotations.len() != self.operations.len() {
            return Err(error(0, "rotations occur twice: the operations of a primitive cell are due"));
        }
        if !rotations.contains(&SymmetryOperation::IDENTITY.rotation) {
            return Err(error(0, "the identity is missing"));
        }
        for (operation, a) in self.operations.iter().enumerate() {
            for b in &self.operations {
                // The columns of b turned by a.
                let columns: [[i32; 3]; 3] =
                    std::array::from_fn(|j| a.rotate_cell(std::array::from_fn(|k| b.rotation[k][j])));
                let product = std::array::from_fn(|i| std::array::from_fn(|j| columns[j][i]));
                if !rotations.contains(&product) {
                    return Err(error(operation, "its product with another is missing"));
                }
            }
        }
        Ok(())
    }

    fn check_sites(&self) -> Result<(), HandoffError> {
        if self.sites.is_empty() {
            return Err(HandoffError::Length { what: "sites of the primitive cell", expected: 1, got: 0 });
        }
        for row in &self.lattice_angstrom {
            finite("lattice vectors", row)?;
        }
        let volume = determinant(&self.lattice_angstrom);
        if !volume.is_normal() {
            let (what, want) = ("volume of the lattice vectors", "three independent vectors are due");
            return Err(HandoffError::Value { what, index: 0, value: volume, want });
        }
        let tolerance = self.tolerance_angstrom;
        if !(tolerance > 0.0 && tolerance.is_finite()) {
            let (what, want) = ("tolerance of the sites", "a positive number is due");
            return Err(HandoffError::Value { what, index: 0, value: tolerance, want });
        }
        for site in &self.sites {
            site.check()?;
            if let Some(index) = site.fractional.iter().position(|f| f.abs() > f64::from(LARGEST_ENTRY)) {
                let (what, want) = ("fractional position of a site", "at most 256 in magnitude is due");
                return Err(HandoffError::Value { what, index, value: site.fractional[index], want });
            }
        }
        Ok(())
    }

    /// Checks lengths, sublattices, site functions, finiteness, that the operations are a group that maps the sites on alike ones, that no term holds a site
    /// twice, holds a site of the event, or stands twice, and that the operations of the event leave every orbit as it is.
    pub fn check(&self) -> Result<(), HandoffError> {
        self.checked_maps().map(|_| ())
    }

    fn checked_maps(&self) -> Result<Vec<SiteMap>, HandoffError> {
        let maps = self.maps()?;
        check_event(&self.sites, &self.event)?;
        length("coefficients", self.orbits.len() + 1, self.coefficients_ev.len())?;
        finite("coefficients", &self.coefficients_ev)?;
        for sample in &self.samples_ev {
            length("coefficients of a sample", self.orbits.len() + 1, sample.len())?;
            finite("coefficients of a sample", sample)?;
        }
        if let Some(own) = &self.attempt_frequency {
            let expected = self.orbits.len() + 1;
            length("coefficients of the attempt frequency", expected, own.coefficients_ln_hz.len())?;
            finite("coefficients of the attempt frequency", &own.coefficients_ln_hz)?;
            length("samples of the attempt frequency", self.samples_ev.len(), own.samples_ln_hz.len())?;
            for sample in &own.samples_ln_hz {
                length("coefficients of a sample of the attempt frequency", expected, sample.len())?;
                finite("coefficients of a sample of the attempt frequency", sample)?;
            }
        }
        let held: BTreeSet<LatticeSite> = self.event.iter().map(|c| c.site).collect();
        let group = stabiliser(&maps, &self.event, self.parity);
        let mut seen = BTreeSet::new();
        for (orbit, list) in self.orbits.iter().enumerate() {
            finite("diameter of an orbit", &[list.diameter_angstrom])?;
            if list.terms.is_empty() {
                return Err(HandoffError::Length { what: "terms of an orbit", expected: 1, got: 0 });
            }
            for (cluster, term) in list.terms.iter().enumerate() {
                let error = |reason| HandoffError::Cluster { orbit, cluster, reason };
                self.check_term(list.order, term, &held).map_err(error)?;
                if !seen.insert(sorted(term.clone())) {
                    return Err(error("it stands twice: every term is counted once"));
                }
            }
            let own: BTreeSet<Vec<SiteFactor>> = list.terms.iter().map(|t| sorted(t.clone())).collect();
            for (cluster, term) in list.terms.iter().enumerate() {
                if group.iter().any(|map| !own.contains(&sorted(map.term_image(term)))) {
                    let reason = "an operation of the event takes it out of its orbit";
                    return Err(HandoffError::Cluster { orbit, cluster, reason });
                }
            }
        }
        Ok(maps)
    }

    fn check_term(
        &self,
        order: usize,
        term: &[SiteFactor],
        held: &BTreeSet<LatticeSite>,
    ) -> Result<(), &'static str> {
        if term.len() != order || term.is_empty() {
            return Err("its number of sites is not the order of its orbit");
        }
        let mut own = BTreeSet::new();
        for factor in term {
            let Some(site) = self.sites.get(factor.site.basis) else {
                return Err("it names a sublattice that does not exist");
            };
            if factor.function == 0 || factor.function > site.functions.len() {
                return Err("it names a site function that its sublattice does not have");
            }
            if far(factor.site) {
                return Err("a site lies more than 2^20 cells away");
            }
            if held.contains(&factor.site) {
                return Err("it holds a site of the event");
            }
            if !own.insert(factor.site) {
                return Err("it holds a site twice");
            }
        }
        Ok(())
    }
}

/// The factors of a term in order: equal for terms of the same factors.
pub fn sorted(mut term: Vec<SiteFactor>) -> Vec<SiteFactor> {
    term.sort_unstable();
    term
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VACANT;

    fn at(cell: [i32; 3]) -> LatticeSite {
        LatticeSite { cell, basis: 0 }
    }

    fn point(cell: [i32; 3]) -> Vec<SiteFactor> {
        vec![SiteFactor { site: at(cell), function: 1 }]
    }

    /// A hop along x on a chain of cells that a mirror at the origin maps on itself.
    fn chain() -> LocalExpansion {
        let mirror =
            SymmetryOperation { rotation: [[-1, 0, 0], [0, 1, 0], [0, 0, 1]], ..SymmetryOperation::IDENTITY };
        LocalExpansion {
            lattice_angstrom: [[3.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 5.0]],
            sites: vec![SpeciesSite {
                fractional: [0.0; 3],
                species: vec![VACANT.into(), "Li".into()],
                functions: vec![vec![-1.0, 1.0]],
                charges: Vec::new(),
            }],
            operations: vec![SymmetryOperation::IDENTITY, mirror],
            tolerance_angstrom: 1e-3,
            event: vec![
                SpeciesChange { site: at([0; 3]), before: 1, after: 0 },
                SpeciesChange { site: at([1, 0, 0]), before: 0, after: 1 },
            ],
            parity: Parity::Even,
            orbits: vec![
                FunctionOrbit {
                    order: 1,
                    diameter_angstrom: 0.0,
                    terms: vec![point([-1, 0, 0]), point([2, 0, 0])],
                },
                FunctionOrbit {
                    order: 1,
                    diameter_angstrom: 0.0,
                    terms: vec![point([0, 1, 0]), point([1, 1, 0])],
                },
            ],
            coefficients_ev: vec![0.5, 0.1, 0.02],
            samples_ev: vec![vec![0.4, 0.2, 0.03]],
            attempt_frequency: None,
        }
    }

    #[test]
    fn values_are_means_and_the_hand_off_survives_a_file() {
        let expansion = chain();
        expansion.check().unwrap();
        let value =
            |occupied: &[[i32; 3]]| expansion.value(|site| usize::from(occupied.contains(&site.cell)));
        assert!((value(&[]) - (0.5 - 0.1 - 0.02)).abs() < 1e-15);
        assert!((value(&[[2, 0, 0]]) - (0.5 - 0.02)).abs() < 1e-15);
        assert!((value(&[[2, 0, 0], [1, 1, 0]]) - 0.5).abs() < 1e-15);
        assert!(expansion.value(|_| 2).is_nan());
        let text = serde_json::to_string(&expansion).unwrap();
        assert_eq!(serde_json::from_str::<LocalExpansion>(&text).unwrap(), expansion);
        assert!(serde_json::from_str::<LocalExpansion>(&text.replace("\"even\"", "\"odd\"")).is_err());
    }

    #[test]
    fn frequencies_stand_beside_the_activation_where_there_are_any() {
        // A file without them neither gains nor needs a field.
        assert!(!serde_json::to_string(&chain()).unwrap().contains("attempt_frequency"));
        let mut expansion = chain();
        expansion.attempt_frequency = Some(LocalFrequencies {
            coefficients_ln_hz: vec![30.0, 0.5, -0.25],
            samples_ln_hz: vec![vec![29.0, 0.0, 0.0]],
        });
        expansion.check().unwrap();
        let text = serde_json::to_string(&expansion).unwrap();
        assert_eq!(serde_json::from_str::<LocalExpansion>(&text).unwrap(), expansion);
        assert!(serde_json::from_str::<LocalExpansion>(&text.replace("samples_ln_hz", "samples")).is_err());
        assert_eq!(expansion.bounds(&[30.0, 0.5, -0.25]), [29.25, 30.75]);
        assert!(expansion.bounds(&[30.0]).iter().chain(&expansion.bounds(&[])).all(|b| b.is_nan()));
        type Change = fn(&mut LocalFrequencies);
        let changes: [Change; 5] = [
            |f| _ = f.coefficients_ln_hz.pop(),
            |f| f.coefficients_ln_hz[1] = f64::NAN,
            |f| f.samples_ln_hz.clear(),
            |f| _ = f.samples_ln_hz[0].pop(),
            |f| f.samples_ln_hz[0][0] = f64::INFINITY,
        ];
        for (n, change) in changes.iter().enumerate() {
            let mut broken = expansion.clone();
            broken.attempt_frequency.as_mut().map(change).unwrap();
            assert!(broken.check().is_err(), "change {n}");
        }
    }

    #[test]
    fn an_even_event_counts_once_and_a_directed_one_twice() {
        let even = chain();
        let events = even.events().unwrap();
        assert_eq!(events.len(), 1);
        let shown = |site: LatticeSite| usize::from(site.cell[0] == 2);
        let first = events[0].changes[0].site.cell;
        let moved = |site: LatticeSite| shown(LatticeSite { cell: minus(site.cell, first), ..site });
        let got = events[0].value_ev(&even.sites, &even.coefficients_ev, moved);
        assert!((got - even.value(shown)).abs() < 1e-15);
        // The orbits join both ends, which a directed property tells apart.
        let mut directed = chain();
        directed.parity = Parity::Directed;
        directed.check().unwrap();
        let events = directed.events().unwrap();
        assert_eq!(events.len(), 2);
        directed.orbits[0].terms.pop();
        directed.check().unwrap();
        let mut broken = chain();
        broken.orbits[0].terms.pop();
        assert!(broken.check().is_err());
        // Seen from the other end, what is ahead of the ion is behind it.
        let events = directed.events().unwrap();
        let value = |event: &LocalEvent, ahead: i32| {
            let ion = event.changes.iter().find(|c| c.before == 1).unwrap().site.cell[0];
            let hole = event.changes.iter().find(|c| c.before == 0).unwrap().site.cell[0];
            let filled = if ahead > 0 { 2 * hole - ion } else { 2 * ion - hole };
            event.value_ev(&directed.sites, &directed.coefficients_ev, |s| {
                usize::from(s.cell == [filled, 0, 0])
            })
        };
        for event in &events {
            assert!((value(event, -1) - (0.5 + 0.1 - 0.02)).abs() < 1e-15);
            assert!((value(event, 1) - (0.5 - 0.1 - 0.02)).abs() < 1e-15);
        }
    }

    #[test]
    fn what_is_not_admissible_is_refused() {
        type Change = fn(&mut LocalExpansion);
        let changes: [Change; 30] = [
            |h| h.lattice_angstrom[0][0] = f64::NAN,
            |h| h.lattice_angstrom[2] = h.lattice_angstrom[1],
            |h| h.sites.clear(),
            |h| h.sites[0].functions[0][1] = f64::INFINITY,
            |h| h.sites[0].fractional[1] = 1e300,
            |h| h.tolerance_angstrom = 0.0,
            |h| h.tolerance_angstrom = f64::NAN,
            |h| h.operations.clear(),
            |h| h.operations = vec![SymmetryOperation::IDENTITY; 49],
            |h| h.operations[1] = SymmetryOperation::IDENTITY,
            |h| _ = h.operations.remove(0),
            |h| h.operations[1].rotation = [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
            |h| h.operations[1].rotation[0][0] = i32::MIN,
            |h| h.operations[1].translation[0] = f64::NAN,
            |h| h.operations[1].translation[0] = 0.5,
            |h| h.event.clear(),
            |h| h.event[0].after = 1,
            |h| h.event[0].before = 7,
            |h| h.event[1].site = at([0; 3]),
            |h| h.event[1].site.basis = 1,
            |h| h.event[1].site.cell[2] = i32::MIN,
            |h| h.orbits[0].terms.clear(),
            |h| h.orbits[0].order = 2,
            |h| h.orbits[0].terms[0][0].function = 2,
            |h| h.orbits[0].terms[0][0].site.basis = 3,
            |h| h.orbits[0].terms[0][0].site.cell = [0; 3],
            |h| h.orbits[0].terms[0][0].site.cell = [i32::MAX; 3],
            |h| h.orbits[1].terms = h.orbits[0].terms.clone(),
            |h| _ = h.coefficients_ev.pop(),
            |h| h.samples_ev[0][1] = f64::NAN,
        ];
        for (n, change) in changes.iter().enumerate() {
            let mut broken = chain();
            change(&mut broken);
            assert!(broken.check().is_err(), "change {n}");
            // Whatever it holds, nothing panics.
            let _ = broken.events();
            let _ = broken.value(|_| 0);
        }
    }
}
