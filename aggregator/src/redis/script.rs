//! The one script that writes (`commit.lua`), called by its digest.

use std::sync::LazyLock;

use redis::{Cmd, ErrorKind, RedisResult, Script, ServerErrorKind, Value};

use super::at::At;
use super::frame::Packer;
use super::link::Links;
use super::names::Names;
use super::plan::Contents;

const CODE: &str = include_str!("commit.lua");

/// Arguments beside the keys and their contents.
const FIXED: usize = 8;

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(CODE));

/// Runs the script: moves from `base` to `next` with `contents`. The answer is where the partition
/// stands after it.
pub fn run(
    links: &Links,
    names: &Names,
    (base, next): (&At, &At),
    contents: &Contents,
) -> RedisResult<Value> {
    let call = |name: &str, script: &str| command(name, script, names, (base, next), contents);
    match links.send(&call("EVALSHA", SCRIPT.get_hash())) {
        // A restart or a failover forgets scripts; the whole text brings it back.
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            links.send(&call("EVAL", CODE))
        }
        answer => answer,
    }
}

fn command(
    name: &str,
    script: &str,
    names: &Names,
    (base, next): (&At, &At),
    contents: &Contents,
) -> Cmd {
    let sets = || contents.iter().filter_map(|(name, content)| Some((name, content.as_ref()?)));
    let deletes = contents.iter().filter(|(_, content)| content.is_none());
    let bytes =
        contents.iter().map(|(name, content)| name.len() + content.as_ref().map_or(0, Vec::len));
    let mut command = Cmd::with_capacity(2 * contents.len() + FIXED, bytes.sum());
    command.arg(name).arg(script).arg(contents.len() + 1).arg(names.position());
    for (name, _) in sets() {
        command.arg(name.as_slice());
    }
    for (name, _) in deletes {
        command.arg(name.as_slice());
    }
    command.arg(base.text()).arg(next.text()).arg(sets().count());
    let mut packer = Packer::new();
    for (_, content) in sets() {
        command.arg(packer.pack(content));
    }
    command
}
