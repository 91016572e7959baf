//! The answers of the receiver, and how each looks on the wire.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};

use super::problem::problem;
use crate::metrics::WebhookOutcome;

/// When a sender should try again.
const RETRY_AFTER_SECONDS: &str = "5";

/// The answer to a request to a known source.
pub(super) fn answer(outcome: WebhookOutcome) -> HttpResponse {
    match outcome {
        WebhookOutcome::Accepted | WebhookOutcome::DeadLetter | WebhookOutcome::Ignored => {
            HttpResponse::Ok().finish()
        }
        WebhookOutcome::BadSignature => {
            problem(StatusCode::UNAUTHORIZED, "The signature is missing or wrong.")
        }
        WebhookOutcome::Forbidden => {
            problem(StatusCode::FORBIDDEN, "This shop may not post to this source.")
        }
        WebhookOutcome::TooLarge => closing(problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than the receiver takes.",
        )),
        WebhookOutcome::Timeout => {
            closing(problem(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."))
        }
        WebhookOutcome::Unavailable => {
            let mut response = problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "Nothing durable could take the delivery; send it again later.",
            );
            let after = actix_web::http::header::HeaderValue::from_static(RETRY_AFTER_SECONDS);
            response.headers_mut().insert(RETRY_AFTER, after);
            response
        }
    }
}

/// The answer to a source that is not configured.
pub(super) fn unknown_source() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, "No source of this name is configured.")
}

/// The answer to any other path.
pub(super) fn unknown_path() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, "There is nothing here; webhooks go to /webhooks/{source}.")
}

/// The answer to any method but POST.
pub(super) fn not_post() -> HttpResponse {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "Webhooks are posted.");
    let allow = actix_web::http::header::HeaderValue::from_static("POST");
    response.headers_mut().insert(ALLOW, allow);
    response
}

/// Closes the connection: what is left of the body would be taken for the next request.
fn closing(mut response: HttpResponse) -> HttpResponse {
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}
