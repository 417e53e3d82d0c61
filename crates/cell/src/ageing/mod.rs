//! Side reactions at the surface of negative particles: growth of the solid-electrolyte interphase (SEI), on
//! the particles and in their cracks, lithium plating, and the growth of cracks.
//!
//! Laws as in PyBaMM (V. Sulzer et al., J. Open Res. Softw. 9 (2021) 14), which follow S. G. Marquis, thesis
//! Oxford (2020), chapter 5 (SEI), S. E. J. O'Kane et al., J. Electrochem. Soc. 167 (2020) 090540 and Phys.
//! Chem. Chem. Phys. 24 (2022) 7909 (plating, cracks). Currents are per particle surface, negative where
//! lithium ions leave the electrolyte.

pub(crate) mod dual;
mod laws;

use serde::{Deserialize, Serialize};

pub(crate) use laws::{Local, Products, SideReactions};

/// What limits the growth of the SEI, j in A per m2 of surface, L its thickness, psi = phi_s - phi_e.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeiLaw {
    /// No growth.
    #[default]
    None,
    /// j = -j0 exp(-alpha F eta/RT) with eta = psi - U - film drop and alpha = 1/2.
    ReactionLimited,
    /// The same with the transfer coefficient of the data.
    ReactionLimitedAsymmetric,
    /// j = -D c F / L, the solvent's diffusivity and concentration.
    SolventDiffusion,
    /// j = kappa (psi - U)/L while that is negative, the electronic conductivity kappa.
    ElectronMigration,
    /// j = -(D c F / L) exp(-F psi/RT), those of lithium interstitials.
    InterstitialDiffusion,
    /// j = -F c k e/(1 + L k e/D), e = exp(-alpha F eta/RT), of ethylene carbonate, alpha = 1/2.
    EcReaction,
    /// The same with the transfer coefficient of the data.
    EcReactionAsymmetric,
}

/// How lithium metal plates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatingLaw {
    /// Not at all.
    #[default]
    None,
    /// j = j0s exp((1 - alpha) F eta/RT) - j0p exp(-alpha F eta/RT), eta = psi - film drop.
    Reversible,
    /// The same, and plated lithium turns into dead lithium with a rate that falls as the SEI grows.
    PartlyReversible,
    /// Only plating, and all of it is dead.
    Irreversible,
}

/// Which ageing takes place in the negative electrode; the constants are those of its active materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgeingOptions {
    /// Growth of the SEI.
    pub sei: SeiLaw,
    /// Whether the current drops voltage over the SEI.
    pub film_resistance: bool,
    /// Whether cracks grow with the stress at the surface.
    pub cracking: bool,
    /// Whether the SEI also grows on the walls of the cracks.
    pub sei_on_cracks: bool,
    /// Lithium plating.
    pub plating: PlatingLaw,
    /// Whether SEI and plated lithium fill the pores.
    pub pore_clogging: bool,
}

impl Default for AgeingOptions {
    fn default() -> Self {
        Self {
            sei: SeiLaw::None,
            film_resistance: true,
            cracking: false,
            sei_on_cracks: false,
            plating: PlatingLaw::None,
            pore_clogging: false,
        }
    }
}

impl AgeingOptions {
    /// Whether anything ages.
    pub fn is_active(&self) -> bool {
        self.sei != SeiLaw::None || self.plating != PlatingLaw::None || self.cracking
    }
}
