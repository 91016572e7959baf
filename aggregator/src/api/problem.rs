//! Errors as RFC 9457 problem details, without secrets.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use common::store::StoreError;
use thiserror::Error;

use crate::kpi::reader::ReadError;

/// Why a question is not answered.
#[derive(Debug, Error)]
pub enum Problem {
    /// Something in the question is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// No or a wrong token.
    #[error("this needs the admin token: `Authorization: Bearer TOKEN`")]
    Unauthorized,
    /// The answer takes too long, or too many wait for one.
    #[error("{0}")]
    Unavailable(String),
    /// Something failed here.
    #[error("the state could not be read; the process's log says why")]
    Internal,
}

impl Problem {
    /// A parameter that is not of its form.
    #[must_use]
    pub fn parameter(name: &str, allowed: &str) -> Self {
        Self::BadRequest(format!("{name}: {allowed}"))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        response.content_type("application/problem+json");
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header(("Retry-After", "5"));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        response.json(serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.to_string(),
        }))
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownShop => Self::NotFound(error.to_string()),
            ReadError::TooSlow { .. } => Self::Unavailable(error.to_string()),
            ReadError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            // The state is busy, not broken: another try reads it whole.
            StoreError::Moved { .. } => Self::Unavailable(error.to_string()),
            StoreError::Engine { .. }
            | StoreError::Manifest { .. }
            | StoreError::Unsafe { .. }
            | StoreError::Io { .. } => {
                tracing::error!(%error, "a question could not be answered");
                Self::Internal
            }
        }
    }
}

impl From<actix_web::error::BlockingError> for Problem {
    fn from(_: actix_web::error::BlockingError) -> Self {
        Self::Unavailable("the process is shutting down".to_owned())
    }
}
