//! A real Chromium, driven by a script of Node.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::tools;

/// A browser with one page open; it ends with this.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts it, with no page open.
    pub fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/browser.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(tools().join("../browser"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut driver = command.spawn().expect("Node starts: make setup brings it");
        let input = driver.stdin.take();
        let output = BufReader::new(driver.stdout.take().expect("a pipe"));
        Self { driver, input, output }
    }

    /// Does one thing; what came of it.
    fn act(&mut self, what: &Value) -> Value {
        writeln!(self.input.as_mut().expect("open"), "{what}").expect("the driver listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the driver answers");
        let answer: Value = serde_json::from_str(&line).expect("the driver answers JSON");
        assert!(answer["error"].is_null(), "{}", answer["error"]);
        answer["value"].clone()
    }

    /// Opens a page in a browser that has seen nothing yet.
    pub fn open(&mut self, url: &str, width: u32, scheme: &str) {
        self.act(&json!({"act": "open", "url": url, "width": width, "scheme": scheme}));
    }

    /// The same for a reader who wants less motion.
    pub fn open_still(&mut self, url: &str) {
        self.act(&json!({
            "act": "open", "url": url, "width": 1280, "scheme": "light", "reduced": true,
        }));
    }

    /// The same with what these paths answer; null breaks the connection.
    pub fn open_with(&mut self, url: &str, answers: &Value) {
        self.act(&json!({
            "act": "open", "url": url, "width": 1280, "scheme": "light", "answers": answers,
        }));
    }

    /// The value of an expression on the page.
    pub fn evaluate(&mut self, script: &str) -> Value {
        self.act(&json!({"act": "evaluate", "script": script}))
    }

    /// The text that one element shows.
    pub fn text(&mut self, selector: &str) -> String {
        let script = format!("document.querySelector({})?.innerText ?? null", json!(selector));
        let text = self.evaluate(&script);
        text.as_str().unwrap_or_else(|| panic!("nothing at {selector}")).trim().to_owned()
    }

    /// The texts of the cells of a table's rows.
    pub fn rows(&mut self, selector: &str) -> Vec<Vec<String>> {
        let rows = self.evaluate(&format!(
            "[...document.querySelectorAll({})].map((row) => [...row.cells].map((cell) => cell.innerText.trim()))",
            json!(format!("{selector} tbody tr"))
        ));
        serde_json::from_value(rows).expect("texts")
    }

    /// Waits until an expression on the page is true.
    pub fn wait(&mut self, script: &str) {
        self.act(&json!({"act": "wait", "script": script}));
    }

    /// Waits until one element shows a text.
    pub fn wait_for(&mut self, selector: &str, text: &str) {
        let element = format!("document.querySelector({})", json!(selector));
        self.wait(&format!("{element}?.innerText.trim() === {}", json!(text)));
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str) {
        self.act(&json!({"act": "press", "key": key}));
    }

    /// Types a text.
    pub fn enter(&mut self, text: &str) {
        self.act(&json!({"act": "type", "text": text}));
    }

    /// Chooses an option of a list.
    pub fn choose(&mut self, selector: &str, value: &str) {
        self.act(&json!({"act": "choose", "selector": selector, "value": value}));
    }

    /// Checks a radio button.
    pub fn check(&mut self, selector: &str) {
        self.act(&json!({"act": "check", "selector": selector}));
    }

    /// What hinders readers seriously, as axe-core sees it.
    pub fn hindrances(&mut self) -> Value {
        self.act(&json!({"act": "judge"}))
    }

    /// Errors of the page, and what its content policy refused.
    pub fn problems(&mut self) -> Value {
        self.act(&json!({"act": "problems"}))
    }

    /// The cookies that it keeps.
    pub fn cookies(&mut self) -> Value {
        self.act(&json!({"act": "cookies"}))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends with its input, and the browser with the driver.
        drop(self.input.take());
        let _ = self.driver.wait();
    }
}
