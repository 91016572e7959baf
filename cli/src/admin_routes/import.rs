//! `POST /v1/import`: lines of an import, answered once all of their events are durable.

use std::sync::Arc;

use actix_web::web::{self, Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use aggregator::api::Problem;
use common::shop::ShopDomain;
use common::time::Timestamp;
use serde::Deserialize;

use super::{Admin, failed, not_foreign};
use crate::import::append::{Destination, append_lines};
use crate::import::translate::{Translator, default_source, needs_shop};
use crate::import::{Import, Kind};
use crate::node::clock;

/// What an import is besides its lines.
#[derive(Deserialize)]
pub struct Asking {
    kind: String,
    shop: Option<String>,
    source: Option<String>,
    imported_at: Option<String>,
}

/// Imports the lines of the body.
pub async fn import(
    admin: Data<Admin>,
    request: HttpRequest,
    asking: Query<Asking>,
    lines: Bytes,
) -> Result<HttpResponse, Problem> {
    not_foreign(&admin, &request)?;
    let import = asking.into_inner().import(&admin)?;
    let translator = Translator::new(&admin.config, import, admin.pseudonyms.clone());
    let translated = web::block(move || translator.translate(&lines, 1)).await?;
    let log: Destination = Arc::new(admin.log.clone());
    let imported = append_lines(&log, translated).await.map_err(|error| failed(&error))?;
    Ok(HttpResponse::Ok().json(imported))
}

impl Asking {
    fn import(self, admin: &Admin) -> Result<Import, Problem> {
        let kind = [Kind::ShopifyJsonl, Kind::EventsJsonl];
        let kind = kind.into_iter().find(|kind| kind.name() == self.kind);
        let kind = kind
            .ok_or_else(|| Problem::parameter("kind", "one of shopify-jsonl and events-jsonl"))?;
        let shop = self.shop.as_deref().map(ShopDomain::parse).transpose();
        let shop = shop.map_err(|error| Problem::parameter("shop", &error.to_string()))?;
        if needs_shop(kind, shop.as_ref()) {
            return Err(Problem::parameter("shop", "the orders do not name their shop"));
        }
        // A plus sign in a query string reads as a space.
        let imported_at = self.imported_at.map(|text| Timestamp::parse(&text.replace(' ', "+")));
        let imported_at = imported_at.transpose();
        let imported_at = imported_at
            .map_err(|error| Problem::parameter("imported_at", &error.to_string()))?
            .unwrap_or_else(|| clock().now());
        let source = self.source.unwrap_or_else(|| default_source(&admin.config, kind));
        Ok(Import { kind, shop, source, imported_at })
    }
}
