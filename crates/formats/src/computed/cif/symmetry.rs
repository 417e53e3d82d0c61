//! Symmetry operations written as `-y, x-y, z+1/3`, and the sites that they make.

use crate::error::{FormatError, Place, shown};
use crate::text::parse_number;
use scalade_crystal::{Matrix3, determinant};
use std::collections::BTreeMap;

/// Sites closer than this are one, angstrom: more than what coordinates of three digits leave open in any
/// common cell, much less than any bond.
const MERGING_DISTANCE_ANGSTROM: f64 = 0.05;

/// Image of a fractional position: `rotation * r + translation`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Operation {
    pub rotation: [[f64; 3]; 3],
    pub translation: [f64; 3],
}

impl Operation {
    pub const IDENTITY: Self =
        Self { rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], translation: [0.0; 3] };

    /// Reads three expressions in x, y and z, separated by commas. `None` for anything else, and for a matrix
    /// whose determinant is not 1 or -1.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rows = text.split(',');
        let mut operation = Self { rotation: [[0.0; 3]; 3], translation: [0.0; 3] };
        for axis in 0..3 {
            let (row, shift) = expression(rows.next()?)?;
            operation.rotation[axis] = row;
            operation.translation[axis] = shift;
        }
        let unimodular = (determinant(&operation.rotation).abs() - 1.0).abs() < 1e-9;
        (rows.next().is_none() && unimodular).then_some(operation)
    }

    fn apply(&self, position: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|axis| {
            let row = &self.rotation[axis];
            row[0] * position[0] + row[1] * position[1] + row[2] * position[2] + self.translation[axis]
        })
    }
}

/// A sum of terms such as `-x`, `1/2`, `+0.25`: factors of x, y, z and the constant.
fn expression(text: &str) -> Option<([f64; 3], f64)> {
    let (mut row, mut shift) = ([0.0; 3], 0.0);
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).take(64).collect();
    let mut rest = compact.as_str();
    if rest.is_empty() {
        return None;
    }
    let mut first = true;
    while !rest.is_empty() {
        let sign = match rest.as_bytes()[0] {
            b'+' => 1.0,
            b'-' => -1.0,
            _ if first => 1.0,
            _ => return None,
        };
        rest = rest.trim_start_matches(['+', '-']);
        first = false;
        let end = rest.find(['+', '-']).unwrap_or(rest.len());
        let (term, after) = rest.split_at(end);
        rest = after;
        match term {
            "x" | "X" => row[0] += sign,
            "y" | "Y" => row[1] += sign,
            "z" | "Z" => row[2] += sign,
            _ => shift += sign * fraction(term)?,
        }
    }
    let small = |factor: &f64| matches!(*factor, -1.0 | 0.0 | 1.0);
    row.iter().all(small).then_some((row, shift))
}

fn fraction(term: &str) -> Option<f64> {
    let (above, below) = term.split_once('/').unwrap_or((term, "1"));
    let (above, below) = (parse_number(above)?, parse_number(below)?);
    let value = above / below;
    (value.is_finite() && value.abs() <= 100.0).then_some(value)
}

/// A site that is listed.
#[derive(Clone, Debug)]
pub(super) struct ListedSite<'a> {
    pub label: &'a str,
    pub element: &'static str,
    pub position: [f64; 3],
    pub line: usize,
}

struct Merged {
    /// Index of the listed site.
    site: usize,
    /// Position of the first image, in [0, 1).
    first: [f64; 3],
    /// Sum of the differences of the images to the first.
    difference: [f64; 3],
    images: f64,
}

/// Sites of the whole cell: elements and fractional positions. Images within 0.05 angstrom of each other are
/// one site, at their mean (on a special position, the mean of the images is its exact place).
///
/// Errors: sites of different elements in one place.
pub(super) fn whole_cell(
    sites: &[ListedSite<'_>],
    operations: &[Operation],
    lattice: &Matrix3,
    name: &str,
) -> Result<(Vec<String>, Vec<[f64; 3]>), FormatError> {
    let bins = bins(lattice);
    let mut grid: BTreeMap<[u32; 3], Vec<usize>> = BTreeMap::new();
    let mut merged: Vec<Merged> = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        for operation in operations {
            let image = operation.apply(site.position).map(|c| {
                let wrapped = c - c.floor();
                if wrapped < 1.0 { wrapped } else { 0.0 }
            });
            let bin: [u32; 3] =
                std::array::from_fn(|k| ((image[k] * bins[k] as f64) as u32).min(bins[k] - 1));
            let near =
                neighbours(bin, bins).into_iter().filter_map(|b| grid.get(&b)).flatten().find_map(|known| {
                    let difference = image_difference(image, merged[*known].first);
                    (length(difference, lattice) < MERGING_DISTANCE_ANGSTROM).then_some((*known, difference))
                });
            let Some((known, difference)) = near else {
                grid.entry(bin).or_default().push(merged.len());
                merged.push(Merged { site: index, first: image, difference: [0.0; 3], images: 1.0 });
                continue;
            };
            let there = &sites[merged[known].site];
            if there.element != site.element {
                let problem = format!(
                    "site {} ({}) is in the place of site {} ({}); shared sites are not read: give an ordered structure",
                    shown(site.label),
                    site.element,
                    shown(there.label),
                    there.element
                );
                return Err(FormatError::syntax(Place::line(name, site.line), problem));
            }
            for axis in 0..3 {
                merged[known].difference[axis] += difference[axis];
            }
            merged[known].images += 1.0;
        }
    }
    let species = merged.iter().map(|m| sites[m.site].element.to_string()).collect();
    let positions = merged
        .iter()
        .map(|m| std::array::from_fn(|axis| m.first[axis] + m.difference[axis] / m.images))
        .collect();
    Ok((species, positions))
}

/// Bins along each lattice vector, none thinner than the merging distance: what merges is in neighbouring bins.
fn bins(lattice: &Matrix3) -> [u32; 3] {
    let volume = determinant(lattice).abs();
    std::array::from_fn(|k| {
        let (a, b) = (lattice[(k + 1) % 3], lattice[(k + 2) % 3]);
        let normal = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
        let height = volume / normal.iter().map(|c| c * c).sum::<f64>().sqrt();
        ((height / MERGING_DISTANCE_ANGSTROM).floor() as u32).clamp(1, 1 << 20)
    })
}

fn neighbours(bin: [u32; 3], bins: [u32; 3]) -> Vec<[u32; 3]> {
    let along = |k: usize| {
        let (at, count) = (bin[k], bins[k]);
        let mut near = vec![at, (at + 1) % count, (at + count - 1) % count];
        near.sort_unstable();
        near.dedup();
        near
    };
    let (x, y, z) = (along(0), along(1), along(2));
    let mut out = Vec::with_capacity(27);
    for i in &x {
        for j in &y {
            out.extend(z.iter().map(|k| [*i, *j, *k]));
        }
    }
    out
}

fn image_difference(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|k| {
        let difference = a[k] - b[k];
        difference - difference.round()
    })
}

fn length(fractional: [f64; 3], lattice: &Matrix3) -> f64 {
    let cartesian: [f64; 3] = std::array::from_fn(|k| {
        fractional[0] * lattice[0][k] + fractional[1] * lattice[1][k] + fractional[2] * lattice[2][k]
    });
    cartesian.iter().map(|c| c * c).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_as_people_write_them() {
        let hexagonal = Operation::parse("-y, x-y, z+1/3").unwrap();
        assert_eq!(hexagonal.rotation, [[0.0, -1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_eq!(hexagonal.translation, [0.0, 0.0, 1.0 / 3.0]);
        let shifted = Operation::parse("1/2+X,0.5-Y,-Z").unwrap();
        assert_eq!(shifted.translation, [0.5, 0.5, 0.0]);
        assert_eq!(Operation::parse("x,y,z"), Some(Operation::IDENTITY));
        for wrong in
            ["", "x,y", "x,y,z,x", "x,x,z", "x,y,w", "x y,z,z", "2x,y,z", "x,y,z+1/0", "x+x,y,z", "x,,z"]
        {
            assert_eq!(Operation::parse(wrong), None, "{wrong}");
        }
    }
}
