//! Band edges, gaps and effective masses of a crystal's bands.

use crate::band_source::CrystalBands;
use crate::bands_request::k_point;
use crate::error::ScaladeError;
use crate::model_file::bad;
use crate::rungs_bands::{FLOOR, absent, cut, estimate};
use scalade_bands::mass::MassTensor;
use scalade_bands::{BandEdge, BandsError, Curved, band_edge, band_ranges, mass_at};
use scalade_crystal::Matrix3;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Points along the longest reciprocal vector on which edges are looked for.
const DIVISIONS: usize = 24;
/// Energies closer than this are one, eV.
const SAME: f64 = 1e-7;

/// One side of a band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Edge {
    /// The band, from 0.
    pub(crate) band: usize,
    /// Its top, else its bottom.
    pub(crate) highest: bool,
    /// Energy, eV.
    pub(crate) energy_ev: f64,
}

/// Where the bands begin and end.
pub(crate) struct Edges {
    ranges: Vec<[f64; 2]>,
}

impl Edges {
    pub(crate) fn new(source: &CrystalBands) -> Result<Self, BandsError> {
        let mut ranges = band_ranges(&*source.bands, DIVISIONS)?;
        for (band, range) in ranges.iter_mut().enumerate() {
            let kept =
                |highest: bool| band_edge(&*source.bands, band, highest, DIVISIONS).map(|e| e.energy_ev);
            // Off-grid extrema where they are cheap to find; of many bands only those of the grid.
            if source.bands.bands() <= 16 {
                *range = [kept(false)?.min(range[0]), kept(true)?.max(range[1])];
            }
        }
        Ok(Self { ranges })
    }

    /// Whether a band crosses an energy.
    pub(crate) fn crossed(&self, energy_ev: f64) -> bool {
        self.ranges.iter().any(|r| r[0] < energy_ev && energy_ev < r[1])
    }

    /// Lowest energy of the highest band.
    pub(crate) fn bottom_of_last(&self) -> f64 {
        self.ranges.last().map_or(f64::INFINITY, |r| r[0])
    }

    /// The edge nearest to the carriers: of the bands that cross mu the nearest edge (the lower one where two are as near), else the edge of the gap on the
    /// side of the carriers, or the nearer one.
    pub(crate) fn of_carriers(&self, mu_ev: f64, added: f64) -> Option<Edge> {
        let all = |highest: bool| {
            self.ranges.iter().enumerate().map(move |(band, r)| Edge {
                band,
                highest,
                energy_ev: r[usize::from(highest)],
            })
        };
        let distance = |e: &Edge| ((e.energy_ev - mu_ev).abs() / SAME).round();
        let nearest = |list: &mut dyn Iterator<Item = Edge>| {
            list.min_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.highest.cmp(&b.highest)))
        };
        let crossing = |e: &Edge| self.ranges[e.band][0] < mu_ev && mu_ev < self.ranges[e.band][1];
        if let Some(edge) = nearest(&mut all(false).chain(all(true)).filter(crossing)) {
            return Some(edge);
        }
        let bottom = nearest(&mut all(false).filter(|e| e.energy_ev >= mu_ev));
        let top = nearest(&mut all(true).filter(|e| e.energy_ev <= mu_ev));
        match (bottom, top) {
            (Some(bottom), Some(_)) if added > 0.0 => Some(bottom),
            (Some(_), Some(top)) if added < 0.0 => Some(top),
            (Some(bottom), Some(top)) => nearest(&mut [bottom, top].into_iter()),
            (one, other) => one.or(other),
        }
    }

    /// The edges on either side of the neutral crystal's level; a reason where it is a metal, none where its electrons are not known.
    pub(crate) fn neutral_state(&self, source: &CrystalBands) -> Option<Result<(Edge, Edge), String>> {
        let neutral = source.neutral.filter(|n| *n > 0.0)?;
        let filled = neutral / source.bands.spin_degeneracy();
        if (filled - filled.round()).abs() > 1e-6 {
            return Some(Err(format!("{neutral} electrons leave a band partly filled: no gap")));
        }
        let filled = filled.round() as usize;
        if filled >= self.ranges.len() {
            return None;
        }
        let edge = |band: usize, highest: bool| Edge {
            band,
            highest,
            energy_ev: self.ranges[band][usize::from(highest)],
        };
        let top = (0..filled).map(|b| edge(b, true)).max_by(|a, b| a.energy_ev.total_cmp(&b.energy_ev))?;
        let rest = filled..self.ranges.len();
        let bottom = rest.map(|b| edge(b, false)).min_by(|a, b| a.energy_ev.total_cmp(&b.energy_ev))?;
        if bottom.energy_ev <= top.energy_ev + SAME {
            let overlap = top.energy_ev - bottom.energy_ev;
            return Some(Err(format!("filled and empty bands overlap by {overlap:.4} eV: no gap")));
        }
        Some(Ok((top, bottom)))
    }

    /// The gap of the neutral crystal.
    pub(crate) fn gap(&self, source: &CrystalBands) -> Value {
        match self.neutral_state(source) {
            None => absent("eV", "the number of electrons of the neutral crystal is not known"),
            Some(Err(reason)) => {
                let mut out = estimate(0.0, 0.0, "eV");
                out["reason"] = json!(format!("metal: {reason}"));
                out
            }
            Some(Ok((top, bottom))) => {
                let of = |bands: &dyn Curved| -> Option<(BandEdge, BandEdge)> {
                    let top = band_edge(bands, top.band, true, DIVISIONS).ok()?;
                    Some((top, band_edge(bands, bottom.band, false, DIVISIONS).ok()?))
                };
                let Some((a, b)) = of(&*source.bands) else {
                    return estimate(bottom.energy_ev - top.energy_ev, 0.0, "eV");
                };
                let gap = b.energy_ev - a.energy_ev;
                let error = source
                    .second
                    .as_ref()
                    .and_then(|s| of(&**s))
                    .map_or(FLOOR, |(c, d)| (d.energy_ev - c.energy_ev - gap).abs() + FLOOR);
                let same = (0..3).all(|i| {
                    let d = a.k[i] - b.k[i];
                    (d - d.round()).abs() < 1e-3
                });
                let mut out = estimate(gap, error, "eV");
                out["kind"] = json!(if same { "direct" } else { "indirect" });
                out["top"] = json!({ "energy_eV": a.energy_ev, "band": a.band + 1, "k": a.k });
                out["bottom"] = json!({ "energy_eV": b.energy_ev, "band": b.band + 1, "k": b.k });
                out
            }
        }
    }
}

/// Effective masses, each worked out once.
pub(crate) struct Masses<'a> {
    source: &'a CrystalBands,
    edges: &'a Edges,
    known: BTreeMap<(usize, bool), Value>,
}

impl<'a> Masses<'a> {
    pub(crate) fn new(source: &'a CrystalBands, edges: &'a Edges) -> Self {
        Self { source, edges, known: BTreeMap::new() }
    }

    /// Top and bottom of the gap of the neutral crystal, eV, if it has one.
    pub(crate) fn gap(&self) -> Option<(f64, f64)> {
        let (top, bottom) = self.edges.neutral_state(self.source)?.ok()?;
        Some((top.energy_ev, bottom.energy_ev))
    }

    /// Mass at the edge of the carriers, positive where they behave as free ones.
    pub(crate) fn of(&mut self, mu_ev: f64, added: f64) -> Result<Value, ScaladeError> {
        let Some(edge) = self.edges.of_carriers(mu_ev, added) else {
            return Ok(absent("m_e", "no band edge"));
        };
        if let Some(known) = self.known.get(&(edge.band, edge.highest)) {
            return Ok(known.clone());
        }
        let found = self.at_edge(edge).map_err(|e| bad(e.to_string()))?;
        self.known.insert((edge.band, edge.highest), found.clone());
        Ok(found)
    }

    fn at_edge(&self, edge: Edge) -> Result<Value, BandsError> {
        let d = self.source.dimensions;
        let place = band_edge(&*self.source.bands, edge.band, edge.highest, DIVISIONS)?;
        let second = match &self.source.second {
            Some(bands) => {
                let there = band_edge(&**bands, edge.band, edge.highest, DIVISIONS)?;
                mass_at(&**bands, there.k, edge.band, d).ok()
            }
            None => None,
        };
        let sign = if edge.highest { -1.0 } else { 1.0 };
        let own = mass_at(&*self.source.bands, place.k, edge.band, d);
        let mut out = self.told(&own, second.map(|s| s.0), sign, place.k, edge.band)?;
        out["carrier"] = json!(if edge.highest { "holes" } else { "electrons" });
        out["edge_eV"] = json!(place.energy_ev);
        Ok(out)
    }

    fn told(
        &self,
        own: &Result<(MassTensor, f64), BandsError>,
        second: Option<MassTensor>,
        sign: f64,
        k: [f64; 3],
        band: usize,
    ) -> Result<Value, BandsError> {
        let d = self.source.dimensions;
        let (mut out, k, band) = match own {
            Ok((mass, rounding)) => {
                let size = mass.principal.iter().fold(0.0f64, |a, m| a.max(m.abs()));
                let errors: Matrix3 = std::array::from_fn(|i| {
                    std::array::from_fn(|j| {
                        let apart = second.map_or(0.0, |s| (s.mass[i][j] - mass.mass[i][j]).abs());
                        apart + rounding.max(1e-12 * size)
                    })
                });
                let principal = self.principal(mass, sign);
                let mut out = json!({
                    "value": cut(&mass.mass, d, sign), "error": cut(&errors, d, 1.0),
                    "std_error": cut(&errors, d, 1.0), "unit": "m_e",
                    "conductivity_mass": d as f64 / principal.iter().map(|m| m.recip()).sum::<f64>(),
                    "density_of_states_mass": principal.iter().product::<f64>().abs().powf(1.0 / d as f64),
                    "principal": principal,
                });
                if self.source.second.is_some() && second.is_none() {
                    out["reason"] = json!(
                        "a second interpolation gives no mass here: the error is that of rounding alone"
                    );
                }
                (out, k, band)
            }
            Err(error @ (BandsError::Degenerate { .. } | BandsError::NoMass { .. })) => {
                (absent("m_e", error.to_string()), k, band)
            }
            Err(error) => return Err(error.clone()),
        };
        out["k"] = json!(k);
        out["band"] = json!(band + 1);
        Ok(out)
    }

    /// Principal masses along the directions in which the crystal extends.
    fn principal(&self, mass: &MassTensor, sign: f64) -> Vec<f64> {
        let d = self.source.dimensions;
        if d == 3 {
            return mass.principal.iter().map(|m| sign * m).collect();
        }
        if d == 1 {
            return vec![sign * mass.mass[0][0]];
        }
        // Eigenvalues of the 2 x 2 block.
        let [a, b, c] = [mass.mass[0][0], mass.mass[0][1], mass.mass[1][1]].map(|x| sign * x);
        let (middle, half) = (0.5 * (a + c), (0.25 * (a - c).powi(2) + b * b).sqrt());
        vec![middle + half, middle - half]
    }

    /// Mass of one band at a k point, as `--mass-at` asks; with the sign of the curvature.
    pub(crate) fn at(&self, text: &str) -> Result<Value, ScaladeError> {
        let (k, band) = k_point(text)?;
        let count = self.source.bands.bands();
        let band = match band {
            Some(band) if band < count => band,
            Some(band) => {
                return Err(bad(format!("--mass-at asks for band {}; there are {count}", band + 1)));
            }
            None if count == 1 => 0,
            None => {
                return Err(bad(format!(
                    "--mass-at {text}: there are {count} bands; say which, such as {text}:1"
                )));
            }
        };
        let d = self.source.dimensions;
        let own = mass_at(&*self.source.bands, k, band, d);
        let second = self.source.second.as_ref().and_then(|s| mass_at(&**s, k, band, d).ok()).map(|m| m.0);
        self.told(&own, second, 1.0, k, band).map_err(|e| bad(e.to_string()))
    }
}
