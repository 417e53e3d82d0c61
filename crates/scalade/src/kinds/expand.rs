//! Step kind `expand`: a cluster expansion of the energies of orderings.

use super::failure;
use super::voltage::read_orderings;
use crate::error::ScaladeError;
use crate::rungs::mapping_settings;
use scalade_lattice::{
    Cutoffs, Fit, FitSettings, HullDisagreement, Hyperparameters, Interaction, MappingReport, ParityPoint,
    fit_expansion,
};
use scalade_record::{Scale, Uncertainty};
use scalade_study::{
    InputSpec, InputType, Inputs, KindSpec, OutputSpec, Outputs, StepContext, StepFailure, StepKind,
};
use scalade_units::dimension as d;
use serde::{Deserialize, Serialize};

/// The kind.
pub struct ExpandKind {
    spec: KindSpec,
}

impl Default for ExpandKind {
    fn default() -> Self {
        let cutoff = |key: &str, default: &str, about: &str| {
            InputSpec::new(key, InputType::Quantity(d::LENGTH), about).within_si(0.0, 5e-9).default(default)
        };
        let spec = KindSpec::new(
            "expand",
            2,
            Scale::Atomic,
            "Cluster expansion of the energies of orderings",
        )
        .input(InputSpec::new("frames", InputType::File, "Structures with energies, extended XYZ"))
        .input(InputSpec::new("working_ion", InputType::Text, "Symbol of the working ion").default("Li"))
        .input(
            InputSpec::new("energy_key", InputType::Text, "Key of the total energy (eV per frame)")
                .default("energy"),
        )
        .input(cutoff("pair_cutoff", "6 angstrom", "Largest pair distance"))
        .input(cutoff("triplet_cutoff", "3 angstrom", "Largest distance within a triplet"))
        .input(cutoff("quadruplet_cutoff", "0 angstrom", "Largest distance within a quadruplet"))
        .input(
            InputSpec::new(
                "members",
                InputType::Integer { min: Some(0), max: Some(1000) },
                "Posterior samples that climb the ladder",
            )
            .default(8),
        )
        .input(
            InputSpec::new(
                "max_excluded",
                InputType::integer_from(0),
                "Structures that may be left out because they are not on the lattice",
            )
            .default(0),
        )
        .input(
            InputSpec::new(
                "parent",
                InputType::File,
                "Ideal structure with all sites of the working ion occupied, instead of the fullest frame",
            )
            .optional(),
        )
        .input(
            InputSpec::new(
                "max_strain",
                InputType::Quantity(d::NONE),
                "Largest strain of a structure against the ideal lattice",
            )
            .within_si(0.0, 0.5)
            .optional(),
        )
        .input(
            InputSpec::new(
                "max_drift",
                InputType::Quantity(d::LENGTH),
                "Largest distance of an atom from its site",
            )
            .within_si(0.0, 3e-10)
            .optional(),
        )
        .output(OutputSpec::hand_off(
            "hamiltonian",
            "LatticeHamiltonian",
            "Energy of any occupation of the lattice, with posterior samples",
        ))
        .output(OutputSpec::number(
            "leave_one_out_error",
            "eV",
            "Leave-one-out error of the expansion, per formula unit",
        ));
        Self { spec }
    }
}

/// Cutoffs in angstrom for pairs, triplets, quadruplets; trailing zeros mean that order is left out.
pub fn cutoffs(pair: f64, triplet: f64, quadruplet: f64) -> Cutoffs {
    let mut list = vec![pair, triplet, quadruplet];
    while list.last() == Some(&0.0) {
        list.pop();
    }
    Cutoffs(list)
}

/// What the report shows of a fit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExpandDetail {
    /// Every structure of the fit.
    pub parity: Vec<ParityPoint>,
    /// Every orbit.
    pub interactions: Vec<Interaction>,
    /// Structures about which the hulls of data and expansion differ.
    pub hull_disagreements: Vec<HullDisagreement>,
    /// Hyperparameters of largest evidence.
    pub hyperparameters: Hyperparameters,
    /// Root mean square of the training residuals, eV per formula unit.
    pub training_rmse_ev: f64,
    /// Sum of the leverages.
    pub effective_parameters: f64,
    /// Structures left out: id, place in the file, reason.
    pub excluded: Vec<(String, String, String)>,
    /// Largest strain and largest displacement of a working ion (angstrom) of the mapped structures.
    pub largest_distortion: [f64; 2],
}

impl StepKind for ExpandKind {
    fn spec(&self) -> &KindSpec {
        &self.spec
    }

    fn run(&self, inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure> {
        let orderings = read_orderings(inputs)?;
        let parent = read_parent(&orderings, inputs)?;
        let optional = |key: &str| inputs.has(key).then(|| inputs.quantity_si(key)).transpose();
        let limits = mapping_settings(optional("max_strain")?, optional("max_drift")?.map(|m| m * 1e10))
            .map_err(failure)?;
        context.progress(0.1, "mapping structures to the lattice");
        let report = orderings.map(&parent, &limits, inputs.count("max_excluded")?).map_err(failure)?;
        let angstrom = |key: &str| inputs.quantity_si(key).map(|m| m * 1e10);
        let mut settings = FitSettings::new(cutoffs(
            angstrom("pair_cutoff")?,
            angstrom("triplet_cutoff")?,
            angstrom("quadruplet_cutoff")?,
        ));
        settings.samples = inputs.count("members")?;
        settings.seed = context.seed();
        context.progress(0.4, "fitting");
        let fit = fit_expansion(&parent, &report.mapped, &settings)
            .map_err(|e| failure(ScaladeError::input(e.to_string())))?;
        assemble(context, &orderings_places(&orderings, &report), &report, &fit)
    }
}

/// The ideal structure: that of the input `parent`, or the fullest frame.
pub(super) fn read_parent(
    orderings: &crate::orderings::Orderings,
    inputs: &Inputs,
) -> Result<scalade_lattice::Parent, StepFailure> {
    if !inputs.has("parent") {
        return orderings.parent().map_err(failure);
    }
    let name = inputs.path("parent")?.file_name().map(|n| n.to_string_lossy().into_owned());
    orderings.parent_from(&inputs.bytes("parent")?, &name.unwrap_or_default()).map_err(failure)
}

fn orderings_places(
    orderings: &crate::orderings::Orderings,
    report: &MappingReport,
) -> Vec<(String, String, String)> {
    report
        .excluded
        .iter()
        .map(|e| {
            let place = orderings.frames.get(e.frame).map_or_else(String::new, |f| f.place().to_string());
            (e.id.clone(), place, e.reason.to_string())
        })
        .collect()
}

fn assemble(
    context: &StepContext,
    excluded: &[(String, String, String)],
    report: &MappingReport,
    fit: &Fit,
) -> Result<Outputs, StepFailure> {
    let mut outputs = Outputs::new();
    let spread = Uncertainty::none("carried by the posterior samples");
    let hamiltonian = context.tracked(&fit.hamiltonian, "", spread)?;
    outputs.hand_off("hamiltonian", "LatticeHamiltonian", hamiltonian)?;
    let scatter = Uncertainty::Standard {
        // Standard error of a root mean square over n residuals: rms / sqrt(2 n).
        value: fit.leave_one_out_rmse_ev / (2.0 * fit.parity.len() as f64).sqrt(),
    };
    let error = context.tracked(fit.leave_one_out_rmse_ev, "eV", scatter)?;
    outputs.number("leave_one_out_error", error)?;
    let largest =
        |get: fn(&scalade_lattice::MappedStructure) -> f64| report.mapped.iter().map(get).fold(0.0, f64::max);
    let detail = ExpandDetail {
        parity: fit.parity.clone(),
        interactions: fit.interactions.clone(),
        hull_disagreements: fit.hull_disagreements.clone(),
        hyperparameters: fit.hyperparameters,
        training_rmse_ev: fit.training_rmse_ev,
        effective_parameters: fit.effective_parameters,
        excluded: excluded.to_vec(),
        largest_distortion: [largest(|m| m.strain), largest(|m| m.working_displacement_angstrom)],
    };
    outputs.plain("detail", &detail)?;
    for (id, place, reason) in excluded {
        outputs.warn(format!("{id} ({place}) is left out of the fit: {reason}"));
    }
    if fit.rank < fit.columns {
        outputs.warn(format!(
            "the structures determine {} of {} coefficients; the prior decides the rest",
            fit.rank, fit.columns
        ));
    }
    outputs.cite(
        "J. M. Sanchez, F. Ducastelle, D. Gratias, Physica A 128, 334 (1984)",
        Some("10.1016/0378-4371(84)90096-7"),
    );
    Ok(outputs)
}
