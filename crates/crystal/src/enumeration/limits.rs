//! Limits on concentrations, and the compositions within them.

use super::colouring::Composition;
use super::{EnumerationError, ParentLattice};
use serde::{Deserialize, Serialize};

/// An exact fraction between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fraction {
    /// Numerator.
    pub numerator: u64,
    /// Denominator, not 0.
    pub denominator: u64,
}

impl Fraction {
    /// A fraction; it is not reduced.
    pub const fn new(numerator: u64, denominator: u64) -> Self {
        Self { numerator, denominator }
    }

    /// Reads `3/8`, `0.375`, `1`: exactly, never through a binary number.
    ///
    /// ```
    /// use scalade_crystal::enumeration::Fraction;
    /// assert_eq!(Fraction::read("0.25"), Some(Fraction::new(25, 100)));
    /// assert_eq!(Fraction::read("1/3"), Some(Fraction::new(1, 3)));
    /// assert_eq!(Fraction::read("-1"), None);
    /// ```
    pub fn read(text: &str) -> Option<Self> {
        let digits = |t: &str| -> Option<u64> {
            let plain = !t.is_empty() && t.len() <= 18 && t.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| t.parse().ok())?
        };
        let text = text.trim();
        if let Some((numerator, denominator)) = text.split_once('/') {
            let fraction = Self::new(digits(numerator.trim())?, digits(denominator.trim())?);
            return (fraction.denominator > 0).then_some(fraction);
        }
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let numerator = digits(&format!("{whole}{decimals}"))?;
        Some(Self::new(numerator, 10u64.pow(decimals.len() as u32)))
    }

    /// The value.
    pub fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Smallest whole number that is not below this fraction of `sites`.
    fn ceiling_of(self, sites: usize) -> u128 {
        (u128::from(self.numerator) * sites as u128).div_ceil(u128::from(self.denominator))
    }

    /// Largest whole number that is not above this fraction of `sites`.
    fn floor_of(self, sites: usize) -> u128 {
        u128::from(self.numerator) * sites as u128 / u128::from(self.denominator)
    }

    fn above(self, other: Self) -> bool {
        u128::from(self.numerator) * u128::from(other.denominator)
            > u128::from(other.numerator) * u128::from(self.denominator)
    }
}

/// How much of a species a structure may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConcentrationLimit {
    /// Between two fractions of the sites on which the species is allowed, both included. Sites that hold nothing else count, too.
    Fraction {
        /// The species.
        species: String,
        /// Smallest fraction.
        minimum: Fraction,
        /// Largest fraction.
        maximum: Fraction,
    },
    /// Between two numbers of sites of the supercell, both included.
    Count {
        /// The species.
        species: String,
        /// Smallest number.
        minimum: u32,
        /// Largest number.
        maximum: u32,
    },
}

impl ConcentrationLimit {
    /// The species that is limited.
    pub fn species(&self) -> &str {
        match self {
            Self::Fraction { species, .. } | Self::Count { species, .. } => species,
        }
    }

    fn check(&self) -> Result<(), EnumerationError> {
        let refuse =
            |problem: String| Err(EnumerationError::Limit { species: self.species().to_string(), problem });
        match self {
            Self::Fraction { minimum, maximum, .. } => {
                let shown = |f: &Fraction| format!("{}/{} = {}", f.numerator, f.denominator, f.value());
                for fraction in [minimum, maximum] {
                    if fraction.denominator == 0 || fraction.numerator > fraction.denominator {
                        return refuse(format!("the fraction {} is not between 0 and 1", shown(fraction)));
                    }
                }
                if minimum.above(*maximum) {
                    return refuse(format!(
                        "the minimum {} is above the maximum {}; swap them",
                        shown(minimum),
                        shown(maximum)
                    ));
                }
            }
            Self::Count { minimum, maximum, .. } if minimum > maximum => {
                return refuse(format!("the minimum {minimum} is above the maximum {maximum}; swap them"));
            }
            Self::Count { .. } => {}
        }
        Ok(())
    }
}

/// Refuses limits out of range, on unknown species, or several on one species.
pub(crate) fn check_limits(
    parent: &ParentLattice,
    limits: &[ConcentrationLimit],
) -> Result<(), EnumerationError> {
    for (index, limit) in limits.iter().enumerate() {
        limit.check()?;
        let refuse =
            |problem: String| Err(EnumerationError::Limit { species: limit.species().to_string(), problem });
        if !parent.species().iter().any(|s| s == limit.species()) {
            return refuse(format!("no site allows it; the species are {}", parent.species().join(", ")));
        }
        if limits[..index].iter().any(|l| l.species() == limit.species()) {
            return refuse("it is limited twice; give one range".into());
        }
    }
    Ok(())
}

/// Numbers of sites with a choice that each species may take in a supercell, both included; `maximum < minimum` where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpeciesBounds {
    pub(crate) minimum: Vec<u32>,
    pub(crate) maximum: Vec<u32>,
    /// Whether the bounds leave out anything.
    pub(crate) limited: Vec<bool>,
}

impl SpeciesBounds {
    pub(crate) fn new(parent: &ParentLattice, limits: &[ConcentrationLimit], cells: usize) -> Self {
        let count = parent.species().len();
        let mut bounds =
            Self { minimum: vec![0; count], maximum: vec![0; count], limited: vec![false; count] };
        for (index, species) in parent.species().iter().enumerate() {
            let fixed = (0..parent.sites().len()).filter(|s| parent.allowed(*s) == [index]).count() * cells;
            let all = parent.sublattices_with(index) * cells;
            let free = (all - fixed) as u128;
            let (low, high) = match limits.iter().find(|l| l.species() == species) {
                Some(ConcentrationLimit::Fraction { minimum, maximum, .. }) => {
                    (minimum.ceiling_of(all), maximum.floor_of(all))
                }
                Some(ConcentrationLimit::Count { minimum, maximum, .. }) => {
                    (u128::from(*minimum), u128::from(*maximum))
                }
                None => (0, all as u128),
            };
            let fixed = fixed as u128;
            // A species whose fixed sites are too many already leaves no structure: an empty range.
            if high < fixed {
                (bounds.minimum[index], bounds.maximum[index]) = (1, 0);
            } else {
                bounds.minimum[index] = low.saturating_sub(fixed).min(free + 1) as u32;
                bounds.maximum[index] = (high - fixed).min(free) as u32;
            }
            bounds.limited[index] = bounds.minimum[index] > 0 || u128::from(bounds.maximum[index]) < free;
        }
        bounds
    }
}

/// One colour of one class of sites.
#[derive(Clone, Copy, Debug)]
struct Slot {
    class: usize,
    species: usize,
    /// The last colour of its class takes what is left.
    last: bool,
}

/// Compositions within bounds, from many of the first species to few. Nothing is held but the current one.
#[derive(Clone, Debug)]
pub(crate) struct Compositions {
    cells: usize,
    slots: Vec<Slot>,
    class_sizes: Vec<u32>,
    bounds: SpeciesBounds,
    /// Most sites of a species that slots from here on can take.
    room: Vec<Vec<u32>>,
    counts: Vec<u32>,
    started: bool,
}

impl Compositions {
    pub(crate) fn new(parent: &ParentLattice, cells: usize, bounds: SpeciesBounds) -> Self {
        let mut slots = Vec::new();
        for (class, of_class) in parent.classes().iter().enumerate() {
            for (index, species) in of_class.species.iter().enumerate() {
                slots.push(Slot { class, species: *species, last: index + 1 == of_class.species.len() });
            }
        }
        let class_sizes: Vec<u32> =
            parent.classes().iter().map(|c| (c.sublattices.len() * cells) as u32).collect();
        let mut room = vec![vec![0; parent.species().len()]; slots.len() + 1];
        for (index, slot) in slots.iter().enumerate().rev() {
            let mut here = room[index + 1].clone();
            here[slot.species] += class_sizes[slot.class];
            room[index] = here;
        }
        Self { cells, counts: vec![0; slots.len()], slots, class_sizes, bounds, room, started: false }
    }

    /// Sites of the class of `slot` and of its species that the slots before it take.
    fn taken(&self, slot: usize) -> (u32, u32) {
        let (class, species) = (self.slots[slot].class, self.slots[slot].species);
        let mut sums = (0, 0);
        for (other, count) in self.slots[..slot].iter().zip(&self.counts) {
            sums.0 += if other.class == class { *count } else { 0 };
            sums.1 += if other.species == species { *count } else { 0 };
        }
        sums
    }

    /// Smallest and largest count of a slot after those before it; none if the first is above the second.
    fn range(&self, slot: usize) -> (u32, u32) {
        let Slot { class, species, last } = self.slots[slot];
        let (of_class, of_species) = self.taken(slot);
        let left = self.class_sizes[class] - of_class;
        if of_species > self.bounds.maximum[species] {
            return (1, 0);
        }
        let high = left.min(self.bounds.maximum[species] - of_species);
        let later = self.room[slot + 1][species];
        let low = self.bounds.minimum[species].saturating_sub(of_species).saturating_sub(later);
        if last { (low.max(left), high) } else { (low, high) }
    }

    /// The next composition's counts, slot by slot.
    fn step(&mut self) -> bool {
        let slots = self.slots.len();
        // Down: fill from `slot` on with the largest counts. Up: lower the last count that can be lowered.
        let (mut slot, mut down) = (if self.started { slots } else { 0 }, !self.started);
        self.started = true;
        loop {
            if down {
                if slot == slots {
                    return true;
                }
                let (low, high) = self.range(slot);
                if low <= high {
                    self.counts[slot] = high;
                    slot += 1;
                    continue;
                }
                down = false;
            }
            if slot == 0 {
                return false;
            }
            slot -= 1;
            let (low, _) = self.range(slot);
            if self.counts[slot] > low {
                self.counts[slot] -= 1;
                slot += 1;
                down = true;
            }
        }
    }

    /// The next composition; an error if its colourings are too many to number.
    pub(crate) fn next_composition(&mut self) -> Option<Result<Composition, EnumerationError>> {
        if self.bounds.minimum.iter().zip(&self.bounds.maximum).any(|(low, high)| low > high) || !self.step()
        {
            return None;
        }
        let mut counts = vec![Vec::new(); self.class_sizes.len()];
        for (slot, count) in self.slots.iter().zip(&self.counts) {
            counts[slot.class].push(*count);
        }
        let too_many = EnumerationError::TooManyColourings { size: self.cells };
        Some(Composition::new(counts).ok_or(too_many))
    }
}
