#!/usr/bin/env python3
"""How often chance alone raises alerts that compare a window with an earlier one.

Prints the tables of docs/runbooks/TallyhookAverageOrderValueDrop.md and TallyhookRepeatRateDrop.md: false
alarms a month in simulated shops in which nothing changes, without the rules' guards on volume. Values of
orders are log-normal; customers come by chance, and some buy once more, ten days later in the mean. Values
are looked at once an hour, and twice in a row below the threshold is an alarm; repeaters once a day.
"""

import math
import random

MONTH_DAYS = 30.4
DROP_OF_VALUE = 0.7
DROP_OF_REPEATERS = 0.8
GAP_DAYS = 10


def poisson(mean, rng):
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def runs(below):
    """How many runs of at least two looks there are."""
    return sum(1 for i in range(1, len(below)) if below[i] and below[i - 1] and not (i > 1 and below[i - 2]))


def values(orders_per_day, variation, days=3_650, seed=1):
    """False alarms a month of the average order value of 24 hours beside that of 30 days."""
    rng = random.Random(seed)
    sigma = math.sqrt(math.log(1 + variation**2))
    sums, counts = [0.0], [0]
    for _ in range(days * 24):
        count = poisson(orders_per_day / 24, rng)
        sums.append(sums[-1] + sum(rng.lognormvariate(0, sigma) for _ in range(count)))
        counts.append(counts[-1] + count)

    def average(hour, hours):
        return (sums[hour] - sums[hour - hours]) / max(1, counts[hour] - counts[hour - hours])

    looks = range(720, len(sums))
    return runs([average(hour, 24) < DROP_OF_VALUE * average(hour, 720) for hour in looks]) / (len(looks) / 24 / MONTH_DAYS)


def repeaters(customers, repeat_customers, days=3_650, seed=1):
    """False alarms a month of the repeat purchase ratio of 30 days beside that of a week before."""
    rng = random.Random(seed)
    # Of those who buy twice, how many do so within one window: gaps are exponential.
    within = 1 - GAP_DAYS / 30 * (1 - math.exp(-30 / GAP_DAYS))
    newcomers = customers - repeat_customers * (1 - within) / within
    share = repeat_customers / within / newcomers
    active, repeat = [0] * (days + 1), [0] * (days + 1)

    def add(counts, start, end):
        """One more in the windows that end on the days from start to before end."""
        counts[min(start, days)] += 1
        counts[min(end, days)] -= 1

    for day in range(days):
        for _ in range(poisson(newcomers / 30, rng)):
            again = day + round(rng.expovariate(1 / GAP_DAYS)) if rng.random() < share else day
            if again >= day + 30:
                add(active, day, day + 30)
                add(active, again, again + 30)
                continue
            add(active, day, again + 30)
            if again > day:
                add(repeat, again, day + 30)
    ratios, now, both = [], 0, 0
    for day in range(days):
        now, both = now + active[day], both + repeat[day]
        ratios.append(both / max(1, now))
    ratios = ratios[60:]
    below = [ratios[i] < DROP_OF_REPEATERS * ratios[i - 7] for i in range(7, len(ratios))]
    alarms = sum(1 for i, is_below in enumerate(below) if is_below and not (i > 0 and below[i - 1]))
    return alarms / (len(below) / MONTH_DAYS)


def main():
    variations = (1, 1.5, 2)
    print("| Orders a day |" + "".join(f" cv {variation} |" for variation in variations))
    for orders in (60, 200):
        print(f"| {orders} |" + "".join(f" {values(orders, variation):.2f} |" for variation in variations))
    print("| Customers | Repeat customers | False alarms a month |")
    for customers, repeat in ((500, 18), (500, 35), (500, 75), (500, 117), (2_000, 142)):
        print(f"| {customers:,} | {repeat} | {repeaters(customers, repeat):.2f} |")


if __name__ == "__main__":
    main()
