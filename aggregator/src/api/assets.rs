//! The live page's files, and the API's description: all inside the binary.

use actix_web::{HttpResponse, web};

use super::Problem;

/// Nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

macro_rules! files {
    ($($name:literal => $path:literal),+ $(,)?) => {
        /// Name and text of every file.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../page/", $path)))),+];
    };
}

files! {
    "index.html" => "assets/index.html",
    "style.css" => "assets/style.css",
    "icon.svg" => "assets/icon.svg",
    "activity.js" => "assets/activity.js",
    "alarms.js" => "assets/alarms.js",
    "api.js" => "assets/api.js",
    "app.js" => "assets/app.js",
    "catalogue.js" => "assets/catalogue.js",
    "chart.js" => "assets/chart.js",
    "compare.js" => "assets/compare.js",
    "dom.js" => "assets/dom.js",
    "format.js" => "assets/format.js",
    "live.js" => "assets/live.js",
    "plot.js" => "assets/plot.js",
    "returns.js" => "assets/returns.js",
    "schedule.js" => "assets/schedule.js",
    "selection.js" => "assets/selection.js",
    "spark.js" => "assets/spark.js",
    "status.js" => "assets/status.js",
    "tiles.js" => "assets/tiles.js",
    "today.js" => "assets/today.js",
    "trend.js" => "assets/trend.js",
    "uplot.css" => "vendor/uplot/uPlot.min.css",
    "uplot.js" => "vendor/uplot/uPlot.esm.js",
}

/// `GET /`.
pub async fn page() -> Result<HttpResponse, Problem> {
    file("index.html")
}

/// `GET /assets/{name}`.
pub async fn asset(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    file(&name)
}

/// `GET /v1/openapi.json`.
pub async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(include_str!("openapi.json"))
}

fn file(name: &str) -> Result<HttpResponse, Problem> {
    let found = FILES.iter().find(|file| file.0 == name);
    let Some((_, text)) = found else {
        return Err(Problem::NotFound("no such file".to_owned()));
    };
    Ok(HttpResponse::Ok()
        .content_type(kind(name))
        .insert_header(("Content-Security-Policy", POLICY))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("Cache-Control", "no-cache"))
        .body(*text))
}

/// The content type of a file's name.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some(_) | None => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;
    use sha2::{Digest as _, Sha256};

    /// Every file of other projects, with the checksum that its list of sources gives.
    #[test]
    fn what_is_vendored_is_unchanged() {
        let vendor = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page/vendor");
        let sources = std::fs::read_to_string(vendor.join("SOURCES.md")).expect("the list");
        let mut files = 0;
        for row in sources.lines().filter_map(|line| line.strip_prefix("| `")) {
            let (path, rest) = row.split_once("` |").expect("a path");
            let bytes = std::fs::read(vendor.join(path)).expect(path);
            let sum = format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(bytes)));
            assert!(rest.contains(&sum), "{path} has {sum}");
            files += 1;
        }
        let there = std::fs::read_dir(vendor.join("uplot")).expect("files").count();
        assert_eq!(files, there);
    }
}
