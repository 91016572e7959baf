//! `POST /v1/snapshots`: copies the state to the configured directory while the instance runs.

use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use aggregator::api::Problem;

use super::{Admin, failed, not_foreign, turn};
use crate::snapshots;

/// Makes a snapshot, and leaves as many as are configured.
pub async fn create(admin: Data<Admin>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    not_foreign(&admin, &request)?;
    let _turn = turn(&admin)?;
    let making = admin.clone();
    let made = web::block(move || {
        let snapshots = snapshots::snapshots(&making.config, &making.key)?;
        let keep = making.config.snapshots.keep;
        anyhow::Ok(snapshots::create(&snapshots, &*making.store, keep, |_| ())?)
    });
    let made = made.await?.map_err(|error| failed(error.as_ref()))?;
    Ok(HttpResponse::Ok().json(made))
}
