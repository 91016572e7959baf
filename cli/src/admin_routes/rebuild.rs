//! `POST /v1/rebuild`: folds the log anew beside the state and answers what comes of it, so that the
//! two can be compared while the instance runs.

use std::sync::Arc;

use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use aggregator::api::Problem;
use aggregator::fold::digest::{self, Digest};
use aggregator::run::fold_all;
use common::store::{FileStore, Store as _};

use super::{Admin, failed, not_foreign, turn};
use crate::node::state;

/// Builds a state from the log's start to its end, digests it and removes it.
pub async fn rebuild(admin: Data<Admin>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    not_foreign(&admin, &request)?;
    let _turn = turn(&admin)?;
    let building = admin.clone();
    let built = web::block(move || build(&building)).await?;
    let digest = built.map_err(|error| failed(error.as_ref()))?;
    Ok(HttpResponse::Ok().json(digest))
}

fn build(admin: &Admin) -> anyhow::Result<Digest> {
    let directory = state::beside(&admin.layout)?;
    let manifest = state::manifest(&admin.config, &admin.key);
    let store = Arc::new(FileStore::open(directory.path(), &manifest)?);
    fold_all(&admin.log, store.clone(), admin.settings.clone(), |_| ())?;
    Ok(digest::of(&*store.snapshot()?, admin.config.log.partitions)?)
}
