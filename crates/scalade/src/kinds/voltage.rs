//! Step kind `voltage`: convex hull and voltages from energies of orderings.

use super::failure;
use crate::orderings::Orderings;
use scalade_record::Scale;
use scalade_study::{
    InputSpec, InputType, Inputs, KindSpec, OutputSpec, Outputs, StepContext, StepFailure, StepKind,
};
use scalade_units::{constants::ELEMENTARY_CHARGE, dimension as d};

/// The kind.
pub struct VoltageKind {
    spec: KindSpec,
}

impl Default for VoltageKind {
    fn default() -> Self {
        let spec =
            KindSpec::new("voltage", 1, Scale::Atomic, "Convex hull and voltages from energies of orderings")
                .unseeded()
                .input(InputSpec::new("frames", InputType::File, "Structures with energies, extended XYZ"))
                .input(
                    InputSpec::new("working_ion", InputType::Text, "Symbol of the working ion").default("Li"),
                )
                .input(
                    InputSpec::new("energy_key", InputType::Text, "Key of the total energy (eV per frame)")
                        .default("energy"),
                )
                .input(InputSpec::new(
                    "reference_energy",
                    InputType::Quantity(d::ENERGY),
                    "Energy of the working ion's reference, per ion",
                ))
                .input(
                    InputSpec::new(
                        "energy_error",
                        InputType::Quantity(d::ENERGY),
                        "Standard error of the energies, per host formula unit",
                    )
                    .positive()
                    .optional(),
                )
                .input(
                    InputSpec::new(
                        "valence",
                        InputType::Integer { min: Some(1), max: Some(8) },
                        "Charge number of the working ion (default: from its element)",
                    )
                    .optional(),
                )
                .output(OutputSpec::number(
                    "average_voltage",
                    "V",
                    "Average voltage between the end members",
                ));
        Self { spec }
    }
}

impl StepKind for VoltageKind {
    fn spec(&self) -> &KindSpec {
        &self.spec
    }

    fn run(&self, inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure> {
        let orderings = read_orderings(inputs)?;
        let error = if inputs.has("energy_error") {
            Some(inputs.quantity_si("energy_error")? / ELEMENTARY_CHARGE)
        } else {
            None
        };
        let valence = if inputs.has("valence") { Some(inputs.integer("valence")? as u32) } else { None };
        let reference = inputs.quantity_si("reference_energy")? / ELEMENTARY_CHARGE;
        let profile = orderings.voltage_profile(reference, valence, error).map_err(failure)?;
        let mut outputs = Outputs::new();
        outputs.number("average_voltage", profile.tracked_average(context.provenance())?)?;
        outputs.plain("profile", &profile)?;
        outputs.cite("M. K. Aydinol et al., Phys. Rev. B 56, 1354 (1997)", Some("10.1103/PhysRevB.56.1354"));
        Ok(outputs)
    }
}

/// Reads the orderings that the inputs `frames`, `working_ion` and `energy_key` name.
pub(super) fn read_orderings(inputs: &Inputs) -> Result<Orderings, StepFailure> {
    let name =
        inputs.path("frames")?.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let bytes = inputs.bytes("frames")?;
    Orderings::read(&bytes, &name, inputs.text("working_ion")?, inputs.text("energy_key")?).map_err(failure)
}
