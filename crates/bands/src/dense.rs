//! Star functions on dense uniform grids by fast Fourier transforms: the reference that the products of matrices are tested against.
//!
//! Energies and slopes are real, hence two of them share one complex transform: E + i dE/dx has the coefficients c_R (1 - R_x), dE/dy + i dE/dz has c_R (i R_y - R_z).
//! The first axis is transformed for the columns (R2, R3) that hold a coefficient, the second within each plane wanted for the rows that do, the
//! third for the rows that hold a wanted point. A grid coarser than the coefficients folds them, which is exact at its points.

use crate::error::BandsError;
use crate::field::{BandPoint, Planes};
use crate::symmetry::{Grid, GridPoint, PAIRS};
use nalgebra::Complex;
use rayon::prelude::*;
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

type C = Complex<f64>;
const ZERO: C = C { re: 0.0, im: 0.0 };

/// A lattice vector of a star.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Member {
    pub cell: [i32; 3],
    /// Cartesian, angstrom.
    pub vector: [f64; 3],
    pub star: usize,
    /// One over the members of the star.
    pub share: f64,
}

/// Some bands on a grid, ready for its planes.
pub(crate) struct DensePlanes {
    divisions: [usize; 3],
    /// (j2, j3) of the columns, ascending in j3 then j2.
    columns: Vec<(u32, u32)>,
    /// Per band and field: \[column\]\[i1\].
    fields: Vec<[Vec<C>; 2]>,
    second: Arc<dyn Fft<f64>>,
    third: Arc<dyn Fft<f64>>,
}

impl DensePlanes {
    /// `coefficients`: per band, one per star.
    pub fn new(grid: &Grid, members: &[Member], coefficients: &[Vec<f64>]) -> Self {
        let n = grid.divisions;
        let fold = |m: &Member| -> [usize; 3] {
            std::array::from_fn(|i| i64::from(m.cell[i]).rem_euclid(n[i] as i64) as usize)
        };
        let mut columns: Vec<(u32, u32)> =
            members.iter().map(fold).map(|j| (j[2] as u32, j[1] as u32)).collect();
        columns.sort_unstable();
        columns.dedup();
        let places: Vec<usize> = members
            .iter()
            .map(|m| {
                let j = fold(m);
                let column = columns.partition_point(|c| *c < (j[2] as u32, j[1] as u32));
                column * n[0] + j[0]
            })
            .collect();
        let mut planner = FftPlanner::new();
        let first = planner.plan_fft_inverse(n[0]);
        let fields = coefficients
            .iter()
            .map(|of_star| {
                let mut pair = [vec![ZERO; columns.len() * n[0]], vec![ZERO; columns.len() * n[0]]];
                for (member, place) in members.iter().zip(&places) {
                    let c = of_star[member.star] * member.share;
                    let [x, y, z] = member.vector;
                    pair[0][*place] += c * (1.0 - x);
                    pair[1][*place] += C::new(-c * z, c * y);
                }
                for field in &mut pair {
                    field.par_chunks_mut(n[0] * 64).for_each(|lines| first.process(lines));
                }
                pair
            })
            .collect();
        Self {
            divisions: n,
            columns: columns.into_iter().map(|(j3, j2)| (j2, j3)).collect(),
            fields,
            second: planner.plan_fft_inverse(n[1]),
            third: planner.plan_fft_inverse(n[2]),
        }
    }

    /// One field on the rows `rows` of plane `i1`: \[row\]\[i3\].
    fn field(&self, field: &[C], i1: usize, rows: &[u32], work: &mut PlaneWork) {
        let [n1, n2, n3] = self.divisions;
        work.lines.clear();
        work.places.clear();
        for (column, (j2, j3)) in self.columns.iter().enumerate() {
            if work.places.last() != Some(j3) {
                work.places.push(*j3);
                work.lines.resize(work.lines.len() + n2, ZERO);
            }
            let start = work.lines.len() - n2;
            work.lines[start + *j2 as usize] = field[column * n1 + i1];
        }
        self.second.process_with_scratch(&mut work.lines, &mut work.scratch);
        work.rows.clear();
        work.rows.resize(rows.len() * n3, ZERO);
        for (line, j3) in work.lines.chunks_exact(n2).zip(&work.places) {
            for (row, i2) in work.rows.chunks_exact_mut(n3).zip(rows) {
                row[*j3 as usize] = line[*i2 as usize];
            }
        }
        self.third.process_with_scratch(&mut work.rows, &mut work.scratch);
    }
}

struct PlaneWork {
    lines: Vec<C>,
    places: Vec<u32>,
    rows: Vec<C>,
    scratch: Vec<C>,
}

impl Planes for DensePlanes {
    fn plane(&self, i1: usize, wanted: &[GridPoint], out: &mut Vec<BandPoint>) -> Result<(), BandsError> {
        let n3 = self.divisions[2] as u32;
        // Points come in ascending order, hence so do their rows.
        let mut rows: Vec<u32> = wanted.iter().map(|p| p.index / n3).collect();
        rows.dedup();
        let scratch = self.second.get_inplace_scratch_len().max(self.third.get_inplace_scratch_len());
        let mut work = PlaneWork {
            lines: Vec::new(),
            places: Vec::new(),
            rows: Vec::new(),
            scratch: vec![ZERO; scratch],
        };
        let bands = self.fields.len();
        let start = out.len();
        out.resize(start + wanted.len() * bands, BandPoint::default());
        let mut energies = vec![ZERO; wanted.len()];
        for (band, [first, second]) in self.fields.iter().enumerate() {
            let pick = |work: &PlaneWork, mut each: Box<dyn FnMut(usize, C) + '_>| {
                let mut row = 0;
                for (i, p) in wanted.iter().enumerate() {
                    while rows[row] < p.index / n3 {
                        row += 1;
                    }
                    each(i, work.rows[row * n3 as usize + (p.index % n3) as usize]);
                }
            };
            self.field(first, i1, &rows, &mut work);
            pick(&work, Box::new(|i, value| energies[i] = value));
            self.field(second, i1, &rows, &mut work);
            pick(
                &work,
                Box::new(|i, value| {
                    let slope = [energies[i].im, value.re, value.im];
                    out[start + i * bands + band] = BandPoint {
                        energy_ev: energies[i].re,
                        products: PAIRS.map(|(a, b)| slope[a] * slope[b]),
                    };
                }),
            );
        }
        Ok(())
    }
}
