//! A real shop's year: the invoices of the Online Retail data set as Shopify orders, its returns as
//! refunds, against figures worked out elsewhere from the same invoices.
//!
//! Prices are in pounds with up to three decimals. Pounds have two, and rounding would move every
//! sum, so the orders are in Kuwaiti dinars: the same numbers in a currency of three digits.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::{Delivery, Home, Kpis, Server, golden};

const SHOP: &str = "online-retail.example";

/// A row of the data set that is a sale or a return.
#[derive(Clone, Debug)]
struct Row {
    invoice: String,
    code: String,
    quantity: i64,
    at: String,
    price_milli: i64,
    customer: String,
}

/// A sold line, with what of it has not come back.
struct Sold {
    at: String,
    invoice: u64,
    line: u64,
    left: i64,
}

/// A part of a return line that is of one sold line, or of none.
struct Back {
    id: u64,
    at: String,
    order: u64,
    line: u64,
    quantity: i64,
    price_milli: i64,
}

/// The fields of a CSV line.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            // Two quotes within quotes would be one; no code, number or date has any.
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().expect("never empty").push(other),
        }
    }
    fields
}

/// `2.55` pounds are 2550.
fn milli(price: &str) -> i64 {
    let (pounds, rest) = price.split_once('.').unwrap_or((price, ""));
    assert!(rest.len() <= 3, "{price}");
    format!("{pounds}{rest:0<3}").parse().expect(price)
}

/// Thousandths as a decimal with three digits.
fn decimal(milli: i64) -> String {
    format!("{}.{:03}", milli / 1000, milli % 1000)
}

/// Five digits, then letters.
fn is_product(code: &str) -> bool {
    let (digits, letters) = code.split_at_checked(5).unwrap_or(("", ""));
    let is = |text: &str, test: fn(&u8) -> bool| text.as_bytes().iter().all(test);
    !digits.is_empty() && is(digits, u8::is_ascii_digit) && is(letters, u8::is_ascii_alphabetic)
}

/// The rows that are sales, and those that are returns in the order of time.
fn rows() -> (Vec<Row>, Vec<Row>) {
    let text = golden("online-retail/online_retail_2010_2011.csv.gz");
    let (mut sales, mut returns, mut all) = (Vec::new(), Vec::new(), 0);
    for line in text.lines().skip(1) {
        all += 1;
        let fields = fields(line);
        let [invoice, code, _, quantity, at, price, customer, _] = &fields[..] else {
            panic!("{line}")
        };
        // Two corrections of debts have a negative price; they are no product.
        if !is_product(code) {
            continue;
        }
        let row = Row {
            invoice: invoice.clone(),
            code: code.clone(),
            quantity: quantity.parse().expect(line),
            at: format!("{at}Z"),
            price_milli: milli(price),
            customer: customer.clone(),
        };
        let numbered = invoice.len() == 6 && invoice.bytes().all(|byte| byte.is_ascii_digit());
        if row.price_milli > 0 && numbered && row.quantity > 0 {
            sales.push(row);
        } else if row.price_milli > 0 && invoice.starts_with('C') && row.quantity < 0 {
            returns.push(Row { quantity: -row.quantity, ..row });
        }
    }
    assert_eq!(all, 541_909);
    returns.sort_by(|a, b| a.at.cmp(&b.at));
    (sales, returns)
}

/// The sales as orders by invoice; a line's id is its place among all sales.
fn orders(sales: &[Row]) -> BTreeMap<u64, Value> {
    let mut orders = BTreeMap::new();
    for (line, sale) in (1u64..).zip(sales) {
        let id: u64 = sale.invoice.parse().expect("six digits");
        let customer = sale.customer.parse::<u64>().map_or(Value::Null, |id| json!({"id": id}));
        let order = orders.entry(id).or_insert_with(|| {
            json!({"id": id, "currency": "KWD", "customer": customer, "created_at": sale.at,
                "line_items": []})
        });
        // The earliest of its lines; instants of one zone sort as text.
        if Some(&*sale.at) < order["created_at"].as_str() {
            order["created_at"] = json!(sale.at);
        }
        order["processed_at"] = order["created_at"].clone();
        order["updated_at"] = order["created_at"].clone();
        let item = json!({"id": line, "sku": sale.code, "quantity": sale.quantity,
            "price": decimal(sale.price_milli)});
        order["line_items"].as_array_mut().expect("lines").push(item);
    }
    orders
}

/// What came back of which sold line, the most recent first, and what is of no known order: same
/// customer and product, sold at or before the return, at most the units bought.
fn matched(sales: &[Row], returns: &[Row]) -> (Vec<Back>, Vec<Back>) {
    let mut sold: HashMap<(&str, &str), Vec<Sold>> = HashMap::new();
    for (line, sale) in (1u64..).zip(sales).filter(|(_, sale)| !sale.customer.is_empty()) {
        let invoice = sale.invoice.parse().expect("six digits");
        let bought = Sold { at: sale.at.clone(), invoice, line, left: sale.quantity };
        sold.entry((&sale.customer, &sale.code)).or_default().push(bought);
    }
    for bought in sold.values_mut() {
        bought.sort_by(|a, b| (&a.at, a.line).cmp(&(&b.at, b.line)));
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (row, back) in (1u64..).zip(returns) {
        let mut left = back.quantity;
        let bought = sold.get_mut(&(&*back.customer, &*back.code));
        let part = |number: u64, order: u64, line: u64, quantity: i64| {
            let (at, price_milli) = (back.at.clone(), back.price_milli);
            Back { id: row * 1000 + number, at, order, line, quantity, price_milli }
        };
        let before = bought.into_iter().flatten().rev().filter(|bought| bought.at <= back.at);
        for (number, bought) in (1u64..).zip(before.filter(|bought| bought.left > 0)) {
            let taken = left.min(bought.left);
            if taken == 0 {
                break;
            }
            bought.left -= taken;
            left -= taken;
            known.push(part(number, bought.invoice, bought.line, taken));
        }
        if left > 0 {
            // No invoice has so great a number.
            unknown.push(part(0, 10_000_000 + row, 1, left));
        }
    }
    (known, unknown)
}

fn refund(back: &Back) -> Value {
    let amount = decimal(back.price_milli * back.quantity);
    json!({
        "id": back.id, "order_id": back.order, "created_at": back.at, "processed_at": back.at,
        "refund_line_items": [{
            "line_item_id": back.line, "quantity": back.quantity, "restock_type": "return",
            "subtotal_set": {"shop_money": {"amount": amount, "currency_code": "KWD"}},
        }],
        "transactions": [],
    })
}

/// The orders of `known`, each with all its refunds, as of the last of them.
fn refunded(orders: &BTreeMap<u64, Value>, known: &[Back]) -> Vec<Value> {
    let mut refunds: BTreeMap<u64, Vec<&Back>> = BTreeMap::new();
    for back in known {
        refunds.entry(back.order).or_default().push(back);
    }
    let version = |(id, backs): (u64, Vec<&Back>)| {
        let mut order = orders[&id].clone();
        order["updated_at"] = backs.iter().map(|back| &*back.at).max().into();
        order["refunds"] = backs.into_iter().map(refund).collect();
        order
    };
    refunds.into_iter().map(version).collect()
}

/// Imports orders, one a line.
fn backfill<'a>(home: &Home, name: &str, orders: impl IntoIterator<Item = &'a Value>) {
    let mut lines = String::new();
    for order in orders {
        writeln!(lines, "{order}").expect("memory");
    }
    let file = home.path(name);
    std::fs::write(&file, lines).expect("written");
    let file = file.to_str().expect("text");
    home.stdout(&["backfill", "shopify-jsonl", file, "--shop", SHOP]);
}

/// The figures of sales alone, which nothing that comes back may change.
fn check_sales(kpis: &Kpis, expected: &Value) {
    let count = |words: &str, name: &str| {
        assert_eq!(json!(kpis.count("all", words)), expected[name], "{words}");
    };
    count("orders", "orders");
    count("units_sold", "units_sold");
    count("customers", "customers");
    count("repeat_customers", "repeat_customers");
    count("purchases", "orders_with_customer");
    kpis.check(
        "all",
        &[
            ("gross_sales KWD", "10271034.610"),
            ("discounts KWD", "0.000"),
            ("repeat_purchase_ratio", "0.65274573 = 2829/4334"),
            ("purchase_frequency", "4.24596216 = 18402/4334"),
        ],
    );
    let gross = expected["gross_sales_milli"].as_i64().expect("an integer");
    let row = kpis.row("all", "average_order_value placement");
    assert_eq!(row["numerator"], decimal(gross));
    assert_eq!(json!(row["denominator"]), expected["orders"].to_string());
    for (words, name) in [
        ("average_order_value placement", "aov"),
        ("customer_lifetime_value historic_gross", "historic_clv_mean_gross"),
    ] {
        let found = kpis.number("all", words);
        let wanted = expected[name].as_f64().expect("a number");
        assert!((found - wanted).abs() <= 5e-7, "{words}: {found} instead of {wanted}");
    }
}

fn check_returns(kpis: &Kpis, expected: &Value) {
    assert_eq!(json!(kpis.count("all", "returned_units all")), expected["units_returned"]);
    for (words, name) in [
        ("return_ratio units_period", "return_rate_units_period"),
        ("return_ratio value_period", "return_rate_value_period"),
    ] {
        let found = &kpis.row("all", words)["value"];
        assert_eq!(found.as_str(), Some(&*expected[name].to_string()), "{words}");
    }
    let money = |name: &str| decimal(expected[name].as_i64().expect("an integer"));
    kpis.check(
        "all",
        &[
            ("reversals KWD", &money("return_value_milli")),
            ("net_sales KWD", &money("net_sales_milli")),
            ("returned_units unknown", "272030"),
            // All but the 21,353 units of orders that never came.
            ("return_ratio units_cohort", "0.04494839 = 250677/5576996"),
        ],
    );
}

/// Distinct customers, repeat customers and their orders at some instants of the past.
fn check_rolling(server: &Server, expected: &Value) {
    let dates = expected["rolling_distinct_repeat_orders"].as_object().expect("dates");
    assert_eq!(dates.len(), 4);
    for (date, windows) in dates {
        let kpis = server.kpis(SHOP, Some(&format!("{date}T00:00:00Z")));
        for (window, figures) in windows.as_object().expect("windows") {
            let window = if window == "1d" { "24h" } else { window };
            let found =
                ["customers", "repeat_customers", "purchases"].map(|kpi| kpis.count(window, kpi));
            assert_eq!(json!(found), *figures, "{window} as of {date}");
        }
    }
}

#[test]
fn the_figures_of_online_retail() {
    let text = golden("online-retail/online-retail-2010-2011-kpis.json");
    let expected: Value = serde_json::from_str(&text).expect("json");
    let (sales, returns) = rows();
    assert_eq!(json!(sales.len()), expected["product_sale_lines"]);
    assert_eq!(json!(returns.len()), expected["return_lines"]);
    let orders = orders(&sales);
    let (known, unknown) = matched(&sales, &returns);
    assert_eq!(json!(known.len()), expected["return_lag_matched"]["pairs"]);
    assert_eq!(unknown.iter().map(|back| back.quantity).sum::<i64>(), 21_353);

    // Sales into a directory that nothing holds, returns through the process that holds it.
    let home = Home::with("[shops.default]\ncurrency = \"KWD\"");
    backfill(&home, "sales.jsonl", orders.values());
    let server = home.serve();
    server.settle();
    check_sales(&server.kpis(SHOP, None), &expected);
    backfill(&home, "refunded.jsonl", &refunded(&orders, &known));
    let refunds = unknown.iter().map(|back| Delivery::new(SHOP, "refunds/create", &refund(back)));
    server.take(&refunds.collect::<Vec<_>>());

    for as_of in [None, Some("2012-01-01T00:00:00Z")] {
        let kpis = server.kpis(SHOP, as_of);
        check_sales(&kpis, &expected);
        check_returns(&kpis, &expected);
    }
    check_rolling(&server, &expected);
    // All of it again, in one go and the other way round: nothing is counted twice.
    backfill(&home, "again.jsonl", refunded(&orders, &known).iter().chain(orders.values()));
    server.settle();
    let kpis = server.kpis(SHOP, None);
    check_sales(&kpis, &expected);
    check_returns(&kpis, &expected);
    let digest = server.json("/v1/digest")["digest"].clone();
    server.stop();
    assert_eq!(home.assert_rebuilds(), digest);
}
