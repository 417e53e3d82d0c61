//! What has to be kept of the fast engine to go on to the same bits.
//!
//! Most of a state depends on how it came about: site weights are products that were multiplied hop by hop and carry their rounding; bounds of sites and bonds
//! are lowered late; and the place of a bond in its list decides which one a random number picks. All of these are written as they are. What is not filed, table
//! entries and totals follow from the occupation and the lists; fields are computed anew whenever they are asked for.

use super::{BIAS, FastEngine, IDLE, IDLE_LEVEL, IDLE_LOCAL};
use crate::checkpoint::{NO_ENGINE, Reader, Refused, Writer};
use scalade_numerics::Philox;

/// Bytes of a bond in a list.
const BOND: usize = 6;
/// Offsets of classes stay below this: exponents of doubles and of tables are far smaller.
const MOST_OFFSET: i32 = 1 << 20;
/// A bond whose place does not fit the occupation.
const MISFILED: Refused = "a bond is filed where it cannot be";

impl FastEngine<'_> {
    /// Writes what has to be kept to go on from here.
    pub(crate) fn save(&self, out: &mut Writer) -> Result<(), Refused> {
        self.trajectory.save(out);
        out.floats(&[self.time_s]);
        for count in [self.attempts, self.rebounds, self.synced_at] {
            out.u64(count);
        }
        out.stream(&self.rng)?;
        for site in &self.sites {
            out.f64(site.weight);
            out.u16(site.exponent as u16);
        }
        out.u32(self.filing.offset as u32);
        for list in &self.filing.lists[..self.filing.classes as usize] {
            out.u32(list.len() as u32);
            for bond in list {
                out.u32(*bond);
                out.u16(self.filing.bonds[*bond as usize].local as u16);
            }
        }
        Ok(())
    }

    /// The engine that was written, made from one of the same model with as many ions.
    pub(crate) fn restored(&self, from: &mut Reader<'_>) -> Result<Self, Refused> {
        let mut trajectory = self.trajectory.clone();
        let occupied = trajectory.restore(from)?;
        let time_s = from.f64()?;
        let [attempts, rebounds, synced_at] = [from.counted()?, from.counted()?, from.counted()?];
        let rng: Philox = from.stream()?;
        if synced_at > trajectory.events() || time_s.is_nan() || time_s < 0.0 {
            return Err("a clock runs backwards");
        }
        let mut out = self.restarted(&occupied, rng).map_err(|_| NO_ENGINE)?;
        (out.trajectory, out.time_s) = (trajectory, time_s);
        (out.attempts, out.rebounds, out.synced_at) = (attempts, rebounds, synced_at);
        for site in &mut out.sites {
            (site.weight, site.exponent) = (from.f64()?, from.u16()? as i16);
            if !(site.weight.is_finite() && site.weight > 0.0) {
                return Err("a weight is no positive number");
            }
        }
        out.refile(from)?;
        Ok(out)
    }

    /// Files the bonds as they were.
    fn refile(&mut self, from: &mut Reader<'_>) -> Result<(), Refused> {
        let offset = from.u32()? as i32;
        let scale = (-f64::from(offset.clamp(-MOST_OFFSET, MOST_OFFSET) + 2 * BIAS)).exp2();
        if !scale.is_normal() {
            return Err("its classes are out of range");
        }
        (self.filing.offset, self.scale) = (offset, scale);
        for bond in &mut self.filing.bonds {
            (bond.class, bond.level, bond.local) = (IDLE, IDLE_LEVEL, IDLE_LOCAL);
        }
        self.filing.lists.iter_mut().for_each(Vec::clear);
        (self.filing.total, self.filing.top) = (0, 0);
        for class in 0..self.filing.classes as usize {
            for _ in 0..from.count(BOND)? {
                let (bond, local) = (from.u32()?, from.u16()? as i16);
                let able = (bond as usize) < self.filing.bonds.len() && self.can_hop(bond as usize);
                let state = self.filing.bonds.get_mut(bond as usize).filter(|b| able && b.class == IDLE);
                let list = &mut self.filing.lists[class];
                let state = state.ok_or(MISFILED)?;
                (state.class, state.level, state.local) = (class as u8, class as i16, local);
                state.place = list.len() as u32;
                list.push(bond);
                self.filing.total += self.filing.weights[class];
                self.filing.top = class;
            }
        }
        for bond in 0..self.filing.bonds.len() {
            if self.filing.bonds[bond].class != IDLE {
                continue;
            }
            if self.can_hop(bond) {
                return Err(MISFILED);
            }
            // Nothing is picked from this list: its order does not matter.
            let list = &mut self.filing.lists[usize::from(IDLE)];
            self.filing.bonds[bond].place = list.len() as u32;
            list.push(bond as u32);
        }
        Ok(())
    }
}
