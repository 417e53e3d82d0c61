//! The box with a margin of images, and for every sublattice the events that a change of one of its sites concerns, as fixed steps through memory.

use super::model::EventType;
use super::tables::{Cluster, EventTables, folded};
use crate::HoppingError;
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::SpeciesSite;
use std::collections::{BTreeMap, BTreeSet};

/// Most entries of the table that tells which event can happen from the species on its sites.
const MOST_CODES: usize = 1 << 16;
/// Most sites of a box with its margin.
const MOST_PADDED: usize = 1 << 30;
/// No event.
pub(super) const NONE: u16 = u16::MAX;

/// The box with images of its sites around it, so that a site near another is a fixed step away.
#[derive(Clone, Debug)]
pub(super) struct PaddedBox {
    dims: [usize; 3],
    basis: usize,
    margin: [usize; 3],
    strides: [usize; 3],
    size: usize,
    /// By axis, for each coordinate with margin: part of the number of the cell in the box, and of where that is in memory.
    wrap: [Vec<[u32; 2]>; 3],
}

impl PaddedBox {
    fn new(grid: &SiteGrid, margin: [usize; 3]) -> Result<Self, HoppingError> {
        let (dims, basis) = (grid.dims(), grid.basis());
        let padded: [usize; 3] = std::array::from_fn(|k| dims[k] + 2 * margin[k]);
        let size = padded.iter().try_fold(basis, |n, p| n.checked_mul(*p)).filter(|n| *n <= MOST_PADDED);
        let Some(size) = size else {
            let (what, value) =
                ("cells of the margin about the box", margin[0].max(margin[1]).max(margin[2]) as f64);
            return Err(HoppingError::Parameter {
                what,
                value,
                want: "at most 2^30 sites with it are possible",
            });
        };
        let strides = [padded[1] * padded[2] * basis, padded[2] * basis, basis];
        let parts = [dims[1] * dims[2], dims[2], 1];
        let wrap = std::array::from_fn(|k| {
            let inside = |p: usize| (p + dims[k] * margin[k].div_ceil(dims[k]) - margin[k]) % dims[k];
            let place = |n: usize| [(n * parts[k]) as u32, ((n + margin[k]) * strides[k]) as u32];
            (0..padded[k]).map(|p| place(inside(p))).collect()
        });
        Ok(Self { dims, basis, margin, strides, size, wrap })
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Step in memory to a site from sublattice 0 of cell (0, 0, 0).
    fn step(&self, site: LatticeSite) -> i32 {
        let along = |k: usize| i64::from(site.cell[k]) * self.strides[k] as i64;
        (along(0) + along(1) + along(2) + site.basis as i64) as i32
    }

    /// Coordinates of a cell of the box.
    #[inline]
    pub fn cell(&self, cell: usize) -> [usize; 3] {
        let (rest, k) = (cell / self.dims[2], cell % self.dims[2]);
        [rest / self.dims[1], rest % self.dims[1], k]
    }

    /// Where sublattice 0 of a cell of the box is in memory.
    #[inline]
    pub fn origin(&self, cell: [usize; 3]) -> usize {
        (0..3).map(|k| (cell[k] + self.margin[k]) * self.strides[k]).sum()
    }

    /// The cell in the box that lies at `shift` before a cell of it: its number, and where its sublattice 0 is in memory.
    #[inline]
    pub fn before(&self, cell: [usize; 3], shift: [i16; 3]) -> (usize, usize) {
        let part = |k: usize| {
            let at = (cell[k] + self.margin[k]).wrapping_add_signed(-isize::from(shift[k]));
            self.wrap[k][at].map(|n| n as usize)
        };
        let (x, y, z) = (part(0), part(1), part(2));
        (x[0] + y[0] + z[0], x[1] + y[1] + z[1])
    }

    /// Sets a site of a cell of the box and its images.
    #[inline]
    pub fn set(&self, memory: &mut [u8], cell: [usize; 3], basis: usize, value: u8) {
        let images = |k: usize| {
            let padded = self.dims[k] + 2 * self.margin[k];
            ((cell[k] + self.margin[k]) % self.dims[k]..padded).step_by(self.dims[k])
        };
        for x in images(0) {
            for y in images(1) {
                for z in images(2) {
                    memory[x * self.strides[0] + y * self.strides[1] + z * self.strides[2] + basis] = value;
                }
            }
        }
    }

    /// Sublattices.
    pub fn basis(&self) -> usize {
        self.basis
    }
}

/// How the event that can happen on some sites follows from the species there.
#[derive(Clone, Debug)]
enum Lookup {
    /// Twice the event, plus 1 for the reverse, by the number that the species make; the strides are those of the sites.
    Table { strides: Vec<usize>, events: Vec<u16> },
    /// The only event, with the species before and after.
    One { event: u16, before: Vec<u8>, after: Vec<u8> },
}

/// Events on the same sites of which at most one can happen at a time: they share a rate.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Steps to the sites from the origin.
    steps: Vec<i32>,
    lookup: Lookup,
    /// Cells and sublattices of the sites, and of all others that one of the events sees.
    own: Vec<LatticeSite>,
    seen: Vec<LatticeSite>,
}

#[inline]
fn at(memory: &[u8], origin: usize, step: i32) -> usize {
    usize::from(memory[origin.wrapping_add_signed(step as isize)])
}

impl Group {
    /// Twice the event that can happen, plus 1 for the reverse; [`NONE`] if none can.
    #[inline]
    pub fn event(&self, memory: &[u8], origin: usize) -> u16 {
        match &self.lookup {
            Lookup::Table { strides, events } => {
                let code: usize =
                    self.steps.iter().zip(strides).map(|(step, n)| n * at(memory, origin, *step)).sum();
                events[code]
            }
            Lookup::One { event, before, after } => {
                let is = |list: &[u8]| {
                    self.steps.iter().zip(list).all(|(s, v)| at(memory, origin, *s) == usize::from(*v))
                };
                if is(before) {
                    2 * event
                } else if is(after) {
                    2 * event + 1
                } else {
                    NONE
                }
            }
        }
    }
}

/// A group of events that a change of a site concerns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Impact {
    /// Cell of the site less that of the origin of the group.
    pub shift: [i16; 3],
    pub group: u16,
    /// Step from the origin to the site.
    pub back: i32,
    /// Number of the site among those that the group sees.
    pub seen: u16,
    check: PairCheck,
}

/// A group of events that sees a site of an event of two sites and holds neither.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joint {
    /// Origin of the event made less that of the group.
    pub shift: [i16; 3],
    pub group: u16,
    /// Numbers of the two sites among those that the group sees; [`NONE`] for one that it does not.
    pub seen: [u16; 2],
    check: PairCheck,
}

/// The look-up of a group of two sites, from the site that changes: steps to both, stride of the second and where the table begins.
#[derive(Clone, Copy, Debug)]
struct PairCheck {
    steps: [i32; 2],
    stride: u32,
    table: u32,
}

/// Marks a group that is looked up by [`Group::event`].
const NO_TABLE: u32 = u32::MAX;

/// A larger cluster that holds a site: stride of the site in its table, where the table begins, first and last of the other sites.
#[derive(Clone, Copy, Debug)]
struct Touch {
    own: u32,
    table: u32,
    first: u32,
    last: u32,
}

/// A pair that holds a site: step to the other one, strides of both in the table.
#[derive(Clone, Copy, Debug)]
struct PairTouch {
    step: i32,
    stride: u32,
    own: u32,
    table: u32,
}

/// The clusters of an event that hold a site: the table of the point, ends of the ranges of pairs and of larger clusters.
#[derive(Clone, Copy, Debug)]
struct Held {
    point: u32,
    pairs: [u32; 2],
    larger: [u32; 2],
}

/// A site of a cluster: its step from the origin and its stride in the table.
#[derive(Clone, Copy, Debug)]
struct Leg {
    step: i32,
    stride: u32,
}

/// The sums of an event, laid out for evaluation.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// See [`EventTables`].
    pub eager: bool,
    base: [f64; 2],
    points: Vec<(i32, u32)>,
    pairs: Vec<(Leg, Leg, u32)>,
    /// Larger clusters: where the table begins, first and last of the legs.
    larger: Vec<(u32, u32, u32)>,
    legs: Vec<Leg>,
    /// By site seen.
    held: Vec<Held>,
    pair_touches: Vec<PairTouch>,
    touches: Vec<Touch>,
}

impl Sums {
    /// (E_KRA, dE) in kT about an origin.
    #[inline]
    pub fn value(&self, values: &[[f64; 2]], memory: &[u8], origin: usize) -> [f64; 2] {
        let mut sum = self.base;
        let mut add = |entry: [f64; 2]| {
            sum[0] += entry[0];
            sum[1] += entry[1];
        };
        for (step, table) in &self.points {
            add(values[*table as usize + at(memory, origin, *step)]);
        }
        for (a, b, table) in &self.pairs {
            let index = a.stride as usize * at(memory, origin, a.step)
                + b.stride as usize * at(memory, origin, b.step);
            add(values[*table as usize + index]);
        }
        for (table, first, last) in &self.larger {
            add(values[*table as usize + self.index(*first, *last, memory, origin)]);
        }
        sum
    }

    #[inline]
    fn index(&self, first: u32, last: u32, memory: &[u8], origin: usize) -> usize {
        let legs = &self.legs[first as usize..last as usize];
        legs.iter().map(|l| l.stride as usize * at(memory, origin, l.step)).sum()
    }

    /// Change of (E_KRA, dE) when a site that is seen changes its species, the others being as they are in memory; `None` where nothing changes.
    #[inline]
    pub fn change(
        &self,
        values: &[[f64; 2]],
        memory: &[u8],
        origin: usize,
        seen: u16,
        (old, new): (usize, usize),
    ) -> Option<[f64; 2]> {
        let held = self.held[usize::from(seen)];
        let mut sum = [0.0; 2];
        let mut any = false;
        let mut add = |from: usize, to: usize| {
            let (from, to) = (values[from], values[to]);
            sum[0] += to[0] - from[0];
            sum[1] += to[1] - from[1];
        };
        if held.point != NO_TABLE {
            any = true;
            add(held.point as usize + old, held.point as usize + new);
        }
        for touch in &self.pair_touches[held.pairs[0] as usize..held.pairs[1] as usize] {
            any = true;
            let rest = touch.table as usize + touch.stride as usize * at(memory, origin, touch.step);
            add(rest + touch.own as usize * old, rest + touch.own as usize * new);
        }
        for touch in &self.touches[held.larger[0] as usize..held.larger[1] as usize] {
            any = true;
            let rest = touch.table as usize + self.index(touch.first, touch.last, memory, origin);
            add(rest + touch.own as usize * old, rest + touch.own as usize * new);
        }
        // Sites that differ in nothing that the event sees leave it as it is.
        (any && (self.eager || sum != [0.0; 2])).then_some(sum)
    }
}

/// All that follows from the crystal, the box and the events.
#[derive(Clone, Debug)]
pub(super) struct Stencil {
    pub space: PaddedBox,
    pub groups: Vec<Group>,
    /// By event.
    pub sums: Vec<Sums>,
    /// By sublattice: groups of which a site is one.
    pub own: Vec<Vec<Impact>>,
    /// By sublattice: groups that see a site around them.
    pub seen: Vec<Vec<Impact>>,
    /// By group of two sites: the groups that its events concern beside those that hold its sites. Empty for other groups.
    pub joint: Vec<Vec<Joint>>,
    /// Tables of the groups of two sites.
    codes: Vec<u16>,
    /// Slots of a cell: not fewer than groups, so that cells do not share nodes of the tree of rates without need.
    pub width: usize,
}

impl Stencil {
    pub fn new(
        grid: &SiteGrid,
        sites: &[SpeciesSite],
        types: &[EventType],
        tables: &[EventTables],
    ) -> Result<Self, HoppingError> {
        let (drafts, group_of) = grouped(grid, sites, types, tables);
        if drafts.len() >= usize::from(NONE) || types.len() * 2 >= usize::from(NONE) {
            let (what, value) = ("events of a primitive cell", types.len() as f64);
            return Err(HoppingError::Parameter { what, value, want: "at most 32766 are possible" });
        }
        let (mut own, mut seen) = ([0usize; 3], [0usize; 3]);
        for draft in &drafts {
            for k in 0..3 {
                let reach = |list: &[LatticeSite]| {
                    list.iter().map(|s| s.cell[k].unsigned_abs() as usize).max().unwrap_or(0)
                };
                own[k] = own[k].max(reach(&draft.own));
                seen[k] = seen[k].max(reach(&draft.seen));
            }
        }
        // From the origin of an event to a site that changes, back to the origin of another, and on to the sites of that.
        let margin: [usize; 3] = std::array::from_fn(|k| seen[k] + 2 * own[k]);
        if margin.iter().any(|m| *m > 1 << 14) {
            let (what, value) =
                ("reach of an event in cells", margin.iter().copied().max().unwrap_or(0) as f64);
            return Err(HoppingError::Parameter { what, value, want: "at most 16384 are possible" });
        }
        let space = PaddedBox::new(grid, margin)?;
        let mut groups = drafts;
        for group in &mut groups {
            group.steps = group.own.iter().map(|s| space.step(*s)).collect();
        }
        let of = |(event, t): (usize, &EventTables)| {
            laid_out(t, &groups[usize::from(group_of[event])].seen, sites, &space)
        };
        let sums = tables.iter().enumerate().map(of).collect();
        let (codes, starts) = pair_codes(&groups);
        let (mut own, mut seen) = (vec![Vec::new(); sites.len()], vec![Vec::new(); sites.len()]);
        for (number, group) in groups.iter().enumerate() {
            for (list, out) in [(&group.own, &mut own), (&group.seen, &mut seen)] {
                for (k, site) in list.iter().enumerate() {
                    let back = space.step(*site);
                    let check = match (&group.lookup, group.steps.as_slice()) {
                        (Lookup::Table { strides, .. }, [a, b]) => PairCheck {
                            steps: [a - back, b - back],
                            stride: strides[1] as u32,
                            table: starts[number],
                        },
                        _ => PairCheck { steps: [0; 2], stride: 0, table: NO_TABLE },
                    };
                    let shift = site.cell.map(|n| n as i16);
                    let impact = Impact { shift, group: number as u16, back, seen: k as u16, check };
                    out[site.basis].push(impact);
                }
            }
        }
        // Cell by cell: their slots are neighbours in the tree of rates.
        for list in own.iter_mut().chain(&mut seen) {
            list.sort_unstable_by_key(|i: &Impact| (i.shift.map(|n| -n), i.group));
        }
        let width = if groups.len() <= 8 {
            groups.len().next_power_of_two()
        } else {
            groups.len().next_multiple_of(8)
        };
        let mut out = Self { space, groups, sums, own, seen, joint: Vec::new(), codes, width };
        out.joint = (0..out.groups.len()).map(|g| out.joint_of(g, grid)).collect();
        Ok(out)
    }

    /// See [`Self::joint`].
    fn joint_of(&self, group: usize, grid: &SiteGrid) -> Vec<Joint> {
        let Group { own, steps, .. } = &self.groups[group];
        if steps.len() != 2 {
            return Vec::new();
        }
        let origin = |site: &LatticeSite, impact: &Impact| {
            let cell = std::array::from_fn(|k| site.cell[k] - i32::from(impact.shift[k]));
            folded(LatticeSite { cell, basis: 0 }, grid).cell
        };
        let holding: BTreeSet<([i32; 3], u16)> = own
            .iter()
            .flat_map(|s| self.own[s.basis].iter().map(move |i| (s, i)))
            .map(|(s, i)| (origin(s, i), i.group))
            .collect();
        let mut found: BTreeMap<([i32; 3], u16), [u16; 2]> = BTreeMap::new();
        for (k, site) in own.iter().enumerate() {
            for impact in &self.seen[site.basis] {
                let key = (origin(site, impact), impact.group);
                if !holding.contains(&key) {
                    found.entry(key).or_insert([NONE; 2])[k] = impact.seen;
                }
            }
        }
        let of = |((cell, group), seen): (([i32; 3], u16), [u16; 2])| {
            let there = self.space.step(LatticeSite { cell, basis: 0 });
            let other = &self.groups[usize::from(group)];
            let check = match (self.own_check(group), other.steps.as_slice()) {
                (Some(check), [a, b]) => PairCheck { steps: [there + a, there + b], ..check },
                _ => PairCheck { steps: [there; 2], stride: 0, table: NO_TABLE },
            };
            Joint { shift: cell.map(|n| -n as i16), group, seen, check }
        };
        found.into_iter().map(of).collect()
    }

    /// The look-up of a group of two sites, if it has one.
    fn own_check(&self, group: u16) -> Option<PairCheck> {
        let all = self.own.iter().flatten();
        all.filter(|i| i.group == group).map(|i| i.check).find(|c| c.table != NO_TABLE)
    }

    /// The event that can happen in a group about the event made at `origin` in memory.
    #[inline]
    pub fn joint_event(&self, joint: &Joint, memory: &[u8], origin: usize) -> u16 {
        let check = &joint.check;
        if check.table == NO_TABLE {
            let there = origin.wrapping_add_signed(check.steps[0] as isize);
            return self.groups[usize::from(joint.group)].event(memory, there);
        }
        let code =
            at(memory, origin, check.steps[0]) + check.stride as usize * at(memory, origin, check.steps[1]);
        self.codes[check.table as usize + code]
    }

    /// The event that can happen in a group about a site at `here` in memory.
    #[inline]
    pub fn event(&self, impact: &Impact, memory: &[u8], here: usize) -> u16 {
        let check = &impact.check;
        if check.table == NO_TABLE {
            let origin = here.wrapping_add_signed(-(impact.back as isize));
            return self.groups[usize::from(impact.group)].event(memory, origin);
        }
        let code =
            at(memory, here, check.steps[0]) + check.stride as usize * at(memory, here, check.steps[1]);
        self.codes[check.table as usize + code]
    }
}

/// The tables of the groups of two sites one after another, and where each begins.
fn pair_codes(groups: &[Group]) -> (Vec<u16>, Vec<u32>) {
    let mut codes = Vec::new();
    let mut starts = Vec::new();
    for group in groups {
        starts.push(codes.len() as u32);
        if let Lookup::Table { events, .. } = &group.lookup
            && group.steps.len() == 2
        {
            codes.extend_from_slice(events);
        }
    }
    (codes, starts)
}

/// Groups without steps yet, and the group of each event.
fn grouped(
    grid: &SiteGrid,
    sites: &[SpeciesSite],
    types: &[EventType],
    tables: &[EventTables],
) -> (Vec<Group>, Vec<u16>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_sites: BTreeMap<Vec<LatticeSite>, Vec<usize>> = BTreeMap::new();
    let mut group_of = Vec::with_capacity(types.len());
    for (event, (kind, table)) in types.iter().zip(tables).enumerate() {
        let changes = &kind.local.changes;
        // Told apart before they are folded: images that coincide are events of their own.
        let raw: Vec<LatticeSite> = changes.iter().map(|c| c.site).collect();
        let counts: Vec<usize> = raw.iter().map(|s| sites[s.basis].species.len()).collect();
        let size = counts.iter().try_fold(1usize, |n, c| n.checked_mul(*c)).filter(|n| *n <= MOST_CODES);
        let strides: Vec<usize> = counts
            .iter()
            .scan(1usize, |n, c| {
                let here = *n;
                *n = n.saturating_mul(*c);
                Some(here)
            })
            .collect();
        let code =
            |of: &dyn Fn(usize) -> usize| strides.iter().enumerate().map(|(k, n)| n * of(k)).sum::<usize>();
        let known = by_sites.entry(raw).or_default();
        let codes = size.map(|_| [code(&|k| changes[k].before), code(&|k| changes[k].after)]);
        let free = |group: &Group| match (&group.lookup, codes) {
            (Lookup::Table { events, .. }, Some(codes)) => codes.iter().all(|c| events[*c] == NONE),
            _ => false,
        };
        let found = known.iter().copied().find(|g| free(&groups[*g]));
        let number = found.unwrap_or_else(|| {
            let lookup = match size {
                Some(size) => Lookup::Table { strides: strides.clone(), events: vec![NONE; size] },
                None => Lookup::One {
                    event: event as u16,
                    before: changes.iter().map(|c| c.before as u8).collect(),
                    after: changes.iter().map(|c| c.after as u8).collect(),
                },
            };
            let own = changes.iter().map(|c| folded(c.site, grid)).collect();
            groups.push(Group { steps: Vec::new(), lookup, own, seen: Vec::new() });
            known.push(groups.len() - 1);
            groups.len() - 1
        });
        if let (Lookup::Table { events, .. }, Some(codes)) = (&mut groups[number].lookup, codes) {
            events[codes[0]] = 2 * event as u16;
            events[codes[1]] = 2 * event as u16 + 1;
        }
        let group = &mut groups[number];
        let mut seen: BTreeSet<LatticeSite> = group.seen.iter().copied().collect();
        seen.extend(table.clusters.iter().flat_map(|c| &c.sites).copied());
        group.seen = seen.into_iter().collect();
        group_of.push(number as u16);
    }
    (groups, group_of)
}

fn laid_out(tables: &EventTables, seen: &[LatticeSite], sites: &[SpeciesSite], space: &PaddedBox) -> Sums {
    let legs_of = |cluster: &Cluster| -> Vec<Leg> {
        let mut stride = 1;
        let mut out = Vec::new();
        for site in &cluster.sites {
            out.push(Leg { step: space.step(*site), stride });
            stride *= sites[site.basis].species.len() as u32;
        }
        out
    };
    let mut out = Sums {
        eager: tables.eager,
        base: tables.base,
        points: Vec::new(),
        pairs: Vec::new(),
        larger: Vec::new(),
        legs: Vec::new(),
        held: Vec::new(),
        pair_touches: Vec::new(),
        touches: Vec::new(),
    };
    for cluster in &tables.clusters {
        let legs = legs_of(cluster);
        match legs.as_slice() {
            [one] => out.points.push((one.step, cluster.table)),
            [a, b] => out.pairs.push((*a, *b, cluster.table)),
            _ => {
                let first = out.legs.len() as u32;
                out.legs.extend(legs);
                out.larger.push((cluster.table, first, out.legs.len() as u32));
            }
        }
    }
    for site in seen {
        let mut held = Held {
            point: NO_TABLE,
            pairs: [out.pair_touches.len() as u32; 2],
            larger: [out.touches.len() as u32; 2],
        };
        for cluster in &tables.clusters {
            let legs = legs_of(cluster);
            let Some(k) = cluster.sites.iter().position(|s| s == site) else { continue };
            let (own, table) = (legs[k].stride, cluster.table);
            match legs.as_slice() {
                [_] => held.point = table,
                [a, b] => {
                    let other = if k == 0 { b } else { a };
                    out.pair_touches.push(PairTouch { step: other.step, stride: other.stride, own, table });
                }
                _ => {
                    let first = out.legs.len() as u32;
                    out.legs.extend(legs.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, leg)| *leg));
                    out.touches.push(Touch { own, table, first, last: out.legs.len() as u32 });
                }
            }
        }
        held.pairs[1] = out.pair_touches.len() as u32;
        held.larger[1] = out.touches.len() as u32;
        out.held.push(held);
    }
    out
}

/// The energy of the clusters that hold a site, laid out for changes of one site at a time.
#[derive(Clone, Debug)]
pub(super) struct SiteSums {
    pub space: PaddedBox,
    sums: Vec<Sums>,
}

impl SiteSums {
    /// From the tables of every sublattice.
    pub fn new(grid: &SiteGrid, sites: &[SpeciesSite], tables: &[EventTables]) -> Result<Self, HoppingError> {
        let all = || tables.iter().flat_map(|t| &t.clusters).flat_map(|c| &c.sites);
        let margin =
            std::array::from_fn(|k| all().map(|s| s.cell[k].unsigned_abs() as usize).max().unwrap_or(0));
        let space = PaddedBox::new(grid, margin)?;
        let sums = tables.iter().map(|t| laid_out(t, &[], sites, &space)).collect();
        Ok(Self { space, sums })
    }

    /// Energy (of the tables) of the clusters that hold a site.
    #[inline]
    pub fn energy(&self, values: &[[f64; 2]], memory: &[u8], cell: [usize; 3], basis: usize) -> f64 {
        self.sums[basis].value(values, memory, self.space.origin(cell))[0]
    }
}
