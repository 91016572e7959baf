//! `/v1/dead-letters`: what could not be translated, to be looked at and retried.

use actix_web::web::{self, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use aggregator::api::Problem;
use common::shop::ShopDomain;
use ingest::dead_letter::LetterId;
use serde::Deserialize;

use super::{Admin, failed, not_foreign};
use crate::letters::{self, RetryFailure};

/// What stands in for what a letter does not name.
#[derive(Deserialize)]
pub struct Asking {
    shop: Option<String>,
}

/// `GET /v1/dead-letters`.
pub async fn list(admin: Data<Admin>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    not_foreign(&admin, &request)?;
    let dir = admin.letters.clone();
    let listed = web::block(move || letters::list(&dir)).await?;
    Ok(HttpResponse::Ok().json(listed.map_err(|error| failed(&error))?))
}

/// `GET /v1/dead-letters/{id}`, with its body: the one answer that holds personal data.
pub async fn show(
    admin: Data<Admin>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    not_foreign(&admin, &request)?;
    let id = LetterId::parse(&id).ok_or_else(unknown)?;
    let dir = admin.letters.clone();
    let shown = web::block(move || letters::show(&dir, &id)).await?;
    let letter = shown.map_err(|error| failed(&error))?.ok_or_else(unknown)?;
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(letter))
}

/// `POST /v1/dead-letters/{id}/retry`.
pub async fn retry(
    admin: Data<Admin>,
    request: HttpRequest,
    id: Path<String>,
    asking: Query<Asking>,
) -> Result<HttpResponse, Problem> {
    not_foreign(&admin, &request)?;
    let id = LetterId::parse(&id).ok_or_else(unknown)?;
    let shop = asking.shop.as_deref().map(ShopDomain::parse).transpose();
    let shop = shop.map_err(|error| Problem::parameter("shop", &error.to_string()))?;
    let retried = letters::retry(&admin.receiver, &admin.letters, &id, shop.as_ref()).await;
    match retried {
        Ok(retry) => Ok(HttpResponse::Ok().json(retry)),
        Err(RetryFailure::Unknown) => Err(unknown()),
        Err(RetryFailure::Retry(error)) => Err(Problem::Unavailable(error.to_string())),
        Err(failure @ RetryFailure::Letters(_)) => Err(failed(&failure)),
    }
}

fn unknown() -> Problem {
    Problem::NotFound(RetryFailure::Unknown.to_string())
}
