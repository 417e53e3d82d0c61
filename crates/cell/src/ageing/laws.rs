//! The local equations of the side reactions of one family of particles.

use super::dual::Real;
use super::{AgeingOptions, PlatingLaw, SeiLaw};
use crate::error::CellError;
use crate::parameters::{ActiveMaterial, MechanicsParameters, PlatingParameters, SeiParameters};
use crate::property::Property;
use crate::{FARADAY, GAS_CONSTANT};

/// One unknown of the side reactions at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SideUnknown {
    /// Current of SEI growth, A per m2 of particle surface.
    SeiCurrent,
    /// Thickness of the SEI, m.
    SeiThickness,
    /// Length of cracks, m.
    CrackLength,
    /// Current of SEI growth on the walls of cracks, A per m2 of particle surface.
    CrackSeiCurrent,
    /// Volume of the SEI on the walls of cracks per particle surface, m.
    CrackSeiVolume,
    /// Current of plating, A per m2 of particle surface.
    PlatingCurrent,
    /// Plated lithium, mol per m2 of particle surface.
    Plated,
    /// Dead lithium, mol per m2 of particle surface.
    Dead,
}

impl SideUnknown {
    /// Whether it is a current into the electrolyte; else it is a state with a rate of change.
    pub(crate) fn is_current(self) -> bool {
        matches!(self, Self::SeiCurrent | Self::CrackSeiCurrent | Self::PlatingCurrent)
    }
}

/// The state at the surface of one particle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local<R> {
    /// phi_s - phi_e, V.
    pub(crate) potential: R,
    /// Lithium concentration at the surface, mol/m3.
    pub(crate) surface: R,
    /// Intercalation current, A/m2.
    pub(crate) current: R,
    /// Exchange-current density of plating at the salt concentration, A/m2.
    pub(crate) plating_exchange: R,
    /// Mean lithium concentration of the particle, mol/m3.
    pub(crate) mean: f64,
    /// Temperature, K.
    pub(crate) kelvin: f64,
}

/// Products of the side reactions per particle surface.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Products {
    /// Lithium in the SEI, mol/m2.
    pub(crate) sei_lithium: f64,
    /// Plated lithium, mol/m2.
    pub(crate) plated_lithium: f64,
    /// Dead lithium, mol/m2.
    pub(crate) dead_lithium: f64,
    /// Thickness of the SEI, m.
    pub(crate) sei_thickness: f64,
    /// Length of cracks, m.
    pub(crate) crack_length: f64,
}

impl Products {
    /// All of the lithium, mol/m2.
    pub(crate) fn lithium(&self) -> f64 {
        self.sei_lithium + self.plated_lithium + self.dead_lithium
    }
}

/// Side reactions of one family: which unknowns they have, and their laws.
#[derive(Debug, Clone)]
pub(crate) struct SideReactions {
    pub(crate) unknowns: Vec<SideUnknown>,
    options: AgeingOptions,
    sei: Option<SeiParameters>,
    plating: Option<PlatingParameters>,
    mechanics: Option<MechanicsParameters>,
    reference_kelvin: f64,
    /// Particle surface per volume of the electrode, 1/m.
    specific_surface: f64,
    /// Initial value and scale of each unknown.
    pub(crate) initial: Vec<f64>,
    pub(crate) scale: Vec<f64>,
}

fn missing(material: &ActiveMaterial, what: &str) -> CellError {
    let name = if material.name.is_empty() { "the active material" } else { &material.name };
    CellError::Parameter {
        name: format!("{what} of {name}"),
        value: f64::NAN,
        requirement: "is not in the parameter set, but the ageing asked for needs it".to_owned(),
    }
}

impl SideReactions {
    /// `None` if nothing ages.
    pub(crate) fn new(
        material: &ActiveMaterial,
        options: AgeingOptions,
        reference_kelvin: f64,
    ) -> Result<Option<Self>, CellError> {
        if !options.is_active() {
            return Ok(None);
        }
        let mut side = Self {
            unknowns: Vec::new(),
            options,
            sei: material.sei.as_deref().cloned(),
            plating: material.plating.as_deref().cloned(),
            mechanics: material.mechanics.as_deref().cloned(),
            reference_kelvin,
            specific_surface: material.specific_surface(),
            initial: Vec::new(),
            scale: Vec::new(),
        };
        if options.sei != SeiLaw::None {
            let sei = side.sei.as_ref().ok_or_else(|| missing(material, "the SEI data"))?;
            let thickness = sei.initial_thickness_m;
            side.add(SideUnknown::SeiCurrent, 0.0, 1.0);
            side.add(SideUnknown::SeiThickness, thickness, thickness);
        }
        if options.cracking {
            let cracks = side.mechanics.as_ref().ok_or_else(|| missing(material, "the mechanics data"))?;
            if cracks.cracking_rate.at_reference.as_constant().is_none() {
                return Err(CellError::Parameter {
                    name: format!("{}: cracking rate", material.name),
                    value: f64::NAN,
                    requirement: "must be a number (with an activation energy): a table or formula has no state to be taken at".to_owned(),
                });
            }
            let length = cracks.initial_crack_length_m;
            side.add(SideUnknown::CrackLength, length, length);
        }
        if options.sei_on_cracks {
            side.add_crack_sei(material)?;
        }
        if options.plating != PlatingLaw::None {
            let plating = side.plating.as_ref().ok_or_else(|| missing(material, "the plating data"))?;
            if options.plating != PlatingLaw::Irreversible
                && plating.stripping_rate_constant_m_per_s.is_none()
            {
                return Err(missing(material, "the stripping rate constant"));
            }
            if options.plating == PlatingLaw::PartlyReversible
                && plating.dead_lithium_decay_constant_per_s.is_none()
            {
                return Err(missing(material, "the decay constant of plated lithium"));
            }
            let surface = material.specific_surface();
            let initial = plating.initial_concentration_mol_per_m3 / surface;
            let scale = plating.typical_concentration_mol_per_m3 / surface;
            side.add(SideUnknown::PlatingCurrent, 0.0, 1.0);
            if options.plating != PlatingLaw::Irreversible {
                side.add(SideUnknown::Plated, initial, scale);
            }
            if options.plating != PlatingLaw::Reversible {
                side.add(SideUnknown::Dead, 0.0, scale);
            }
        }
        Ok(Some(side))
    }

    fn add_crack_sei(&mut self, material: &ActiveMaterial) -> Result<(), CellError> {
        if !self.options.cracking || self.options.sei == SeiLaw::None {
            return Err(CellError::Parameter {
                name: "SEI on cracks".to_owned(),
                value: f64::NAN,
                requirement: "needs both cracking and a law of SEI growth".to_owned(),
            });
        }
        let sei = self.sei.as_ref().ok_or_else(|| missing(material, "the SEI data"))?;
        let thickness = sei
            .initial_thickness_on_cracks_m
            .ok_or_else(|| missing(material, "the initial thickness of the SEI on cracks"))?;
        let cracks = self.mechanics.as_ref().ok_or_else(|| missing(material, "the mechanics data"))?;
        let walls = wall_area(cracks, cracks.initial_crack_length_m);
        let scale = sei.initial_thickness_m * walls;
        self.add(SideUnknown::CrackSeiCurrent, 0.0, 1.0);
        self.add(SideUnknown::CrackSeiVolume, thickness * walls, scale);
        Ok(())
    }

    fn add(&mut self, unknown: SideUnknown, initial: f64, scale: f64) {
        self.unknowns.push(unknown);
        self.initial.push(initial);
        self.scale.push(scale);
    }

    fn get<R: Real>(&self, unknown: SideUnknown, values: &[R]) -> Option<R> {
        self.unknowns.iter().position(|u| *u == unknown).map(|i| values[i])
    }

    fn thickness<R: Real>(&self, values: &[R]) -> R {
        let initial = self.sei.as_ref().map_or(0.0, |sei| sei.initial_thickness_m);
        self.get(SideUnknown::SeiThickness, values).unwrap_or_else(|| R::constant(initial))
    }

    /// Intercalation and side currents together.
    fn total_current<R: Real>(&self, local: &Local<R>, values: &[R]) -> R {
        let side = self.unknowns.iter().zip(values).filter(|(u, _)| u.is_current());
        side.fold(local.current, |sum, (_, v)| sum + *v)
    }

    /// Voltage dropped over the SEI by the current, V: resistivity L j.
    pub(crate) fn film_drop<R: Real>(&self, local: &Local<R>, values: &[R]) -> R {
        let resistivity = self.sei.as_ref().map_or(0.0, |sei| sei.resistivity_ohm_m);
        if !self.options.film_resistance || self.options.sei == SeiLaw::None {
            return R::constant(0.0);
        }
        self.thickness(values) * resistivity * self.total_current(local, values)
    }

    /// Each unknown's row: current minus law, or what a state's rate and this must sum to zero.
    pub(crate) fn rows<R: Real>(&self, local: &Local<R>, values: &[R], out: &mut [R]) {
        for (unknown, row) in self.unknowns.iter().zip(out.iter_mut()) {
            *row = match unknown {
                SideUnknown::SeiCurrent => {
                    self.current(*unknown, values) - self.sei_current(local, values, self.thickness(values))
                }
                SideUnknown::SeiThickness => {
                    self.current(SideUnknown::SeiCurrent, values) * self.sei_volume()
                }
                SideUnknown::CrackLength => -self.crack_growth(local, values),
                SideUnknown::CrackSeiCurrent => {
                    let walls = self.walls(values);
                    let thickness = self.current(SideUnknown::CrackSeiVolume, values) / walls;
                    self.current(*unknown, values) - walls * self.sei_current(local, values, thickness)
                }
                SideUnknown::CrackSeiVolume => {
                    self.current(SideUnknown::CrackSeiCurrent, values) * self.sei_volume()
                }
                SideUnknown::PlatingCurrent => {
                    self.current(*unknown, values) - self.plating_current(local, values)
                }
                SideUnknown::Plated => {
                    self.current(SideUnknown::PlatingCurrent, values) * (1.0 / FARADAY) + self.dying(values)
                }
                SideUnknown::Dead if self.options.plating == PlatingLaw::Irreversible => {
                    self.current(SideUnknown::PlatingCurrent, values) * (1.0 / FARADAY)
                }
                SideUnknown::Dead => -self.dying(values),
            };
        }
    }

    fn current<R: Real>(&self, unknown: SideUnknown, values: &[R]) -> R {
        self.get(unknown, values).unwrap_or_else(|| R::constant(0.0))
    }

    /// Volume of SEI per charge, m3/C: V/(F z).
    fn sei_volume(&self) -> f64 {
        self.sei
            .as_ref()
            .map_or(0.0, |sei| sei.partial_molar_volume_m3_per_mol / (FARADAY * sei.lithium_per_sei))
    }

    /// Lithium in the SEI per volume, mol/m3: z/V.
    fn sei_lithium(&self) -> f64 {
        self.sei.as_ref().map_or(0.0, |sei| sei.lithium_per_sei / sei.partial_molar_volume_m3_per_mol)
    }

    fn sei_current<R: Real>(&self, local: &Local<R>, values: &[R], thickness: R) -> R {
        let Some(sei) = &self.sei else { return R::constant(0.0) };
        let per_volt = FARADAY / (GAS_CONSTANT * local.kelvin);
        let overpotential =
            || local.potential - self.film_drop(local, values) + (-sei.open_circuit_potential_v);
        let reaction = |alpha: f64| (overpotential() * (-alpha * per_volt)).exp();
        let ethylene_carbonate = |alpha: f64| {
            let rate = reaction(alpha) * sei.ec_rate_constant_m_per_s;
            let hindered = thickness * rate * (1.0 / sei.ec_diffusivity_m2_per_s) + 1.0;
            rate * (-FARADAY * sei.ec_concentration_mol_per_m3) / hindered
        };
        let j = match self.options.sei {
            SeiLaw::None => R::constant(0.0),
            SeiLaw::ReactionLimited => reaction(0.5) * -sei.exchange_current_a_per_m2,
            SeiLaw::ReactionLimitedAsymmetric => {
                reaction(sei.growth_transfer_coefficient) * -sei.exchange_current_a_per_m2
            }
            SeiLaw::SolventDiffusion => {
                let supply = sei.solvent_diffusivity_m2_per_s * sei.bulk_solvent_concentration_mol_per_m3;
                R::constant(-supply * FARADAY) / thickness
            }
            SeiLaw::ElectronMigration => {
                let drive = local.potential + (-sei.open_circuit_potential_v);
                if drive.value() < 0.0 {
                    drive * sei.electron_conductivity_s_per_m / thickness
                } else {
                    R::constant(0.0)
                }
            }
            SeiLaw::InterstitialDiffusion => {
                let supply = sei.interstitial_diffusivity_m2_per_s
                    * sei.interstitial_reference_concentration_mol_per_m3;
                (local.potential * -per_volt).exp() * (-supply * FARADAY) / thickness
            }
            SeiLaw::EcReaction => ethylene_carbonate(0.5),
            SeiLaw::EcReactionAsymmetric => ethylene_carbonate(sei.growth_transfer_coefficient),
        };
        let activation = sei.growth_activation_energy_j_per_mol / GAS_CONSTANT;
        j * (activation * (1.0 / self.reference_kelvin - 1.0 / local.kelvin)).exp()
    }

    /// Area of the cracks' walls per particle surface.
    fn walls<R: Real>(&self, values: &[R]) -> R {
        let length = self.current(SideUnknown::CrackLength, values);
        length * self.mechanics.as_ref().map_or(0.0, |cracks| wall_area(cracks, 1.0))
    }

    /// Paris' law, m/s: dl/dt = k (b sigma sqrt(pi l))^m / 3600 s under tension, with the tangential stress at
    /// the surface sigma = Omega E (mean c - surface c)/(3 (1 - nu)) (W. Ai et al., J. Electrochem. Soc. 167
    /// (2020) 013512, equation 8).
    fn crack_growth<R: Real>(&self, local: &Local<R>, values: &[R]) -> R {
        let Some(cracks) = &self.mechanics else { return R::constant(0.0) };
        let stiffness = cracks.partial_molar_volume_m3_per_mol * cracks.youngs_modulus_pa
            / (3.0 * (1.0 - cracks.poisson_ratio));
        let stress = (-local.surface + local.mean) * stiffness;
        if stress.value() <= 0.0 {
            return R::constant(0.0);
        }
        let length = self.current(SideUnknown::CrackLength, values);
        let intensity = stress * cracks.paris_b * (length * std::f64::consts::PI).sqrt();
        let rate = cracks.cracking_rate.at_reference.as_constant().unwrap_or(f64::NAN)
            * cracks.cracking_rate.arrhenius_factor(local.kelvin, self.reference_kelvin);
        intensity.power(cracks.paris_m) * (rate / 3600.0)
    }

    /// Plated lithium that becomes dead, mol/(m2 s): decay constant times L0/L of the SEI.
    fn dying<R: Real>(&self, values: &[R]) -> R {
        if self.options.plating != PlatingLaw::PartlyReversible {
            return R::constant(0.0);
        }
        let decay = self.plating.as_ref().and_then(|p| p.dead_lithium_decay_constant_per_s).unwrap_or(0.0);
        let initial = self.sei.as_ref().map_or(1.0, |sei| sei.initial_thickness_m);
        let shielding =
            if self.sei.is_some() { R::constant(initial) / self.thickness(values) } else { R::constant(1.0) };
        self.current(SideUnknown::Plated, values) * shielding * decay
    }

    /// Exchange-current density of plating as a function of the salt, if there is plating.
    pub(crate) fn plating_exchange(&self) -> Option<&Property> {
        let active = self.options.plating != PlatingLaw::None;
        self.plating.as_ref().filter(|_| active).map(|plating| &plating.exchange_current)
    }

    /// Equilibrium potential of a side current against lithium, V; 0 for states.
    pub(crate) fn equilibrium(&self, unknown: SideUnknown) -> f64 {
        match unknown {
            SideUnknown::SeiCurrent | SideUnknown::CrackSeiCurrent => {
                self.sei.as_ref().map_or(0.0, |sei| sei.open_circuit_potential_v)
            }
            _ => 0.0,
        }
    }

    /// The products of the side reactions per particle surface.
    pub(crate) fn products(&self, values: &[f64]) -> Products {
        let of = |unknown: SideUnknown| self.current(unknown, values);
        Products {
            sei_lithium: self.sei_lithium()
                * (of(SideUnknown::SeiThickness) + of(SideUnknown::CrackSeiVolume)),
            plated_lithium: of(SideUnknown::Plated),
            dead_lithium: of(SideUnknown::Dead),
            sei_thickness: of(SideUnknown::SeiThickness),
            crack_length: of(SideUnknown::CrackLength),
        }
    }

    /// Volume of the products beyond that of the initial SEI per particle surface, m: what fills the pores.
    pub(crate) fn volume(&self, values: &[f64]) -> f64 {
        let molar = self.plating.as_ref().map_or(0.0, |p| p.lithium_metal_partial_molar_volume_m3_per_mol);
        let metal = self.current(SideUnknown::Plated, values) + self.current(SideUnknown::Dead, values);
        let initial = self.sei.as_ref().map_or(0.0, |sei| sei.initial_thickness_m);
        self.thickness(values) - initial + self.current(SideUnknown::CrackSeiVolume, values) + metal * molar
    }

    fn plating_current<R: Real>(&self, local: &Local<R>, values: &[R]) -> R {
        let Some(plating) = &self.plating else { return R::constant(0.0) };
        let per_volt = FARADAY / (GAS_CONSTANT * local.kelvin);
        let overpotential = local.potential - self.film_drop(local, values);
        let alpha = plating.transfer_coefficient;
        let forward = local.plating_exchange * (overpotential * (-alpha * per_volt)).exp();
        let Some(plated) = self.get(SideUnknown::Plated, values) else { return -forward };
        let rate = plating.stripping_rate_constant_m_per_s.unwrap_or(0.0);
        // The law knows lithium per volume of the electrode: k c with c = a q.
        let stripping = plated * (FARADAY * rate * self.specific_surface);
        stripping * (overpotential * ((1.0 - alpha) * per_volt)).exp() - forward
    }
}

/// Area of both walls of cracks of `length` per particle surface: 2 l w n (width w, n cracks per surface).
fn wall_area(cracks: &MechanicsParameters, length: f64) -> f64 {
    2.0 * length * cracks.initial_crack_width_m * cracks.cracks_per_area_per_m2
}
