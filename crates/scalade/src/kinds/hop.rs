//! Step kind `hop`: tracer and jump diffusivities by kinetic Monte Carlo.

use super::failure;
use super::jobs::{Shared, run_jobs};
use crate::error::ScaladeError;
use scalade_crystal::SiteGrid;
use scalade_handoff::{
    Diffusivity, DiffusivityKind, DiffusivityTable, LatticeHamiltonian, OutOfDomain, SymmetricTensor, kind,
};
use scalade_hopping::{
    Budget, GridNetwork, HopNetwork, HopShell, HoppingError, KraFit, RateParameters, TransportPoint,
    TransportRequest, arrhenius, transport_to_error,
};
use scalade_record::{Scale, Uncertainty};
use scalade_study::{
    InputSpec, InputType, Inputs, KindSpec, OutputSpec, Outputs, StepContext, StepFailure, StepKind,
};
use scalade_units::dimension as d;
use serde::{Deserialize, Serialize};

/// By how much the hops of a point may grow towards the error wanted.
const MOST_GROWTH: u64 = 64;

/// Which ladder a point belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ladder {
    /// Best coefficients and best barrier laws.
    Best,
    /// Member k: sample k of both.
    Member(usize),
    /// Best coefficients with sample k of the barrier laws: the share of the barriers in the variance.
    BarriersOnly(usize),
}

/// One computed point with its place in the ladder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HopPoint {
    /// Which ladder.
    pub ladder: Ladder,
    /// Transport.
    pub point: TransportPoint,
}

struct Job {
    ladder: Ladder,
    composition: usize,
    x: f64,
    temperature_k: f64,
    stream: u32,
}

/// The kind.
pub struct HopKind {
    spec: KindSpec,
}

impl Default for HopKind {
    #[allow(clippy::too_many_lines, reason = "a list of inputs, one after another")]
    fn default() -> Self {
        let compositions = serde_json::json!([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.97]);
        let spec = KindSpec::new(
            "hop",
            5,
            Scale::Lattice,
            "Kinetic Monte Carlo: tracer and jump diffusivity tensors",
        )
        .input(InputSpec::new(
            "hamiltonian",
            InputType::hand_off("LatticeHamiltonian"),
            "Energy of occupations",
        ))
        .input(InputSpec::new("barriers", InputType::hand_off("BarrierLaws"), "Activation of hops"))
        .input(
            InputSpec::new("attempt_frequency", InputType::Quantity(d::FREQUENCY), "Attempt frequency")
                .positive(),
        )
        .input(
            InputSpec::new(
                "compositions",
                InputType::number_within(0.001, 0.999).list(),
                "Working ions per site",
            )
            .default(compositions),
        )
        .input(
            InputSpec::new(
                "temperatures",
                InputType::Quantity(d::TEMPERATURE).list(),
                "Temperatures; the ensemble is run at the first and the last, activation energies come from all",
            )
            .positive()
            .within_si(100.0, 3000.0)
            .default(serde_json::json!(["300 K", "330 K", "360 K"])),
        )
        .input(
            InputSpec::new(
                "cells",
                InputType::Integer { min: Some(1), max: Some(512) }.list(),
                "Primitive cells of the smallest box along each lattice vector",
            )
            .default(serde_json::json!([6, 6, 6])),
        )
        .input(
            InputSpec::new(
                "hops",
                InputType::Integer { min: Some(10_000), max: Some(1 << 40) },
                "Hops per point",
            )
            .default(200_000),
        )
        .input(
            InputSpec::new(
                "replicas",
                InputType::Integer { min: Some(1), max: Some(10_000) },
                "Independent replicas per point, each with its own equilibration",
            )
            .default(16),
        )
        .input(
            InputSpec::new(
                "blocks",
                InputType::Integer { min: Some(1), max: Some(10_000) },
                "Blocks per replica; their scatter gives the errors, their length the longest window",
            )
            .default(2),
        )
        .input(
            InputSpec::new(
                "equilibration",
                InputType::Integer { min: Some(1), max: Some(10_000_000) },
                "Equilibration sweeps per replica",
            )
            .default(60),
        )
        .input(InputSpec::new("carriers", InputType::Integer { min: Some(1), max: Some(1_000_000) }, "Ions or vacancies, whichever are fewer, that a box must hold: where they are fewer, its edges are doubled").default(40))
        .input(
            InputSpec::new(
                "standard_error",
                InputType::number_within(0.0, 1.0),
                "Relative standard error wanted of the traces of both diffusivities at every point: hops are added up to 64 times `hops` (0: `hops` as they are)",
            )
            .default(0.0),
        )
        .input(
            InputSpec::new(
                "every_temperature",
                InputType::Boolean,
                "All compositions at all temperatures; else at the first two, and the middle one at all",
            )
            .default(false),
        )
        .output(OutputSpec::hand_off(
            "jump",
            "Diffusivity<Jump>",
            "Collective diffusivity tensor over x and T, ensemble",
        ))
        .output(OutputSpec::hand_off(
            "tracer",
            "Diffusivity<Tracer>",
            "Tracer diffusivity tensor over x and T, ensemble",
        ))
        .output(OutputSpec::number(
            "haven_ratio",
            "",
            "Haven ratio D*/D_J at the composition nearest to 1/2",
        ));
        Self { spec }
    }
}

impl StepKind for HopKind {
    fn spec(&self) -> &KindSpec {
        &self.spec
    }

    fn run(&self, inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure> {
        let hamiltonian: LatticeHamiltonian = inputs.hand_off("hamiltonian")?.value;
        hamiltonian.check().map_err(|e| failure(e.into()))?;
        let laws: KraFit = inputs.hand_off("barriers")?.value;
        let smallest = inputs.integers("cells")?;
        let carriers = inputs.count("carriers")?;
        let temperatures = inputs.quantities_si("temperatures")?;
        let compositions = inputs.numbers("compositions")?;
        if temperatures.len() < 2 || compositions.len() < 3 {
            let message = "at least two temperatures and three compositions are due";
            return Err(StepFailure::bad_input("compositions", message));
        }
        let prefactor_hz = inputs.quantity_si("attempt_frequency")?;
        let budget = Budget {
            hops: inputs.integer("hops")? as u64,
            replicas: inputs.count("replicas")? as u32,
            blocks_per_replica: inputs.count("blocks")? as u32,
            equilibration_sweeps: inputs.count("equilibration")?,
        };
        let places = places(&hamiltonian, &smallest, &compositions, carriers, budget).map_err(failure)?;
        let members = hamiltonian.samples_ev.len().min(laws.samples.len());
        let jobs = jobs(&compositions, &temperatures, members, inputs.boolean("every_temperature")?);
        let wanted = inputs.number("standard_error")?;
        let name = |job: &Job| format!("{:?}-{}-{}", job.ladder, job.x, job.temperature_k);
        let seed = context.seed();
        let points: Vec<HopPoint> = run_jobs(context, &jobs, name, |job, shared| {
            let (coefficients, model) = match job.ladder {
                Ladder::Best => (&hamiltonian.coefficients_ev, laws.model),
                Ladder::Member(k) => (&hamiltonian.samples_ev[k], laws.samples[k]),
                Ladder::BarriersOnly(k) => (&hamiltonian.coefficients_ev, laws.samples[k]),
            };
            let mut request = TransportRequest {
                network: &places[job.composition].network,
                hamiltonian: &hamiltonian,
                coefficients_ev: coefficients,
                model,
                parameters: RateParameters { temperature_k: job.temperature_k, prefactor_hz },
                x: job.x,
                budget: places[job.composition].budget,
                seed,
                stream: job.stream,
            };
            let most = request.budget.hops.saturating_mul(MOST_GROWTH);
            let point = transport_to_error(&mut request, wanted, most, &Watch(shared));
            let point = point.map_err(|e| hopping_failure(&e, shared))?;
            Ok(HopPoint { ladder: job.ladder, point })
        })?;
        assemble(context, &temperatures, &points, &jobs)
    }
}

/// A box per composition with what is spent on it.
struct Place {
    network: GridNetwork,
    budget: Budget,
}

/// A box per composition: `smallest` cells, its edges doubled in turn until it holds enough carriers (ions or vacancies, whichever are fewer). A dilute box
/// without carriers, or with one that meets its own image, tells nothing about the crystal. Each doubling doubles the hops too, and the replicas up
/// to 32: with few carriers the number of those that are bound in pairs, and so move fast, differs from replica to replica.
fn places(
    hamiltonian: &LatticeHamiltonian,
    smallest: &[i64],
    compositions: &[f64],
    carriers: usize,
    budget: Budget,
) -> Result<Vec<Place>, ScaladeError> {
    let basis = hamiltonian.basis_fractional.len() as f64;
    compositions
        .iter()
        .map(|x| {
            let (mut cells, mut budget) = (smallest.to_vec(), budget);
            for doubling in 0..12 {
                let sites = cells.iter().map(|c| *c as f64).product::<f64>() * basis;
                if x.min(1.0 - x) * sites >= carriers as f64 {
                    break;
                }
                if let Some(edge) = cells.get_mut(doubling % 3) {
                    *edge *= 2;
                }
                budget.hops = budget.hops.saturating_mul(2);
                budget.replicas = budget.replicas.max((2 * budget.replicas).min(32));
            }
            Ok(Place { network: network(hamiltonian, &cells)?, budget })
        })
        .collect()
}

/// The hop network of a Hamiltonian on a box.
pub fn network(hamiltonian: &LatticeHamiltonian, cells: &[i64]) -> Result<GridNetwork, ScaladeError> {
    let [a, b, c] = cells else {
        return Err(ScaladeError::input("cells: three numbers of cells are due"));
    };
    let grid = SiteGrid::new([*a as usize, *b as usize, *c as usize], hamiltonian.basis_fractional.len())
        .map_err(|e| ScaladeError::input(e.to_string()))?;
    let input = |e: HoppingError| ScaladeError::input(e.to_string());
    let network = HopNetwork::new(hamiltonian, HopShell::Nearest).map_err(input)?;
    GridNetwork::new(network, grid).map_err(input)
}

struct Watch<'a>(&'a Shared<'a>);

impl scalade_hopping::Progress for Watch<'_> {
    fn report(&self, share: f64) {
        self.0.part((share * 1000.0) as usize, 1000, "kinetic Monte Carlo");
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

fn hopping_failure(error: &HoppingError, shared: &Shared) -> StepFailure {
    if shared.cancelled() {
        return StepFailure::Interrupted;
    }
    failure(ScaladeError::input(error.to_string()))
}

/// Best ladder: every composition at the first two temperatures (at all with `every`), the middle one at all. Members: every composition at the first and the last temperature.
/// Barriers alone: the middle composition at the first temperature.
fn jobs(compositions: &[f64], temperatures: &[f64], members: usize, every: bool) -> Vec<Job> {
    let middle = middle(compositions);
    let mut out: Vec<Job> = Vec::new();
    let mut add = |ladder, composition: usize, temperature_k| {
        let stream = out.len() as u32;
        out.push(Job { ladder, composition, x: compositions[composition], temperature_k, stream });
    };
    let all = 0..compositions.len();
    for (t, temperature) in temperatures.iter().enumerate() {
        for i in all.clone().filter(|i| every || t < 2 || compositions[*i] == middle) {
            add(Ladder::Best, i, *temperature);
        }
    }
    for k in 0..members {
        for i in all.clone() {
            add(Ladder::Member(k), i, temperatures[0]);
        }
    }
    for k in 0..members {
        for i in all.clone().filter(|i| compositions[*i] == middle) {
            add(Ladder::BarriersOnly(k), i, temperatures[0]);
        }
    }
    for k in 0..members {
        for i in all.clone() {
            add(Ladder::Member(k), i, last(temperatures));
        }
    }
    out
}

/// The temperature that spans, with the first, the members' activation energies.
fn last(temperatures: &[f64]) -> f64 {
    temperatures.last().copied().unwrap_or_default()
}

/// The composition nearest to one half.
fn middle(compositions: &[f64]) -> f64 {
    compositions.iter().copied().min_by(|a, b| (a - 0.5).abs().total_cmp(&(b - 0.5).abs())).unwrap_or(0.5)
}

/// What the report and the step `diffusion` need of the points.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HopDetail {
    /// All points.
    pub points: Vec<HopPoint>,
    /// Compositions that gave no number, with the reason.
    pub without_number: Vec<(f64, String)>,
}

fn tensor(d: &scalade_hopping::Diffusivity) -> Option<(SymmetricTensor, f64)> {
    let found = d.tensor()?;
    let value = SymmetricTensor::from_full(found.value_m2_s);
    (value.trace() > 0.0).then(|| (value, d.relative_error()))
}

type Pick = fn(&TransportPoint) -> &scalade_hopping::Diffusivity;

/// Points by ladder, composition and temperature of the jobs that made them.
struct Points<'a> {
    points: &'a [HopPoint],
    jobs: &'a [Job],
}

impl Points<'_> {
    fn find(&self, ladder: Ladder, x: f64, temperature_k: f64) -> Option<&TransportPoint> {
        let same = |j: &Job| j.ladder == ladder && j.x == x && j.temperature_k == temperature_k;
        self.jobs.iter().position(same).map(|i| &self.points[i].point)
    }

    fn members(&self) -> usize {
        self.jobs.iter().filter(|j| matches!(j.ladder, Ladder::BarriersOnly(_))).count()
    }

    /// Why a composition cannot be in the table, if it cannot.
    fn defect(&self, x: f64, temperatures: &[f64]) -> Option<String> {
        let best = temperatures[..2].iter().map(|t| (Ladder::Best, *t));
        let members = (0..self.members())
            .flat_map(|k| [temperatures[0], last(temperatures)].map(|t| (Ladder::Member(k), t)));
        for (ladder, t) in best.chain(members) {
            let Some(point) = self.find(ladder, x, t) else {
                return Some(format!("{ladder:?} at {t} K is missing"));
            };
            for (what, d) in [("jump", &point.jump), ("tracer", &point.tracer)] {
                if tensor(d).is_none() {
                    let why = match d {
                        scalade_hopping::Diffusivity::NotConverged { reason } => reason.clone(),
                        scalade_hopping::Diffusivity::SubDiffusive { exponent, .. } => {
                            format!("the mean squared displacement grows as t^{exponent:.2}")
                        }
                        scalade_hopping::Diffusivity::Converged { .. } => "its trace is not positive".into(),
                    };
                    return Some(format!("{what} diffusivity, {ladder:?} at {t} K: {why}"));
                }
            }
        }
        None
    }

    fn table<K: DiffusivityKind>(
        &self,
        compositions: &[f64],
        temperatures: &[f64],
        pick: Pick,
    ) -> Result<Diffusivity<K>, StepFailure> {
        let value = |ladder, x: f64, t: f64| {
            let found = self.find(ladder, x, t).and_then(|p| tensor(pick(p)).map(|v| (p.x, v.0, v.1)));
            found
                .ok_or_else(|| StepFailure::Internal { message: format!("no diffusivity at x = {x}, {t} K") })
        };
        let mut table = DiffusivityTable {
            kind: K::NAME.into(),
            stoichiometry: Vec::new(),
            tensor_m2_per_s: Vec::new(),
            relative_standard_error: Vec::new(),
            activation_energy_ev: Vec::new(),
            activation_standard_error_ev: Vec::new(),
            reference_temperature_k: temperatures[0],
            member_ratio: vec![Vec::new(); self.members()],
            member_activation_energy_ev: vec![Vec::new(); self.members()],
            out_of_domain: OutOfDomain::Clamp,
        };
        for x in compositions {
            let (on_grid, first, error) = value(Ladder::Best, *x, temperatures[0])?;
            let line: Vec<(f64, f64, f64)> = temperatures
                .iter()
                .filter_map(|t| {
                    value(Ladder::Best, *x, *t).ok().map(|(_, d, e)| (*t, d.trace(), e * d.trace()))
                })
                .collect();
            let line = arrhenius(&line).map_err(StepFailure::internal)?;
            table.stoichiometry.push(on_grid);
            table.tensor_m2_per_s.push(first);
            table.relative_standard_error.push(error);
            table.activation_energy_ev.push(line.activation_ev);
            table.activation_standard_error_ev.push(line.activation_std_ev);
            let members = table.member_ratio.iter_mut().zip(&mut table.member_activation_energy_ev);
            for (k, (ratios, energies)) in members.enumerate() {
                let at =
                    |t: f64| value(Ladder::Member(k), *x, t).map(|(_, d, e)| (t, d.trace(), e * d.trace()));
                let ends = [at(temperatures[0])?, at(last(temperatures))?];
                ratios.push(ends[0].1 / first.trace());
                energies.push(arrhenius(&ends).map_err(StepFailure::internal)?.activation_ev);
            }
        }
        Diffusivity::new(table).map_err(StepFailure::internal)
    }
}

fn assemble(
    context: &StepContext,
    temperatures: &[f64],
    points: &[HopPoint],
    jobs: &[Job],
) -> Result<Outputs, StepFailure> {
    let all = Points { points, jobs };
    let mut compositions: Vec<f64> = jobs
        .iter()
        .filter(|j| j.ladder == Ladder::Best && j.temperature_k == temperatures[0])
        .map(|j| j.x)
        .collect();
    compositions.sort_by(f64::total_cmp);
    let mut outputs = Outputs::new();
    let mut without_number = Vec::new();
    let mut kept = Vec::new();
    for x in compositions {
        match all.defect(x, temperatures) {
            None => kept.push(x),
            Some(reason) => {
                outputs.warn(format!("no diffusivity at x = {x}: {reason}"));
                without_number.push((x, reason));
            }
        }
    }
    let detail = HopDetail { points: points.to_vec(), without_number };
    if kept.len() < 3 {
        let message = format!("{} compositions have a diffusivity, three are due; raise hops", kept.len());
        outputs.plain("detail", &detail)?;
        return Err(StepFailure::NotConverged { message, partial: Box::new(outputs) });
    }
    let spread = Uncertainty::none("carried by the ensemble and the standard error within");
    let jump: Diffusivity<kind::Jump> = all.table(&kept, temperatures, |p| &p.jump)?;
    outputs.hand_off("jump", "Diffusivity<Jump>", context.tracked(jump, "", spread.clone())?)?;
    let tracer: Diffusivity<kind::Tracer> = all.table(&kept, temperatures, |p| &p.tracer)?;
    outputs.hand_off("tracer", "Diffusivity<Tracer>", context.tracked(tracer, "", spread)?)?;
    let half = all.find(Ladder::Best, middle(&kept), temperatures[0]).and_then(|p| p.haven);
    let haven = half.ok_or_else(|| StepFailure::Internal {
        message: "no Haven ratio at the middle composition".into(),
    })?;
    let error = Uncertainty::Standard { value: haven.std };
    outputs.number("haven_ratio", context.tracked(haven.value, "", error)?)?;
    for p in points.iter().filter(|p| p.ladder == Ladder::Best && !p.point.equilibrated) {
        let (x, t, z) = (p.point.x, p.point.temperature_k, p.point.equilibration_z);
        outputs.warn(format!(
            "x = {x} at {t} K may not have equilibrated: its energy drifted by {z:.1} standard errors"
        ));
    }
    outputs.plain("detail", &detail)?;
    outputs.cite(
        "A. Van der Ven, G. Ceder, M. Asta, P. D. Tepesch, Phys. Rev. B 64, 184307 (2001)",
        Some("10.1103/PhysRevB.64.184307"),
    );
    Ok(outputs)
}
