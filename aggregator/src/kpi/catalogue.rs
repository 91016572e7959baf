//! The catalogue: every KPI's formula over the sums of a window (KPI definitions; docs/KPIS.md).

use common::currency::Currency;
use common::reason::Reason;
use common::time::Timestamp;

use super::figures::{Answer, Figures, Whole};
use super::number::{estimate, money, money_quotient, quotient};
use super::row::Kpi;
use crate::fold::field::{Counter, Field};
use crate::window::Window;

/// KPIs that count customers: of any period but a window's, they are read from every customer's
/// purchases.
pub const OF_CUSTOMERS: [&str; 5] = [
    "customers",
    "repeat_customers",
    "repeat_purchase_ratio",
    "returning_customer_ratio",
    "purchase_frequency",
];

/// Every KPI of an answer's windows.
#[must_use]
pub fn kpis(answer: &Answer) -> Vec<Kpi> {
    let asked = answer.asked;
    let mut rows = Vec::new();
    for (window, figures) in &answer.windows {
        let span = (asked.from(*window), asked.at());
        let mut sheet =
            Sheet { window: *window, span, figures, whole: &answer.whole, rows: &mut rows };
        sheet.sales();
        sheet.customers();
        sheet.returns();
        sheet.checkouts();
        if *window == Window::All {
            sheet.lifetime(answer);
        }
    }
    rows
}

struct Sheet<'a> {
    window: Window,
    span: (Option<Timestamp>, Timestamp),
    figures: &'a Figures,
    whole: &'a Whole,
    rows: &'a mut Vec<Kpi>,
}

impl Sheet<'_> {
    fn row(&mut self, kpi: &'static str, basis: &'static str, unit: &'static str) -> &mut Kpi {
        let mut row = Kpi::new(kpi, unit, self.window, self.span);
        row.basis = Some(basis).filter(|basis| !basis.is_empty());
        self.rows.push(row);
        let last = self.rows.len() - 1;
        &mut self.rows[last]
    }

    fn count(&mut self, kpi: &'static str, unit: &'static str, count: i128) -> &mut Kpi {
        let row = self.row(kpi, "", unit);
        row.value = Some(count.to_string());
        row
    }

    fn amount(&mut self, kpi: &'static str, currency: Currency, minor: i128) {
        let row = self.row(kpi, "", "currency");
        row.value = Some(money(minor, currency));
        row.currency = Some(currency);
    }

    fn ratio(
        &mut self,
        kpi: &'static str,
        basis: &'static str,
        unit: &'static str,
        part: i128,
        whole: i128,
    ) -> &mut Kpi {
        let row = self.row(kpi, basis, unit);
        row.value = quotient(part, whole);
        row.numerator = Some(part.to_string());
        row.denominator = Some(whole.to_string());
        row
    }

    /// A share of a whole, with its interval.
    fn share(&mut self, kpi: &'static str, basis: &'static str, part: i128, whole: i128) {
        self.ratio(kpi, basis, "1", part, whole).interval = wilson(part, whole);
    }

    fn average(
        &mut self,
        kpi: &'static str,
        basis: &'static str,
        unit: &'static str,
        currency: Currency,
        (sum, count): (i128, i128),
    ) {
        let row = self.row(kpi, basis, unit);
        row.value = money_quotient(sum, count, currency);
        row.numerator = Some(money(sum, currency));
        row.denominator = Some(count.to_string());
        row.currency = Some(currency);
    }

    fn sales(&mut self) {
        let figures = self.figures;
        self.count("orders", "orders", figures.sums.total(Counter::Orders));
        self.count("units_sold", "units", figures.plain(Counter::Units));
        for currency in &self.whole.currencies {
            let currency = *currency;
            self.amount("gross_sales", currency, figures.money(Counter::Gross, currency));
            self.amount("discounts", currency, figures.money(Counter::Discounts, currency));
            self.amount("reversals", currency, figures.money(Counter::Reversals, currency));
            self.amount("net_sales", currency, figures.net_sales(currency));
            self.amount("total_sales", currency, figures.total_sales(currency));
            self.amount("refunded", currency, figures.money(Counter::Refunded, currency));
            let orders = figures.money(Counter::Orders, currency);
            let bases = [
                ("placement", figures.money(Counter::PlacedNet, currency)),
                ("simple", figures.total_sales(currency)),
                ("net", figures.money(Counter::CohortNet, currency)),
            ];
            for (basis, sum) in bases {
                let unit = "currency/order";
                self.average("average_order_value", basis, unit, currency, (sum, orders));
            }
        }
    }

    fn customers(&mut self) {
        let figures = self.figures;
        let purchases = figures.plain(Counter::Purchases);
        self.count("customers", "customers", figures.customers);
        self.count("repeat_customers", "customers", figures.repeat);
        self.count("purchases", "orders", purchases);
        self.share("repeat_purchase_ratio", "", figures.repeat, figures.customers);
        self.share("returning_customer_ratio", "", figures.returning, figures.customers);
        self.ratio("purchase_frequency", "", "orders/customer", purchases, figures.customers);
        if self.window != Window::All {
            let gone = figures.preceding - figures.both;
            self.share("retention_ratio", "", figures.both, figures.preceding);
            self.share("churn_ratio", "", gone, figures.preceding);
        }
    }

    fn returns(&mut self) {
        let figures = self.figures;
        let returned = figures.sums.total(Counter::Returned);
        let sold = figures.plain(Counter::Units);
        let of = |counter| figures.plain(counter);
        self.ratio("return_ratio", "units_period", "1", returned, sold);
        let (back, units) = (of(Counter::CohortReturned), of(Counter::CohortUnits));
        self.ratio("return_ratio", "units_cohort", "1", back, units);
        let orders = figures.sums.total(Counter::Orders);
        self.share("return_ratio", "orders_cohort", of(Counter::CohortReturnedOrders), orders);
        if let Some(currency) = self.whole.value_currency {
            let period = (figures.money(Counter::ReturnedValue, currency), figures.sold(currency));
            let cohort = (
                figures.money(Counter::CohortReturnedValue, currency),
                figures.money(Counter::CohortSold, currency),
            );
            for (basis, (part, whole)) in [("value_period", period), ("value_cohort", cohort)] {
                let row = self.ratio("return_ratio", basis, "1", part, whole);
                row.numerator = Some(money(part, currency));
                row.denominator = Some(money(whole, currency));
                row.currency = Some(currency);
            }
        }
        for reason in Reason::ALL {
            let units = figures.sums.get(Field::returned(reason));
            if units != 0 {
                self.reason(reason.name(), units, sold);
            }
        }
        self.reason("all", returned, sold);
    }

    fn reason(&mut self, reason: &'static str, units: i128, sold: i128) {
        self.count("returned_units", "units", units).reason = Some(reason);
        self.ratio("return_reason_ratio", "", "1", units, sold).reason = Some(reason);
    }

    fn checkouts(&mut self) {
        let figures = self.figures;
        let (started, completed) =
            (figures.plain(Counter::Started), figures.plain(Counter::Completed));
        self.share("checkout_completion_ratio", "", completed, started);
        let abandoned = figures.old_checkouts - figures.old_completed;
        self.share("checkout_abandonment_ratio", "", abandoned, figures.old_checkouts);
    }

    fn lifetime(&mut self, answer: &Answer) {
        let whole = self.whole;
        let (basis, years) = match whole.declared_years {
            Some(declared) => ("declared", Some(declared)),
            None => ("observed", whole.lifespan_years),
        };
        self.row("customer_lifespan", basis, "years").value =
            years.and_then(|years| estimate(years, 0));
        for currency in &whole.currencies {
            let currency = *currency;
            let unit = "currency/customer";
            let customers = answer.all.customers;
            let historic = answer.all.money(Counter::PurchaseNet, currency);
            let gross = answer.all.money(Counter::PurchaseGross, currency);
            let kpi = "customer_lifetime_value";
            self.average(kpi, "historic", unit, currency, (historic, customers));
            self.average(kpi, "historic_gross", unit, currency, (gross, customers));
            let row = self.row(kpi, "formula", unit);
            row.value = formula(&answer.year, currency, years);
            row.currency = Some(currency);
        }
    }
}

/// Average purchase value x purchases a customer and year x years, over the last 365 days.
fn formula(year: &Figures, currency: Currency, years: Option<f64>) -> Option<String> {
    if year.customers == 0 {
        return None;
    }
    let digits = u32::from(currency.exponent());
    let minor = 10f64.powi(i32::from(currency.exponent()));
    // The number of purchases cancels out of (net / purchases) x (purchases / customers).
    let net = year.money(Counter::PurchaseNet, currency) as f64 / minor;
    estimate(net * years? / year.customers as f64, digits)
}

/// The 95 % Wilson interval of `part` of `whole`.
fn wilson(part: i128, whole: i128) -> Option<[String; 2]> {
    const Z: f64 = 1.959_963_984_540_054;
    if whole <= 0 || part < 0 || part > whole {
        return None;
    }
    let (n, p) = (whole as f64, part as f64 / whole as f64);
    let centre = Z.mul_add(Z / (2.0 * n), p);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    let bounds = [((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0)];
    let [low, high] = bounds.map(|bound| estimate(bound, 0));
    Some([low?, high?])
}
