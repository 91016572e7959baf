//! `tallyhook detect`: the golden streams, and what is wrong with a file said in words.

use serde_json::{Value, json};

use crate::support::{Home, golden};

/// The hours of a stream as a file of its own.
fn file_of(streams: &str, stream: &str) -> String {
    let mut file = "hour,returns,exposure,orders\n".to_owned();
    for line in streams.lines().skip(1) {
        if let Some((of, row)) = line.split_once(',')
            && of == stream
        {
            file.extend([row, "\n"]);
        }
    }
    file
}

#[test]
fn the_golden_streams_are_reproduced() {
    let streams = golden("detector/detector-streams.csv.gz");
    let expected = golden("detector/detector-streams.json");
    let expected: Value = serde_json::from_str(&expected).expect("json");
    let from = expected["monitor_from_hour"].to_string();
    let home = Home::new();
    let mut raised = 0;
    for stream in expected["streams"].as_array().expect("streams") {
        let file = home.path("stream.csv");
        std::fs::write(&file, file_of(&streams, &stream["stream"].to_string())).expect("a file");
        let (file, rate) = (file.display().to_string(), stream["prior_rate_p0"].to_string());
        let arguments =
            ["detect", &file, "--prior-rate", &rate, "--from-hour", &from, "--threshold", "9"];
        let found: Value = home.json(&[&arguments[..], &["--json"]].concat());
        assert_eq!(found["first_alarm_hour"], stream["first_alarm_hour_at_9"], "{stream}");
        raised += usize::from(!found["first_alarm_hour"].is_null());
        for (ours, theirs) in [("max_stat", "max_stat"), ("last_stat", "stat_at_last_hour")] {
            let [ours, theirs] = [&found[ours], &stream[theirs]].map(|n| n.as_f64().expect("f64"));
            assert!(
                (ours - theirs).abs() <= 1e-9 * theirs.abs(),
                "{ours} is not {theirs}: {stream}"
            );
        }
    }
    assert_eq!((raised, expected["streams"].as_array().map(Vec::len)), (3, Some(6)));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let home = Home::new();
    let check = |content: &str, more: &[&str], code: i32, told: &str| {
        let file = home.path("hours.csv");
        std::fs::write(&file, content).expect("a file");
        let file = file.display().to_string();
        let ended = home.run(&[&["detect", &file], more].concat());
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!((ended.status.code(), text.contains(told)), (Some(code), true), "{text}");
    };
    check("hour,returns\n0,1\n", &[], 1, "exposure");
    check(
        "hour,returns,exposure\n0,1,1\n2,1,1\n",
        &[],
        1,
        "line 3 has hour 2 where hour 1 belongs",
    );
    check("hour,returns,exposure\n0,-1,1\n", &[], 1, "line 2: returns and exposure must be");
    check("hour,returns,exposure\n0,x,1\n", &[], 1, "line: 2");
    check("hour,returns,exposure\n0,1,1\n", &["--from-hour", "1"], 1, "ends before hour 1");
    check("returns,exposure\n", &[], 1, "its first line names no column hour");
    check("", &[], 1, "names no column hour");
    check("hour,returns,exposure\n", &[], 1, "hours.csv has no hours");
    check("hour,returns,exposure\n0,1e308,1\n", &[], 1, "too large or too small to count with");
    check("hour,returns,exposure\n", &["--prior-rate", "0"], 2, "a number above 0");
    let missing = home.run(&["detect", "nowhere.csv"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read nowhere.csv"));
}

/// A short window after long sums: exposure falls from a million an hour to one.
#[test]
fn nothing_is_rounded_away() {
    let home = Home::new();
    let scan = |from: u32| -> Value {
        let mut file = "hour, returns, exposure\n".to_owned();
        for hour in 0..200 * 24 {
            let exposure = if hour < 100 * 24 { 1e13 } else { 1.25 };
            let returns = if hour >= 199 * 24 { 3 } else { 0 };
            if hour >= from {
                let row = format!("{}, {returns}, {exposure}\n", hour - from);
                file.push_str(&row);
            }
        }
        std::fs::write(home.path("fall.csv"), file).expect("a file");
        let from_hour = (198 * 24 - from).to_string();
        home.json(&["detect", "fall.csv", "--from-hour", &from_hour, "--json"])
    };
    // The baseline reaches back 84 days, so both files say the same.
    let (whole, lately) = (scan(0), scan(110 * 24));
    for statistic in ["max_stat", "last_stat"] {
        assert!(whole[statistic].as_f64() > Some(9.0), "{whole}");
        assert_eq!(whole[statistic], lately[statistic]);
    }
}

#[test]
fn hours_without_returns_raise_nothing() {
    let home = Home::new();
    let mut file = "hour,returns,exposure\n".to_owned();
    for hour in 0..48 {
        file.extend([&hour.to_string(), ",0,2.5\n"]);
    }
    std::fs::write(home.path("calm.csv"), file).expect("a file");
    let found = home.json(&["detect", "calm.csv", "--json"]);
    assert_eq!(found, json!({"first_alarm_hour": null, "max_stat": 0.0, "last_stat": 0.0}));
    let table = home.stdout(&["detect", "calm.csv"]);
    assert!(table.contains("first_alarm_hour") && table.contains("0.000"), "{table}");
}
