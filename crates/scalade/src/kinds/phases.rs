//! Step kind `phases`: which phases of a lattice Hamiltonian are stable over temperature, and where they coexist.

use super::expand::read_parent;
use super::failure;
use super::jobs::run_jobs;
use super::voltage::read_orderings;
use crate::rungs_phases::{LIMIT, anchors, box_settings, phase_name};
use scalade_crystal::SiteGrid;
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};
use scalade_lattice::Estimate;
use scalade_lattice::free_energy::{BranchSettings, Diagram, Isotherm, PhaseSeed, isotherm};
use scalade_lattice::ground_states::search_ground_states;
use scalade_record::{Scale, Uncertainty};
use scalade_study::{
    InputSpec, InputType, Inputs, KindSpec, OutputSpec, Outputs, StepContext, StepFailure, StepKind,
};
use scalade_units::{constants::ELEMENTARY_CHARGE, dimension as d};
use serde::{Deserialize, Serialize};

/// The kind.
pub struct PhasesKind {
    spec: KindSpec,
}

impl Default for PhasesKind {
    fn default() -> Self {
        let spec = KindSpec::new(
            "phases",
            1,
            Scale::Lattice,
            "Phase diagram: ordered and disordered phases from their own low-temperature expansions",
        )
        .input(InputSpec::new(
            "hamiltonian",
            InputType::hand_off("LatticeHamiltonian"),
            "Energy of occupations",
        ))
        .input(InputSpec::new(
            "frames",
            InputType::File,
            "The structures of the expansion: their symmetry counts",
        ))
        .input(InputSpec::new("working_ion", InputType::Text, "Symbol of the working ion").default("Li"))
        .input(
            InputSpec::new("energy_key", InputType::Text, "Key of the total energy (eV per frame)")
                .default("energy"),
        )
        .input(
            InputSpec::new("parent", InputType::File, "Ideal structure, instead of the fullest frame")
                .optional(),
        )
        .input(InputSpec::new(
            "reference_energy",
            InputType::Quantity(d::ENERGY),
            "Energy of the working ion's reference, per ion",
        ))
        .input(
            InputSpec::new("temperatures", InputType::Quantity(d::TEMPERATURE).list(), "Temperatures")
                .positive()
                .within_si(1.0, 1e5)
                .default(serde_json::json!(["200 K", "300 K", "400 K", "600 K", "900 K"])),
        )
        .input(
            InputSpec::new(
                "max_size",
                InputType::Integer { min: Some(1), max: Some(16) },
                "Largest period of an ordered phase, in primitive cells",
            )
            .default(6),
        )
        .output(OutputSpec::number(
            "ground_states",
            "",
            "Phases on the hull of the expansion at 0 K",
        ));
        Self { spec }
    }
}

/// One boundary point for the report. Compositions with standard errors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BoundaryPoint {
    /// Temperature, K.
    pub temperature_k: f64,
    /// Names of the phases.
    pub phases: [String; 2],
    /// Voltage of the plateau, V.
    pub voltage_v: Estimate,
    /// Compositions.
    pub x: [Estimate; 2],
    /// Whether both phases were sampled there.
    pub resolved: bool,
}

/// What the report shows of a phase diagram.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PhaseDetail {
    /// Names of the ground states and their compositions.
    pub ground_states: Vec<(String, f64)>,
    /// Boundaries with rising temperature and voltage.
    pub boundaries: Vec<BoundaryPoint>,
    /// Temperatures (K) with compositions and voltages (V) in equilibrium.
    pub curves: Vec<(f64, Vec<f64>, Vec<f64>)>,
    /// Cells of the box.
    pub cells: [usize; 3],
    /// Temperature, potentials from the low-temperature side and from infinite temperature (eV), and their difference in standard errors.
    pub anchors: Option<(f64, Estimate, Estimate, f64)>,
    /// Ground states that do not fit the box.
    pub unfit: Vec<String>,
}

impl StepKind for PhasesKind {
    fn spec(&self) -> &KindSpec {
        &self.spec
    }

    fn run(&self, inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure> {
        let hamiltonian: LatticeHamiltonian = inputs.hand_off("hamiltonian")?.value;
        hamiltonian.check().map_err(|e| failure(e.into()))?;
        let reference_ev = inputs.quantity_si("reference_energy")? / ELEMENTARY_CHARGE;
        let temperatures = inputs.quantities_si("temperatures")?;
        if temperatures.is_empty() {
            return Err(StepFailure::bad_input("temperatures", "at least one temperature is due"));
        }
        let orderings = read_orderings(inputs)?;
        let parent = read_parent(&orderings, inputs)?;
        let size = inputs.count("max_size")?;
        let lattice = |e: scalade_lattice::LatticeError| failure(super::lattice_failure(&e));
        let found = search_ground_states(&parent, &hamiltonian, size, LIMIT).map_err(lattice)?;
        let seeds = PhaseSeed::of_ground_states(&found);
        let basis = hamiltonian.basis_fractional.len();
        let settings: BranchSettings =
            box_settings(basis, &seeds, None, None, context.seed()).map_err(lattice)?;
        let grid = SiteGrid::new(settings.dims, basis).map_err(|e| lattice(e.into()))?;
        let energy = LatticeEnergy::new(&hamiltonian, &hamiltonian.coefficients_ev, grid, &[])
            .map_err(|e| failure(e.into()))?;
        let name = |t: &f64| format!("isotherm-{t}");
        let isotherms: Vec<Isotherm> = run_jobs(context, &temperatures, name, |t, _| {
            isotherm(&seeds, &energy, *t, &settings).map_err(lattice)
        })?;
        let diagram = Diagram::new(isotherms, &seeds, &grid);
        let both = anchors(&diagram, &hamiltonian, &settings).map_err(lattice)?;
        assemble(context, &diagram, &seeds, reference_ev, &settings, both)
    }
}

fn assemble(
    context: &StepContext,
    diagram: &Diagram,
    seeds: &[PhaseSeed],
    reference_ev: f64,
    settings: &BranchSettings,
    both: Option<crate::rungs_phases::Anchors>,
) -> Result<Outputs, StepFailure> {
    let mut outputs = Outputs::new();
    let boundaries: Vec<BoundaryPoint> = diagram
        .isotherms
        .iter()
        .flat_map(|i| i.boundaries.iter().map(move |b| (i.temperature_k, b)))
        .map(|(temperature_k, b)| BoundaryPoint {
            temperature_k,
            phases: b.phases.map(|p| phase_name(seeds, p).to_string()),
            voltage_v: Estimate {
                value: reference_ev - b.chemical_potential_ev.value,
                error: b.chemical_potential_ev.error,
            },
            x: b.x,
            resolved: b.resolved,
        })
        .collect();
    for b in boundaries.iter().filter(|b| !b.resolved) {
        outputs.warn(format!(
            "{} K: phases {} and {} were not both sampled at one chemical potential",
            b.temperature_k, b.phases[0], b.phases[1]
        ));
    }
    if let Some(z) = both.as_ref().map(|a| a.z).filter(|z| z.abs() > 4.0) {
        outputs.warn(format!(
            "the potentials from low and from infinite temperature differ by {z:.1} standard errors"
        ));
    }
    let unfit: Vec<String> = diagram.unfit.iter().map(|k| seeds[*k].name.clone()).collect();
    if !unfit.is_empty() {
        outputs.warn(format!("phases that do not fit the box are left out: {}", unfit.join(", ")));
    }
    let count = context.tracked(seeds.len() as f64, "", Uncertainty::none("a count"))?;
    outputs.number("ground_states", count)?;
    let detail = PhaseDetail {
        ground_states: seeds.iter().map(|s| (s.name.clone(), s.site_fraction())).collect(),
        boundaries,
        curves: diagram
            .isotherms
            .iter()
            .map(|i| {
                let (x, v) = i.equilibrium().iter().map(|p| (p[0], reference_ev - p[1])).unzip();
                (i.temperature_k, x, v)
            })
            .collect(),
        cells: settings.dims,
        anchors: both.map(|a| (a.temperature_k, a.from_low, a.from_infinite, a.z)),
        unfit,
    };
    outputs.plain("detail", &detail)?;
    outputs.cite(
        "A. van de Walle, M. Asta, Modelling Simul. Mater. Sci. Eng. 10, 521 (2002)",
        Some("10.1088/0965-0393/10/5/304"),
    );
    Ok(outputs)
}
