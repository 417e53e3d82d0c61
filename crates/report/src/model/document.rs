//! The report and its parts beside the figures.

use super::Figure;
use serde::{Deserialize, Serialize};

/// A whole report. Fields are public; those of no interest stay empty and are left out of the page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Title of the page.
    pub title: String,
    /// A line beneath the title.
    pub subtitle: String,
    /// Name of the study.
    pub study_name: String,
    /// Program and version that wrote the report.
    pub generated_by: String,
    /// Rungs of the ladder from the smallest to the largest scale.
    pub rungs: Vec<Rung>,
    /// The numbers a reader came for.
    pub headline: Vec<Headline>,
    /// Sections in reading order.
    pub sections: Vec<Section>,
    /// Every parameter that entered.
    pub ledger: Vec<LedgerRow>,
    /// Where the variance of each prediction comes from.
    pub variance: Vec<VarianceDecomposition>,
    /// What each prediction depends on.
    pub depends_on: Vec<Dependency>,
    /// Frames of the input data that were left out.
    pub excluded: Vec<Excluded>,
    /// Works to cite for this run.
    pub citations: Vec<Citation>,
    /// Steps of the run.
    pub steps: Vec<RunStep>,
}

impl Report {
    /// An empty report.
    pub fn new(
        title: impl Into<String>,
        study_name: impl Into<String>,
        generated_by: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            study_name: study_name.into(),
            generated_by: generated_by.into(),
            ..Self::default()
        }
    }

    /// Sets the line beneath the title.
    #[must_use]
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = subtitle.into();
        self
    }

    /// Adds the next rung up.
    #[must_use]
    pub fn rung(mut self, rung: Rung) -> Self {
        self.rungs.push(rung);
        self
    }

    /// Adds a headline number.
    #[must_use]
    pub fn headline(mut self, headline: Headline) -> Self {
        self.headline.push(headline);
        self
    }

    /// Adds a section.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }
}

/// How a rung's numbers came about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RungStatus {
    /// Computed in this run.
    #[default]
    Computed,
    /// Computed by an earlier run with the same inputs.
    Cached,
    /// Taken from a publication.
    Published,
    /// Measured.
    Measured,
    /// Assumed.
    Assumed,
    /// Not part of this study.
    NotRun,
}

impl RungStatus {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Computed => "computed",
            Self::Cached => "computed before, from cache",
            Self::Published => "published",
            Self::Measured => "measured",
            Self::Assumed => "assumed",
            Self::NotRun => "not run",
        }
    }
}

/// One rung of the ladder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rung {
    /// Name of the scale, such as `lattice`.
    pub name: String,
    /// Length in words and symbols, such as `nm`.
    pub length_scale: String,
    /// Method in a few words.
    pub method: String,
    /// Name of the key number.
    pub key_label: String,
    /// The key number with unit and uncertainty.
    pub key_value: String,
    /// What this rung hands to the next one up.
    pub hand_off: String,
    /// How its numbers came about.
    pub status: RungStatus,
    /// Identifier of the section that tells more; none for no link.
    pub section: Option<String>,
    /// Why the rung is not a pure prediction: one entry for each re-tuned parameter upstream.
    pub retuned: Vec<String>,
}

impl Rung {
    /// A rung with its key number.
    pub fn new(
        name: impl Into<String>,
        length_scale: impl Into<String>,
        method: impl Into<String>,
        key_label: impl Into<String>,
        key_value: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            length_scale: length_scale.into(),
            method: method.into(),
            key_label: key_label.into(),
            key_value: key_value.into(),
            ..Self::default()
        }
    }

    /// Names what passes to the next rung.
    #[must_use]
    pub fn hand_off(mut self, hand_off: impl Into<String>) -> Self {
        self.hand_off = hand_off.into();
        self
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: RungStatus) -> Self {
        self.status = status;
        self
    }

    /// Links to a section of the report.
    #[must_use]
    pub fn section(mut self, id: impl Into<String>) -> Self {
        self.section = Some(id.into());
        self
    }
}

/// A number that a reader came for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Headline {
    /// Identifier, the one that [`Dependency::prediction`] uses.
    pub id: String,
    /// Name of the quantity.
    pub label: String,
    /// Value in `unit`.
    pub value: f64,
    /// Unit in plain characters.
    pub unit: String,
    /// Standard error in `unit`; none when unknown.
    pub std_error: Option<f64>,
    /// Rung where it stands.
    pub scale: String,
    /// How it came about.
    pub provenance: String,
    /// No fit at a larger scale may move it.
    pub sealed: bool,
    /// Peers' or experimental value with its source.
    pub reference: Option<String>,
    /// Why it is not a pure prediction: one entry for each re-tuned parameter upstream. Parameters marked in the ledger are
    /// followed through [`Report::depends_on`] without being repeated here.
    pub retuned: Vec<String>,
}

impl Headline {
    /// A number with its unit and standard error.
    pub fn new(
        id: impl Into<String>,
        label: impl Into<String>,
        value: f64,
        std_error: Option<f64>,
        unit: impl Into<String>,
    ) -> Self {
        Self { id: id.into(), label: label.into(), value, unit: unit.into(), std_error, ..Self::default() }
    }

    /// Names the rung and how the number came about.
    #[must_use]
    pub fn from_scale(mut self, scale: impl Into<String>, provenance: impl Into<String>) -> Self {
        self.scale = scale.into();
        self.provenance = provenance.into();
        self
    }

    /// Marks it as sealed.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.sealed = true;
        self
    }

    /// Adds a value to compare with.
    #[must_use]
    pub fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }
}

/// Weight of a note.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteLevel {
    /// Good to know.
    #[default]
    Info,
    /// Limits the trust in what stands beside it.
    Warning,
}

/// A remark within a section.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Weight.
    #[serde(default)]
    pub level: NoteLevel,
    /// The remark.
    pub text: String,
}

/// A table of texts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Identifier, unique within the report.
    pub id: String,
    /// Title.
    pub title: String,
    /// Heads of the columns.
    pub columns: Vec<String>,
    /// Rows; each has one cell for each column.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new<S: Into<String>>(
        id: impl Into<String>,
        title: impl Into<String>,
        columns: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            columns: columns.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    #[must_use]
    pub fn row<S: Into<String>>(mut self, cells: impl IntoIterator<Item = S>) -> Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }
}

/// A section of the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Section {
    /// Identifier, unique within the report.
    pub id: String,
    /// Title.
    pub title: String,
    /// Paragraphs that open the section.
    pub paragraphs: Vec<String>,
    /// Remarks.
    pub notes: Vec<Note>,
    /// Figures.
    pub figures: Vec<Figure>,
    /// Tables.
    pub tables: Vec<Table>,
}

impl Section {
    /// An empty section.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self { id: id.into(), title: title.into(), ..Self::default() }
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn paragraph(mut self, text: impl Into<String>) -> Self {
        self.paragraphs.push(text.into());
        self
    }

    /// Adds a remark.
    #[must_use]
    pub fn note(mut self, level: NoteLevel, text: impl Into<String>) -> Self {
        self.notes.push(Note { level, text: text.into() });
        self
    }

    /// Adds a figure.
    #[must_use]
    pub fn figure(mut self, figure: Figure) -> Self {
        self.figures.push(figure);
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }
}

/// A parameter of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerRow {
    /// Name of the quantity, unique in the ledger; the name that [`Dependency::inputs`] uses.
    pub quantity: String,
    /// Value, formatted.
    pub value: String,
    /// Uncertainty, formatted, or the reason why there is none.
    pub uncertainty: String,
    /// Unit in plain characters.
    pub unit: String,
    /// Source in words.
    pub source: String,
    /// DOI or web address of the source; anything else is shown as text, not as a link.
    pub link: Option<String>,
    /// Rung where it was identified.
    pub scale: String,
    /// No fit at a larger scale may move it.
    pub sealed: bool,
    /// Reason for which it was unsealed and moved; none when it was not.
    pub retuned: Option<String>,
    /// Steps or predictions that use it.
    pub used_by: Vec<String>,
}

impl LedgerRow {
    /// A parameter with its value.
    pub fn new(
        quantity: impl Into<String>,
        value: impl Into<String>,
        uncertainty: impl Into<String>,
        unit: impl Into<String>,
    ) -> Self {
        Self {
            quantity: quantity.into(),
            value: value.into(),
            uncertainty: uncertainty.into(),
            unit: unit.into(),
            ..Self::default()
        }
    }

    /// Names the source, with its DOI or address if it has one.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>, link: Option<&str>) -> Self {
        self.source = source.into();
        self.link = link.map(ToString::to_string);
        self
    }

    /// Names the rung where it was identified, and whether it is sealed.
    #[must_use]
    pub fn identified_at(mut self, scale: impl Into<String>, sealed: bool) -> Self {
        self.scale = scale.into();
        self.sealed = sealed;
        self
    }

    /// Records an explicit unseal.
    #[must_use]
    pub fn retuned(mut self, reason: impl Into<String>) -> Self {
        self.retuned = Some(reason.into());
        self
    }

    /// Names what uses it.
    #[must_use]
    pub fn used_by<S: Into<String>>(mut self, users: impl IntoIterator<Item = S>) -> Self {
        self.used_by = users.into_iter().map(Into::into).collect();
        self
    }
}

/// Part of a prediction's variance that one rung brings in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VarianceShare {
    /// Name of the rung.
    pub rung: String,
    /// Fraction of the total variance, 0 to 1.
    pub share: f64,
    /// Standard deviation that this rung alone causes, in the prediction's unit.
    #[serde(default)]
    pub std: Option<f64>,
}

/// Where the variance of one prediction comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VarianceDecomposition {
    /// The prediction.
    pub prediction: String,
    /// Unit of the standard deviations.
    pub unit: String,
    /// Shares; what they lack to 1 is shown as not attributed.
    pub shares: Vec<VarianceShare>,
}

impl VarianceDecomposition {
    /// A prediction without shares.
    pub fn new(prediction: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { prediction: prediction.into(), unit: unit.into(), shares: Vec::new() }
    }

    /// Adds a rung's share, a fraction of the total variance.
    #[must_use]
    pub fn share(mut self, rung: impl Into<String>, share: f64, std: Option<f64>) -> Self {
        self.shares.push(VarianceShare { rung: rung.into(), share, std });
        self
    }
}

/// What one prediction was made from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// The prediction: a headline's identifier or any other name.
    pub prediction: String,
    /// Its direct inputs: other predictions or ledger quantities.
    pub inputs: Vec<String>,
}

impl Dependency {
    /// A prediction with its direct inputs.
    pub fn new<S: Into<String>>(prediction: impl Into<String>, inputs: impl IntoIterator<Item = S>) -> Self {
        Self { prediction: prediction.into(), inputs: inputs.into_iter().map(Into::into).collect() }
    }
}

/// A frame of the input data that was left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excluded {
    /// Identifier of the structure.
    pub structure: String,
    /// Which frame of it.
    pub frame: String,
    /// Why.
    pub reason: String,
}

/// A work to cite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Citation {
    /// Authors, title, journal, year.
    pub text: String,
    /// Its DOI.
    #[serde(default)]
    pub doi: Option<String>,
}

/// Where a step's result came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOrigin {
    /// Computed in this run.
    #[default]
    Computed,
    /// Taken from the cache.
    Cached,
    /// Failed or was interrupted.
    Failed,
}

/// A step of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStep {
    /// Name of the step.
    pub step: String,
    /// Registered kind.
    pub kind: String,
    /// Where its result came from.
    #[serde(default)]
    pub origin: StepOrigin,
    /// Time it took, s; none when not known (a report with it is as reproducible as the clock).
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Content key of its result.
    #[serde(default)]
    pub key: String,
}
