//! Which clusters an expansion needs: candidates from the shells of the lattice, and a choice that does not overfit.

use std::collections::BTreeSet;

use crate::{CutoffScore, Cutoffs, LatticeError, Parent};

/// Distances that differ by less belong to one shell, angstrom.
const SHELL_ANGSTROM: f64 = 1e-3;

/// Distances of the shells around the sites of the working ion, up to a cutoff, angstrom.
fn shells(parent: &Parent, cutoff_angstrom: f64) -> Result<Vec<f64>, LatticeError> {
    let mut distances = Vec::new();
    for basis in 0..parent.sites.sites_fractional.len() {
        let here = scalade_crystal::LatticeSite { cell: [0; 3], basis };
        for there in parent.sites.neighbours(basis, cutoff_angstrom)? {
            distances.push(parent.sites.distance_angstrom(here, there));
        }
    }
    distances.sort_by(f64::total_cmp);
    distances.dedup_by(|later, earlier| *later - *earlier < SHELL_ANGSTROM);
    Ok(distances)
}

/// Cutoffs just beyond every shell: pairs up to `pair_angstrom`, each alone and with triplets up to every shell within it and `triplet_angstrom`, as long
/// as there are at most `most_orbits` orbits. Of candidates with the same clusters the first is kept.
pub fn cutoff_candidates(
    parent: &Parent,
    pair_angstrom: f64,
    triplet_angstrom: f64,
    most_orbits: usize,
) -> Result<Vec<Cutoffs>, LatticeError> {
    let beyond = |d: &f64| d + 2.0 * SHELL_ANGSTROM;
    let pairs: Vec<f64> = shells(parent, pair_angstrom)?.iter().map(beyond).collect();
    let triplets: Vec<f64> = shells(parent, triplet_angstrom)?.iter().map(beyond).collect();
    let mut out: Vec<Cutoffs> = Vec::new();
    // A longer cutoff only adds orbits, so that their numbers by order tell sets apart.
    let mut known: BTreeSet<[usize; 2]> = BTreeSet::new();
    for pair in &pairs {
        for triplet in std::iter::once(None).chain(triplets.iter().filter(|t| *t <= pair).map(Some)) {
            let cutoffs = Cutoffs(std::iter::once(*pair).chain(triplet.copied()).collect());
            let orbits = parent.sites.orbits(&cutoffs)?;
            if orbits.len() > most_orbits {
                break;
            }
            let of_order = |order: usize| orbits.iter().filter(|o| o.order == order).count();
            if known.insert([of_order(2), of_order(3)]) {
                out.push(cutoffs);
            }
        }
    }
    Ok(out)
}

/// The candidate with the fewest orbits whose leave-one-out error is within one standard error of the least: what the data cannot tell apart goes to the
/// simpler expansion (L. Breiman, J. H. Friedman, R. A. Olshen, C. J. Stone, Classification and Regression Trees, Wadsworth 1984, section 3.4.3).
/// The standard error of a root mean square over n structures is 1/sqrt(2n) of it. None without candidates.
pub fn sparing_choice(scores: &[CutoffScore], structures: usize) -> Option<usize> {
    let least = scores.iter().map(|s| s.leave_one_out_rmse_ev).fold(f64::INFINITY, f64::min);
    let limit = least * (1.0 + 1.0 / (2.0 * structures.max(1) as f64).sqrt());
    let within = (0..scores.len()).filter(|k| scores[*k].leave_one_out_rmse_ev <= limit);
    within.min_by(|a, b| {
        let (a, b) = (&scores[*a], &scores[*b]);
        a.orbits.cmp(&b.orbits).then(a.leave_one_out_rmse_ev.total_cmp(&b.leave_one_out_rmse_ev))
    })
}
