//! Bands of two spins side by side, as spin-polarised calculations without spin-orbit coupling have them.

use crate::error::BandsError;
use crate::extrema::{Bend, Curved};
use crate::field::{BandPoint, Bands, Planes};
use crate::symmetry::{Grid, PointGroup};
use scalade_crystal::Matrix3;
use std::ops::Range;

/// The bands of up and down spins, each holding one electron, in the order of their lowest energies on a coarse grid: where a gap parts all
/// filled bands of both spins from all empty ones, the filled ones come first.
#[derive(Clone, Debug)]
pub struct SpinChannels<B: Curved> {
    channels: [B; 2],
    /// Channel and band within it.
    order: Vec<(usize, usize)>,
}

impl<B: Curved> SpinChannels<B> {
    /// From the bands of both spins, each with a spin degeneracy of 1.
    ///
    /// Errors: different lattices or rotations, bands that hold two electrons, and those of the bands.
    pub fn new(up: B, down: B) -> Result<Self, BandsError> {
        if up.lattice_angstrom() != down.lattice_angstrom() || up.group() != down.group() {
            let reason = "up and down spins have different lattices or rotations".into();
            return Err(BandsError::Symmetry { reason });
        }
        if up.spin_degeneracy() != 1.0 || down.spin_degeneracy() != 1.0 {
            let (what, want) = ("the spin degeneracy of one channel", "1 is due");
            let value = up.spin_degeneracy().max(down.spin_degeneracy());
            return Err(BandsError::Number { what, value, want });
        }
        let channels = [up, down];
        let divisions =
            crate::symmetry::even_divisions(channels[0].lattice_angstrom(), channels[0].group(), 8)?;
        let grid = Grid::new(divisions, channels[0].group())?;
        let mut lowest: Vec<(f64, usize, usize)> = Vec::new();
        for (channel, bands) in channels.iter().enumerate() {
            for batch in bands.batches() {
                let planes = bands.on_grid(&grid, batch.clone())?;
                let mut low = vec![f64::INFINITY; batch.len()];
                let mut found = Vec::new();
                for (i1, wanted) in grid.planes.iter().enumerate().filter(|(_, w)| !w.is_empty()) {
                    found.clear();
                    planes.plane(i1, wanted, &mut found)?;
                    for at in found.chunks(batch.len()) {
                        low.iter_mut().zip(at).for_each(|(l, p)| *l = l.min(p.energy_ev));
                    }
                }
                lowest.extend(batch.zip(low).map(|(band, low)| (low, channel, band)));
            }
        }
        lowest.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.2, a.1).cmp(&(b.2, b.1))));
        Ok(Self { channels, order: lowest.into_iter().map(|(_, c, b)| (c, b)).collect() })
    }

    /// Spin (0: up, 1: down) of a band, and which band of that spin it is.
    pub fn spin_of(&self, band: usize) -> Option<(usize, usize)> {
        self.order.get(band).copied()
    }
}

impl<B: Curved> Bands for SpinChannels<B> {
    fn lattice_angstrom(&self) -> &Matrix3 {
        self.channels[0].lattice_angstrom()
    }

    fn bands(&self) -> usize {
        self.order.len()
    }

    fn spin_degeneracy(&self) -> f64 {
        1.0
    }

    fn group(&self) -> &PointGroup {
        self.channels[0].group()
    }

    fn points(&self, k: [f64; 3], out: &mut Vec<BandPoint>) -> Result<(), BandsError> {
        let mut each = [Vec::new(), Vec::new()];
        for (channel, found) in self.channels.iter().zip(&mut each) {
            channel.points(k, found)?;
        }
        out.extend(self.order.iter().map(|(channel, band)| each[*channel][*band]));
        Ok(())
    }

    fn batches(&self) -> Vec<Range<usize>> {
        (0..self.order.len()).map(|b| b..b + 1).collect()
    }

    fn on_grid<'a>(
        &'a self,
        grid: &'a Grid,
        bands: Range<usize>,
    ) -> Result<Box<dyn Planes + 'a>, BandsError> {
        let parts: Result<Vec<_>, BandsError> = self.order[bands]
            .iter()
            .map(|(channel, band)| self.channels[*channel].on_grid(grid, *band..*band + 1))
            .collect();
        Ok(Box::new(SideBySide(parts?)))
    }
}

impl<B: Curved> Curved for SpinChannels<B> {
    fn bend(&self, k: [f64; 3], band: usize) -> Result<Bend, BandsError> {
        let Some((channel, own)) = self.spin_of(band) else {
            let want = "bands are counted from 0";
            let expected = self.order.len() - 1;
            return Err(BandsError::Count { what: "a band", got: band, expected, want });
        };
        self.channels[channel].bend(k, own)
    }

    fn regular_bend(&self, k: [f64; 3], band: usize) -> Result<Bend, BandsError> {
        match self.spin_of(band) {
            Some((channel, own)) => self.channels[channel].regular_bend(k, own),
            None => self.bend(k, band),
        }
    }
}

/// One band each.
struct SideBySide<'a>(Vec<Box<dyn Planes + 'a>>);

impl Planes for SideBySide<'_> {
    fn plane(
        &self,
        i1: usize,
        wanted: &[crate::GridPoint],
        out: &mut Vec<BandPoint>,
    ) -> Result<(), BandsError> {
        let mut each = Vec::with_capacity(self.0.len());
        for planes in &self.0 {
            let mut found = Vec::with_capacity(wanted.len());
            planes.plane(i1, wanted, &mut found)?;
            each.push(found);
        }
        out.extend((0..wanted.len()).flat_map(|i| each.iter().map(move |found| found[i])));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Hopping, TightBinding};
    use crate::{Condition, Level, RelaxationTime, transport_on_grid};

    fn band(energies: &[f64], spin: f64) -> TightBinding {
        let mut list = Vec::new();
        for (i, e) in energies.iter().enumerate() {
            list.push(Hopping { row: i, column: i, cell: [0; 3], amplitude_ev: [*e, 0.0] });
            for cell in [[1, 0, 0], [0, 1, 0], [0, 0, 1]] {
                list.push(Hopping { row: i, column: i, cell, amplitude_ev: [-0.1 - 0.01 * e, 0.0] });
            }
        }
        let lattice = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]];
        TightBinding::new(lattice, energies.len(), &list, true, spin).unwrap()
    }

    #[test]
    fn equal_spins_are_paired_bands_and_split_ones_stand_in_order() {
        let at = |filled: f64| Condition {
            level: Level::Electrons { neutral: filled, added: 0.0 },
            temperature_k: 400.0,
        };
        let tau = RelaxationTime::constant(1.0).unwrap();
        let both = SpinChannels::new(band(&[0.0, 4.0], 1.0), band(&[0.0, 4.0], 1.0)).unwrap();
        let paired = band(&[0.0, 4.0], 2.0);
        let run = |b: &dyn Bands| transport_on_grid(b, &[at(2.3)], &tau, [16; 3]).unwrap().points[0];
        let (a, b) = (run(&both), run(&paired));
        assert!((a.conductivity[0][0] / b.conductivity[0][0] - 1.0).abs() < 1e-12);
        assert!((a.potential_ev - b.potential_ev).abs() < 1e-12);
        // One electron in the lower spin, a gap over it.
        let split = SpinChannels::new(band(&[3.0, 9.0], 1.0), band(&[0.0, 6.0], 1.0)).unwrap();
        let order: Vec<_> = (0..4).map(|b| split.spin_of(b).unwrap()).collect();
        assert_eq!(order, [(1, 0), (0, 0), (1, 1), (0, 1)]);
        let found = transport_on_grid(&split, &[at(1.0)], &tau, [16; 3]).unwrap().points[0];
        assert!(found.carriers.is_some() && (found.potential_ev - 1.5).abs() < 0.3, "{found:?}");
        assert!(SpinChannels::new(band(&[0.0], 2.0), band(&[0.0], 2.0)).is_err());
    }
}
