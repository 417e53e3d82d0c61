//! The stream of derivative structures.

use super::colouring::MOST_COLOURINGS;
use super::count::{Period, colourings, inequivalent};
use super::limits::{Compositions, SpeciesBounds, check_limits};
use super::sieve::Sieve;
use super::sites::{SupercellSites, check_size};
use super::superlattice::{Superlattices, stabiliser};
use super::{ConcentrationLimit, EnumerationError, IntegerMatrix, ParentLattice};
use crate::{Structure, inverse, row_times};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Memory for the set of colourings already met, bytes: 512 million colourings of one composition.
const DEFAULT_MEMORY_BYTES: u64 = 64 << 20;

/// A colouring of a supercell that stands for all that symmetry makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DerivativeStructure {
    /// Number of primitive cells.
    pub size: usize,
    /// Number of its superlattice among those of this size, see [`Superlattices`].
    pub superlattice: u64,
    /// Hermite normal form: rows are the supercell's vectors in units of the parent's.
    pub hermite: IntegerMatrix,
    /// Number of the colouring among those of its superlattice within the limits on concentrations.
    #[serde(with = "decimal")]
    pub colouring: u128,
    /// Species of every site as indices into [`ParentLattice::species`]: those of sublattice b are `species[b * size ..][.. size]`.
    pub species: Vec<u8>,
    /// Number of colourings of this superlattice that are equivalent to this one.
    pub equivalent_colourings: u64,
    /// Number of superlattices that are equivalent to this one.
    pub equivalent_superlattices: u64,
}

/// Where a stream goes on: the next colouring to look at. It may be stored as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Number of primitive cells.
    pub size: usize,
    /// Number of the superlattice, see [`Superlattices`].
    pub superlattice: u64,
    /// Number of the colouring; a text in JSON, where many readers lose the digits of large numbers.
    #[serde(with = "decimal")]
    pub colouring: u128,
}

/// Large integers as decimal texts.
mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Numbers of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeCount {
    /// Number of primitive cells.
    pub size: usize,
    /// Superlattices before symmetry.
    pub superlattices: u64,
    /// Superlattices that no operation of the parent takes into each other.
    pub inequivalent_superlattices: u64,
    /// Inequivalent structures without a smaller period.
    pub structures: u128,
}

/// The derivative structures of a parent: all its supercells with all their colourings within limits, one of each that symmetry makes alike,
/// none that repeats within its supercell. Structures that differ by an exchange of species are different.
///
/// ```
/// use scalade_crystal::{NamedLattice, enumeration::{DerivativeStructures, ParentLattice}};
/// let parent = ParentLattice::named(NamedLattice::Fcc, &["A", "B"])?;
/// let structures = DerivativeStructures::new(&parent, &[])?;
/// let counts = (1..=4).map(|n| Ok(structures.count(n)?.structures));
/// assert_eq!(counts.collect::<Result<Vec<_>, scalade_crystal::enumeration::EnumerationError>>()?, [2, 2, 6, 19]);
/// let listed = structures.stream(1..=4)?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(listed.len(), 2 + 2 + 6 + 19);
/// # Ok::<(), scalade_crystal::enumeration::EnumerationError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DerivativeStructures<'a> {
    parent: &'a ParentLattice,
    limits: Vec<ConcentrationLimit>,
    memory_bytes: u64,
}

impl<'a> DerivativeStructures<'a> {
    /// Of a parent, within limits on at most as many species as it has. Errors: [`EnumerationError::Limit`].
    pub fn new(parent: &'a ParentLattice, limits: &[ConcentrationLimit]) -> Result<Self, EnumerationError> {
        check_limits(parent, limits)?;
        Ok(Self { parent, limits: limits.to_vec(), memory_bytes: DEFAULT_MEMORY_BYTES })
    }

    /// The same with another bound on the memory for colourings already met (one bit for each of a composition; 64 MiB unless set). Where they
    /// do not fit, each colouring is tested alone: slower, the same stream.
    #[must_use]
    pub fn with_memory_bytes(mut self, memory_bytes: u64) -> Self {
        self.memory_bytes = memory_bytes;
        self
    }

    /// The parent.
    pub fn parent(&self) -> &ParentLattice {
        self.parent
    }

    /// The limits on concentrations.
    pub fn limits(&self) -> &[ConcentrationLimit] {
        &self.limits
    }

    /// Number of structures of `size` primitive cells, without listing them: by Burnside's lemma, in a time that grows with the sizes of the
    /// groups and not with the number of colourings.
    ///
    /// Errors: [`EnumerationError::Size`], [`EnumerationError::TooManyColourings`], [`EnumerationError::TooManyCounts`].
    pub fn count(&self, size: usize) -> Result<SizeCount, EnumerationError> {
        self.count_periods(size, Period::Full)
    }

    /// As [`DerivativeStructures::count`] with the colourings of smaller period included, each in every superlattice that it fits: the number of
    /// classes that Burnside's lemma alone gives.
    pub fn count_with_smaller_periods(&self, size: usize) -> Result<SizeCount, EnumerationError> {
        self.count_periods(size, Period::Any)
    }

    fn count_periods(&self, size: usize, period: Period) -> Result<SizeCount, EnumerationError> {
        check_size(self.parent, size)?;
        let list = Superlattices::new(size, self.parent.dimensions());
        let bounds = SpeciesBounds::new(self.parent, &self.limits, size);
        let mut found =
            SizeCount { size, superlattices: list.count(), inequivalent_superlattices: 0, structures: 0 };
        for hermite in (0..list.count()).filter_map(|ordinal| list.get(ordinal)) {
            if let Some(sites) = SupercellSites::reduced(self.parent, &hermite) {
                let of_this = inequivalent(self.parent, &sites, &bounds, period)?;
                let sum = found.structures.checked_add(of_this);
                found.structures = sum.ok_or(EnumerationError::TooManyColourings { size })?;
                found.inequivalent_superlattices += 1;
            }
        }
        Ok(found)
    }

    /// The superlattices of `size` primitive cells, one of each that symmetry makes alike, with their numbers.
    pub fn superlattices(
        &self,
        size: usize,
    ) -> Result<impl Iterator<Item = (u64, IntegerMatrix)> + use<>, EnumerationError> {
        check_size(self.parent, size)?;
        let list = Superlattices::new(size, self.parent.dimensions());
        let rotations = self.parent.rotations();
        Ok((0..list.count()).filter_map(move |ordinal| {
            let hermite = list.get(ordinal)?;
            stabiliser(&hermite, &rotations).map(|_| (ordinal, hermite))
        }))
    }

    /// The stream of structures of these sizes. Errors: [`EnumerationError::Size`], [`EnumerationError::Sizes`],
    /// [`EnumerationError::TooManyColourings`] if those of a superlattice within the limits are more than 2^113.
    pub fn stream(&self, sizes: RangeInclusive<usize>) -> Result<StructureStream<'a>, EnumerationError> {
        let cursor = Cursor { size: *sizes.start(), superlattice: 0, colouring: 0 };
        self.resume(sizes, cursor)
    }

    /// The rest of the stream from a cursor of the same request on: exactly what an undisturbed one would have given. Errors: as
    /// [`DerivativeStructures::stream`], and [`EnumerationError::Cursor`] for a cursor outside of it.
    pub fn resume(
        &self,
        sizes: RangeInclusive<usize>,
        cursor: Cursor,
    ) -> Result<StructureStream<'a>, EnumerationError> {
        let (smallest, largest) = sizes.into_inner();
        check_size(self.parent, smallest)?;
        check_size(self.parent, largest)?;
        if smallest > largest {
            return Err(EnumerationError::Sizes { smallest, largest });
        }
        for size in cursor.size.max(smallest)..=largest {
            let bounds = SpeciesBounds::new(self.parent, &self.limits, size);
            match colourings(self.parent, &bounds, size) {
                Ok(count) if count > MOST_COLOURINGS => {
                    return Err(EnumerationError::TooManyColourings { size });
                }
                // Limits on many species cannot be counted beforehand; each composition is checked when its turn comes.
                Ok(_) | Err(EnumerationError::TooManyCounts { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // One past the last size is the cursor of a stream that is done.
        let list =
            (cursor.size <= largest).then(|| Superlattices::new(cursor.size, self.parent.dimensions()));
        let known = list.as_ref().map_or(cursor.superlattice == 0, |l| cursor.superlattice < l.count());
        if cursor.size < smallest || cursor.size > largest + 1 || !known {
            let Cursor { size, superlattice, colouring } = cursor;
            return Err(EnumerationError::Cursor { size, superlattice, colouring });
        }
        Ok(StructureStream {
            parent: self.parent,
            limits: self.limits.clone(),
            memory_bits: self.memory_bytes.saturating_mul(8),
            smallest,
            largest,
            list: list.unwrap_or_else(|| Superlattices::new(1, 1)),
            cursor,
            supercell: None,
            failed: false,
        })
    }

    /// The structure: lattice vectors are the rows of the Hermite normal form times the parent's vectors, sites as in
    /// [`DerivativeStructure::species`], [`VACANCY`](super::VACANCY) among the species where it is allowed.
    pub fn structure(&self, found: &DerivativeStructure) -> Result<Structure, EnumerationError> {
        structure_of(self.parent, &found.hermite, &found.species)
    }
}

/// The periodic structure of a supercell whose site (sublattice b, cell g) has species `species[b * cells + g]`.
pub(crate) fn structure_of(
    parent: &ParentLattice,
    hermite: &IntegerMatrix,
    species: &[u8],
) -> Result<Structure, EnumerationError> {
    let bad =
        || EnumerationError::Supercell { matrix: *hermite, largest: super::superlattice::LARGEST_ENTRY };
    let group = super::sites::CellGroup::new(hermite);
    let cells = group.order();
    let float = hermite.map(|row| row.map(|e| e as f64));
    let inverse = inverse(&float).ok_or_else(bad)?;
    // Entries of the inverse are whole multiples of 1 / cells: cells then have exact positions.
    let whole = inverse.map(|row| row.map(|e| (e * cells as f64).round() as i64));
    let lattice = float.map(|row| row_times(row, parent.lattice_angstrom()));
    let mut fractional = Vec::with_capacity(species.len());
    for site in parent.sites() {
        let offset = row_times(*site, &inverse);
        for g in 0..cells {
            let cell = group.cell(g);
            fractional.push(std::array::from_fn(|j| {
                let share = (0..3).map(|i| cell[i] * whole[i][j]).sum::<i64>().rem_euclid(cells as i64);
                let position = share as f64 / cells as f64 + offset[j];
                position - position.floor()
            }));
        }
    }
    let names = species.iter().map(|s| parent.species().get(usize::from(*s)).cloned());
    let names: Vec<String> = names.collect::<Option<_>>().ok_or_else(bad)?;
    Ok(Structure::new(lattice, names, fractional)?)
}

/// Derivative structures one by one; never more than one superlattice is held.
#[derive(Clone, Debug)]
pub struct StructureStream<'a> {
    parent: &'a ParentLattice,
    limits: Vec<ConcentrationLimit>,
    memory_bits: u64,
    smallest: usize,
    largest: usize,
    list: Superlattices,
    cursor: Cursor,
    supercell: Option<SupercellState>,
    failed: bool,
}

/// The superlattice at work.
#[derive(Clone, Debug)]
struct SupercellState {
    sites: SupercellSites,
    translations: Vec<u32>,
    compositions: Compositions,
    /// Colourings of the compositions before the one at work.
    before: u128,
    sieve: Option<Sieve>,
}

impl StructureStream<'_> {
    /// Where a stream that gives the same rest would start.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The sizes of the whole stream.
    pub fn sizes(&self) -> RangeInclusive<usize> {
        self.smallest..=self.largest
    }

    fn too_many(&self) -> EnumerationError {
        EnumerationError::TooManyColourings { size: self.cursor.size }
    }

    fn next_superlattice(&mut self) {
        self.supercell = None;
        self.cursor.colouring = 0;
        self.cursor.superlattice += 1;
        if self.cursor.superlattice >= self.list.count() {
            self.cursor.size += 1;
            self.cursor.superlattice = 0;
            if self.cursor.size <= self.largest {
                self.list = Superlattices::new(self.cursor.size, self.parent.dimensions());
            }
        }
    }

    fn advance(&mut self) -> Result<Option<DerivativeStructure>, EnumerationError> {
        while self.cursor.size <= self.largest {
            let Some(mut supercell) = self.supercell.take().or_else(|| self.open()) else {
                self.next_superlattice();
                continue;
            };
            loop {
                if supercell.sieve.is_none() && !self.next_composition(&mut supercell)? {
                    break;
                }
                let before = supercell.before;
                let found = supercell
                    .sieve
                    .as_mut()
                    .and_then(|s| s.next_kept(&supercell.sites, &supercell.translations));
                if let Some((rank, stabiliser)) = found {
                    let colours = supercell.sieve.as_ref().map_or(&[][..], Sieve::colours);
                    let structure = self.describe(&supercell.sites, colours, before + rank, stabiliser);
                    self.cursor.colouring = before + rank + 1;
                    self.supercell = Some(supercell);
                    return Ok(Some(structure));
                }
                let done = supercell.sieve.take().map_or(0, |s| s.colourings());
                supercell.before = before.checked_add(done).ok_or_else(|| self.too_many())?;
            }
            self.next_superlattice();
        }
        Ok(None)
    }

    fn open(&self) -> Option<SupercellState> {
        let hermite = self.list.get(self.cursor.superlattice)?;
        let sites = SupercellSites::reduced(self.parent, &hermite)?;
        let bounds = SpeciesBounds::new(self.parent, &self.limits, self.cursor.size);
        let compositions = Compositions::new(self.parent, self.cursor.size, bounds);
        let translations = sites.translation_table();
        Some(SupercellState { sites, translations, compositions, before: 0, sieve: None })
    }

    /// Goes to the next composition that the cursor has not passed; whether there is one.
    fn next_composition(&self, supercell: &mut SupercellState) -> Result<bool, EnumerationError> {
        while let Some(composition) = supercell.compositions.next_composition() {
            let composition = composition?;
            let done = self.cursor.colouring.saturating_sub(supercell.before);
            if done >= composition.colourings {
                let sum = supercell.before.checked_add(composition.colourings);
                supercell.before = sum.ok_or_else(|| self.too_many())?;
                continue;
            }
            supercell.sieve = Some(Sieve::new(composition, done, self.memory_bits));
            return Ok(true);
        }
        Ok(false)
    }

    fn describe(
        &self,
        sites: &SupercellSites,
        colours: &[u8],
        colouring: u128,
        stabiliser: u64,
    ) -> DerivativeStructure {
        DerivativeStructure {
            size: sites.cells(),
            superlattice: self.cursor.superlattice,
            hermite: sites.hermite,
            colouring,
            species: sites.species(self.parent, colours),
            equivalent_colourings: sites.group_order() / stabiliser.max(1),
            equivalent_superlattices: sites.equivalent_superlattices,
        }
    }
}

impl Iterator for StructureStream<'_> {
    type Item = Result<DerivativeStructure, EnumerationError>;

    /// The next structure. After an error the stream ends.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let found = self.advance();
        self.failed = found.is_err();
        found.transpose()
    }
}
