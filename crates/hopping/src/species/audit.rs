//! Rates of the engine against ones from total energies, there and back.

use super::engine::SpeciesEngine;
use crate::HoppingError;
use crate::error::exceeds;
use scalade_numerics::Philox;

/// Largest deviation of ln(rate there / rate back) from -dE/kT, beside rounding of the total energies.
const LARGEST_GAP: f64 = 1e-8;
/// Relative rounding of a total energy.
const ROUNDING: f64 = 1e-13;

/// What an audit found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BalanceAudit {
    /// Events checked.
    pub events: usize,
    /// Largest |ln(rate there / rate back) + dE/kT|.
    pub largest_gap: f64,
    /// Largest |ln(rate / rate by straight summation)|.
    pub largest_rate_gap: f64,
}

impl SpeciesEngine<'_> {
    /// Checks events that can happen in the present state (all, or `most` drawn at random): that the reverse can happen after it, that both rates are those of
    /// straight summation over the local expansion and the Hamiltonian, and that their ratio is exp(-dE/kT) with the total energies computed anew.
    ///
    /// Errors: a deviation beyond rounding.
    pub fn audit(&self, most: usize, rng: &mut Philox) -> Result<BalanceAudit, HoppingError> {
        let model = self.model();
        let energy = |arrangement: &[u8]| {
            model.hamiltonian().map_or(0.0, |(h, c)| h.reference_energy_ev(c, model.grid(), arrangement))
        };
        self.audit_against(energy, most, rng)
    }

    /// The same with total energies (eV) from elsewhere, as a check that the rates obey detailed balance with these.
    ///
    /// Errors: a deviation beyond rounding.
    pub fn audit_against(
        &self,
        energy_ev: impl Fn(&[u8]) -> f64,
        most: usize,
        rng: &mut Philox,
    ) -> Result<BalanceAudit, HoppingError> {
        let model = self.model();
        let thermal = model.thermal_energy_ev();
        let mut slots = self.live();
        // The first of a shuffle.
        let checked = most.min(slots.len());
        for k in 0..checked {
            let other = k + rng.below((slots.len() - k) as u32) as usize;
            slots.swap(k, other);
        }
        let before = self.arrangement();
        let energy = energy_ev(&before);
        let mut walker = self.clone();
        let mut out = BalanceAudit { events: checked, largest_gap: 0.0, largest_rate_gap: 0.0 };
        for slot in slots.into_iter().take(checked) {
            let (event, backward, cell, there) = walker.in_slot(slot);
            let place = model.grid().site(cell * model.grid().basis()).cell;
            let mut after = before.clone();
            model.apply(event, backward, place, &mut after);
            walker.take(slot);
            let (other, other_way, _, back) = walker.in_slot(slot);
            let name = || model.kind_of(event).name.clone();
            if other != event || other_way == backward || walker.arrangement() != after {
                let reason = format!("its reverse is not possible after it (slot {slot})");
                return Err(HoppingError::EventKind { kind: name(), reason });
            }
            let end = energy_ev(&after);
            let (got, expected) = ((there / back).ln(), -(end - energy) / thermal);
            let rounding = ROUNDING * (energy.abs() + end.abs()) / thermal;
            let gap = (got - expected).abs();
            if exceeds(gap, LARGEST_GAP + rounding) {
                return Err(HoppingError::DetailedBalance { bond: slot, got, expected });
            }
            let slow = [(there, &before, end - energy), (back, &after, energy - end)];
            for (rate, state, delta) in slow {
                let off = (rate / model.reference_rate_hz(event, place, state, delta)).ln().abs();
                if exceeds(off, LARGEST_GAP + rounding) {
                    let reason = format!(
                        "its rate {rate:e} Hz in slot {slot} is off that of straight summation by {off:e} (ln)"
                    );
                    return Err(HoppingError::EventKind { kind: name(), reason });
                }
                out.largest_rate_gap = out.largest_rate_gap.max(off);
            }
            out.largest_gap = out.largest_gap.max(gap);
            walker.take(slot);
        }
        Ok(out)
    }
}
