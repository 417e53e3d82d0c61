//! Chemical symbols and atomic numbers.

const SYMBOLS: [&str; 118] = [
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K",
    "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr",
    "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe",
    "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu",
    "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra",
    "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db",
    "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
];

/// Symbol of an element; 0 is the empty site X, as ASE has it. `None` above 118.
pub fn element_symbol(atomic_number: u64) -> Option<&'static str> {
    match atomic_number {
        0 => Some("X"),
        n => SYMBOLS.get(usize::try_from(n - 1).ok()?).copied(),
    }
}

/// Atomic number of a symbol; `None` for anything that is not an element.
///
/// ```
/// assert_eq!(scalade_formats::atomic_number("Co"), Some(27));
/// assert_eq!(scalade_formats::element_symbol(118), Some("Og"));
/// ```
pub fn atomic_number(symbol: &str) -> Option<u64> {
    SYMBOLS.iter().position(|s| *s == symbol).map(|i| i as u64 + 1)
}
