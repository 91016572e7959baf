//! Work that goes on while its successors are prepared; it ends in the order in which it began.

use std::collections::VecDeque;
use std::future::Future;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Pieces of work under way, a limited number at a time.
pub struct Pipeline<T> {
    runtime: Handle,
    under_way: VecDeque<JoinHandle<anyhow::Result<T>>>,
    depth: usize,
}

impl<T: Send + 'static> Pipeline<T> {
    /// On a runtime, with at most `depth` pieces under way.
    pub const fn new(runtime: Handle, depth: usize) -> Self {
        Self { runtime, under_way: VecDeque::new(), depth }
    }

    /// Starts a piece; waits for the oldest one, and returns what it came to, if there are enough.
    pub fn push(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<Option<T>> {
        self.under_way.push_back(self.runtime.spawn(work));
        if self.under_way.len() < self.depth {
            return Ok(None);
        }
        self.pop()
    }

    /// Waits for the oldest piece; `None` if there is none.
    pub fn pop(&mut self) -> anyhow::Result<Option<T>> {
        let Some(oldest) = self.under_way.pop_front() else { return Ok(None) };
        self.runtime.block_on(oldest).context("a part of the work ended by a panic")?.map(Some)
    }
}
