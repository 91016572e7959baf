//! Errors as problem details (RFC 9457): no secret, nothing of the request.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use serde::Serialize;

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

/// A problem's answer.
pub(super) fn problem(status: StatusCode, detail: &str) -> HttpResponse {
    let title = status.canonical_reason().unwrap_or("Error");
    let problem = Problem { r#type: "about:blank", title, status: status.as_u16(), detail };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    HttpResponse::build(status).insert_header((CONTENT_TYPE, "application/problem+json")).body(body)
}
