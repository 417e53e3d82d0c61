//! CIF: structures of crystals.

mod symmetry;
mod tokens;

use crate::elements::{atomic_number, element_symbol};
use crate::error::{FormatError, Place, shown};
use crate::frame::{Frame, InfoValue};
use crate::text::{Look, demand_number};
use scalade_crystal::{CrystalError, Matrix3, Structure, determinant};
use std::collections::BTreeMap;
use symmetry::{ListedSite, Operation, whole_cell};
use tokens::{Token, Word, tokens};

const NAME: &str = "CIF";
/// The most operations that a space group has in a conventional cell.
const OPERATION_LIMIT: usize = 192;
/// Images of sites, which are what an expansion by symmetry costs.
const IMAGE_LIMIT: usize = 1_000_000;
/// Least volume of a cell with edges of unit length: below it the angles are a mistake.
const FLATTEST_CELL: f64 = 1e-2;
const LONGEST_EDGE_ANGSTROM: f64 = 1e5;

/// Structures of a CIF, one frame for every data block with sites.
///
/// Read are `_cell_length_*`, `_cell_angle_*`, the operations `_symmetry_equiv_pos_as_xyz` or
/// `_space_group_symop_operation_xyz`, and of the sites `_atom_site_label`, `_atom_site_type_symbol`,
/// `_atom_site_fract_*` and `_atom_site_occupancy`; uncertainties in brackets are dropped, charges of types
/// (`Co3+`) too. Without operations the structure must be P1. Sites within 0.05 angstrom of each other are one,
/// at the mean of their images. `a` is along x, `b` in the plane of x and y. `id` is the name of the data
/// block. A CIF holds no energy.
///
/// Errors: with file and line for what breaks the grammar, numbers that are none, sites that are partly
/// occupied or shared (named), operations that are missing or no operations, magnetic groups, cells without
/// volume; [`FormatError::WrongFormat`] for files of another format.
pub fn read_cif(text: &str, name: &str) -> Result<Vec<Frame>, FormatError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(FormatError::Empty { place: Box::new(Place::file(name)), wanted: NAME });
    }
    if let Some(error) = super::wrong_format(text, name, NAME, &[Look::Cif, Look::Poscar]) {
        return Err(error);
    }
    let blocks = blocks(&tokens(text, name)?, name)?;
    let mut frames = Vec::new();
    let with_sites: Vec<_> =
        blocks.iter().filter(|block| block.column("_atom_site_fract_x").is_some()).collect();
    for block in &with_sites {
        frames.push(frame(block, name, frames.len() + 1)?.checked()?);
    }
    if frames.is_empty() {
        let available = if blocks.iter().any(|b| b.column("_atom_site_cartn_x").is_some()) {
            "Cartesian coordinates, which are not read; give fractional ones (_atom_site_fract_x, y, z)"
                .to_string()
        } else {
            format!("{} data blocks without sites (_atom_site_fract_x, y, z)", blocks.len())
        };
        return Err(FormatError::missing(Place::file(name), "a structure", available));
    }
    Ok(frames)
}

struct Table<'a> {
    columns: Vec<String>,
    cells: Vec<Token<'a>>,
}

struct Block<'a> {
    title: &'a str,
    line: usize,
    items: BTreeMap<String, Token<'a>>,
    tables: Vec<Table<'a>>,
}

impl<'a> Block<'a> {
    /// The cells of a column.
    fn column(&self, tag: &str) -> Option<Vec<Token<'a>>> {
        let (table, at) = self
            .tables
            .iter()
            .find_map(|table| Some((table, table.columns.iter().position(|column| column == tag)?)))?;
        Some(table.cells.iter().skip(at).step_by(table.columns.len()).copied().collect())
    }

    /// The values of a name, alone or in a table.
    fn values(&self, tag: &str) -> Option<Vec<Token<'a>>> {
        self.items.get(tag).map(|token| vec![*token]).or_else(|| self.column(tag))
    }

    fn text(&self, tag: &str) -> Option<&'a str> {
        self.values(tag)?.first()?.value()
    }
}

/// Names are without regard to case; a dot, as in the newer dictionaries, counts as an underscore.
fn canonical(tag: &str) -> String {
    tag.to_ascii_lowercase().replace('.', "_")
}

/// Only what is asked for later is kept.
fn is_wanted(tag: &str) -> bool {
    ["_cell_", "_symmetry_", "_space_group", "_atom_site_"].iter().any(|prefix| tag.starts_with(prefix))
        && !tag.starts_with("_atom_site_aniso")
}

fn blocks<'a>(tokens: &[Token<'a>], name: &str) -> Result<Vec<Block<'a>>, FormatError> {
    let mut blocks: Vec<Block<'a>> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let place = || Place::line(name, token.line);
        if let Word::Data(title) = token.word {
            blocks.push(Block { title, line: token.line, items: BTreeMap::new(), tables: Vec::new() });
            continue;
        }
        let Some(block) = blocks.last_mut() else {
            return Err(FormatError::syntax(place(), "a CIF begins with a data block (data_name)"));
        };
        match token.word {
            Word::Tag(tag) => {
                let Some(value) = tokens.get(at).filter(|t| matches!(t.word, Word::Value { .. })) else {
                    return Err(FormatError::syntax(place(), format!("{} has no value", shown(tag))));
                };
                at += 1;
                let tag = canonical(tag);
                if is_wanted(&tag) {
                    block.items.entry(tag).or_insert(*value);
                }
            }
            Word::Loop => {
                let tags = tokens[at..].iter().map_while(|t| match t.word {
                    Word::Tag(tag) => Some(canonical(tag)),
                    _ => None,
                });
                let columns: Vec<String> = tags.collect();
                at += columns.len();
                let cells = tokens[at..].iter().take_while(|t| matches!(t.word, Word::Value { .. }));
                let cells: Vec<Token<'a>> = cells.copied().collect();
                at += cells.len();
                if columns.is_empty() || !cells.len().is_multiple_of(columns.len()) {
                    let problem = format!(
                        "a loop of {} names has {} values, which makes no whole rows; is a text with blanks without quotes?",
                        columns.len(),
                        cells.len()
                    );
                    return Err(FormatError::syntax(place(), problem));
                }
                if columns.iter().any(|tag| is_wanted(tag)) {
                    block.tables.push(Table { columns, cells });
                }
            }
            Word::Value { text, .. } => {
                let problem = format!("the value '{}' belongs to no name", shown(text));
                return Err(FormatError::syntax(place(), problem));
            }
            Word::Data(_) | Word::Other => {}
        }
    }
    Ok(blocks)
}

fn number(token: &Token<'_>, what: &str, name: &str) -> Result<f64, FormatError> {
    let place = || Place::line(name, token.line);
    let text = token
        .value()
        .ok_or_else(|| FormatError::missing(place(), what, "? or ., which say that it is not known"))?;
    demand_number(without_uncertainty(text), place, what)
}

/// `0.1234(5)` without its brackets.
fn without_uncertainty(text: &str) -> &str {
    let digits = |inner: &str| !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit());
    match text.strip_suffix(')').and_then(|t| t.split_once('(')) {
        Some((value, inner)) if digits(inner) => value,
        _ => text,
    }
}

fn frame(block: &Block<'_>, name: &str, index: usize) -> Result<Frame, FormatError> {
    let place = || Place::line(name, block.line).frame(index);
    if block.tables.iter().any(|t| t.columns.iter().any(|c| c.starts_with("_space_group_symop_magn"))) {
        let problem = "a magnetic space group is not read; give the operations of the crystal or P 1";
        return Err(FormatError::syntax(place(), problem));
    }
    let lattice = lattice(block, name, index)?;
    let operations = operations(block, name)?;
    let sites = sites(block, name)?;
    if sites.is_empty() {
        return Err(FormatError::missing(place(), "sites", "a table of sites without rows"));
    }
    if sites.len().saturating_mul(operations.len()) > IMAGE_LIMIT {
        let problem = format!(
            "{} sites with {} operations are more than {IMAGE_LIMIT} images",
            sites.len(),
            operations.len()
        );
        return Err(FormatError::syntax(place(), problem));
    }
    let (species, positions) = whole_cell(&sites, &operations, &lattice, name)?;
    let structure = Structure::new(lattice, species, positions)
        .map_err(|source| FormatError::Structure { place: Box::new(place()), source })?;
    let mut frame = Frame::from_structure(&structure);
    frame.file = name.to_string();
    frame.index = index;
    frame.line = block.line;
    let id = if block.title.is_empty() { name } else { block.title };
    frame.info.insert("id".into(), InfoValue::Text(id.to_string()));
    Ok(frame)
}

fn lattice(block: &Block<'_>, name: &str, index: usize) -> Result<Matrix3, FormatError> {
    let place = Place::line(name, block.line).frame(index);
    let value = |tag: &str| -> Result<f64, FormatError> {
        let found = block.values(tag).and_then(|tokens| tokens.first().copied());
        let token = found
            .ok_or_else(|| FormatError::missing(place.clone(), tag, "a data block without the whole cell"))?;
        number(&token, tag, name)
    };
    let mut edges = [0.0; 3];
    let mut cosines = [0.0; 3];
    for (k, edge) in ["a", "b", "c"].iter().enumerate() {
        edges[k] = value(&format!("_cell_length_{edge}"))?;
        if !(edges[k] > 0.0 && edges[k] <= LONGEST_EDGE_ANGSTROM) {
            let problem =
                format!("_cell_length_{edge} is {}; an edge is a positive length in angstrom", edges[k]);
            return Err(FormatError::syntax(place, problem));
        }
    }
    for (k, angle) in ["alpha", "beta", "gamma"].iter().enumerate() {
        let degrees = value(&format!("_cell_angle_{angle}"))?;
        if !(degrees > 0.0 && degrees < 180.0) {
            let problem = format!("_cell_angle_{angle} is {degrees}; it must lie between 0 and 180 degrees");
            return Err(FormatError::syntax(place, problem));
        }
        // Exact where the angles of most crystals are.
        cosines[k] = match degrees {
            60.0 => 0.5,
            90.0 => 0.0,
            120.0 => -0.5,
            _ => degrees.to_radians().cos(),
        };
    }
    let [alpha, beta, gamma] = cosines;
    let sine = (1.0 - gamma * gamma).sqrt();
    let second = (alpha - beta * gamma) / sine;
    let third = (1.0 - beta * beta - second * second).max(0.0).sqrt();
    let [a, b, c] = edges;
    let lattice = [[a, 0.0, 0.0], [b * gamma, b * sine, 0.0], [c * beta, c * second, c * third]];
    let volume = determinant(&lattice);
    if volume.is_finite() && sine * third > FLATTEST_CELL && volume > 1e-9 {
        return Ok(lattice);
    }
    let source = CrystalError::Degenerate { determinant: volume };
    Err(FormatError::Structure { place: Box::new(place), source })
}

fn operations(block: &Block<'_>, name: &str) -> Result<Vec<Operation>, FormatError> {
    let listed = ["_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz"]
        .iter()
        .find_map(|tag| block.values(tag))
        .unwrap_or_default();
    if listed.len() > OPERATION_LIMIT {
        let problem =
            format!("{} operations are more than any space group has ({OPERATION_LIMIT})", listed.len());
        return Err(FormatError::syntax(Place::line(name, listed[0].line), problem));
    }
    let mut operations = Vec::with_capacity(listed.len());
    for token in &listed {
        let text = token.value().unwrap_or("");
        operations.push(Operation::parse(text).ok_or_else(|| {
            let problem = format!("'{}' is not a symmetry operation such as '-x, y+1/2, -z'", shown(text));
            FormatError::syntax(Place::line(name, token.line), problem)
        })?);
    }
    if operations.is_empty() {
        operations.push(Operation::IDENTITY);
    }
    if let ([Operation::IDENTITY], Some(group)) = (operations.as_slice(), higher_group(block)) {
        let problem = format!(
            "the space group is {}, but its operations are not listed (_symmetry_equiv_pos_as_xyz); write them, or write all atoms of the cell and the group P 1",
            shown(&group)
        );
        return Err(FormatError::syntax(Place::line(name, block.line), problem));
    }
    Ok(operations)
}

/// The space group that is named, unless it is P1.
fn higher_group(block: &Block<'_>) -> Option<String> {
    const NAMES: [&str; 3] =
        ["_symmetry_space_group_name_h-m", "_space_group_name_h-m_alt", "_space_group_name_h-m"];
    const NUMBERS: [&str; 2] = ["_symmetry_int_tables_number", "_space_group_it_number"];
    let compact = |text: &str| text.replace([' ', '_'], "").to_ascii_lowercase();
    let named = NAMES.iter().find_map(|tag| block.text(tag)).filter(|text| compact(text) != "p1");
    let numbered = || NUMBERS.iter().find_map(|tag| block.text(tag)).filter(|text| text.trim() != "1");
    named.map(str::to_string).or_else(|| numbered().map(|number| format!("number {number}")))
}

fn sites<'a>(block: &Block<'a>, name: &str) -> Result<Vec<ListedSite<'a>>, FormatError> {
    let column = |tag: &str| block.column(tag).unwrap_or_default();
    let coordinates = ["_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"].map(column);
    let labels = column("_atom_site_label");
    let types = column("_atom_site_type_symbol");
    let occupancies = column("_atom_site_occupancy");
    let dummies = column("_atom_site_calc_flag");
    let mut sites = Vec::with_capacity(coordinates[0].len());
    for (row, first) in coordinates[0].iter().enumerate() {
        let place = || Place::line(name, first.line);
        let text = |column: &[Token<'a>]| column.get(row).and_then(Token::value);
        if text(&dummies).is_some_and(|flag| flag.eq_ignore_ascii_case("dum")) {
            continue;
        }
        let symbol = text(&types).or_else(|| text(&labels));
        let label = text(&labels).or(symbol).unwrap_or("");
        let element = symbol.and_then(element_of).ok_or_else(|| {
            let problem = format!("site '{}' is of no known element", shown(symbol.unwrap_or(label)));
            FormatError::syntax(place(), problem)
        })?;
        if let Some(token) = occupancies.get(row).filter(|token| token.value().is_some()) {
            let occupancy = number(token, "an occupancy", name)?;
            if (occupancy - 1.0).abs() > 1e-3 {
                let problem = format!(
                    "site {} has the occupancy {occupancy}; partly occupied sites are not read: give an ordered structure",
                    shown(label)
                );
                return Err(FormatError::syntax(place(), problem));
            }
        }
        let mut position = [0.0; 3];
        for (axis, column) in coordinates.iter().enumerate() {
            let missing = || {
                FormatError::missing(place(), "a coordinate", "fewer than three columns _atom_site_fract_")
            };
            position[axis] = number(column.get(row).ok_or_else(missing)?, "a coordinate", name)?;
            if position[axis].abs() > 1e6 {
                let problem = format!("the coordinate {} is not fractional", position[axis]);
                return Err(FormatError::syntax(place(), problem));
            }
        }
        sites.push(ListedSite { label, element, position, line: first.line });
    }
    Ok(sites)
}

/// Element at the beginning of a label or type: `Li1`, `Co3+`, `O2-`, `Fe(2)`.
fn element_of(symbol: &str) -> Option<&'static str> {
    let letters: String = symbol.chars().take_while(char::is_ascii_alphabetic).take(2).collect();
    let mut word = letters.to_ascii_lowercase();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    [word.as_str(), word.get(..1)?].into_iter().find_map(|s| atomic_number(s).and_then(element_symbol))
}
