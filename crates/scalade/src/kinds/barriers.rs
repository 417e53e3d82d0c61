//! Step kind `barriers`: laws for the kinetically resolved activation from a table of hops.

use super::failure;
use crate::error::ScaladeError;
use scalade_formats::{HopBarrier, read_barriers, read_csv};
use scalade_hopping::{BarrierRow, HoppingError, KraFit, Mechanism, fit_barriers};
use scalade_record::{Scale, Uncertainty};
use scalade_study::{
    InputSpec, InputType, Inputs, KindSpec, OutputSpec, Outputs, StepContext, StepFailure, StepKind,
};

/// Common neighbours of a hop in a triangular layer.
const COMMON_NEIGHBOURS: u32 = 2;
/// Occupied neighbours of both ends that a hop in a triangular layer can have at most.
const MOST_NEIGHBOURS: u32 = 10;

/// The kind.
pub struct BarriersKind {
    spec: KindSpec,
}

impl Default for BarriersKind {
    fn default() -> Self {
        let spec = KindSpec::new("barriers", 1, Scale::Atomic, "Laws for the activation of hops from a table of barriers")
            .input(InputSpec::new("table", InputType::File, "CSV table: id, x, mechanism (odh or tsh), forward_eV, backward_eV, n_li_neighbours_initial, n_li_neighbours_final, n_vacant_common"))
            .input(InputSpec::new("members", InputType::Integer { min: Some(0), max: Some(1000) }, "Posterior samples that climb the ladder").default(8))
            .output(OutputSpec::hand_off("barriers", "BarrierLaws", "Kinetically resolved activation by mechanism and surroundings, with posterior samples"))
            .output(OutputSpec::number("dumbbell_activation", "eV", "Mean activation of the oxygen dumbbell hops in the table"))
            .output(OutputSpec::number("tetrahedral_activation", "eV", "Mean activation of the tetrahedral site hops in the table"));
        Self { spec }
    }
}

/// Hops of a table as rows of the fit; a table without the counts of neighbours is refused.
pub fn rows(barriers: &[HopBarrier], name: &str) -> Result<Vec<BarrierRow>, ScaladeError> {
    barriers
        .iter()
        .map(|b| {
            let missing = |column: &str| {
                ScaladeError::input(format!("{name}, line {}: {} has no {column}, which the barrier law needs", b.line, b.id))
            };
            let mechanism = match b.mechanism.as_str() {
                "odh" => Mechanism::Odh,
                "tsh" => Mechanism::Tsh,
                other => {
                    return Err(ScaladeError::input(format!(
                        "{name}, line {}: the mechanism \"{other}\" of {} is unknown; write odh (oxygen dumbbell) or tsh (tetrahedral site)",
                        b.line, b.id
                    )));
                }
            };
            if b.converged == Some(false) {
                return Err(ScaladeError::input(format!(
                    "{name}, line {}: the path of {} is marked as not converged; converge it or remove the row",
                    b.line, b.id
                )));
            }
            Ok(BarrierRow {
                id: b.id.clone(),
                x: b.x,
                mechanism,
                n_li_initial: b.neighbours_initial.ok_or_else(|| missing("n_li_neighbours_initial"))? as u32,
                n_li_final: b.neighbours_final.ok_or_else(|| missing("n_li_neighbours_final"))? as u32,
                n_vacant_common: b.vacant_common.ok_or_else(|| missing("n_vacant_common"))? as u32,
                forward_ev: b.forward_ev,
                backward_ev: b.backward_ev,
                energy_difference_ev: None,
            })
        })
        .collect()
}

/// Reads a table and fits the laws.
pub fn fit(
    text: &str,
    name: &str,
    members: usize,
    seed: u64,
) -> Result<(KraFit, Vec<BarrierRow>), ScaladeError> {
    let input = |e: scalade_formats::FormatError| ScaladeError::input(e.to_string());
    let hops = read_barriers(&read_csv(text, name).map_err(input)?).map_err(input)?;
    let rows = rows(&hops, name)?;
    let fit = fit_barriers(&rows, COMMON_NEIGHBOURS, MOST_NEIGHBOURS, members, seed)
        .map_err(|e: HoppingError| ScaladeError::input(format!("{name}: {e}")))?;
    Ok((fit, rows))
}

impl StepKind for BarriersKind {
    fn spec(&self) -> &KindSpec {
        &self.spec
    }

    fn run(&self, inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure> {
        let name =
            inputs.path("table")?.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let text = inputs.file_text("table")?;
        let (laws, rows) = fit(&text, &name, inputs.count("members")?, context.seed()).map_err(failure)?;
        let mut outputs = Outputs::new();
        let spread = Uncertainty::none("carried by the posterior samples");
        outputs.hand_off("barriers", "BarrierLaws", context.tracked(&laws, "", spread)?)?;
        for (key, mechanism) in
            [("dumbbell_activation", Mechanism::Odh), ("tetrahedral_activation", Mechanism::Tsh)]
        {
            let values: Vec<f64> =
                rows.iter().filter(|r| r.mechanism == mechanism).map(BarrierRow::kra_ev).collect();
            let scatter = (scalade_numerics::variance(&values) / values.len().max(1) as f64).sqrt();
            let mean = scalade_numerics::mean(&values);
            outputs.number(key, context.tracked(mean, "eV", Uncertainty::Standard { value: scatter })?)?;
        }
        let table: Vec<(String, f64, String, u32, f64)> = rows
            .iter()
            .map(|r| (r.id.clone(), r.x, r.mechanism.name().to_string(), r.occupied_neighbours(), r.kra_ev()))
            .collect();
        outputs.plain("rows", &table)?;
        if laws.redrawn > 0 {
            outputs.warn(format!("{} posterior samples of the barrier laws were drawn again because an activation was not positive", laws.redrawn));
        }
        outputs.cite(
            "A. Van der Ven, G. Ceder, M. Asta, P. D. Tepesch, Phys. Rev. B 64, 184307 (2001)",
            Some("10.1103/PhysRevB.64.184307"),
        );
        Ok(outputs)
    }
}
