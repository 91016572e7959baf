//! Which partition a shop lives in: what Java's default Kafka partitioner computes for its domain.

use crate::shop::ShopDomain;

/// The partition of `shop` among `partitions`: `(murmur2(domain) & 0x7fffffff) mod partitions`.
#[must_use]
pub fn partition_of(shop: &ShopDomain, partitions: u16) -> u16 {
    partition_of_key(shop.as_str().as_bytes(), partitions)
}

/// The partition of any key: `(murmur2(key) & 0x7fffffff) mod partitions`.
#[must_use]
pub fn partition_of_key(key: &[u8], partitions: u16) -> u16 {
    let hash = murmur2(key) & 0x7fff_ffff;
    u16::try_from(hash % u32::from(partitions.max(1))).unwrap_or_default()
}

/// Murmur2 with Kafka's seed 0x9747b28c.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `UtilsTest.testMurmur2` in Apache Kafka.
    #[test]
    fn equals_kafkas_murmur2() {
        let check = |text: &str, hash: i32| {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        };
        check("21", -973_932_308);
        check("foobar", -790_332_482);
        check("a-little-bit-long-string", -985_981_536);
        check("a-little-bit-longer-string", -1_486_304_829);
        check("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971);
        check("abc", 479_470_107);
    }
}
