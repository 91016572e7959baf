//! Signatures: the published vectors, and everything that must be refused.

use common::config::{Platform, Secret};
use common::time::Timestamp;
use ingest::verify::{SignatureError, Verifier, VerifierError, sign_shopify, sign_standard};

use crate::support::fixture;

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|text| Secret::literal(text).expect("a secret")).collect()
}

fn check(
    platform: Platform,
    secret: &[&str],
    headers: &[(String, String)],
    body: &[u8],
    now_seconds: i64,
) -> Result<(), SignatureError> {
    let verifier = Verifier::new(platform, &secrets(secret)).expect("a verifier");
    let find = |name: &str| {
        let found = headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let now = Timestamp::from_seconds(now_seconds);
    verifier.verify(&find, body, now).map(|verified| assert_eq!(verified.bytes(), body))
}

fn shopify(header: &str, value: &str, body: &[u8]) -> Result<(), SignatureError> {
    check(Platform::Shopify, &["old", "hush"], &[(header.into(), value.into())], body, 0)
}

#[test]
fn published_vectors() {
    let vectors: serde_json::Value =
        serde_json::from_slice(&fixture("signatures/vectors.json")).expect("json");
    let mut seen = 0;
    for vector in vectors.as_array().expect("an array") {
        let platform = match vector["scheme"].as_str() {
            Some("shopify") => Platform::Shopify,
            Some("standard-webhooks") => Platform::Standard,
            _ => continue,
        };
        seen += 1;
        let headers: Vec<(String, String)> = vector["headers"]
            .as_object()
            .expect("headers")
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
            .collect();
        let secret = vector["secret"].as_str().expect("a secret");
        let body = vector["body_utf8"].as_str().expect("a body").as_bytes();
        let now = vector["timestamp"].as_i64().unwrap_or(0);
        let name = &vector["name"];
        assert_eq!(check(platform, &[secret], &headers, body, now), Ok(()), "{name}");
        let mut flipped = body.to_vec();
        flipped[0] ^= 1;
        assert_eq!(
            check(platform, &[secret], &headers, &flipped, now),
            Err(SignatureError::Mismatch),
            "{name}"
        );
        if platform == Platform::Standard {
            for off in [-301, 301] {
                let stale = check(platform, &[secret], &headers, body, now + off);
                assert_eq!(stale, Err(SignatureError::Stale), "{name}");
            }
            assert_eq!(check(platform, &[secret], &headers, body, now - 300), Ok(()), "{name}");
        }
    }
    assert_eq!(seen, 5);
}

#[test]
fn shopify_takes_both_families_in_any_case_and_any_secret() {
    let body = br#"{"id":1,"url":"https:\/\/x.example"}"#;
    for secret in ["old", "hush"] {
        let signature = sign_shopify(secret.as_bytes(), body);
        for header in ["X-Shopify-Hmac-Sha256", "x-shopify-hmac-sha256", "Shopify-Hmac-SHA256"] {
            assert_eq!(shopify(header, &signature, body), Ok(()));
        }
    }
}

#[test]
fn shopify_refuses_the_rest() {
    const HEADER: &str = "X-Shopify-Hmac-Sha256";
    let body = br#"{"id":1,"url":"https:\/\/x.example"}"#;
    let signature = sign_shopify(b"hush", body);
    let refused =
        |value: &str, error| assert_eq!(shopify(HEADER, value, body), Err(error), "{value}");
    assert_eq!(shopify("X-Other", &signature, body), Err(SignatureError::Missing));
    refused("", SignatureError::Missing);
    refused("not base64!", SignatureError::Undecodable);
    refused(signature.trim_end_matches('='), SignatureError::Undecodable);
    refused("qBvrsQ==", SignatureError::Undecodable);
    // The hexadecimal form of 32 bytes is valid base64 of 48.
    refused(&"a8".repeat(32), SignatureError::Undecodable);
    refused(&sign_shopify(b"other", body), SignatureError::Mismatch);
    let reserialised = br#"{"id":1,"url":"https://x.example"}"#;
    assert_eq!(shopify(HEADER, &signature, reserialised), Err(SignatureError::Mismatch));
}

#[test]
fn standard_takes_any_of_several_signatures() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let key = b"raw key of a sender";
    let signature = sign_standard(key, "msg_1", 1000, b"{}");
    let headers = |signature: String| {
        [
            ("webhook-id".to_owned(), "msg_1".to_owned()),
            ("webhook-timestamp".to_owned(), "1000".to_owned()),
            ("webhook-signature".to_owned(), signature),
        ]
    };
    let both = [secret, "raw key of a sender"];
    let take =
        |signature: String| check(Platform::Standard, &both, &headers(signature), b"{}", 1000);
    assert_eq!(take(format!("v1a,AAAA v1,bad {signature}")), Ok(()));
    assert_eq!(take(signature.replace("v1,", "v2,")), Err(SignatureError::Undecodable));
    assert_eq!(take(String::new()), Err(SignatureError::Missing));
    let other = sign_standard(b"other", "msg_1", 1000, b"{}");
    assert_eq!(take(other), Err(SignatureError::Mismatch));
}

#[test]
fn unusable_sources_are_named() {
    let error = |platform, secret| Verifier::new(platform, &secrets(&[secret])).err();
    assert_eq!(error(Platform::Stripe, "x"), Some(VerifierError::Unsupported(Platform::Stripe)));
    assert_eq!(error(Platform::Standard, "whsec_!!"), Some(VerifierError::Secret));
}
