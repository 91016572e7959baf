//! The JSON API's answers.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use common::customer::CustomerKey;
use common::reason::Reason;
use common::shop::ShopDomain;
use common::store::Store;
use common::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::SemaphorePermit;

use super::{Api, Problem};
use crate::fold::field::{Counter, Field};
use crate::kpi::compared::Wanted;
use crate::kpi::number::quotient;
use crate::kpi::periods::Period;
use crate::query::Query;
use crate::window::{Asked, Window};

/// What a question about a shop may say.
#[derive(Debug, Deserialize)]
pub struct Asking {
    window: Option<String>,
    as_of: Option<String>,
}

/// Runs a question where it may block.
pub async fn blocking<S: Store, T: Send + 'static>(
    query: &Arc<Query<S>>,
    ask: impl FnOnce(&Query<S>) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let query = query.clone();
    web::block(move || ask(&query)).await?
}

/// The shop of a path.
pub fn shop(text: &str) -> Result<ShopDomain, Problem> {
    ShopDomain::parse(text).map_err(|error| Problem::NotFound(error.to_string()))
}

/// An instant that is not in the future.
fn past<S: Store>(query: &Query<S>, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    // A plus sign in a query string reads as a space.
    let at = Timestamp::parse(&text.replace(' ', "+"));
    let at = at.map_err(|error| Problem::parameter("as_of", &error.to_string()))?;
    if at > query.now() {
        return Err(Problem::parameter("as_of", "must not be later than now"));
    }
    Ok(Some(at))
}

fn windows(text: Option<&str>) -> Result<Vec<Window>, Problem> {
    let mut windows = Vec::new();
    for name in text.unwrap_or("30d").split(',') {
        let window = Window::parse(name.trim());
        let allowed = "one or more of 24h, 7d, 30d, 90d, 365d, all, separated by commas";
        let window = window.ok_or_else(|| Problem::parameter("window", allowed))?;
        if !windows.contains(&window) {
            windows.push(window);
        }
    }
    Ok(windows)
}

/// `GET /v1/shops/{shop}/kpis`.
pub async fn kpis<S: Store>(
    api: web::Data<Api<S>>,
    path: web::Path<String>,
    asking: web::Query<Asking>,
) -> Result<HttpResponse, Problem> {
    let shop = shop(&path)?;
    let windows = windows(asking.window.as_deref())?;
    let as_of = past(&api.query, asking.as_of.as_deref())?;
    let _turn = turn_if(&api, as_of).await?;
    let reply = blocking(&api.query, move |query| Ok(query.kpis(&shop, &windows, as_of)?)).await?;
    Ok(HttpResponse::Ok().json(reply))
}

/// A turn to ask about the past, where the question is about it.
async fn turn_if<S: Store>(
    api: &Api<S>,
    as_of: Option<Timestamp>,
) -> Result<Option<SemaphorePermit<'_>>, Problem> {
    Ok(if as_of.is_some() { Some(turn(api).await?) } else { None })
}

/// A turn for a question that reads every document of some kind of the shop.
async fn turn<S: Store>(api: &Api<S>) -> Result<SemaphorePermit<'_>, Problem> {
    let wait = std::time::Duration::from_secs(5);
    match tokio::time::timeout(wait, api.as_of.acquire()).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(Problem::Unavailable(
            "two questions that read a whole shop are being answered".to_owned(),
        )),
    }
}

#[derive(Serialize)]
struct ReturnsReply {
    shop: String,
    window: &'static str,
    from: Option<String>,
    to: String,
    units_sold: String,
    reasons: Vec<ReasonRow>,
}

#[derive(Serialize)]
struct ReasonRow {
    reason: &'static str,
    returned_units: String,
    ratio: Option<String>,
    share: Option<String>,
}

/// `GET /v1/shops/{shop}/returns`.
pub async fn returns<S: Store>(
    api: web::Data<Api<S>>,
    path: web::Path<String>,
    asking: web::Query<Asking>,
) -> Result<HttpResponse, Problem> {
    let shop = shop(&path)?;
    let [window] = windows(asking.window.as_deref())?[..] else {
        return Err(Problem::parameter("window", "one window"));
    };
    let as_of = past(&api.query, asking.as_of.as_deref())?;
    let _turn = turn_if(&api, as_of).await?;
    let asked = as_of.map_or_else(|| Asked::Live { now: api.query.now() }, Asked::AsOf);
    let of = shop.clone();
    let answer =
        blocking(&api.query, move |query| Ok(query.answer(&of, &[window], asked)?)).await?;
    let Some((_, figures)) = answer.windows.first() else { return Err(Problem::Internal) };
    let sold = figures.plain(Counter::Units);
    let all = figures.sums.total(Counter::Returned);
    let row = |reason: Reason| {
        let units = figures.sums.get(Field::returned(reason));
        (units != 0).then(|| ReasonRow {
            reason: reason.name(),
            returned_units: units.to_string(),
            ratio: quotient(units, sold),
            share: quotient(units, all),
        })
    };
    Ok(HttpResponse::Ok().json(ReturnsReply {
        shop: shop.to_string(),
        window: window.name(),
        from: answer.asked.from(window).map(|from| from.to_string()),
        to: answer.asked.at().to_string(),
        units_sold: sold.to_string(),
        reasons: Reason::ALL.into_iter().filter_map(row).collect(),
    }))
}

/// `GET /v1/shops/{shop}/alarms`.
pub async fn alarms<S: Store>(
    api: web::Data<Api<S>>,
    path: web::Path<String>,
    asking: web::Query<Asking>,
) -> Result<HttpResponse, Problem> {
    let shop = shop(&path)?;
    let as_of = past(&api.query, asking.as_of.as_deref())?;
    let _turn = turn_if(&api, as_of).await?;
    let reply = blocking(&api.query, move |query| Ok(query.alarms(&shop, as_of)?)).await?;
    Ok(HttpResponse::Ok().json(reply))
}

/// Which period a question compares with the one before it.
#[derive(Debug, Deserialize)]
pub struct Comparing {
    period: Option<String>,
    kpi: Option<String>,
}

/// `GET /v1/shops/{shop}/comparison`.
pub async fn comparison<S: Store>(
    api: web::Data<Api<S>>,
    path: web::Path<String>,
    asking: web::Query<Comparing>,
) -> Result<HttpResponse, Problem> {
    let shop = shop(&path)?;
    let period = Period::parse(asking.period.as_deref().unwrap_or("30d"));
    let allowed = "one of today, 24h, 7d, 30d, 90d, 365d";
    let period = period.ok_or_else(|| Problem::parameter("period", allowed))?;
    let wanted = Wanted::parse(asking.kpi.as_deref())
        .map_err(|name| Problem::NotFound(format!("no KPI of the name {name} is compared")))?;
    let _turn = if wanted.of_customers() {
        let (of, kpis) = (shop.clone(), wanted.clone());
        let kept = move |query: &Query<S>| Ok(query.kept_comparison(&of, period, &kpis)?);
        if let Some(reply) = blocking(&api.query, kept).await? {
            return Ok(HttpResponse::Ok().json(reply));
        }
        // Every customer is read, as for a question about the past.
        Some(turn(&api).await?)
    } else {
        None
    };
    let asked = blocking(&api.query, move |query| Ok(query.comparison(&shop, period, &wanted)?));
    Ok(HttpResponse::Ok().json(asked.await?))
}

/// `GET /v1/shops`.
pub async fn shops<S: Store>(api: web::Data<Api<S>>) -> Result<HttpResponse, Problem> {
    let shops = blocking(&api.query, |query| Ok(query.shops()?)).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "shops": shops })))
}

/// `GET /v1/shops/{shop}/customers/{key}`.
pub async fn customer<S: Store>(
    api: web::Data<Api<S>>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let shop = shop(&path.0)?;
    let key = CustomerKey::parse(&path.1)
        .ok_or_else(|| Problem::NotFound("a customer's key is 32 hexadecimal digits".to_owned()))?;
    reply_customer(&api, shop, key).await
}

/// Which customer a question is about.
#[derive(Deserialize)]
pub struct CustomerAsking {
    platform_id: Option<String>,
}

/// `GET /v1/shops/{shop}/customers?platform_id=`.
pub async fn customer_by_id<S: Store>(
    api: web::Data<Api<S>>,
    path: web::Path<String>,
    asking: web::Query<CustomerAsking>,
) -> Result<HttpResponse, Problem> {
    let shop = shop(&path)?;
    let key = asking.platform_id.as_deref().and_then(|id| api.query.customer_key(&shop, id));
    let key = key.ok_or_else(|| Problem::parameter("platform_id", "the platform's customer id"))?;
    reply_customer(&api, shop, key).await
}

async fn reply_customer<S: Store>(
    api: &Api<S>,
    shop: ShopDomain,
    key: CustomerKey,
) -> Result<HttpResponse, Problem> {
    let found = blocking(&api.query, move |query| Ok(query.customer(&shop, key)?)).await?;
    let unknown = || Problem::NotFound("no purchase of this customer is known".to_owned());
    Ok(HttpResponse::Ok().json(found.ok_or_else(unknown)?))
}

/// `GET /v1/status`.
pub async fn status<S: Store>(api: web::Data<Api<S>>) -> Result<HttpResponse, Problem> {
    let status = blocking(&api.query, |query| Ok(query.health().status())).await?;
    Ok(HttpResponse::Ok().json(api.shown(&status)))
}

/// `GET /v1/digest`.
pub async fn digest<S: Store>(api: web::Data<Api<S>>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&api.query, |query| Ok(query.digest()?)).await?))
}

/// `GET /livez`: the process answers.
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "live": true }))
}

/// `GET /readyz`: log and store answer.
pub async fn readyz<S: Store>(api: web::Data<Api<S>>) -> HttpResponse {
    let stored = blocking(&api.query, |query| {
        query.health().stored()?;
        if !query.health().logged() {
            return Err(Problem::Unavailable("the log does not answer".to_owned()));
        }
        Ok(query.health().warnings())
    });
    match stored.await {
        Ok(warnings) => {
            HttpResponse::Ok().json(serde_json::json!({ "ready": true, "warnings": warnings }))
        }
        Err(problem) => HttpResponse::ServiceUnavailable()
            .json(serde_json::json!({ "ready": false, "warnings": [problem.to_string()] })),
    }
}

/// Whatever else was asked for.
pub async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::NotFound("nothing here; /v1/openapi.json lists what there is".to_owned()))
}
