//! The topics that Tallyhook knows: a closed list, fit for a metric's label.

/// Defines the topics with their names.
macro_rules! topics {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// A topic of Shopify's that Tallyhook knows. All others are ignored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Topic {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )*
        }

        impl Topic {
            /// Every topic of the list.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The topic's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

topics! {
    OrdersCreate = "orders/create",
    OrdersUpdated = "orders/updated",
    OrdersPaid = "orders/paid",
    OrdersCancelled = "orders/cancelled",
    OrdersFulfilled = "orders/fulfilled",
    OrdersPartiallyFulfilled = "orders/partially_fulfilled",
    OrdersEdited = "orders/edited",
    OrdersDelete = "orders/delete",
    OrdersLinkRequested = "orders/link_requested",
    RefundsCreate = "refunds/create",
    ReturnsRequest = "returns/request",
    ReturnsApprove = "returns/approve",
    ReturnsDecline = "returns/decline",
    ReturnsCancel = "returns/cancel",
    ReturnsClose = "returns/close",
    ReturnsReopen = "returns/reopen",
    ReturnsUpdate = "returns/update",
    ReturnsProcess = "returns/process",
    CheckoutsCreate = "checkouts/create",
    CheckoutsUpdate = "checkouts/update",
    CheckoutsDelete = "checkouts/delete",
    CustomersMerge = "customers/merge",
    CustomersRedact = "customers/redact",
    CustomersDataRequest = "customers/data_request",
    ShopRedact = "shop/redact",
    AppUninstalled = "app/uninstalled",
}

impl Topic {
    /// The topic of that name, in any letter case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        Self::ALL.iter().copied().find(|topic| topic.name().eq_ignore_ascii_case(name))
    }
}
