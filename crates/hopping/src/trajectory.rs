//! Who moved where: unwrapped displacements of every ion, the total displacement, and counts by mechanism.

use crate::checkpoint::{Reader, Refused, Writer};
use crate::{GridNetwork, Mechanism};
use scalade_crystal::row_times;

/// Marks a vacant site.
const NOBODY: u32 = u32::MAX;

/// Unwrapped trajectory of the ions on a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    ion_at: Vec<u32>,
    site_of: Vec<u32>,
    /// Cells travelled by each ion (unwrapped).
    cell_of: Vec<[i32; 3]>,
    last_hop: Vec<u32>,
    /// Net hops along each bond type (forward minus backward).
    net: Vec<i64>,
    /// Hops along each bond type, either way.
    hops: Vec<u64>,
    /// Hops by mechanism, in the order of [`Mechanism::ALL`].
    pub by_mechanism: [u64; 2],
    /// Hops that undid the ion's own previous hop, by the mechanism of the undoing hop.
    pub returns: [u64; 2],
    /// Hops under the rule for missing barriers.
    pub without_barrier: u64,
    /// Sum of the barriers of all hops less dE/2, eV (the activations at work).
    pub activation_sum_ev: f64,
    cells: Vec<[i32; 3]>,
    vectors: Vec<[f64; 3]>,
    types: usize,
    start: Vec<[f64; 3]>,
    lattice: scalade_crystal::Matrix3,
    basis_fractional: Vec<[f64; 3]>,
}

impl Trajectory {
    /// Ions numbered in the order of the sites they start on.
    pub fn new(network: &GridNetwork, occupied: &[bool]) -> Self {
        let mut ion_at = vec![NOBODY; occupied.len()];
        let mut site_of = Vec::new();
        for (site, _) in occupied.iter().enumerate().filter(|o| *o.1) {
            ion_at[site] = site_of.len() as u32;
            site_of.push(site as u32);
        }
        let bonds = network.network().bonds();
        let ions = site_of.len();
        let mut out = Self {
            ion_at,
            site_of,
            cell_of: vec![[0; 3]; ions],
            last_hop: vec![u32::MAX; ions],
            net: vec![0; bonds.len()],
            hops: vec![0; bonds.len()],
            by_mechanism: [0; 2],
            returns: [0; 2],
            without_barrier: 0,
            activation_sum_ev: 0.0,
            cells: bonds.iter().map(|b| b.to.cell).collect(),
            vectors: bonds.iter().map(|b| b.vector_angstrom).collect(),
            types: bonds.len(),
            start: Vec::new(),
            lattice: *network.network().lattice_angstrom(),
            basis_fractional: network.network().basis_fractional().to_vec(),
        };
        let basis = network.grid().basis();
        out.start = (0..ions).map(|i| out.raw_position(i, basis)).collect();
        out
    }

    /// Moves the ion on `from` to `to` along a bond; `forward` is from the bond's first end to its second.
    #[inline]
    pub fn hop(&mut self, bond: usize, from: usize, to: usize, forward: bool, mechanism: Mechanism) {
        let kind = bond % self.types;
        let ion = self.ion_at[from] as usize;
        self.ion_at[from] = NOBODY;
        self.ion_at[to] = ion as u32;
        self.site_of[ion] = to as u32;
        let step = self.cells[kind];
        let sign = if forward { 1 } else { -1 };
        let cell = &mut self.cell_of[ion];
        for a in 0..3 {
            cell[a] += sign * step[a];
        }
        self.net[kind] += i64::from(sign);
        self.hops[kind] += 1;
        let index = usize::from(mechanism == Mechanism::Tsh);
        self.by_mechanism[index] += 1;
        // A second hop of the same ion over the same bond can only lead back.
        let back = self.last_hop[ion] == bond as u32;
        self.returns[index] += u64::from(back);
        self.last_hop[ion] = if back { u32::MAX } else { bond as u32 };
    }

    fn raw_position(&self, ion: usize, basis: usize) -> [f64; 3] {
        let site = self.site_of[ion] as usize;
        let offset = self.basis_fractional[site % basis];
        row_times(std::array::from_fn(|a| f64::from(self.cell_of[ion][a]) + offset[a]), &self.lattice)
    }

    /// Number of ions.
    pub fn ions(&self) -> usize {
        self.site_of.len()
    }

    /// The ion on a site.
    #[inline]
    pub fn ion_at(&self, site: usize) -> Option<usize> {
        Some(self.ion_at[site]).filter(|i| *i != NOBODY).map(|i| i as usize)
    }

    /// Site on which an ion sits.
    pub fn site_of(&self, ion: usize) -> usize {
        self.site_of[ion] as usize
    }

    /// Displacement of an ion since the start, unwrapped, angstrom.
    pub fn displacement_angstrom(&self, ion: usize) -> [f64; 3] {
        let here = self.raw_position(ion, self.basis_fractional.len());
        std::array::from_fn(|a| here[a] - self.start[ion][a])
    }

    /// Sum of the displacements of all ions since the start, angstrom.
    pub fn total_displacement_angstrom(&self) -> [f64; 3] {
        let mut out = [0.0; 3];
        for (net, vector) in self.net.iter().zip(&self.vectors) {
            for a in 0..3 {
                out[a] += *net as f64 * vector[a];
            }
        }
        out
    }

    /// Sum over all hops of the tensor d d^T of the hop vector, square angstrom.
    pub fn squared_hops(&self) -> [[f64; 3]; 3] {
        let mut out = [[0.0; 3]; 3];
        for (hops, v) in self.hops.iter().zip(&self.vectors) {
            for a in 0..3 {
                for b in 0..3 {
                    out[a][b] += *hops as f64 * v[a] * v[b];
                }
            }
        }
        out
    }

    /// Number of hops.
    pub fn events(&self) -> u64 {
        self.by_mechanism[0] + self.by_mechanism[1]
    }

    /// Writes what has to be kept to go on from here.
    pub(crate) fn save(&self, out: &mut Writer) {
        for ion in 0..self.site_of.len() {
            out.u32(self.site_of[ion]);
            for cells in self.cell_of[ion] {
                out.u32(cells as u32);
            }
            out.u32(self.last_hop[ion]);
            out.floats(&self.start[ion]);
        }
        for (net, hops) in self.net.iter().zip(&self.hops) {
            out.u64(*net as u64);
            out.u64(*hops);
        }
        for count in self.by_mechanism.iter().chain(&self.returns).chain([&self.without_barrier]) {
            out.u64(*count);
        }
        out.f64(self.activation_sum_ev);
    }

    /// Reads what was written into a trajectory of the same network with as many ions; returns the occupation.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<Vec<bool>, Refused> {
        let mut occupied = vec![false; self.ion_at.len()];
        self.ion_at.fill(NOBODY);
        for ion in 0..self.site_of.len() {
            let site = from.u32()?;
            match occupied.get_mut(site as usize) {
                Some(free) if !*free => *free = true,
                _ => return Err("two ions share a site, or one is outside the box"),
            }
            self.site_of[ion] = site;
            self.ion_at[site as usize] = ion as u32;
            self.cell_of[ion] = from.cells()?;
            self.last_hop[ion] = from.u32()?;
            self.start[ion] = from.vector()?;
        }
        for (net, hops) in self.net.iter_mut().zip(&mut self.hops) {
            (*net, *hops) = (from.u64()? as i64, from.counted()?);
            if net.unsigned_abs() > *hops {
                return Err("a bond was crossed more often one way than both ways");
            }
        }
        for count in self.by_mechanism.iter_mut().chain(&mut self.returns).chain([&mut self.without_barrier])
        {
            *count = from.counted()?;
        }
        self.activation_sum_ev = from.f64()?;
        Ok(occupied)
    }
}
