//! docs/KPIS.md and the code name the same KPIs, bases and units.

use std::collections::BTreeSet;

use aggregator::kpi::catalogue;
use aggregator::kpi::figures::{Answer, Figures, Whole};
use aggregator::window::{Asked, Window};
use common::currency::Currency;
use common::time::Timestamp;

/// The head of the tables that list KPIs.
const HEAD: &str = "| KPI | Basis | Unit |";

/// A KPI with its basis, `-` for none, and its unit.
type Row = (String, String, String);

/// What the catalogue yields for a shop of which nothing but a currency is known.
fn in_the_code() -> BTreeSet<Row> {
    let currency = Currency::parse("USD").expect("a currency");
    let answer = |declared_years| Answer {
        windows: Window::EVERY.map(|window| (window, Figures::default())).to_vec(),
        whole: Whole { declared_years, ..Whole::new(Vec::new(), currency) },
        year: Figures::default(),
        all: Figures::default(),
        asked: Asked::AsOf(Timestamp::from_ms(0)),
    };
    let answers = [answer(None), answer(Some(3.0))];
    let rows = answers.iter().flat_map(catalogue::kpis);
    let named = rows.map(|row| {
        let basis = row.basis.unwrap_or("-");
        (row.kpi.to_owned(), basis.to_owned(), row.unit.to_owned())
    });
    named.collect()
}

/// What the tables of docs/KPIS.md name; a row that stands there twice fails.
fn in_the_document() -> BTreeSet<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/KPIS.md");
    let text = std::fs::read_to_string(path).expect("docs/KPIS.md");
    let mut rows = BTreeSet::new();
    let mut within = false;
    for line in text.lines() {
        within = line.starts_with(HEAD) || within && line.starts_with('|');
        if !within || line.starts_with(HEAD) || line.starts_with("| ---") {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 6, "a row has six cells: {line}");
        let unit = cells[2].trim_end_matches('±').trim();
        let row = (cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), unit.to_owned());
        assert!(rows.insert(row), "twice in docs/KPIS.md: {line}");
    }
    rows
}

#[test]
fn the_document_names_what_the_code_yields() {
    let (code, document) = (in_the_code(), in_the_document());
    let missing: Vec<_> = code.difference(&document).collect();
    let unknown: Vec<_> = document.difference(&code).collect();
    assert!(missing.is_empty(), "docs/KPIS.md lacks {missing:?}");
    assert!(unknown.is_empty(), "docs/KPIS.md names what no code yields: {unknown:?}");
}
