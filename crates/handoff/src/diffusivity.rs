//! Diffusivity tensors D(x, T), with the kind in the type.

use crate::HandoffError;
use crate::domain::{DomainUse, OutOfDomain, check_finite, check_stoichiometries, resolve};
use crate::tensor::SymmetricTensor;
use scalade_numerics::Pchip;
use scalade_units::constants::BOLTZMANN_EV;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

/// What a diffusivity describes.
pub trait DiffusivityKind {
    /// Name in files and messages.
    const NAME: &'static str;
}

/// The kinds.
pub mod kind {
    use super::DiffusivityKind;

    /// Self-diffusion of single labelled ions, D*.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Tracer;
    /// Collective (jump, centre-of-mass) diffusivity D_J: what the ionic conductivity measures.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Jump;
    /// Chemical diffusivity of Fick's law, D = thermodynamic factor x D_J.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Chemical;

    impl DiffusivityKind for Tracer {
        const NAME: &'static str = "tracer";
    }
    impl DiffusivityKind for Jump {
        const NAME: &'static str = "jump";
    }
    impl DiffusivityKind for Chemical {
        const NAME: &'static str = "chemical";
    }
}

/// Which scalar a tensor is reduced to, for models with one radial coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Projection {
    /// A third of the trace: a randomly oriented polycrystal to first order.
    Isotropic,
    /// Mean of the two largest eigenvalues: a layered crystal entered through its edges.
    FastPlane,
    /// The largest eigenvalue: a channel.
    FastAxis,
}

/// What a diffusivity is made of; [`Diffusivity::new`] checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffusivityTable {
    /// The kind: tracer, jump or chemical.
    pub kind: String,
    /// Working ions per site, strictly increasing within [0, 1].
    pub stoichiometry: Vec<f64>,
    /// Tensor at the reference temperature, m2/s (Cartesian axes of the crystal).
    pub tensor_m2_per_s: Vec<SymmetricTensor>,
    /// Relative standard uncertainty of the magnitude.
    pub relative_standard_error: Vec<f64>,
    /// Activation energy, eV: D(x,T) = D(x,T_ref) exp(-E(x)/k (1/T - 1/T_ref)).
    pub activation_energy_ev: Vec<f64>,
    /// Standard uncertainty of the activation energy, eV.
    pub activation_standard_error_ev: Vec<f64>,
    /// Temperature of the tensors, K.
    pub reference_temperature_k: f64,
    /// Ensemble: for each member the ratio of its magnitude to the best one, at every stoichiometry.
    pub member_ratio: Vec<Vec<f64>>,
    /// Ensemble: the activation energy of each member at every stoichiometry, eV. Empty if it was not computed; then every member has
    /// that of the best curve.
    #[serde(default)]
    pub member_activation_energy_ev: Vec<Vec<f64>>,
    /// Policy outside the table.
    pub out_of_domain: OutOfDomain,
}

/// D(x, T) with log-magnitude interpolated by a monotone cubic in x and the shape (tensor over trace) linearly, which keeps it
/// positive semi-definite between admissible nodes.
///
/// Admissible only if every tensor is symmetric positive semi-definite with a positive trace. (Semi-definite, because a layered host
/// whose ions never leave their planes has exactly no diffusion across them.)
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    try_from = "DiffusivityTable",
    into = "DiffusivityTable",
    bound(serialize = "K: Clone", deserialize = "")
)]
pub struct Diffusivity<K: DiffusivityKind> {
    table: DiffusivityTable,
    log_trace: Pchip,
    log_members: Vec<Pchip>,
    activation: Pchip,
    member_activation: Vec<Pchip>,
    kind: PhantomData<K>,
}

impl<K: DiffusivityKind> PartialEq for Diffusivity<K> {
    fn eq(&self, other: &Self) -> bool {
        self.table == other.table
    }
}

impl<K: DiffusivityKind> TryFrom<DiffusivityTable> for Diffusivity<K> {
    type Error = HandoffError;

    fn try_from(table: DiffusivityTable) -> Result<Self, HandoffError> {
        Self::new(table)
    }
}

impl<K: DiffusivityKind> From<Diffusivity<K>> for DiffusivityTable {
    fn from(diffusivity: Diffusivity<K>) -> Self {
        diffusivity.table
    }
}

const NAME: &str = "Diffusivity";

fn interpolant(x: &[f64], y: &[f64]) -> Result<Pchip, HandoffError> {
    Pchip::new(x, y).map_err(|_| HandoffError::Length {
        what: "diffusivity table",
        expected: x.len(),
        got: y.len(),
    })
}

fn check_tensors(table: &DiffusivityTable) -> Result<(), HandoffError> {
    for (i, tensor) in table.tensor_m2_per_s.iter().enumerate() {
        check_finite("diffusivity tensor", &tensor.0, 6)?;
        let [largest, _, smallest] = tensor.eigenvalues();
        if !(largest > 0.0 && smallest >= -1e-12 * largest) {
            return Err(HandoffError::Inadmissible {
                hand_off: NAME,
                requirement: "eigenvalues >= 0 and a positive trace (in m2/s)",
                place: format!("x = {}", table.stoichiometry[i]),
                violation: smallest.min(largest),
            });
        }
    }
    Ok(())
}

impl<K: DiffusivityKind> Diffusivity<K> {
    /// Checks a table and prepares its interpolants.
    pub fn new(table: DiffusivityTable) -> Result<Self, HandoffError> {
        if table.kind != K::NAME {
            return Err(HandoffError::Inadmissible {
                hand_off: NAME,
                requirement: "the kind in the table is the kind asked for (tracer, jump and chemical are not exchangeable); this",
                place: format!("kind {} where {} is due", table.kind, K::NAME),
                violation: 1.0,
            });
        }
        let x = &table.stoichiometry;
        check_stoichiometries("stoichiometry", x)?;
        let n = x.len();
        if table.tensor_m2_per_s.len() != n {
            return Err(HandoffError::Length {
                what: "diffusivity tensors",
                expected: n,
                got: table.tensor_m2_per_s.len(),
            });
        }
        check_finite("activation energy", &table.activation_energy_ev, n)?;
        check_finite("standard error of the activation energy", &table.activation_standard_error_ev, n)?;
        check_finite("relative standard error", &table.relative_standard_error, n)?;
        let t = table.reference_temperature_k;
        if !(t.is_finite() && t > 0.0) {
            return Err(HandoffError::Value {
                what: "reference temperature",
                index: 0,
                value: t,
                want: "above 0 K",
            });
        }
        check_tensors(&table)?;
        let logs: Vec<f64> = table.tensor_m2_per_s.iter().map(|d| d.trace().ln()).collect();
        let mut log_members = Vec::with_capacity(table.member_ratio.len());
        for ratios in &table.member_ratio {
            check_finite("member ratios", ratios, n)?;
            if let Some(index) = ratios.iter().position(|r| *r <= 0.0) {
                let value = ratios[index];
                return Err(HandoffError::Value { what: "member ratios", index, value, want: "positive" });
            }
            let member: Vec<f64> = logs.iter().zip(ratios).map(|(l, r)| l + r.ln()).collect();
            log_members.push(interpolant(x, &member)?);
        }
        let energies = &table.member_activation_energy_ev;
        if !energies.is_empty() && energies.len() != log_members.len() {
            let (expected, got) = (log_members.len(), energies.len());
            return Err(HandoffError::Length { what: "activation energies of the members", expected, got });
        }
        let mut member_activation = Vec::with_capacity(energies.len());
        for member in energies {
            check_finite("activation energies of a member", member, n)?;
            member_activation.push(interpolant(x, member)?);
        }
        let activation = interpolant(x, &table.activation_energy_ev)?;
        let log_trace = interpolant(x, &logs)?;
        Ok(Self { log_trace, log_members, activation, member_activation, table, kind: PhantomData })
    }

    /// The table.
    pub fn table(&self) -> &DiffusivityTable {
        &self.table
    }

    /// Number of ensemble members.
    pub fn member_count(&self) -> usize {
        self.log_members.len()
    }

    /// Activation energies at the nodes, eV: of the best curve or of a member (that of the best curve where members have none).
    pub fn activation_energy_ev(&self, member: Option<usize>) -> &[f64] {
        let own = member.and_then(|k| self.table.member_activation_energy_ev.get(k));
        own.unwrap_or(&self.table.activation_energy_ev)
    }

    /// The tensor at one point, m2/s.
    pub fn tensor_at(
        &self,
        member: Option<usize>,
        x: f64,
        temperature_k: f64,
    ) -> Result<SymmetricTensor, HandoffError> {
        let (log_trace, _) = self.log_trace_at(member, x, temperature_k, &mut DomainUse::default())?;
        let nodes = &self.table.stoichiometry;
        let i = nodes.partition_point(|v| *v <= x).clamp(1, nodes.len() - 1);
        let t = ((x - nodes[i - 1]) / (nodes[i] - nodes[i - 1])).clamp(0.0, 1.0);
        let shape =
            |k: usize| self.table.tensor_m2_per_s[k].scaled(1.0 / self.table.tensor_m2_per_s[k].trace());
        Ok(shape(i - 1).mix(shape(i), t).scaled(log_trace.exp()))
    }

    /// A scalar diffusivity (m2/s) and its derivative with respect to x (m2/s) in a batch. The projection's share of
    /// the trace is taken from the nearest node, so that value and derivative belong to one smooth function between nodes whose shapes agree.
    pub fn evaluate(
        &self,
        member: Option<usize>,
        projection: Projection,
        x: &[f64],
        temperature_k: f64,
        value: &mut [f64],
        slope: &mut [f64],
    ) -> Result<DomainUse, HandoffError> {
        for (what, length) in [("diffusivity", value.len()), ("slope", slope.len())] {
            if length != x.len() {
                return Err(HandoffError::Length { what, expected: x.len(), got: length });
            }
        }
        let mut count = DomainUse::default();
        for (i, at) in x.iter().enumerate() {
            let (log_trace, log_slope) = self.log_trace_at(member, *at, temperature_k, &mut count)?;
            let d = log_trace.exp() * self.share(projection, *at);
            value[i] = d;
            slope[i] = d * log_slope;
        }
        Ok(count)
    }

    fn share(&self, projection: Projection, x: f64) -> f64 {
        let nodes = &self.table.stoichiometry;
        let right = nodes.partition_point(|v| *v <= x).clamp(1, nodes.len() - 1);
        let nearest = if x - nodes[right - 1] <= nodes[right] - x { right - 1 } else { right };
        let tensor = self.table.tensor_m2_per_s[nearest];
        let [first, second, _] = tensor.eigenvalues();
        match projection {
            Projection::Isotropic => 1.0 / 3.0,
            Projection::FastPlane => 0.5 * (first + second) / tensor.trace(),
            Projection::FastAxis => first / tensor.trace(),
        }
    }

    fn log_trace_at(
        &self,
        member: Option<usize>,
        x: f64,
        temperature_k: f64,
        count: &mut DomainUse,
    ) -> Result<(f64, f64), HandoffError> {
        if !(temperature_k.is_finite() && temperature_k > 0.0) {
            return Err(HandoffError::Value {
                what: "temperature",
                index: 0,
                value: temperature_k,
                want: "above 0 K",
            });
        }
        let curve = match member {
            None => &self.log_trace,
            Some(k) => self.log_members.get(k).ok_or(HandoffError::Length {
                what: "ensemble members",
                expected: k + 1,
                got: self.log_members.len(),
            })?,
        };
        let (at, flat) = resolve(self.table.out_of_domain, NAME, x, curve.domain(), count)?;
        let (value, slope) = curve.evaluate(at);
        let activation = member.and_then(|k| self.member_activation.get(k)).unwrap_or(&self.activation);
        let (energy, energy_slope) = activation.evaluate(at);
        let inverse = (1.0 / temperature_k - 1.0 / self.table.reference_temperature_k) / BOLTZMANN_EV;
        let slope = if flat { 0.0 } else { slope - energy_slope * inverse };
        Ok((value - energy * inverse, slope))
    }

    /// Every value multiplied by `factor` (a re-tuned hand-off; the caller keeps the record).
    pub fn scaled(&self, factor: f64) -> Result<Self, HandoffError> {
        let mut table = self.table.clone();
        for tensor in &mut table.tensor_m2_per_s {
            *tensor = tensor.scaled(factor);
        }
        Self::new(table)
    }
}

/// Thermodynamic factors at the stoichiometries of a jump diffusivity and its reference temperature.
#[derive(Clone, Debug, PartialEq)]
pub struct FactorsAtNodes {
    /// Best values.
    pub best: Vec<f64>,
    /// One list per member of the ensemble.
    pub members: Vec<Vec<f64>>,
    /// Relative standard uncertainty.
    pub relative_standard_error: Vec<f64>,
    /// -d ln theta/d(1/kT), eV: what the factor adds to the activation energy.
    pub activation_energy_ev: Vec<f64>,
    /// Its standard uncertainty, eV.
    pub activation_standard_error_ev: Vec<f64>,
    /// The same of each member, eV; empty if it is not known.
    pub member_activation_energy_ev: Vec<Vec<f64>>,
}

impl FactorsAtNodes {
    fn check(&self, stoichiometry: &[f64], members: usize) -> Result<(), HandoffError> {
        let n = stoichiometry.len();
        check_finite(
            "relative standard error of the thermodynamic factor",
            &self.relative_standard_error,
            n,
        )?;
        check_finite("activation energy of the thermodynamic factor", &self.activation_energy_ev, n)?;
        check_finite("its standard error", &self.activation_standard_error_ev, n)?;
        if self.members.len() != members {
            let (expected, got) = (members, self.members.len());
            return Err(HandoffError::Length { what: "members of the thermodynamic factor", expected, got });
        }
        let energies = &self.member_activation_energy_ev;
        if !energies.is_empty() && energies.len() != members {
            let (expected, got) = (members, energies.len());
            return Err(HandoffError::Length {
                what: "members' activation energies of the factor",
                expected,
                got,
            });
        }
        for energies in energies {
            check_finite("a member's activation energy of the thermodynamic factor", energies, n)?;
        }
        for factors in std::iter::once(&self.best).chain(&self.members) {
            check_finite("thermodynamic factor", factors, n)?;
            if let Some(i) = factors.iter().position(|f| *f <= 0.0) {
                return Err(HandoffError::Inadmissible {
                    hand_off: NAME,
                    requirement: "the thermodynamic factor is positive (inside a spinodal it is not); it",
                    place: format!("x = {}", stoichiometry[i]),
                    violation: factors[i],
                });
            }
        }
        Ok(())
    }
}

impl Diffusivity<kind::Chemical> {
    /// Chemical diffusivity: thermodynamic factor times jump diffusivity (L. S. Darken, Trans. AIME 175, 184 (1948); for
    /// lattice gases R. Gomer, Rep. Prog. Phys. 53, 917 (1990)). Activation energies add, as ln D = ln theta + ln D_J, member by member
    /// where both have theirs.
    ///
    /// A factor that is not positive lies inside a spinodal, where Fick's law with a positive diffusivity does not exist: refused.
    pub fn from_jump(jump: &Diffusivity<kind::Jump>, factors: &FactorsAtNodes) -> Result<Self, HandoffError> {
        factors.check(&jump.table.stoichiometry, jump.member_count())?;
        let mut table = jump.table.clone();
        table.kind = "chemical".into();
        for (tensor, factor) in table.tensor_m2_per_s.iter_mut().zip(&factors.best) {
            *tensor = tensor.scaled(*factor);
        }
        for (ratios, member) in table.member_ratio.iter_mut().zip(&factors.members) {
            for ((ratio, factor), best) in ratios.iter_mut().zip(member).zip(&factors.best) {
                *ratio *= factor / best;
            }
        }
        for (energy, more) in table.activation_energy_ev.iter_mut().zip(&factors.activation_energy_ev) {
            *energy += more;
        }
        if factors.member_activation_energy_ev.is_empty() {
            table.member_activation_energy_ev.clear();
        }
        for (mine, theirs) in
            table.member_activation_energy_ev.iter_mut().zip(&factors.member_activation_energy_ev)
        {
            for (energy, more) in mine.iter_mut().zip(theirs) {
                *energy += more;
            }
        }
        let errors = [
            (&mut table.relative_standard_error, &factors.relative_standard_error),
            (&mut table.activation_standard_error_ev, &factors.activation_standard_error_ev),
        ];
        for (mine, theirs) in errors {
            for (error, other) in mine.iter_mut().zip(theirs) {
                *error = error.hypot(*other);
            }
        }
        Self::new(table)
    }

    /// Verifies that this is `thermodynamic_factor` times `jump` to 1e-12 relative at every node.
    pub fn check_link(
        &self,
        jump: &Diffusivity<kind::Jump>,
        thermodynamic_factor: &[f64],
    ) -> Result<(), HandoffError> {
        check_finite("thermodynamic factor", thermodynamic_factor, self.table.stoichiometry.len())?;
        let pairs =
            self.table.tensor_m2_per_s.iter().zip(&jump.table.tensor_m2_per_s).zip(thermodynamic_factor);
        for (i, ((chemical, jump), factor)) in pairs.enumerate() {
            let deviation = (0..6).map(|c| (chemical.0[c] - factor * jump.0[c]).abs()).fold(0.0, f64::max)
                / chemical.trace();
            if deviation > 1e-12 {
                return Err(HandoffError::Inadmissible {
                    hand_off: NAME,
                    requirement: "chemical = thermodynamic factor x jump, to 1e-12 relative,",
                    place: format!("x = {}", self.table.stoichiometry[i]),
                    violation: deviation,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(kind: &str) -> DiffusivityTable {
        let layered = |d: f64| SymmetricTensor([d, d, 0.0, 0.0, 0.0, 0.0]);
        DiffusivityTable {
            kind: kind.into(),
            stoichiometry: vec![0.4, 0.6, 0.9],
            tensor_m2_per_s: vec![layered(1e-13), layered(4e-13), layered(1e-15)],
            relative_standard_error: vec![0.1; 3],
            activation_energy_ev: vec![0.3, 0.28, 0.5],
            activation_standard_error_ev: vec![0.01; 3],
            reference_temperature_k: 300.0,
            member_ratio: vec![vec![1.1, 0.9, 2.0], vec![0.8; 3]],
            member_activation_energy_ev: vec![vec![0.31, 0.27, 0.5], vec![0.3; 3]],
            out_of_domain: OutOfDomain::Clamp,
        }
    }

    #[test]
    fn the_kind_is_part_of_the_type() {
        assert!(Diffusivity::<kind::Jump>::new(table("tracer")).is_err());
        let text =
            serde_json::to_string(&Diffusivity::<kind::Tracer>::new(table("tracer")).unwrap()).unwrap();
        assert!(serde_json::from_str::<Diffusivity<kind::Tracer>>(&text).is_ok());
        assert!(serde_json::from_str::<Diffusivity<kind::Jump>>(&text).is_err());
    }

    #[test]
    fn values_slopes_and_temperature() {
        let d = Diffusivity::<kind::Jump>::new(table("jump")).unwrap();
        let at = |x: f64, t: f64, p| {
            let (mut v, mut s) = ([0.0], [0.0]);
            d.evaluate(None, p, &[x], t, &mut v, &mut s).unwrap();
            (v[0], s[0])
        };
        assert!((at(0.6, 300.0, Projection::FastPlane).0 / 4e-13 - 1.0).abs() < 1e-12);
        assert!((at(0.6, 300.0, Projection::Isotropic).0 / (8e-13 / 3.0) - 1.0).abs() < 1e-12);
        let arrhenius =
            (at(0.6, 330.0, Projection::FastPlane).0 / at(0.6, 300.0, Projection::FastPlane).0).ln();
        assert!((arrhenius - 0.28 / BOLTZMANN_EV * (1.0 / 300.0 - 1.0 / 330.0)).abs() < 1e-10);
        let h = 1e-6;
        let (_, slope) = at(0.7, 320.0, Projection::FastPlane);
        let difference = (at(0.7 + h, 320.0, Projection::FastPlane).0
            - at(0.7 - h, 320.0, Projection::FastPlane).0)
            / (2.0 * h);
        assert!((slope / difference - 1.0).abs() < 1e-5);
        let tensor = d.tensor_at(Some(1), 0.75, 300.0).unwrap();
        assert!(tensor.0[2].abs() < 1e-30 && tensor.0[0] > 0.0);
    }

    #[test]
    fn chemical_is_factor_times_jump() {
        let jump = Diffusivity::<kind::Jump>::new(table("jump")).unwrap();
        let factors = FactorsAtNodes {
            best: vec![3.0, 8.0, 2.0],
            members: vec![vec![3.3, 8.0, 2.0], vec![3.0, 8.8, 2.0]],
            relative_standard_error: vec![0.02; 3],
            activation_energy_ev: vec![0.01, 0.05, 0.0],
            activation_standard_error_ev: vec![0.0; 3],
            member_activation_energy_ev: vec![vec![0.02, 0.04, 0.0], vec![0.01; 3]],
        };
        let chemical = Diffusivity::from_jump(&jump, &factors).unwrap();
        chemical.check_link(&jump, &factors.best).unwrap();
        assert!(chemical.check_link(&jump, &[3.0, 8.0, 2.000_001]).is_err());
        assert!((chemical.table().member_ratio[0][0] - 1.21).abs() < 1e-12);
        assert!((chemical.table().activation_energy_ev[1] - 0.33).abs() < 1e-12);
        assert!((chemical.activation_energy_ev(Some(0))[1] - 0.31).abs() < 1e-12);
        assert!((chemical.activation_energy_ev(Some(1))[2] - 0.31).abs() < 1e-12);
        assert!((chemical.activation_energy_ev(None)[1] - 0.33).abs() < 1e-12);
        // Without those of the factor the members' energies are not known.
        let unknown = FactorsAtNodes { member_activation_energy_ev: Vec::new(), ..factors.clone() };
        let without = Diffusivity::from_jump(&jump, &unknown).unwrap();
        assert!(without.table().member_activation_energy_ev.is_empty());
        assert_eq!(without.activation_energy_ev(Some(0)), without.activation_energy_ev(None));
        let short = FactorsAtNodes { member_activation_energy_ev: vec![vec![0.0; 3]], ..factors.clone() };
        assert!(Diffusivity::from_jump(&jump, &short).is_err());
        let spinodal = FactorsAtNodes { best: vec![3.0, -0.1, 2.0], ..factors };
        assert!(Diffusivity::from_jump(&jump, &spinodal).is_err());
    }

    #[test]
    fn a_member_follows_its_own_activation_energy() {
        let d = Diffusivity::<kind::Jump>::new(table("jump")).unwrap();
        let at = |member, t| {
            let (mut v, mut s) = ([0.0], [0.0]);
            d.evaluate(member, Projection::Isotropic, &[0.6], t, &mut v, &mut s).unwrap();
            v[0]
        };
        let energy = |member| {
            let ratio: f64 = at(member, 360.0) / at(member, 300.0);
            ratio.ln() * BOLTZMANN_EV / (1.0 / 300.0 - 1.0 / 360.0)
        };
        for (member, expected) in [(None, 0.28), (Some(0), 0.27), (Some(1), 0.3)] {
            assert!((energy(member) - expected).abs() < 1e-12, "{member:?}");
        }
        let mut short = table("jump");
        short.member_activation_energy_ev.pop();
        assert!(Diffusivity::<kind::Jump>::new(short).is_err());
        let mut not_finite = table("jump");
        not_finite.member_activation_energy_ev[1][2] = f64::NAN;
        assert!(Diffusivity::<kind::Jump>::new(not_finite).is_err());
    }

    #[test]
    fn inadmissible_tensors_are_refused() {
        let mut t = table("jump");
        t.tensor_m2_per_s[1] = SymmetricTensor([1.0, 1.0, -0.1, 0.0, 0.0, 0.0]);
        assert!(
            matches!(Diffusivity::<kind::Jump>::new(t), Err(HandoffError::Inadmissible { violation, .. }) if violation < 0.0)
        );
        let mut t = table("jump");
        t.tensor_m2_per_s[1] = SymmetricTensor([0.0; 6]);
        assert!(Diffusivity::<kind::Jump>::new(t).is_err());
        let mut t = table("jump");
        t.member_ratio[0][1] = -1.0;
        assert!(Diffusivity::<kind::Jump>::new(t).is_err());
    }
}
