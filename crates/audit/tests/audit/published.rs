//! The index as published, and audits of it.

use std::sync::Arc;

use audit::{AuditOptions, Report, Silent, audit};
use chrono::{DateTime, Utc};
use client::Transport;
use countersign_audit as audit;

use crate::memory::Memory;

/// The index as published.
pub(crate) struct Published {
    pub(crate) memory: Arc<Memory>,
    pub(crate) root: Vec<u8>,
    pub(crate) now: DateTime<Utc>,
}

impl Published {
    pub(crate) fn options(&self) -> AuditOptions {
        AuditOptions {
            metadata_url: Memory::base(),
            targets_url: Memory::base(),
            trusted_root: self.root.clone(),
            rules: trust::Rules::default(),
            now: self.now,
            read_targets: true,
        }
    }

    pub(crate) async fn audit(&self) -> Report {
        self.audit_with(self.options()).await
    }

    pub(crate) async fn audit_with(&self, options: AuditOptions) -> Report {
        let transport: Arc<dyn Transport> = Arc::clone(&self.memory) as _;
        audit(options, transport, &Silent).await.unwrap()
    }
}
