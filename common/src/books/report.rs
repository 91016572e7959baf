//! Step 3: plain filters and sums over the ledger, one window at a time.

use super::exact::{estimate, power_of_ten, quotient, real};
use super::ledger::{Ledger, OrderFigures, ReturnedUnit, What};
use super::lifespan::observed_years;
use super::row::{Kpi, Row, Sheet};
use super::settings::Settings;
use super::window::{Mode, Span, Window};
use crate::currency::Currency;
use crate::reason::Reason;
use crate::time::{DAY_MS, Timestamp};

/// Every KPI of one window.
pub(super) fn rows(ledger: &Ledger, settings: &Settings, mode: Mode, window: Window) -> Vec<Row> {
    let view = View { ledger, span: mode.span(window) };
    let mut sheet = Sheet::new(mode, window);
    view.sales(&mut sheet);
    view.customers(&mut sheet);
    if let Some(preceding) = mode.preceding(window) {
        view.retention(preceding, &mut sheet);
    }
    if window == Window::All {
        let year = View { ledger, span: mode.span(Window::D365) };
        year.lifetime(settings, &mut sheet);
    }
    view.returns(settings, &mut sheet);
    view.checkouts(&mut sheet);
    sheet.rows
}

/// The ledger seen through a window.
struct View<'l> {
    ledger: &'l Ledger,
    span: Span,
}

impl View<'_> {
    fn sales(&self, sheet: &mut Sheet) {
        sheet.count(Kpi::new("orders", "orders"), self.booked(What::Order, None));
        sheet.count(Kpi::new("units_sold", "units"), self.booked(What::Units, None));
        for &currency in &self.ledger.currencies {
            let sum = |what| self.booked(what, Some(currency));
            let net = sum(What::Gross) - sum(What::Discount) - sum(What::Reversal);
            let total = net + sum(What::Extra) - sum(What::ExtraReversal);
            let mut amount = |kpi, minor| sheet.amount(Kpi::new(kpi, "currency"), currency, minor);
            amount("gross_sales", sum(What::Gross));
            amount("discounts", sum(What::Discount));
            amount("reversals", sum(What::Reversal));
            amount("net_sales", net);
            amount("total_sales", total);
            amount("refunded", sum(What::Refunded));
            self.order_values(currency, total, sheet);
        }
    }

    /// The sum of what was booked in the window, in one currency or whatever it is in.
    fn booked(&self, what: What, currency: Option<Currency>) -> i128 {
        let bookings = self.ledger.bookings.iter().filter(|booking| booking.what == what);
        let bookings = bookings.filter(|booking| self.span.contains(booking.at));
        let matching = bookings.filter(|b| currency.is_none_or(|currency| currency == b.currency));
        matching.map(|booking| booking.amount).sum()
    }

    fn order_values(&self, currency: Currency, total_sales: i128, sheet: &mut Sheet) {
        let orders: Vec<_> = self.placed().filter(|order| order.currency == currency).collect();
        let placement = orders.iter().map(|order| order.placement).sum();
        let net = orders.iter().map(|order| order.sales - order.reversals).sum();
        let kpi = Kpi::new("average_order_value", "currency/order");
        let count = orders.len() as i128;
        sheet.average(kpi.with_basis("placement"), currency, placement, count);
        sheet.average(kpi.with_basis("simple"), currency, total_sales, count);
        sheet.average(kpi.with_basis("net"), currency, net, count);
    }

    /// The orders placed in the window.
    fn placed(&self) -> impl Iterator<Item = &OrderFigures> {
        self.ledger.orders.iter().filter(|order| self.span.contains(order.placed_at))
    }

    fn customers(&self, sheet: &mut Sheet) {
        let (mut purchases, mut customers, mut repeat, mut returning) = (0, 0, 0, 0);
        for history in self.ledger.customers.values() {
            let here = purchases_in(history, self.span);
            purchases += here;
            customers += i128::from(here >= 1);
            repeat += i128::from(here >= 2);
            returning += i128::from(here >= 1 && history.len() >= 2);
        }
        sheet.count(Kpi::new("customers", "customers"), customers);
        sheet.count(Kpi::new("repeat_customers", "customers"), repeat);
        sheet.count(Kpi::new("purchases", "orders"), purchases);
        sheet.ratio(Kpi::new("repeat_purchase_ratio", "1"), repeat, customers);
        sheet.ratio(Kpi::new("returning_customer_ratio", "1"), returning, customers);
        sheet.ratio(Kpi::new("purchase_frequency", "orders/customer"), purchases, customers);
    }

    fn retention(&self, preceding: Span, sheet: &mut Sheet) {
        let (mut before, mut both) = (0, 0);
        for history in self.ledger.customers.values() {
            let was_active = purchases_in(history, preceding) >= 1;
            before += i128::from(was_active);
            both += i128::from(was_active && purchases_in(history, self.span) >= 1);
        }
        sheet.ratio(Kpi::new("retention_ratio", "1"), both, before);
        sheet.ratio(Kpi::new("churn_ratio", "1"), before - both, before);
    }

    /// Lifespan and lifetime value; this view's window is the last 365 days.
    fn lifetime(&self, settings: &Settings, sheet: &mut Sheet) {
        let lifespan = Kpi::new("customer_lifespan", "years");
        let observed = observed_years(&self.lives(), self.ledger.now);
        if let Some(years) = settings.declared_lifespan_years {
            sheet.value(lifespan.with_basis("declared"), Some(estimate(years, 0)));
        } else {
            let years = observed.map(|years| estimate(years, 0));
            sheet.value(lifespan.with_basis("observed"), years);
        }
        for &currency in &self.ledger.currencies {
            self.lifetime_values(currency, settings, observed, sheet);
        }
    }

    fn lifetime_values(
        &self,
        currency: Currency,
        settings: &Settings,
        observed: Option<f64>,
        sheet: &mut Sheet,
    ) {
        let ledger = self.ledger;
        let purchases = || ledger.customers.values().flatten().filter(|p| p.currency == currency);
        let net = |purchase: &OrderFigures| purchase.sales - purchase.reversals;
        let kpi = Kpi::new("customer_lifetime_value", "currency/customer");
        let customers = ledger.customers.len() as i128;
        let historic = purchases().map(net).sum();
        sheet.average(kpi.with_basis("historic"), currency, historic, customers);
        let gross = purchases().map(|purchase| purchase.placement).sum();
        sheet.average(kpi.with_basis("historic_gross"), currency, gross, customers);

        // Average purchase value times frequency: the purchases themselves cancel out.
        let spent: i128 = purchases().filter(|p| self.span.contains(p.placed_at)).map(net).sum();
        let active = |history: &&Vec<OrderFigures>| purchases_in(history, self.span) >= 1;
        let active = ledger.customers.values().filter(active).count() as i128;
        let value = match settings.declared_lifespan_years {
            Some(years) => declared_value(spent, active, years, currency),
            None => observed.filter(|_| active > 0).map(|years| {
                let one = power_of_ten(currency.exponent());
                let yearly = real(spent) / real(active * one);
                estimate(yearly * years, currency.exponent())
            }),
        };
        let row = sheet.value(kpi.with_basis("formula"), value);
        row.currency = Some(currency);
    }

    /// Each customer's first and last purchase.
    fn lives(&self) -> Vec<(Timestamp, Timestamp)> {
        let histories = self.ledger.customers.values();
        let lives = histories.filter_map(|history| {
            let instants = || history.iter().map(|purchase| purchase.placed_at);
            Some((instants().min()?, instants().max()?))
        });
        lives.collect()
    }

    fn returns(&self, settings: &Settings, sheet: &mut Sheet) {
        let in_window = self.ledger.returned.iter().filter(|unit| self.span.contains(unit.at));
        let returned: Vec<&ReturnedUnit> = in_window.collect();
        let units_in_window = returned.len() as i128;
        let sold = self.booked(What::Units, None);
        let kpi = Kpi::new("return_ratio", "1");
        sheet.ratio(kpi.with_basis("units_period"), units_in_window, sold);
        let (came_back, ordered) =
            (self.placed().map(|o| o.returned_units).sum(), self.placed().map(|o| o.units).sum());
        sheet.ratio(kpi.with_basis("units_cohort"), came_back, ordered);
        let with_return = self.placed().filter(|order| order.returned_units > 0).count() as i128;
        let placed = self.placed().count() as i128;
        sheet.ratio(kpi.with_basis("orders_cohort"), with_return, placed);
        self.returned_values(&returned, settings, sheet);

        let mut by_reason = |reason: &'static str, units: i128| {
            sheet.count(Kpi::new("returned_units", "units"), units).reason = Some(reason);
            sheet.ratio(Kpi::new("return_reason_ratio", "1"), units, sold).reason = Some(reason);
        };
        for reason in Reason::ALL {
            let units = returned.iter().filter(|unit| unit.reason == reason).count();
            if units > 0 {
                by_reason(reason.name(), units as i128);
            }
        }
        by_reason("all", units_in_window);
    }

    /// The value ratios, in one currency of the shop.
    fn returned_values(&self, returned: &[&ReturnedUnit], settings: &Settings, sheet: &mut Sheet) {
        let currencies = &self.ledger.currencies;
        let configured = settings.currency;
        let first = currencies.first().copied().unwrap_or(configured);
        let currency = if currencies.contains(&configured) { configured } else { first };
        let kpi = Kpi::new("return_ratio", "1");

        let values = returned.iter().filter_map(|unit| unit.value);
        let part = values.filter(|(c, _)| *c == currency).map(|(_, value)| value).sum();
        let booked = |what| self.booked(what, Some(currency));
        let whole = booked(What::Gross) - booked(What::Discount);
        sheet.share(kpi.with_basis("value_period"), currency, part, whole);

        let cohort = || self.placed().filter(|order| order.currency == currency);
        let part = cohort().map(|order| order.returned_value).sum();
        let whole = cohort().map(|order| order.sales).sum();
        sheet.share(kpi.with_basis("value_cohort"), currency, part, whole);
    }

    fn checkouts(&self, sheet: &mut Sheet) {
        let started = self.ledger.checkouts.iter().filter(|c| self.span.contains(c.started_at));
        let (mut all, mut completed, mut old, mut abandoned) = (0, 0, 0, 0);
        for checkout in started {
            let is_old = checkout.started_at <= self.ledger.now.plus_ms(-DAY_MS);
            all += 1;
            completed += i128::from(checkout.completed_at.is_some());
            old += i128::from(is_old);
            abandoned += i128::from(is_old && checkout.completed_at.is_none());
        }
        sheet.ratio(Kpi::new("checkout_completion_ratio", "1"), completed, all);
        sheet.ratio(Kpi::new("checkout_abandonment_ratio", "1"), abandoned, old);
    }
}

/// A customer's purchases in a range of instants.
fn purchases_in(history: &[OrderFigures], span: Span) -> i128 {
    history.iter().filter(|purchase| span.contains(purchase.placed_at)).count() as i128
}

/// The formula with a declared lifespan is exact: the lifespan is the decimal that was declared.
fn declared_value(spent: i128, customers: i128, years: f64, currency: Currency) -> Option<String> {
    // The shortest decimal that reads back as this number is the one in the configuration.
    let text = years.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = power_of_ten(u8::try_from(fraction.len()).ok()?);
    let one = power_of_ten(currency.exponent());
    quotient(spent * mantissa, customers * one * scale, currency.exponent())
}
