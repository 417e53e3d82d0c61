//! What a user should know about the data of a fit: nothing is dropped or merged in silence.

use crate::fit_method::groups_of;
use crate::{Fit, LatticeError, MappedStructure, Supercell, correlations};
use scalade_crystal::LatticeSite;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Spread of the energies of one ordering above which they contradict one another, eV per formula unit.
const DIFFERENT_EV: f64 = 1e-3;
/// Relaxation from which on a structure is named: strain, and displacement in angstrom.
const FAR: [f64; 2] = [0.06, 0.4];
/// Width of an interval of compositions without data that is named.
const WIDE_GAP: f64 = 0.25;
/// Leverage from which on a structure is named.
const HIGH_LEVERAGE: f64 = 0.95;

/// One finding, with a stable name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// `relaxation-drift`, `same-ordering`, `duplicate-energies`, `self-image`, `rank-deficient`, `gap-in-composition` or `high-leverage`.
    pub code: String,
    /// The structures it is about.
    pub structures: Vec<String>,
    /// What it is, with its numbers and a way out.
    pub message: String,
}

impl Diagnostic {
    fn new(code: &str, structures: Vec<String>, message: String) -> Self {
        Self { code: code.into(), structures, message }
    }
}

/// A structure of a fit, as far as diagnostics concern it.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// Name in the data set.
    pub id: String,
    /// Its supercell, the sites of the clusters numbered.
    pub supercell: Supercell,
    /// Largest principal stretch minus one, in magnitude.
    pub strain: f64,
    /// Largest distance of an atom from its site, angstrom.
    pub displacement_angstrom: f64,
    /// Energy in the data, eV per formula unit.
    pub data_ev: f64,
    /// Leverage.
    pub leverage: f64,
    /// Weight.
    pub weight: f64,
    /// Correlations of all orbits of the fit.
    pub correlations: Vec<f64>,
}

/// What the entries of a fit are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Structures with their energies.
    Structures,
    /// Hops with a property, such as a barrier.
    Hops,
}

impl Subject {
    fn plural(self) -> &'static str {
        match self {
            Self::Structures => "structures",
            Self::Hops => "hops",
        }
    }

    fn singular(self) -> &'static str {
        match self {
            Self::Structures => "structure",
            Self::Hops => "hop",
        }
    }
}

/// Looks at mapped structures and their fit, whose parity has them in the same order.
pub fn diagnose(mapped: &[MappedStructure], fit: &Fit) -> Result<Vec<Diagnostic>, LatticeError> {
    if mapped.len() != fit.parity.len() {
        let (expected, got) = (fit.parity.len(), mapped.len());
        return Err(LatticeError::Length { what: "mapped structures of the fit", expected, got });
    }
    let examined: Vec<Examined> = mapped
        .iter()
        .zip(&fit.parity)
        .map(|(m, p)| {
            Ok(Examined {
                id: m.id.clone(),
                supercell: m.supercell.clone(),
                strain: m.strain,
                displacement_angstrom: m.host_displacement_angstrom.max(m.working_displacement_angstrom),
                data_ev: p.data_ev,
                leverage: p.leverage,
                weight: p.weight,
                correlations: correlations(&fit.hamiltonian.orbits, &m.supercell, &m.occupied)?,
            })
        })
        .collect::<Result<_, LatticeError>>()?;
    let clusters: Vec<Vec<Vec<LatticeSite>>> =
        fit.hamiltonian.orbits.iter().map(|o| o.clusters.clone()).collect();
    let dependent: Vec<String> = fit
        .dependent_orbits
        .iter()
        .filter_map(|k| fit.interactions.get(*k))
        .map(|i| format!("{} sites, {:.3} angstrom", i.order, i.diameter_angstrom))
        .collect();
    let mut out = examine(Subject::Structures, &examined, &clusters, &dependent, [fit.rank, fit.columns]);
    gaps(fit, &mut out);
    Ok(out)
}

/// Looks at the entries of any fit: `clusters` are those of each orbit, `dependent` names what is not told apart, `rank` of `columns` are.
pub fn examine(
    subject: Subject,
    structures: &[Examined],
    clusters: &[Vec<Vec<LatticeSite>>],
    dependent: &[String],
    [rank, columns]: [usize; 2],
) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    drift(structures, &mut out);
    same_orderings(subject, structures, &mut out);
    self_images(structures, clusters, &mut out);
    if !dependent.is_empty() {
        out.push(Diagnostic::new(
            "rank-deficient",
            Vec::new(),
            format!(
                "{rank} of {columns} columns are independent: {} are not told apart from others by these {entries} and follow the prior; lower the cutoffs or give more {entries}",
                dependent.join("; "),
                entries = subject.plural()
            ),
        ));
    }
    for s in structures.iter().filter(|s| s.leverage > HIGH_LEVERAGE && s.weight <= 1.0) {
        out.push(Diagnostic::new(
            "high-leverage",
            vec![s.id.clone()],
            format!(
                "its leverage is {:.3}: the fit follows this {} alone; compute others like it",
                s.leverage,
                subject.singular()
            ),
        ));
    }
    out
}

fn drift(structures: &[Examined], out: &mut Vec<Diagnostic>) {
    let moved = |s: &&Examined| s.strain > FAR[0] || s.displacement_angstrom > FAR[1];
    let far: Vec<&Examined> = structures.iter().filter(moved).collect();
    if far.is_empty() {
        return;
    }
    let most = |f: &dyn Fn(&Examined) -> f64| far.iter().map(|s| f(s)).fold(0.0, f64::max);
    out.push(Diagnostic::new(
        "relaxation-drift",
        far.iter().map(|s| s.id.clone()).collect(),
        format!(
            "{} structures relaxed far from the ideal lattice: strains up to {:.3}, displacements up to {:.2} angstrom; look whether they kept their ordering, or tighten max_strain and max_drift",
            far.len(),
            most(&|s| s.strain),
            most(&|s| s.displacement_angstrom),
        ),
    ));
}

/// Entries with equal correlations of all clusters of the fit, and those of them whose values differ.
fn same_orderings(subject: Subject, structures: &[Examined], out: &mut Vec<Diagnostic>) {
    let rows: Vec<Vec<f64>> = structures.iter().map(|s| s.correlations.clone()).collect();
    let groups = groups_of(&rows);
    let count = groups.iter().max().map_or(0, |g| g + 1);
    for group in 0..count {
        let members: Vec<&Examined> =
            structures.iter().zip(&groups).filter(|(_, g)| **g == group).map(|(s, _)| s).collect();
        if members.len() < 2 {
            continue;
        }
        let energies = || members.iter().map(|s| s.data_ev);
        let spread = energies().fold(f64::MIN, f64::max) - energies().fold(f64::MAX, f64::min);
        let names: Vec<String> = members.iter().map(|s| s.id.clone()).collect();
        let (code, what) = if spread > DIFFERENT_EV {
            let what = match subject {
                Subject::Structures => {
                    "their energies contradict one another as far as this expansion can tell: it gives all of them one energy; take out those that are not ground states of their ordering, or add clusters that tell them apart"
                }
                Subject::Hops => {
                    "the expansion gives all of them one value; add clusters that tell them apart, or look at the computed paths"
                }
            };
            ("duplicate-energies", what)
        } else {
            ("same-ordering", "they count as often as they stand here; leave one to weigh it once")
        };
        out.push(Diagnostic::new(
            code,
            names,
            format!(
                "{} {} have the same correlations, {} {:.2} meV apart{}; {what}",
                members.len(),
                subject.plural(),
                if subject == Subject::Structures { "energies" } else { "values" },
                spread * 1e3,
                if subject == Subject::Structures { " per formula unit" } else { "" }
            ),
        ));
    }
}

/// Cells so narrow that a cluster of the fit meets an image of itself: its correlation is then that of a smaller cluster.
fn self_images(structures: &[Examined], clusters: &[Vec<Vec<LatticeSite>>], out: &mut Vec<Diagnostic>) {
    let meets = |s: &Examined, orbit: &[Vec<LatticeSite>]| {
        orbit.iter().any(|cluster| {
            let mut sites: Vec<usize> = cluster.iter().map(|site| s.supercell.index(*site)).collect();
            sites.sort_unstable();
            sites.windows(2).any(|w| w[0] == w[1])
        })
    };
    let mut names = Vec::new();
    let mut touched: BTreeSet<usize> = BTreeSet::new();
    for s in structures {
        let hit: Vec<usize> = (0..clusters.len()).filter(|k| meets(s, &clusters[*k])).collect();
        if !hit.is_empty() {
            names.push(s.id.clone());
        }
        touched.extend(hit);
    }
    if names.is_empty() {
        return;
    }
    let blind = touched.iter().filter(|k| structures.iter().all(|s| meets(s, &clusters[**k]))).count();
    out.push(Diagnostic::new(
        "self-image",
        names.clone(),
        format!(
            "in {} of {} structures clusters of {} orbits meet their own periodic images, so that these cells do not tell such clusters from smaller ones{}; larger cells do",
            names.len(),
            structures.len(),
            touched.len(),
            if blind > 0 { format!(", and {blind} orbits are seen by no cell as they are") } else { String::new() }
        ),
    ));
}

fn gaps(fit: &Fit, out: &mut Vec<Diagnostic>) {
    let mut x: Vec<f64> = fit.parity.iter().map(|p| p.site_fraction).collect();
    x.extend([0.0, 1.0]);
    x.sort_by(f64::total_cmp);
    for w in x.windows(2).filter(|w| w[1] - w[0] > WIDE_GAP) {
        out.push(Diagnostic::new(
            "gap-in-composition",
            Vec::new(),
            format!("there is no structure between x = {:.3} and {:.3}: what the expansion says there is extrapolated", w[0], w[1]),
        ));
    }
}
