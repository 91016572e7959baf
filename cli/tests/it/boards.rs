//! The Grafana boards as data, and each of their queries on a Prometheus that scraped a shop.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Monitoring, wait_until};

const PATIENCE: Duration = Duration::from_mins(1);

/// Every board.
fn boards() -> Vec<Value> {
    let boards = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/grafana/boards");
    let files = fs::read_dir(boards).expect("boards");
    let read = |file: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(file.expect("a file").path()).expect("text");
        serde_json::from_str(&text).expect("JSON")
    };
    files.map(read).collect()
}

/// The panels of a board that show something.
fn panels(board: &Value) -> Vec<&Value> {
    let panels = board["panels"].as_array().expect("panels").iter();
    panels.filter(|panel| panel["type"] != "row").collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value:#}"))
}

#[test]
fn boards_can_be_understood() {
    let boards = boards();
    let uids: BTreeSet<&str> = boards.iter().map(|board| text(board, "uid")).collect();
    let expected =
        ["business", "pipeline", "returns", "service"].map(|one| format!("tallyhook-{one}"));
    assert_eq!(uids, expected.iter().map(String::as_str).collect());
    for board in &boards {
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().expect("panels") {
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel:#}");
        }
        for panel in panels(board) {
            assert!(!text(panel, "title").is_empty() && text(panel, "description").len() > 10);
            assert!(!text(&panel["fieldConfig"]["defaults"], "unit").is_empty(), "{panel:#}");
            assert_eq!(panel["datasource"]["uid"], "$datasource", "{panel:#}");
        }
        let variables = board["templating"]["list"].as_array().expect("variables");
        let names: Vec<&str> = variables.iter().map(|one| text(one, "name")).collect();
        assert_eq!((names[0], names[names.len() - 1]), ("datasource", "live_page"));
        let of_shop = ["tallyhook-business", "tallyhook-returns"].contains(&text(board, "uid"));
        assert_eq!(names.contains(&"shop") && names.contains(&"currency"), of_shop);
        assert_eq!(names.contains(&"window"), of_shop, "{names:?}");
        assert_eq!(board["links"].as_array().map(Vec::len), Some(2), "other boards and the page");
        let annotation = text(&board["annotations"]["list"][0], "expr");
        assert!(annotation.contains("ALERTS{alertstate=\"firing\""), "{annotation}");
    }
}

/// Asks each panel's queries as Grafana would for a shop.
pub fn every_panel_has_data(monitoring: &Monitoring, shop: &str) {
    let mut asked = 0;
    for board in boards() {
        for panel in panels(&board) {
            for target in panel["targets"].as_array().expect("queries") {
                let query = text(target, "expr")
                    .replace("$shop", shop)
                    .replace("$currency", "USD")
                    .replace("$window", "30d")
                    .replace("$__rate_interval", "1m");
                let title = (text(&board, "title"), text(panel, "title"));
                assert!(!query.contains('$'), "{title:?}: {query}");
                // Rates need two scrapes of a series, and something new in between.
                let is_number = |one: &Value| one["value"][1] != "NaN" && one["value"][1] != "+Inf";
                wait_until(&format!("{title:?} to show something: {query}"), PATIENCE, || {
                    monitoring.query(&query).iter().any(is_number)
                });
                asked += 1;
            }
        }
    }
    assert!(asked > 50, "{asked} queries");
}
