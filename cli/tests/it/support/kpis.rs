//! The reply of `.../kpis`, asked for in words.

use serde_json::Value;

/// All KPIs of one shop at one instant.
#[derive(Debug)]
pub struct Kpis {
    reply: Value,
}

impl Kpis {
    pub fn new(reply: Value) -> Self {
        assert!(reply["kpis"].is_array(), "{reply}");
        Self { reply }
    }

    pub fn rows(&self) -> &[Value] {
        self.reply["kpis"].as_array().expect("checked")
    }

    /// The one row of a window that `words` name: the KPI, then its basis, currency or reason.
    pub fn row(&self, window: &str, words: &str) -> &Value {
        let mut words = words.split(' ');
        let kpi = words.next().expect("a name");
        let words: Vec<&str> = words.collect();
        let fits = |row: &&Value| {
            let has = |word: &&str| {
                ["basis", "currency", "reason"].iter().any(|field| row[*field] == **word)
            };
            row["window"] == window && row["kpi"] == kpi && words.iter().all(has)
        };
        let found: Vec<_> = self.rows().iter().filter(fits).collect();
        assert_eq!(found.len(), 1, "{window} {kpi} {words:?}: {found:?} in {}", self.reply);
        found[0]
    }

    /// `value`, and `value = numerator/denominator` where there are such; `null` if undefined.
    pub fn shown(&self, window: &str, words: &str) -> String {
        let row = self.row(window, words);
        let text = |field: &str| {
            let (text, null) = (row[field].as_str(), row[field].is_null());
            assert!(text.is_some() || null, "{field} is neither text nor null: {row}");
            text.unwrap_or("null").to_owned()
        };
        let value = text("value");
        if row["numerator"].is_null() && row["denominator"].is_null() {
            return value;
        }
        format!("{value} = {}/{}", text("numerator"), text("denominator"))
    }

    /// Panics unless every row is as [`Kpis::shown`] must show it.
    pub fn check(&self, window: &str, expected: &[(&str, &str)]) {
        let shown = |words: &str| self.shown(window, words);
        let wrong: Vec<String> = expected
            .iter()
            .filter(|(words, value)| shown(words) != *value)
            .map(|(words, value)| format!("{words}: {} instead of {value}", shown(words)))
            .collect();
        assert!(wrong.is_empty(), "{window}:\n{}", wrong.join("\n"));
    }

    /// A count.
    pub fn count(&self, window: &str, words: &str) -> u64 {
        let row = self.row(window, words);
        let value = row["value"].as_str().and_then(|text| text.parse().ok());
        value.unwrap_or_else(|| panic!("no count: {row}"))
    }

    /// An estimate.
    pub fn number(&self, window: &str, words: &str) -> f64 {
        let row = self.row(window, words);
        let value = row["value"].as_str().and_then(|text| text.parse().ok());
        value.unwrap_or_else(|| panic!("no number: {row}"))
    }
}
