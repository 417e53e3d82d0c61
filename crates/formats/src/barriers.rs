//! Hop barriers from a table.

use crate::error::{FormatError, Place};
use crate::table::Table;

/// One hop of the mobile ion. Columns of the table in brackets; only `id`, `x`, `mechanism`, `forward_eV`
/// and `backward_eV` must be there.
#[derive(Clone, Debug, PartialEq)]
pub struct HopBarrier {
    /// Name of the hop \[id\].
    pub id: String,
    /// Line in the file.
    pub line: usize,
    /// Mobile ions per formula unit of the host \[x\].
    pub x: f64,
    /// Kind of hop, such as `odh` (oxygen dumbbell) or `tsh` (tetrahedral site) \[mechanism\].
    pub mechanism: String,
    /// Barrier from the initial state, eV, not negative \[forward_eV\].
    pub forward_ev: f64,
    /// Barrier from the final state, eV, not negative \[backward_eV\].
    pub backward_ev: f64,
    /// Kinetically resolved activation barrier, the mean of both, eV.
    pub kinetically_resolved_ev: f64,
    /// Occupied neighbour sites of the initial state \[n_li_neighbours_initial\].
    pub neighbours_initial: Option<u64>,
    /// Occupied neighbour sites of the final state \[n_li_neighbours_final\].
    pub neighbours_final: Option<u64>,
    /// Vacant sites next to both ends \[n_vacant_common\].
    pub vacant_common: Option<u64>,
    /// Lattice parameter a of the hop's cell, angstrom \[a_A\].
    pub a_angstrom: Option<f64>,
    /// Lattice parameter c of the hop's cell, angstrom \[c_A\].
    pub c_angstrom: Option<f64>,
    /// Whether the path search converged \[converged\].
    pub converged: Option<bool>,
    /// Residual force of the path search, eV/angstrom \[neb_fmax_eV_A\].
    pub residual_ev_per_angstrom: Option<f64>,
    /// Energies of the images over the initial state, eV \[profile_eV\]; empty if not there.
    pub profile_ev: Vec<f64>,
}

/// The stated mean barrier may differ from the mean of the two by rounding, eV.
const MEAN_TOLERANCE_EV: f64 = 1e-3;

/// Hop barriers from a table that `read_csv` read.
///
/// Errors: missing columns; numbers that are none; [`FormatError::Value`] with line and id for a negative
/// barrier, for a lattice
/// parameter or neighbour count that is not positive, and for a column `kra_eV` that is not the mean of both
/// barriers to 1 meV.
pub fn read_barriers(table: &Table) -> Result<Vec<HopBarrier>, FormatError> {
    let (ids, x, mechanism) = (table.texts("id")?, table.numbers("x")?, table.texts("mechanism")?);
    let (forward, backward) = (table.numbers("forward_eV")?, table.numbers("backward_eV")?);
    let optional = |column: &str| -> Result<Vec<Option<f64>>, FormatError> {
        if table.has(column) { table.optional_numbers(column) } else { Ok(vec![None; ids.len()]) }
    };
    let (stated_mean, a, c) = (optional("kra_eV")?, optional("a_A")?, optional("c_A")?);
    let residual = optional("neb_fmax_eV_A")?;
    let initial = optional("n_li_neighbours_initial")?;
    let last = optional("n_li_neighbours_final")?;
    let common = optional("n_vacant_common")?;
    let converged = if table.has("converged") { Some(table.logicals("converged")?) } else { None };
    let profiles = if table.has("profile_eV") { Some(table.number_lists("profile_eV")?) } else { None };
    let mut rows = Vec::with_capacity(ids.len());
    for (row, id) in ids.iter().enumerate() {
        let check = |what: &str, unit: &'static str, value: f64, admissible: bool, want: &str| {
            if admissible {
                return Ok(value);
            }
            let place = Box::new(Place::line(table.name(), table.line(row)));
            let (id, what, want) = ((*id).to_string(), what.to_string(), want.to_string());
            Err(FormatError::Value { place, id, what, unit, value, want })
        };
        let want = "a barrier is the saddle's energy over its end state and cannot be negative; check the path or swap the states";
        let forward_ev = check("forward barrier", " eV", forward[row], forward[row] >= 0.0, want)?;
        let backward_ev = check("backward barrier", " eV", backward[row], backward[row] >= 0.0, want)?;
        let mean = 0.5 * (forward_ev + backward_ev);
        if let Some(stated) = stated_mean[row] {
            let want = format!("kra_eV is the mean of forward_eV and backward_eV, which is {mean} eV");
            check("mean barrier", " eV", stated, (stated - mean).abs() <= MEAN_TOLERANCE_EV, &want)?;
        }
        let positive = |what: &str, value: Option<f64>| {
            value.map(|v| check(what, " angstrom", v, v > 0.0, "a length is positive")).transpose()
        };
        let count = |what: &str, value: Option<f64>| {
            let whole = |v: f64| v >= 0.0 && v.fract() == 0.0 && v < 1e6;
            value
                .map(|v| check(what, "", v, whole(v), "a count is a whole number").map(|v| v as u64))
                .transpose()
        };
        rows.push(HopBarrier {
            id: (*id).to_string(),
            line: table.line(row),
            x: check("composition x", "", x[row], x[row] >= 0.0, "a composition is not negative")?,
            mechanism: mechanism[row].to_string(),
            forward_ev,
            backward_ev,
            kinetically_resolved_ev: mean,
            neighbours_initial: count("n_li_neighbours_initial", initial[row])?,
            neighbours_final: count("n_li_neighbours_final", last[row])?,
            vacant_common: count("n_vacant_common", common[row])?,
            a_angstrom: positive("a_A", a[row])?,
            c_angstrom: positive("c_A", c[row])?,
            converged: converged.as_ref().map(|list| list[row]),
            residual_ev_per_angstrom: residual[row],
            profile_ev: profiles.as_ref().map(|list| list[row].clone()).unwrap_or_default(),
        });
    }
    Ok(rows)
}
