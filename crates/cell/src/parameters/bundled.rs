//! Parameter sets that come with the crate.

use super::ParameterSet;
use super::document::CellDocument;
use crate::error::CellError;

/// A parameter set from the literature that comes with the crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundledSet {
    /// Name, as [`ParameterSet::bundled`] takes it in any case.
    pub name: &'static str,
    /// Electrodes and cell.
    pub chemistry: &'static str,
    /// The paper with the parameters.
    pub citation: &'static str,
    /// Its digital object identifier.
    pub doi: &'static str,
    document: &'static str,
}

macro_rules! set {
    ($name:literal, $chemistry:literal, $citation:literal, $doi:literal) => {
        BundledSet {
            name: $name,
            chemistry: $chemistry,
            citation: $citation,
            doi: $doi,
            document: include_str!(concat!("../../../../data/cell/sets/", $name, ".json")),
        }
    };
}

static SETS: [BundledSet; 9] = [
    set!(
        "Marquis2019",
        "graphite / LiCoO2, 0.68 A h",
        "S. G. Marquis et al., J. Electrochem. Soc. 166, A3693 (2019)",
        "10.1149/2.0341915jes"
    ),
    set!(
        "Chen2020",
        "graphite-SiOx / NMC811, 5 A h",
        "C.-H. Chen et al., J. Electrochem. Soc. 167, 080534 (2020)",
        "10.1149/1945-7111/ab9050"
    ),
    set!(
        "Prada2013",
        "graphite / LiFePO4, 2.3 A h",
        "E. Prada et al., J. Electrochem. Soc. 160, A616 (2013)",
        "10.1149/2.053304jes"
    ),
    set!(
        "Ai2020",
        "graphite / LiCoO2, 2.28 A h",
        "W. Ai et al., J. Electrochem. Soc. 167, 013512 (2020)",
        "10.1149/2.0122001jes"
    ),
    set!(
        "Mohtat2020",
        "graphite / NMC532, 5 A h",
        "P. Mohtat et al., J. Electrochem. Soc. 167, 110561 (2020)",
        "10.1149/1945-7111/aba5d1"
    ),
    set!(
        "OKane2022",
        "graphite-SiOx / NMC811 with ageing, 5 A h",
        "S. E. J. O'Kane et al., Phys. Chem. Chem. Phys. 24, 7909 (2022)",
        "10.1039/d2cp00417h"
    ),
    set!(
        "Ecker2015",
        "graphite / LiNiCoO2, 0.156 A h",
        "M. Ecker et al., J. Electrochem. Soc. 162, A1836 (2015)",
        "10.1149/2.0551509jes"
    ),
    set!(
        "Xu2019",
        "lithium metal / NMC half cell, 2.4 mA h",
        "S. Xu et al., J. Electrochem. Soc. 166, A3456 (2019)",
        "10.1149/2.0991914jes"
    ),
    set!(
        "Chen2020_composite",
        "graphite + silicon / NMC811, 5 A h",
        "W. Ai et al., J. Power Sources 527, 231142 (2022)",
        "10.1016/j.jpowsour.2022.231142"
    ),
];

impl BundledSet {
    /// The set with all its sources.
    ///
    /// # Errors
    /// None for the data that come with the crate.
    pub fn document(&self) -> Result<CellDocument, CellError> {
        CellDocument::read(self.document)
    }
}

impl ParameterSet {
    /// The sets that come with the crate, with their papers.
    pub fn names() -> &'static [BundledSet] {
        &SETS
    }

    /// A set that comes with the crate, by name in any case.
    ///
    /// # Errors
    /// [`CellError::Document`] with all names if there is none of this name.
    ///
    /// ```
    /// use scalade_cell::ParameterSet;
    /// assert_eq!(ParameterSet::bundled("okane2022")?.name, "OKane2022");
    /// # Ok::<(), scalade_cell::CellError>(())
    /// ```
    pub fn bundled(name: &str) -> Result<Self, CellError> {
        if let Some(set) = SETS.iter().find(|set| set.name.eq_ignore_ascii_case(name)) {
            return Ok(set.document()?.parameters);
        }
        let names: Vec<&str> = SETS.iter().map(|set| set.name).collect();
        let name: String = name.chars().take(80).collect();
        let message = format!("there is no parameter set \"{name}\"; there are {}", names.join(", "));
        Err(CellError::Document(message))
    }

    /// Kokam SLPB78205130H of Marquis et al., J. Electrochem. Soc. 166 (2019) A3693 (graphite / LiCoO2,
    /// 0.68 A h).
    ///
    /// # Errors
    /// None for the data that come with the crate.
    pub fn marquis2019() -> Result<Self, CellError> {
        Self::bundled("Marquis2019")
    }

    /// LG M50 of Chen et al., J. Electrochem. Soc. 167 (2020) 080534 (graphite-SiOx / NMC811, 5 A h).
    ///
    /// # Errors
    /// None for the data that come with the crate.
    pub fn chen2020() -> Result<Self, CellError> {
        Self::bundled("Chen2020")
    }

    /// A123 26650 of Prada et al., J. Electrochem. Soc. 160 (2013) A616 (graphite / LiFePO4, 2.3 A h); no
    /// thermal data.
    ///
    /// # Errors
    /// None for the data that come with the crate.
    pub fn prada2013() -> Result<Self, CellError> {
        Self::bundled("Prada2013")
    }
}
