//! The live page's files, and the API's description: all inside the binary.

use actix_web::{HttpResponse, web};

use super::Problem;

/// Nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

macro_rules! assets {
    ($($name:literal => $kind:literal),+ $(,)?) => {
        /// Name, content type and text of every file.
        const ASSETS: &[(&str, &str, &str)] =
            &[$(($name, $kind, include_str!(concat!("../page/assets/", $name)))),+];
    };
}

assets! {
    "index.html" => "text/html; charset=utf-8",
    "style.css" => "text/css; charset=utf-8",
    "icon.svg" => "image/svg+xml",
    "activity.js" => "text/javascript; charset=utf-8",
    "api.js" => "text/javascript; charset=utf-8",
    "app.js" => "text/javascript; charset=utf-8",
    "catalogue.js" => "text/javascript; charset=utf-8",
    "chart.js" => "text/javascript; charset=utf-8",
    "dom.js" => "text/javascript; charset=utf-8",
    "format.js" => "text/javascript; charset=utf-8",
    "live.js" => "text/javascript; charset=utf-8",
    "returns.js" => "text/javascript; charset=utf-8",
    "schedule.js" => "text/javascript; charset=utf-8",
    "selection.js" => "text/javascript; charset=utf-8",
    "status.js" => "text/javascript; charset=utf-8",
    "tiles.js" => "text/javascript; charset=utf-8",
    "trend.js" => "text/javascript; charset=utf-8",
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
    let found = ASSETS.iter().find(|asset| asset.0 == name);
    let Some((_, kind, text)) = found else {
        return Err(Problem::NotFound("no such file".to_owned()));
    };
    Ok(HttpResponse::Ok()
        .content_type(*kind)
        .insert_header(("Content-Security-Policy", POLICY))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("Cache-Control", "no-cache"))
        .body(*text))
}
