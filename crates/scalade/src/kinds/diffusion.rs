//! Step kind `diffusion`: chemical diffusivity from jump diffusivity and thermodynamic factor.

use super::failure;
use crate::error::ScaladeError;
use scalade_handoff::{Diffusivity, FactorsAtNodes, Projection, ThermodynamicFactor, kind};
use scalade_hopping::arrhenius;
use scalade_numerics::variance;
use scalade_record::{Scale, Uncertainty};
use scalade_study::{
    InputSpec, InputType, Inputs, KindSpec, OutputSpec, Outputs, StepContext, StepFailure, StepKind,
};
use scalade_units::constants::BOLTZMANN_EV;
use serde::{Deserialize, Serialize};

/// The kind.
pub struct DiffusionKind {
    spec: KindSpec,
}

impl Default for DiffusionKind {
    fn default() -> Self {
        let spec = KindSpec::new(
            "diffusion",
            2,
            Scale::Lattice,
            "Chemical diffusivity = thermodynamic factor x jump diffusivity",
        )
        .unseeded()
        .input(InputSpec::new("jump", InputType::hand_off("Diffusivity<Jump>"), "Collective diffusivity"))
        .input(InputSpec::new(
            "tracer",
            InputType::hand_off("Diffusivity<Tracer>"),
            "Tracer diffusivity, for the shortcut and the Haven ratio",
        ))
        .input(InputSpec::new(
            "thermodynamic_factor",
            InputType::hand_off("ThermodynamicFactor"),
            "d(mu/kT)/d ln x",
        ))
        .input(
            InputSpec::new(
                "projection",
                InputType::choice(&["fast-plane", "isotropic", "fast-axis"]),
                "Scalar that stands for the tensor in the figures",
            )
            .default("fast-plane"),
        )
        .output(OutputSpec::hand_off(
            "diffusivity",
            "Diffusivity<Chemical>",
            "Chemical diffusivity tensor over x and T, ensemble",
        ))
        .output(OutputSpec::number(
            "half_diffusivity",
            "m2/s",
            "Chemical diffusivity at the composition nearest to 1/2 and the first temperature",
        ))
        .output(OutputSpec::number(
            "half_activation_energy",
            "eV",
            "Activation energy of the chemical diffusivity at that composition",
        ));
        Self { spec }
    }
}

/// The curves side by side: what the shortcut (thermodynamic factor x tracer diffusivity) would say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DiffusionDetail {
    /// Reference temperature, K.
    pub temperature_k: f64,
    /// Compositions.
    pub x: Vec<f64>,
    /// Thermodynamic factor there.
    pub thermodynamic_factor: Vec<f64>,
    /// Jump diffusivity, m2/s (projected, like all below).
    pub jump_m2_per_s: Vec<f64>,
    /// Tracer diffusivity, m2/s.
    pub tracer_m2_per_s: Vec<f64>,
    /// Chemical diffusivity, m2/s.
    pub chemical_m2_per_s: Vec<f64>,
    /// Its relative statistical error.
    pub statistical_error: Vec<f64>,
    /// Standard deviation of ln D over the members.
    pub member_log_std: Vec<f64>,
    /// Thermodynamic factor x tracer diffusivity, m2/s: wrong by the Haven ratio.
    pub shortcut_m2_per_s: Vec<f64>,
    /// Haven ratio.
    pub haven_ratio: Vec<f64>,
    /// Activation energy over compositions, eV.
    pub activation_energy_ev: Vec<f64>,
    /// Its statistical error, eV.
    pub activation_error_ev: Vec<f64>,
    /// Its standard deviation over the members, eV; none where the members have no activation energies of their own.
    pub activation_member_std_ev: Option<Vec<f64>>,
    /// (T, chemical diffusivity, error) at the middle composition.
    pub arrhenius: Vec<(f64, f64, f64)>,
}

pub(crate) fn projection(name: &str) -> Projection {
    match name {
        "isotropic" => Projection::Isotropic,
        "fast-axis" => Projection::FastAxis,
        _ => Projection::FastPlane,
    }
}

impl StepKind for DiffusionKind {
    fn spec(&self) -> &KindSpec {
        &self.spec
    }

    fn run(&self, inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure> {
        let jump: Diffusivity<kind::Jump> = inputs.hand_off("jump")?.value;
        let tracer: Diffusivity<kind::Tracer> = inputs.hand_off("tracer")?.value;
        let factor: ThermodynamicFactor = inputs.hand_off("thermodynamic_factor")?.value;
        let (chemical, detail) =
            combine(&jump, &tracer, &factor, projection(inputs.text("projection")?)).map_err(failure)?;
        let mut outputs = Outputs::new();
        let i = middle(&detail.x);
        let relative = detail.statistical_error[i].hypot(detail.member_log_std[i]);
        let value = detail.chemical_m2_per_s[i];
        let error = Uncertainty::Standard { value: relative * value };
        outputs.number("half_diffusivity", context.tracked(value, "m2/s", error)?)?;
        let energy = detail.activation_energy_ev[i];
        let spread = detail.activation_member_std_ev.as_ref().map(|spread| spread[i]);
        if spread.is_none() {
            outputs.warn("the error of the activation energy is statistical only: the thermodynamic factor or the jump diffusivity was given without members at a second temperature");
        }
        let error = detail.activation_error_ev[i].hypot(spread.unwrap_or(0.0));
        let error = Uncertainty::Standard { value: error };
        outputs.number("half_activation_energy", context.tracked(energy, "eV", error)?)?;
        let spread = Uncertainty::none("carried by the ensemble and the standard error within");
        outputs.hand_off("diffusivity", "Diffusivity<Chemical>", context.tracked(chemical, "", spread)?)?;
        outputs.plain("detail", &detail)?;
        outputs.cite("R. Gomer, Rep. Prog. Phys. 53, 917 (1990)", Some("10.1088/0034-4885/53/7/002"));
        Ok(outputs)
    }
}

fn middle(x: &[f64]) -> usize {
    (0..x.len()).min_by(|a, b| (x[*a] - 0.5).abs().total_cmp(&(x[*b] - 0.5).abs())).unwrap_or(0)
}

fn combine(
    jump: &Diffusivity<kind::Jump>,
    tracer: &Diffusivity<kind::Tracer>,
    factor: &ThermodynamicFactor,
    projection: Projection,
) -> Result<(Diffusivity<kind::Chemical>, DiffusionDetail), ScaladeError> {
    let x = &jump.table().stoichiometry;
    let t = jump.table().reference_temperature_k;
    let factors = factors(factor, x, t, jump.member_count())?;
    let chemical = Diffusivity::from_jump(jump, &factors)?;
    chemical.check_link(jump, &factors.best)?;
    let theta = factors.best;
    let n = x.len();
    let (mut slope, mut of_jump, mut of_tracer, mut of_chemical) =
        (vec![0.0; n], vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    jump.evaluate(None, projection, x, t, &mut of_jump, &mut slope)?;
    tracer.evaluate(None, projection, x, t, &mut of_tracer, &mut slope)?;
    chemical.evaluate(None, projection, x, t, &mut of_chemical, &mut slope)?;
    let log_std = |i: usize| {
        let logs: Vec<f64> = chemical.table().member_ratio.iter().map(|m| m[i].ln()).collect();
        variance(&logs).sqrt()
    };
    let energies = &chemical.table().member_activation_energy_ev;
    let energy_std = |i: usize| variance(&energies.iter().map(|m| m[i]).collect::<Vec<f64>>()).sqrt();
    let detail = DiffusionDetail {
        temperature_k: t,
        shortcut_m2_per_s: of_tracer.iter().zip(&theta).map(|(d, f)| d * f).collect(),
        haven_ratio: of_tracer.iter().zip(&of_jump).map(|(d, j)| d / j).collect(),
        statistical_error: chemical.table().relative_standard_error.clone(),
        member_log_std: (0..n).map(log_std).collect(),
        activation_energy_ev: chemical.table().activation_energy_ev.clone(),
        activation_error_ev: chemical.table().activation_standard_error_ev.clone(),
        activation_member_std_ev: (energies.len() > 1).then(|| (0..n).map(energy_std).collect()),
        arrhenius: temperature_line(&chemical, factor, projection, middle(x))?,
        x: x.clone(),
        thermodynamic_factor: theta,
        jump_m2_per_s: of_jump,
        tracer_m2_per_s: of_tracer,
        chemical_m2_per_s: of_chemical,
    };
    Ok((chemical, detail))
}

/// Thermodynamic factors at the compositions of the jump diffusivity. What they add to the activation energy comes from the slope of ln theta against
/// 1/kT over the temperatures of the table; with one temperature it cannot be known, and the step is refused.
fn factors(
    factor: &ThermodynamicFactor,
    x: &[f64],
    t: f64,
    members: usize,
) -> Result<FactorsAtNodes, ScaladeError> {
    let temperatures = &factor.table().temperature_k;
    if temperatures.len() < 2 {
        return Err(ScaladeError::input(
            "the thermodynamic factor is known at one temperature only; give the Monte Carlo step at least two, so that the activation energy of the chemical diffusivity is known",
        ));
    }
    let relative = factor.relative_standard_error(x);
    let by_temperature =
        temperatures.iter().map(|t| factor.evaluate(x, *t)).collect::<Result<Vec<Vec<f64>>, _>>()?;
    let mut energies = Vec::with_capacity(x.len());
    let mut errors = Vec::with_capacity(x.len());
    for i in 0..x.len() {
        let points: Vec<(f64, f64, f64)> = temperatures
            .iter()
            .zip(&by_temperature)
            // A table without noise (an exact model) still needs a weight.
            .map(|(t, theta)| (*t, theta[i], (relative[i] * theta[i]).max(1e-9 * theta[i])))
            .collect();
        let line = arrhenius(&points).map_err(|e| ScaladeError::input(e.to_string()))?;
        energies.push(line.activation_ev);
        errors.push(line.activation_std_ev);
    }
    let member_energies = (0..members)
        .map(|k| factor.member_activation_energy_ev(k, x))
        .collect::<Result<Option<Vec<_>>, _>>()?;
    Ok(FactorsAtNodes {
        best: factor.evaluate(x, t)?,
        members: (0..members).map(|k| factor.evaluate_member(k, x)).collect::<Result<_, _>>()?,
        relative_standard_error: relative,
        activation_energy_ev: energies,
        activation_standard_error_ev: errors,
        member_activation_energy_ev: member_energies.unwrap_or_default(),
    })
}

/// Chemical diffusivity along the temperatures of the thermodynamic factor, at one composition, with its error.
fn temperature_line(
    chemical: &Diffusivity<kind::Chemical>,
    factor: &ThermodynamicFactor,
    projection: Projection,
    i: usize,
) -> Result<Vec<(f64, f64, f64)>, ScaladeError> {
    let table = chemical.table();
    let x = [table.stoichiometry[i]];
    factor
        .table()
        .temperature_k
        .iter()
        .map(|t| {
            let (mut d, mut slope) = ([0.0], [0.0]);
            chemical.evaluate(None, projection, &x, *t, &mut d, &mut slope)?;
            let inverse = (1.0 / t - 1.0 / table.reference_temperature_k) / BOLTZMANN_EV;
            let relative =
                table.relative_standard_error[i].hypot(table.activation_standard_error_ev[i] * inverse);
            Ok((*t, d[0], relative * d[0]))
        })
        .collect()
}
