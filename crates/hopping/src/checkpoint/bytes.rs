//! Bytes of a state, little-endian, and the way back. What is read is checked: no room is made for more than there is, and counts stay so small that sums of
//! them cannot overflow.

use crate::Equilibration;
use crate::sampling::{Block, Symmetric};
use scalade_numerics::Philox;

/// Why bytes are no state.
pub(crate) type Refused = &'static str;

/// A state of which no engine can be made.
pub(crate) const NO_ENGINE: Refused = "no engine takes the occupation of a replica";
/// Where bytes are missing.
pub(super) const ENDS_EARLY: Refused = "it ends early";
/// Counts of hops and attempts, and cells travelled, are below these: centuries of any run.
const MOST_COUNTED: u64 = 1 << 50;
const MOST_CELLS: i32 = 1 << 30;

/// Writes a state.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// What is there, or that it is not: what is there begins with a byte that is not 0.
    pub(crate) fn optional<S>(
        &mut self,
        of: Option<&S>,
        write: impl FnOnce(&S, &mut Self) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        if let Some(of) = of {
            return write(of, self);
        }
        self.u8(0);
        Ok(())
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn bytes(&mut self, values: &[u8]) {
        self.0.extend_from_slice(values);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    pub(crate) fn floats(&mut self, values: &[f64]) {
        for value in values {
            self.f64(*value);
        }
    }

    /// The position of a random stream.
    pub(crate) fn stream(&mut self, rng: &Philox) -> Result<(), Refused> {
        let text = serde_json::to_vec(rng).map_err(|_| "a random stream cannot be written")?;
        self.u32(text.len() as u32);
        self.bytes(&text);
        Ok(())
    }

    /// Which sites are occupied, one bit each.
    pub(crate) fn occupation(&mut self, occupied: &[bool]) {
        for eight in occupied.chunks(8) {
            self.u8(eight.iter().enumerate().map(|(bit, o)| u8::from(*o) << bit).sum());
        }
    }

    fn tensors(&mut self, list: &[Symmetric]) {
        self.u32(list.len() as u32);
        self.floats(list.as_flattened());
    }

    pub(crate) fn block(&mut self, block: &Block) {
        self.u64(block.first_ion_level as u64);
        for list in [&block.tracer_msd, &block.ion_loss, &block.total_msd, &block.total_loss] {
            self.tensors(list);
        }
        self.floats(&block.uncorrelated);
        self.f64(block.interval_s);
    }

    pub(crate) fn equilibration(&mut self, of: &Equilibration) {
        self.u64(of.sweeps as u64);
        self.u8(u8::from(of.equilibrated));
        self.floats(&[of.drift_z, of.mean_energy_ev, of.acceptance]);
    }
}

/// Windows of a block: of how many lengths, and from which on for single ions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Number of window lengths of all ions together.
    pub(crate) levels: usize,
    /// The shortest one of single ions.
    pub(crate) first_ion_level: usize,
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Refused> {
        let (here, rest) = self.0.split_at_checked(count).ok_or(ENDS_EARLY)?;
        self.0 = rest;
        Ok(here)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        self.take(N)?.try_into().map_err(|_| ENDS_EARLY)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Refused> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Refused> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Refused> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Refused> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn f64(&mut self) -> Result<f64, Refused> {
        Ok(f64::from_bits(self.u64()?))
    }

    pub(crate) fn vector(&mut self) -> Result<[f64; 3], Refused> {
        Ok([self.f64()?, self.f64()?, self.f64()?])
    }

    /// A number of hops or attempts.
    pub(crate) fn counted(&mut self) -> Result<u64, Refused> {
        let count = self.u64()?;
        if count > MOST_COUNTED { Err("a replica has counted more than any run can") } else { Ok(count) }
    }

    /// Cells that an ion has travelled.
    pub(crate) fn cells(&mut self) -> Result<[i32; 3], Refused> {
        let cells = [self.u32()? as i32, self.u32()? as i32, self.u32()? as i32];
        let near = |n: &i32| (-MOST_CELLS..=MOST_CELLS).contains(n);
        if cells.iter().all(near) { Ok(cells) } else { Err("an ion has travelled farther than any can") }
    }

    /// A count of things of which each takes so many bytes at least: no room is made for more than the file can hold.
    pub(crate) fn count(&mut self, bytes: usize) -> Result<usize, Refused> {
        let count = self.u32()? as usize;
        if count.saturating_mul(bytes) > self.0.len() {
            return Err(ENDS_EARLY);
        }
        Ok(count)
    }

    pub(crate) fn stream(&mut self) -> Result<Philox, Refused> {
        let count = self.count(1)?;
        let malformed = "a random stream is malformed";
        let told: serde_json::Value = serde_json::from_slice(self.take(count)?).map_err(|_| malformed)?;
        // A block has four words.
        if told["used"].as_u64().is_none_or(|used| used > 4) {
            return Err(malformed);
        }
        serde_json::from_value(told).map_err(|_| malformed)
    }

    /// Occupation of so many sites by so many ions.
    pub(crate) fn occupation(&mut self, sites: usize, ions: usize) -> Result<Vec<bool>, Refused> {
        let bytes = self.take(sites.div_ceil(8))?;
        let occupied: Vec<bool> = (0..sites).map(|site| bytes[site / 8] >> (site % 8) & 1 == 1).collect();
        if occupied.iter().filter(|o| **o).count() != ions {
            return Err("a replica has another number of ions");
        }
        Ok(occupied)
    }

    fn tensors(&mut self) -> Result<Vec<Symmetric>, Refused> {
        let count = self.count(size_of::<Symmetric>())?;
        (0..count).map(|_| self.tensor()).collect()
    }

    pub(crate) fn tensor(&mut self) -> Result<Symmetric, Refused> {
        let mut out = [0.0; 6];
        for value in &mut out {
            *value = self.f64()?;
        }
        Ok(out)
    }

    /// A block with the windows that it must have.
    pub(crate) fn block(&mut self, shape: Shape) -> Result<Block, Refused> {
        let first_ion_level = self.u64()? as usize;
        let [tracer_msd, ion_loss, total_msd, total_loss] =
            [self.tensors()?, self.tensors()?, self.tensors()?, self.tensors()?];
        let of_ions = shape.levels.saturating_sub(first_ion_level);
        let fits = first_ion_level == shape.first_ion_level
            && [&tracer_msd, &ion_loss].iter().all(|list| list.len() == of_ions)
            && [&total_msd, &total_loss].iter().all(|list| list.len() == shape.levels);
        if !fits {
            return Err("the windows of a block are not those of its round");
        }
        let (uncorrelated, interval_s) = (self.tensor()?, self.f64()?);
        Ok(Block { first_ion_level, tracer_msd, ion_loss, total_msd, total_loss, uncorrelated, interval_s })
    }

    pub(crate) fn equilibration(&mut self) -> Result<Equilibration, Refused> {
        let (sweeps, equilibrated) = (self.u64()? as usize, self.u8()? != 0);
        let [drift_z, mean_energy_ev, acceptance] = self.vector()?;
        Ok(Equilibration { sweeps, drift_z, equilibrated, mean_energy_ev, acceptance })
    }
}
