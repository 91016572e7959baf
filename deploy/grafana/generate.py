#!/usr/bin/env python3
"""Writes the Grafana boards, deploy/grafana/boards/*.json.

    generate.py [--rules DIR] [--out DIR]

The boards are data made from this file with Grafana's own SDK, and never edited: `deploy/check.sh boards`
makes them anew and compares. Thresholds are read from the alert rules, so that a line in a chart stands
where the alert fires. deploy/dev/setup.sh brings the SDK.
"""

import argparse
import pathlib
import re

import yaml
from grafana_foundation_sdk.builders import common as builders
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = model.DataSourceRef(type_val="prometheus", uid="$datasource")
SHOP = 'shop="$shop"'
WINDOW = SHOP + ', window="$window"'
MONEY = WINDOW + ', currency="$currency"'


class Rules:
    """The alert rules, by name."""

    def __init__(self, directory):
        self.expressions = {}
        for file in sorted(pathlib.Path(directory).glob("*.yaml")):
            for group in yaml.safe_load(file.read_text())["groups"]:
                for rule in group["rules"]:
                    if "alert" in rule:
                        self.expressions[rule["alert"]] = " ".join(rule["expr"].split())

    def threshold(self, alert):
        """The first number that the alert's expression compares with."""
        found = re.search(r"[^=!]\s(?:>=|<=|>|<|==) (\d+(?:\.\d+)?)(?: |\)|$)", self.expressions[alert])
        if found is None:
            raise SystemExit(f"{alert} compares with no number")
        return float(found.group(1))


def query(expression, legend="", instant=False):
    """A query of the board's data source."""
    made = prometheus.Dataquery().expr(expression).legend_format(legend)
    return made.instant() if instant else made.range()


def limits(at=None, above=True):
    """Green, and red from a limit on."""
    steps = [model.Threshold(value=None, color="green")]
    if at is not None:
        steps.append(model.Threshold(value=at, color="red"))
        if not above:
            steps = [model.Threshold(value=None, color="red"), model.Threshold(value=at, color="green")]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def dressed(panel, title, description, unit, queries, width, height, at=None, above=True):
    """What every panel has."""
    panel.title(title).description(description).unit(unit).datasource(SOURCE).span(width).height(height)
    panel.thresholds(limits(at, above))
    for one in queries:
        panel.with_target(one)
    return panel


def number(title, description, unit, expression, width=4, **limit):
    """One figure, large."""
    return dressed(stat.Panel(), title, description, unit, [query(expression, instant=True)], width, 4, **limit)


def chart(title, description, unit, queries, width=12, at=None, above=True):
    """Lines over time, with a line where the alert fires."""
    panel = timeseries.Panel().fill_opacity(8).line_width(1)
    dressed(panel, title, description, unit, queries, width, 8, at, above)
    if at is not None:
        panel.thresholds_style(builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.LINE))
    return panel


def board(uid, title, description, variables):
    """A board with the variables, links and annotations that all have."""
    made = dashboard.Dashboard(title).uid(uid).description(description).tags(["tallyhook"])
    made.timezone("browser").refresh("30s").time("now-24h", "now").editable()
    made.tooltip(model.DashboardCursorSync.CROSSHAIR)
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for variable in variables:
        made.with_variable(variable)
    made.with_variable(
        dashboard.TextBoxVariable("live_page").label("Live page").default_value("http://127.0.0.1:8081/")
    )
    boards = dashboard.DashboardLink("Boards").type(model.DashboardLinkType.DASHBOARDS).tags(["tallyhook"])
    made.link(boards.as_dropdown(True).include_vars(True).keep_time(True))
    chosen = "?shop=${shop}&window=${window}&currency=${currency}" if variables else ""
    page = dashboard.DashboardLink("Live page").type(model.DashboardLinkType.LINK).url("${live_page}" + chosen)
    made.link(page.icon("external link").target_blank(True).tooltip("The live page of Tallyhook"))
    alerts = dashboard.AnnotationQuery().name("Alerts").datasource(SOURCE).enable(True).icon_color("red")
    scope = 'scope="shop", ' + SHOP if variables else 'scope="pipeline"'
    made.annotation(alerts.expr(f'max by (alertname, reason) (ALERTS{{alertstate="firing", {scope}}})'))
    return made


def of_shop():
    """Pickers of shop, currency and window."""

    def values(name, label, question):
        made = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(question)
        return made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)

    windows = dashboard.CustomVariable("window").label("Window").values("30d,24h,7d,90d,365d,all")
    return [
        values("shop", "Shop", "label_values(tallyhook_orders, shop)"),
        values("currency", "Currency", 'label_values(tallyhook_gross_sales{shop="$shop"}, currency)'),
        windows.current(model.VariableOption(selected=True, text="30d", value="30d")),
    ]


def highest(metric, labels, by="shop"):
    """A shop's gauge, whichever instance owns it."""
    return f"max by ({by}) (tallyhook_{metric}{{{labels}}})"


def business(rules):
    """Sales, customers and conversion of a shop."""
    made = board("tallyhook-business", "Tallyhook: Business KPIs", "Sales, customers and conversion of a shop.", of_shop())
    basis = ', basis="placement"'
    made.with_row(dashboard.Row("The window"))
    made.with_panel(number("Orders", "Orders placed in the window.", "short", highest("orders", WINDOW)))
    made.with_panel(
        number("Net sales", "Gross sales less discounts and reversals, in $currency.", "short", highest("net_sales", MONEY))
    )
    made.with_panel(
        number(
            "Average order value",
            "Gross sales less discounts as placed, by order. It says nothing of what came back.",
            "short",
            highest("average_order_value", MONEY + basis),
        )
    )
    made.with_panel(
        number("Customers", "Distinct customers with a purchase.", "short", highest("customers", WINDOW))
    )
    made.with_panel(
        number(
            "Repeat purchase ratio",
            "Customers with two or more purchases in the window, by customers. A longer window has more.",
            "percentunit",
            highest("repeat_purchase_ratio", WINDOW),
        )
    )
    made.with_panel(
        number(
            "Customer lifetime value",
            "Net sales of all identified customers by customer, so far, in $currency.",
            "short",
            highest("customer_lifetime_value", SHOP + ', currency="$currency", basis="historic"'),
        )
    )
    made.with_row(dashboard.Row("Over time"))
    made.with_panel(
        chart(
            "Net sales",
            "The window's net sales, and those of 24 hours, in $currency.",
            "short",
            [
                query(highest("net_sales", MONEY), "$window"),
                query(highest("net_sales", SHOP + ', window="24h", currency="$currency"'), "24h"),
            ],
        )
    )
    made.with_panel(
        chart(
            "Orders",
            "Orders of the last 24 hours, beside an average day of the last 30.",
            "short",
            [
                query(highest("orders", SHOP + ', window="24h"'), "24h"),
                query(highest("orders", SHOP + ', window="30d"') + " / 30", "a day of 30"),
            ],
        )
    )
    made.with_panel(
        chart(
            "Average order value, of the usual",
            "That of the last 24 hours by that of the last 30 days. The line is where the alert fires.",
            "percentunit",
            [query('shop_currency:tallyhook_average_order_value:day_to_month{shop="$shop", currency="$currency"}', "24h by 30d")],
            at=rules.threshold("TallyhookAverageOrderValueDrop"),
            above=False,
        )
    )
    made.with_panel(
        chart(
            "Completed checkouts, of the usual",
            "The share of the checkouts of 24 hours that were completed, by that of 30 days. The line is where the alert fires.",
            "percentunit",
            [query('shop:tallyhook_checkout_completion_ratio:day_to_month{shop="$shop"}', "24h by 30d")],
            at=rules.threshold("TallyhookCheckoutCompletionDrop"),
            above=False,
        )
    )
    made.with_panel(
        chart(
            "Customers who came back",
            "Of the window's customers: those with two purchases in it, and those with an earlier one.",
            "percentunit",
            [
                query(highest("repeat_purchase_ratio", WINDOW), "repeat"),
                query(highest("returning_customer_ratio", WINDOW), "returning"),
            ],
        )
    )
    made.with_panel(
        chart(
            "Checkouts",
            "The share of the window's checkouts that were completed. A young checkout counts as not completed yet.",
            "percentunit",
            [query(highest("checkout_completion_ratio", WINDOW), "completed")],
        )
    )
    return made


def returns(rules):
    """What comes back, why, and whether that is more than it should be."""
    made = board("tallyhook-returns", "Tallyhook: Returns", "What comes back to a shop, why, and whether it is more than expected.", of_shop())
    made.with_row(dashboard.Row("Alarms"))
    made.with_panel(
        number(
            "Alarms under way",
            "Series of the shop, its total and its reasons, in which more comes back than should.",
            "short",
            f"sum(max by (reason) (tallyhook_return_spike_alarm{{{SHOP}}}))",
            at=1,
        )
    )
    made.with_panel(
        number(
            "Products in alarm",
            "Of the ten best-selling products, those that come back more than they should; /v1/shops/{shop}/alarms names them.",
            "short",
            f"max(tallyhook_return_spike_products{{{SHOP}}})",
            at=1,
        )
    )
    made.with_panel(
        number(
            "Returned units, of the usual",
            "Units of the last 24 hours by an average day of the last 7. For shops that the detector does not watch.",
            "short",
            'shop:tallyhook_returned_units:day_to_week{shop="$shop"}',
            at=rules.threshold("TallyhookReturnedUnitsSurge"),
        )
    )
    made.with_panel(
        number(
            "Paid back, of the usual",
            "Money paid back in 24 hours by an average day of the last 30, in $currency.",
            "short",
            'shop_currency:tallyhook_refunded:day_to_month{shop="$shop", currency="$currency"}',
            at=rules.threshold("TallyhookRefundSurge"),
        )
    )
    made.with_panel(
        number(
            "Came back",
            "While an alarm is under way: orders that came back in its window.",
            "short",
            f'max(tallyhook_return_spike_returned_orders{{{SHOP}, reason="all"}})',
        )
    )
    made.with_panel(
        number(
            "Expected",
            "While an alarm is under way: orders that were expected to come back in its window.",
            "short",
            f'max(tallyhook_return_spike_expected_orders{{{SHOP}, reason="all"}})',
        )
    )
    made.with_panel(
        chart(
            "Scores by reason",
            "How far returned orders exceed what the orders of the weeks before let expect. The line is where an alarm is raised "
            "(9, unless alarms.months_between_false says otherwise).",
            "short",
            [query(f"max by (reason) (tallyhook_return_spike_score{{{SHOP}}})", "{{reason}}")],
            width=24,
            at=9,
        )
    )
    made.with_panel(
        dressed(
            statetimeline.Panel().merge_values(True),
            "Alarms by reason",
            "Red while an alarm is under way.",
            "short",
            [query(f"max by (reason) (tallyhook_return_spike_alarm{{{SHOP}}})", "{{reason}}")],
            24,
            9,
            at=1,
        )
    )
    made.with_row(dashboard.Row("The window"))
    made.with_panel(
        chart(
            "Return ratios",
            "By unit, order and value. The period form moves when sales move; the cohort form is young: more of these orders is "
            "still to come back.",
            "percentunit",
            [query(f"max by (basis) (tallyhook_return_ratio{{{WINDOW}}})", "{{basis}}")],
        )
    )
    made.with_panel(
        chart(
            "Returned units by reason",
            "Units that came back in the window.",
            "short",
            [query(f'max by (reason) (tallyhook_returned_units{{{WINDOW}, reason!="all"}})', "{{reason}}")],
        )
    )
    made.with_panel(
        chart(
            "Reasons by units sold",
            "Returned units of a reason by units sold in the window.",
            "percentunit",
            [query(f'max by (reason) (tallyhook_return_reason_ratio{{{WINDOW}, reason!="all"}})', "{{reason}}")],
        )
    )
    made.with_panel(
        chart(
            "Money paid back",
            "In the window, in $currency.",
            "short",
            [query(highest("refunded", MONEY), "refunded")],
        )
    )
    return made


def quantile(share, metric, by="", rate="$__rate_interval"):
    """A quantile of a histogram."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate(tallyhook_{metric}_bucket[{rate}])))"


def pipeline(rules):
    """From the door to the state."""
    made = board("tallyhook-pipeline", "Tallyhook: Pipeline health", "From the door to the state: what comes in, waits and is folded.", [])
    made.with_row(dashboard.Row("The door"))
    made.with_panel(
        chart(
            "Webhooks",
            "Webhooks a second, by how they were answered.",
            "reqps",
            [query("sum by (outcome) (rate(tallyhook_webhooks_total[$__rate_interval]))", "{{outcome}}")],
        )
    )
    made.with_panel(
        chart(
            "Time to answer",
            "From a webhook's first byte to its answer: half, and 99 of 100, are quicker. Platforms give up after 5 s.",
            "s",
            [
                query(quantile(0.5, "webhook_duration_seconds"), "p50"),
                query(quantile(0.99, "webhook_duration_seconds"), "p99"),
            ],
        )
    )
    made.with_panel(
        chart(
            "Wrong signatures",
            "Their share of a source's webhooks. The line is where the alert fires.",
            "percentunit",
            [
                query(
                    'sum by (source) (rate(tallyhook_webhooks_total{outcome="bad_signature"}[$__rate_interval])) '
                    "/ sum by (source) (rate(tallyhook_webhooks_total[$__rate_interval]))",
                    "{{source}}",
                )
            ],
            at=rules.threshold("TallyhookSignatureFailures"),
        )
    )
    made.with_panel(
        chart(
            "Delivery lag",
            "From what the platform calls an event's instant to its arrival: nine of ten are quicker. The line is where the alert "
            "fires.",
            "s",
            [query(quantile(0.9, "webhook_delivery_lag_seconds", "source"), "{{source}}")],
            at=rules.threshold("TallyhookDeliveryLag"),
        )
    )
    made.with_panel(
        chart(
            "Dead letters",
            "Signed webhooks that could not be translated, of the last hour.",
            "short",
            [query("sum by (reason) (increase(tallyhook_dead_letters_total[1h]))", "{{reason}}")],
        )
    )
    made.with_panel(
        chart(
            "Time until durable",
            "From an append to the log to its answer; 99 of 100 are quicker.",
            "s",
            [query(quantile(0.99, "log_append_duration_seconds", "backend"), "{{backend}}")],
        )
    )
    made.with_row(dashboard.Row("The spool"))
    made.with_panel(
        chart(
            "Waiting",
            "Webhooks that wait for Kafka; none in the embedded shape.",
            "short",
            [query("sum by (instance) (tallyhook_spool_records)", "{{instance}}")],
        )
    )
    made.with_panel(
        chart(
            "Age of the oldest",
            "How long the oldest of them waits. The line is where the alert fires.",
            "s",
            [query("max by (instance) (tallyhook_spool_oldest_age_seconds)", "{{instance}}")],
            at=rules.threshold("TallyhookSpoolOld"),
        )
    )
    made.with_row(dashboard.Row("The fold"))
    made.with_panel(
        chart(
            "Lag",
            "Events that are not folded yet. The line is where the alert fires if they do not become fewer.",
            "short",
            [query("sum(max by (partition) (tallyhook_consumer_lag_events))", "events")],
            at=rules.threshold("TallyhookConsumerLag"),
        )
    )
    made.with_panel(
        chart(
            "Events folded",
            "Events a second, by what they are and whether they changed anything.",
            "eps",
            [query("sum by (kind, effect) (rate(tallyhook_events_applied_total[$__rate_interval]))", "{{kind}} {{effect}}")],
        )
    )
    made.with_panel(
        chart(
            "Commits",
            "Commits a second, by outcome. Conflicts are harmless; errors are not.",
            "ops",
            [query("sum by (outcome) (rate(tallyhook_commits_total[$__rate_interval]))", "{{outcome}}")],
        )
    )
    made.with_panel(
        chart(
            "Time of a batch",
            "Folding and committing a batch of one partition; 99 of 100 are quicker.",
            "s",
            [query(quantile(0.99, "commit_duration_seconds"), "p99")],
        )
    )
    return made


def service(_rules):
    """Whether the processes are well."""
    made = board("tallyhook-service", "Tallyhook: Service", "Whether the processes are well.", [])
    job = 'job=~".*tallyhook.*"'
    made.with_row(dashboard.Row("Now"))
    made.with_panel(number("Instances that answer", "Targets that Prometheus reaches.", "short", f"sum(up{{{job}}})", at=1, above=False))
    made.with_panel(
        number("State readable", "1 while every instance can read the state.", "short", "min(tallyhook_state_readable)", at=1, above=False)
    )
    made.with_panel(number("Halted folds", "Instances with a partition that is not folded.", "short", "sum(tallyhook_fold_halted)", at=1))
    made.with_panel(number("Damaged records", "Records of the log that were passed over.", "short", "sum(tallyhook_log_corrupt_records)", at=1))
    made.with_panel(number("Shops", "Shops in the state.", "short", "sum(tallyhook_shops_tracked)"))
    made.with_panel(
        number("Replaying", "1 while history is folded, or imported; no alert on a shop is raised or taken back.", "short", "max(tallyhook:history_moves:bool)")
    )
    made.with_panel(
        dressed(
            table.Panel(),
            "Alerts under way",
            "Everything that fires, the watchdog included.",
            "short",
            [query('ALERTS{alertstate="firing", alertname=~"Tallyhook.*"}', instant=True).format(PromQueryFormat.TABLE)],
            24,
            8,
        )
    )
    made.with_row(dashboard.Row("Over time"))
    made.with_panel(
        chart("Up", "Whether Prometheus reaches each instance.", "short", [query(f"up{{{job}}}", "{{instance}}")])
    )
    made.with_panel(
        chart(
            "Time of a scrape",
            "How long an instance takes to tell its figures. Beyond Prometheus's limit, 10 s, it counts as down.",
            "s",
            [query(f"scrape_duration_seconds{{{job}}}", "{{instance}}")],
            at=10,
        )
    )
    made.with_panel(
        chart(
            "Age of the latest event",
            "Since the latest event of any shop.",
            "s",
            [query("time() - max(tallyhook_last_event_timestamp_seconds)", "age")],
        )
    )
    made.with_panel(
        chart(
            "Failures of the log",
            "Failed operations a second. A full queue, answered 503, counts as append.",
            "ops",
            [query("sum by (op) (rate(tallyhook_log_errors_total[$__rate_interval]))", "{{op}}")],
        )
    )
    made.with_panel(
        chart(
            "Shops with series",
            "Shops in the state, and those that have series of their own: 200 a process at most.",
            "short",
            [query("sum(tallyhook_shops_tracked)", "tracked"), query("sum(tallyhook_shops_exported)", "exported")],
        )
    )
    made.with_panel(
        chart("Versions", "Instances by version.", "short", [query("count by (version) (tallyhook_build_info)", "{{version}}")])
    )
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rules", default=HERE.parent / "prometheus" / "rules")
    parser.add_argument("--out", default=HERE / "boards", type=pathlib.Path)
    arguments = parser.parse_args()
    rules = Rules(arguments.rules)
    for make in (business, returns, pipeline, service):
        made = make(rules).build()
        for number_of_panel, panel in enumerate(made.panels, 1):
            panel.id_val = number_of_panel
        text = JSONEncoder(sort_keys=True, indent=2).encode(made)
        (arguments.out / f"{made.uid}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
