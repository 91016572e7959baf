//! The admin token: as a bearer token, or in the cookie that the page's login sets.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use common::config::Secret;
use common::store::Store;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::{Api, Problem};

/// The cookie's name.
const COOKIE: &str = "tallyhook_token";

/// Lets a request through that carries the token, or every one where none is configured.
pub async fn guard(
    token: Option<Secret>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(token) = token else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| value.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let cookie = request.cookie(COOKIE);
    let by_cookie =
        cookie.is_some_and(|cookie| same(cookie.value(), hex(token.expose()).as_bytes()));
    if by_cookie || bearer.is_some_and(|(_, given)| same(given, token.expose())) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    Err(Problem::Unauthorized.into())
}

/// The page's login form.
#[derive(Deserialize)]
pub struct Login {
    token: String,
}

/// `POST /login`: sets the cookie that stands for the token.
pub async fn login<S: Store>(
    api: web::Data<Api<S>>,
    form: web::Form<Login>,
) -> Result<HttpResponse, Problem> {
    let right = api.token.as_ref().is_none_or(|token| same(&form.token, token.expose()));
    if !right {
        return Err(Problem::Unauthorized);
    }
    let cookie = Cookie::build(COOKIE, hex(form.token.as_bytes()))
        .http_only(true)
        .same_site(SameSite::Strict)
        .path("/")
        .finish();
    Ok(HttpResponse::NoContent().cookie(cookie).finish())
}

fn same(given: &str, token: &[u8]) -> bool {
    given.as_bytes().ct_eq(token).into()
}

/// A cookie takes fewer characters than a token may have.
fn hex(token: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    token.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
