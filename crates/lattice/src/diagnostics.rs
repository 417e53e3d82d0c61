//! What a user should know about the data of a fit: nothing is dropped or merged in silence.

use crate::fit_method::groups_of;
use crate::{Fit, LatticeError, MappedStructure, correlations};
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

/// Looks at mapped structures and their fit, whose parity has them in the same order.
pub fn diagnose(mapped: &[MappedStructure], fit: &Fit) -> Result<Vec<Diagnostic>, LatticeError> {
    if mapped.len() != fit.parity.len() {
        let (expected, got) = (fit.parity.len(), mapped.len());
        return Err(LatticeError::Length { what: "mapped structures of the fit", expected, got });
    }
    let mut out = Vec::new();
    drift(mapped, &mut out);
    same_orderings(mapped, fit, &mut out)?;
    self_images(mapped, fit, &mut out);
    if !fit.dependent_orbits.is_empty() {
        let names: Vec<String> = fit
            .dependent_orbits
            .iter()
            .filter_map(|k| fit.interactions.get(*k))
            .map(|i| format!("{} sites, {:.3} angstrom", i.order, i.diameter_angstrom))
            .collect();
        out.push(Diagnostic::new(
            "rank-deficient",
            Vec::new(),
            format!(
                "{} of {} columns are independent: {} are not told apart from others by these structures and follow the prior; lower the cutoffs or give more structures",
                fit.rank, fit.columns, names.join("; ")
            ),
        ));
    }
    gaps(fit, &mut out);
    for p in fit.parity.iter().filter(|p| p.leverage > HIGH_LEVERAGE && p.weight <= 1.0) {
        out.push(Diagnostic::new(
            "high-leverage",
            vec![p.id.clone()],
            format!(
                "its leverage is {:.3}: the fit follows this structure alone; compute others like it",
                p.leverage
            ),
        ));
    }
    Ok(out)
}

fn drift(mapped: &[MappedStructure], out: &mut Vec<Diagnostic>) {
    let moved = |m: &&MappedStructure| {
        m.strain > FAR[0] || m.host_displacement_angstrom.max(m.working_displacement_angstrom) > FAR[1]
    };
    let far: Vec<&MappedStructure> = mapped.iter().filter(moved).collect();
    if far.is_empty() {
        return;
    }
    let most = |f: &dyn Fn(&MappedStructure) -> f64| far.iter().map(|m| f(m)).fold(0.0, f64::max);
    out.push(Diagnostic::new(
        "relaxation-drift",
        far.iter().map(|m| m.id.clone()).collect(),
        format!(
            "{} structures relaxed far from the ideal lattice: strains up to {:.3}, displacements up to {:.2} angstrom; look whether they kept their ordering, or tighten max_strain and max_drift",
            far.len(),
            most(&|m| m.strain),
            most(&|m| m.host_displacement_angstrom.max(m.working_displacement_angstrom)),
        ),
    ));
}

/// Structures with equal correlations of all clusters of the fit, and those of them whose energies differ.
fn same_orderings(
    mapped: &[MappedStructure],
    fit: &Fit,
    out: &mut Vec<Diagnostic>,
) -> Result<(), LatticeError> {
    let rows: Vec<Vec<f64>> = mapped
        .iter()
        .map(|m| correlations(&fit.hamiltonian.orbits, &m.supercell, &m.occupied))
        .collect::<Result<_, _>>()?;
    let groups = groups_of(&rows);
    let count = groups.iter().max().map_or(0, |g| g + 1);
    for group in 0..count {
        let members: Vec<usize> = (0..mapped.len()).filter(|i| groups[*i] == group).collect();
        if members.len() < 2 {
            continue;
        }
        let energies = || members.iter().map(|i| fit.parity[*i].data_ev);
        let spread = energies().fold(f64::MIN, f64::max) - energies().fold(f64::MAX, f64::min);
        let names: Vec<String> = members.iter().map(|i| mapped[*i].id.clone()).collect();
        let (code, what) = if spread > DIFFERENT_EV {
            (
                "duplicate-energies",
                "their energies contradict one another as far as this expansion can tell: it gives all of them one energy; take out those that are not ground states of their ordering, or add clusters that tell them apart",
            )
        } else {
            ("same-ordering", "they count as often as they stand here; leave one to weigh it once")
        };
        out.push(Diagnostic::new(
            code,
            names,
            format!(
                "{} structures have the same correlations, energies {:.2} meV apart per formula unit; {what}",
                members.len(),
                spread * 1e3
            ),
        ));
    }
    Ok(())
}

/// Cells so narrow that a cluster of the fit meets an image of itself: its correlation is then that of a smaller cluster.
fn self_images(mapped: &[MappedStructure], fit: &Fit, out: &mut Vec<Diagnostic>) {
    let orbits = &fit.hamiltonian.orbits;
    let mut names = Vec::new();
    let mut touched: BTreeSet<usize> = BTreeSet::new();
    for m in mapped {
        let mut hit = false;
        for (k, orbit) in orbits.iter().enumerate() {
            let meets = orbit.clusters.iter().any(|cluster| {
                let mut sites: Vec<usize> = cluster.iter().map(|s| m.supercell.index(*s)).collect();
                sites.sort_unstable();
                sites.windows(2).any(|w| w[0] == w[1])
            });
            if meets {
                touched.insert(k);
                hit = true;
            }
        }
        if hit {
            names.push(m.id.clone());
        }
    }
    if names.is_empty() {
        return;
    }
    let whole = touched.iter().filter(|k| {
        mapped.iter().all(|m| {
            orbits[**k].clusters.iter().any(|c| {
                let mut sites: Vec<usize> = c.iter().map(|s| m.supercell.index(*s)).collect();
                sites.sort_unstable();
                sites.windows(2).any(|w| w[0] == w[1])
            })
        })
    });
    let blind = whole.count();
    out.push(Diagnostic::new(
        "self-image",
        names.clone(),
        format!(
            "in {} of {} structures clusters of {} orbits meet their own periodic images, so that these cells do not tell such clusters from smaller ones{}; larger cells do",
            names.len(),
            mapped.len(),
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
