"""Touchpoints of any number as a company's log would hold them, and its customers, both as Parquet.

Rows come in order of arrival: by time, seconds to minutes late, one in a hundred up to ten days late. Activity is
heavy-tailed (a log-normal, plus eight customers with 0.05 % of everything each); customers join, churn and are lost from
sight while the log goes on. About two thirds of the rows are steps of what customers try to do (an order, a repair, a
bill), the rest is noise, of which some falls on topics of journeys. Gaps of exactly `idle` and equal times are planted,
since limits are strict and ties are broken by id. Whoever abandoned a dispute, a repair or a renewal, or got stuck in
one, is likelier to churn afterwards.

The log is made day by day; what a day's episodes still bring later waits in `pending`. So memory grows with about a
month of the log, not with the log. The same arguments give the same rows.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import definitions

DAY = 86_400_000_000
HOUR = DAY // 24
START = int(np.datetime64("2024-10-01", "us").astype(np.int64))
DAYS = 732  # two days past as_of, so that every engine has something to cut
ROW_GROUP = 500_000
TOUCHPOINTS_A_CUSTOMER = 50
INSTANT = pa.timestamp("us", tz="UTC")

CHANNELS = ["web", "app", "email", "phone", "chat", "mail", "store", "field", "partner"]
FUNCTIONS = ["digital", "customer-service", "billing", "technical", "field-service", "sales", "retention", "back-office"]
SEGMENTS = ["basic", "plus", "young", "business"]
# Of a segment: its share, its rate of churn a year, its activity.
SEGMENT_TRAITS = np.array([[0.46, 0.10, 1.0], [0.30, 0.07, 1.1], [0.17, 0.20, 0.9], [0.07, 0.05, 2.0]])

# journey: share of episodes, mean steps between first and last, completed, abandoned, mean hours between steps,
# churn that follows an episode that was not completed; its closing events; events and topics of its steps.
EPISODES = {
    "onboarding": (0.08, 5.0, 0.80, 0.05, 90, 0.03, "order_placed", "first_bill_paid", "order_cancelled",
                   ["welcome_sent", "device_shipped", "technician_visited", "setup_opened", "call_received"],
                   ["activation", "installation", "first_bill"]),
    "technical_repair": (0.14, 2.6, 0.74, 0.08, 40, 0.10, "fault_reported", "fault_fixed", "repair_cancelled",
                         ["call_received", "technician_visited", "line_tested", "appointment_set", "chat_held"],
                         ["outage", "repair"]),
    "billing_dispute": (0.08, 3.0, 0.60, 0.15, 80, 0.12, "bill_disputed", "dispute_settled", "dispute_withdrawn",
                        ["call_received", "letter_sent", "chat_held", "case_forwarded"], ["bill", "dispute"]),
    "moving_house": (0.04, 4.0, 0.72, 0.10, 110, 0.05, "move_requested", "move_completed", "move_cancelled",
                     ["call_received", "appointment_set", "technician_visited", "letter_sent"], ["move", "address"]),
    "plan_upgrade": (0.13, 1.6, 0.30, 0.20, 50, 0.0, "offer_viewed", "plan_upgraded", "offer_declined",
                     ["offer_viewed", "call_received", "page_viewed", "newsletter_opened"], ["offer", "plan"]),
    "contract_renewal": (0.06, 2.6, 0.66, 0.12, 120, 0.08, "renewal_due", "contract_renewed", "contract_cancelled",
                         ["call_received", "letter_sent", "offer_sent", "chat_held"], ["contract", "retention"]),
    "paying_a_bill": (0.25, 1.2, 0.88, 0.0, 120, 0.0, "bill_issued", "bill_paid", "bill_paid",
                      ["reminder_sent", "payment_failed", "app_opened"], ["payment", "reminder"]),
    "finding_help": (0.22, 2.2, 0.62, 0.14, 3, 0.01, "help_searched", "help_found", "help_given_up",
                     ["page_viewed", "help_searched", "chat_held", "app_opened"], ["help"]),
}  # fmt: skip
NOISE_EVENTS = ["page_viewed", "app_opened", "newsletter_opened", "advert_seen", "usage_checked", "call_received",
                "chat_held", "letter_sent", "question_answered", "survey_sent"]  # fmt: skip
NOISE_TOPICS = ["tv", "internet", "mobile", "account", "store", "news", "usage", "security",
                "offer", "bill", "help", "payment", "repair", "contract", "move"]  # fmt: skip
TAIL = [definition.name for definition in definitions.load("journeys/long_tail.yaml")]
TAIL_SHARE = 0.12  # of the noise
NO_TOPIC_SHARE = 0.05  # of the noise
JOURNEYS = list(EPISODES)
EVENTS = sorted(
    {name for episode in EPISODES.values() for name in [*episode[6:9], *episode[9]]}
    | set(NOISE_EVENTS)
    | {f"{subject}_{what}" for subject in TAIL for what in ("requested", "done", "withdrawn", "step")}
)
TOPICS = sorted({topic for episode in EPISODES.values() for topic in episode[10]} | set(NOISE_TOPICS) | set(TAIL))
EVENT = {name: code for code, name in enumerate(EVENTS)}
TOPIC = {name: code for code, name in enumerate(TOPICS)}


def table_of_codes(lists: list[list[str]], codes: dict[str, int]) -> np.ndarray:
    """Lists of names as a table of eight columns of codes, each list repeated until it fills its row."""
    return np.array([[codes[names[i % len(names)]] for i in range(8)] for names in lists])


STEP_EVENT = table_of_codes([episode[9] for episode in EPISODES.values()], EVENT)
STEP_TOPIC = table_of_codes([episode[10] for episode in EPISODES.values()], TOPIC)
CLOSING = np.array([[EVENT[name] for name in episode[6:9]] for episode in EPISODES.values()])
TRAITS = np.array([episode[:6] for episode in EPISODES.values()])
IDLE = np.array([definition.idle for definition in definitions.load()])


class Customers:
    """Who there is, how active, since when and until when; churn is brought forward while the log is made."""

    def __init__(self, count: int, whale: float, random: np.random.Generator):
        end = START + DAYS * DAY
        self.random, self.whale = random, whale
        self.segment = random.choice(len(SEGMENTS), count, p=SEGMENT_TRAITS[:, 0])
        weight = random.lognormal(0, 1.0, count) * SEGMENT_TRAITS[self.segment, 2]
        weight[1:9] = weight.sum() * 0.0005
        self.cumulative = np.cumsum(weight) / weight.sum()
        early = random.random(count) < 0.7
        span = np.where(early, -5 * 365 * DAY, (DAYS - 10) * DAY)
        self.joined_at = START + (random.random(count) * span).astype(np.int64)
        year = 365 * DAY
        watched = np.maximum(self.joined_at, START)
        self.churned_at = watched + (random.exponential(year / SEGMENT_TRAITS[self.segment, 1])).astype(np.int64)
        self.lost_at = watched + (random.exponential(year / 0.02, count)).astype(np.int64)
        # The busiest stay: they are what makes a partition by customer uneven.
        self.joined_at[:9] = START - year
        self.churned_at[:9] = self.lost_at[:9] = end

    def draw(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A customer for each instant, by activity, and whether he is one at that instant."""
        drawn = np.empty(len(time), np.int64)
        todo = np.arange(len(time))
        for _ in range(4):
            drawn[todo] = np.searchsorted(self.cumulative, self.random.random(len(todo)))
            todo = todo[~self.is_active(drawn[todo], time[todo])]
        if self.whale:
            drawn[self.random.random(len(time)) < self.whale] = 0
        return drawn, self.is_active(drawn, time)

    def is_active(self, customer: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Joined, and neither churned nor lost."""
        until = np.minimum(self.churned_at[customer], self.lost_at[customer])
        return (self.joined_at[customer] <= time) & (time < until)

    def table(self) -> pa.Table:
        """One row a customer; of churn and loss only the first is known."""
        end = START + DAYS * DAY
        churned = (self.churned_at < end) & (self.churned_at <= self.lost_at)
        lost = (self.lost_at < end) & ~churned
        no_segment = self.random.random(len(self.segment)) < 0.01
        return pa.table({
            "customer_id": numbered("c", np.arange(len(self.segment)), 8),
            "joined_at": pa.array(self.joined_at, INSTANT),
            "churned_at": pa.array(self.churned_at, INSTANT, mask=~churned),
            "lost_at": pa.array(self.lost_at, INSTANT, mask=~lost),
            "segment": names_of(SEGMENTS, self.segment, no_segment),
        })


def numbered(prefix: str, numbers: np.ndarray, width: int) -> pa.Array:
    """`t0000000001`."""
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def names_of(names: list[str], codes: np.ndarray, is_null: np.ndarray | None = None) -> pa.Array:
    """Codes as plain text; null where asked."""
    return pa.array(names).take(pa.array(codes, mask=is_null))


def episodes(day: int, count: int, customers: Customers) -> tuple[np.ndarray, ...]:
    """Steps of the episodes that begin on a day: customer, time, event, topic."""
    random = customers.random
    kind = random.choice(len(JOURNEYS), count, p=TRAITS[:, 0] / TRAITS[:, 0].sum())
    began = START + day * DAY + random.integers(0, DAY // 1000, count) * 1000
    customer, is_active = customers.draw(began)
    kind, began, customer = kind[is_active], began[is_active], customer[is_active]
    luck = random.random(len(kind))
    completed = luck < TRAITS[kind, 2]
    closed = luck < TRAITS[kind, 2] + TRAITS[kind, 3]
    # Between first and last: a geometric number with the journey's mean.
    steps = 1 + (random.geometric(1 / (1 + TRAITS[kind, 1])) - 1) + closed
    first = np.cumsum(steps) - steps
    episode = np.repeat(np.arange(len(kind)), steps)
    place = np.arange(len(episode)) - first[episode]
    is_last = place == steps[episode] - 1
    kinds = kind[episode]

    gap = (random.exponential(TRAITS[kinds, 4]) * HOUR).astype(np.int64) // 1000 * 1000
    rare = random.random(len(gap))
    gap[rare < 0.001] = 0
    gap[rare > 0.999] = IDLE[kinds[rare > 0.999]]
    gap[place == 0] = 0
    passed = np.cumsum(gap)
    time = began[episode] + passed - passed[first][episode]

    slot = random.integers(0, 8, (2, len(gap)))
    event = STEP_EVENT[kinds, slot[0]]
    topic = STEP_TOPIC[kinds, slot[1]]
    event[random.random(len(gap)) < 0.01] = EVENT["survey_sent"]
    event[place == 0] = CLOSING[kinds[place == 0], 0]
    closing = is_last & closed[episode]
    event[closing] = np.where(completed[episode[closing]], CLOSING[kinds[closing], 1], CLOSING[kinds[closing], 2])

    # Only after a bad end, and the busiest stay.
    leaves = np.flatnonzero(~completed & (random.random(len(kind)) < TRAITS[kind, 5]) & (customer > 8))
    leaving = time[first[leaves] + steps[leaves] - 1] + random.exponential(45 * DAY, len(leaves)).astype(np.int64)
    np.minimum.at(customers.churned_at, customer[leaves], leaving)
    return customer[episode], time, event, topic


def noise(arrived: np.ndarray, customers: Customers) -> tuple[np.ndarray, ...]:
    """Touchpoints of no episode that arrive at the given times: customer, event, topic (-1 for none)."""
    random = customers.random
    count = len(arrived)
    customer, _ = customers.draw(arrived)
    event = np.array([EVENT[name] for name in NOISE_EVENTS])[random.integers(0, len(NOISE_EVENTS), count)]
    topic = np.array([TOPIC[name] for name in NOISE_TOPICS])[random.integers(0, len(NOISE_TOPICS), count)]
    topic[random.random(count) < NO_TOPIC_SHARE] = -1
    tail = np.flatnonzero(random.random(count) < TAIL_SHARE)
    # The n-th subject of the tail is n times as rare as the first.
    share = 1 / np.arange(1, len(TAIL) + 1)
    subject = random.choice(len(TAIL), len(tail), p=share / share.sum())
    what = random.choice(4, len(tail), p=[0.35, 0.3, 0.1, 0.25])
    codes = [[EVENT[f"{name}_{w}"] for w in ("requested", "done", "withdrawn", "step")] for name in TAIL]
    event[tail] = np.array(codes)[subject, what]
    topic[tail] = np.array([TOPIC[name] for name in TAIL])[subject]
    return customer, event, topic


def delays(count: int, random: np.random.Generator) -> np.ndarray:
    """How long a row is under way to the log."""
    late = random.random(count) < 0.01
    return (np.where(late, random.random(count) * 10 * DAY, random.exponential(DAY / 720, count))).astype(np.int64)


class Log:
    """The touchpoints' files, one a month, in row groups of about half a million rows."""

    def __init__(self, folder: Path, random: np.random.Generator):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.random = folder, random
        self.rows, self.waiting, self.writer = 0, [], None
        # Three channels an event comes through, and who handles a topic; the last row is for no topic.
        self.channels = random.integers(0, len(CHANNELS), (len(EVENTS), 3))
        self.functions = random.integers(0, len(FUNCTIONS), (len(TOPICS) + 1, 3))

    def append(self, customer: np.ndarray, time: np.ndarray, event: np.ndarray, topic: np.ndarray) -> None:
        """Adds rows in order of arrival; what else is known of a touchpoint is drawn here."""
        random, count = self.random, len(customer)
        channel = self.channels[event, random.choice(3, count, p=[0.6, 0.3, 0.1])]
        function = self.functions[topic, random.choice(3, count, p=[0.7, 0.2, 0.1])]
        # One answer in sixteen, the better the quicker; a score on 0..1 in quarters.
        satisfaction = np.minimum(random.binomial(4, 0.78, count), 4) / 4
        duration = random.lognormal(4.5, 1.0, count).round()
        cost = (random.lognormal(0.3, 1.0, count) + 0.005 * duration).round(2)
        self.waiting.append(pa.table({
            "touchpoint_id": numbered("t", np.arange(self.rows + 1, self.rows + count + 1), 10),
            "customer_id": numbered("c", customer, 8),
            "occurred_at": pa.array(time, INSTANT),
            "channel": names_of(CHANNELS, channel),
            "event": names_of(EVENTS, event),
            "topic": names_of(TOPICS, topic, topic < 0),
            "function": names_of(FUNCTIONS, function, random.random(count) < 0.25),
            "satisfaction": pa.array(satisfaction, mask=random.random(count) > 1 / 16),
            "resolved": pa.array(random.random(count) < 0.85, mask=random.random(count) < 0.6),
            "duration_s": pa.array(duration),
            "cost": pa.array(cost, mask=random.random(count) < 0.3),
        }))
        self.rows += count
        if sum(len(table) for table in self.waiting) >= ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Writes what waits as one row group."""
        if not self.waiting:
            return
        table = pa.concat_tables(self.waiting)
        self.waiting = []
        if self.writer is None:
            file = self.folder / f"part-{len(list(self.folder.glob('*.parquet'))):04}.parquet"
            self.writer = pq.ParquetWriter(file, table.schema, compression="zstd")
        self.writer.write_table(table, row_group_size=2 * ROW_GROUP)

    def end_file(self) -> None:
        """The next rows go to a new file."""
        self.flush()
        if self.writer is not None:
            self.writer.close()
        self.writer = None


def write_log(touchpoints: int, customers: Customers, log: Log) -> None:
    """Day by day: what is due from episodes, then noise up to the day's share of all touchpoints."""
    random = customers.random
    pending: dict[int, list] = defaultdict(list)
    # Business grows by a third a year, and weekends are quiet.
    weight = np.linspace(1, 1.66, DAYS) * np.where(np.arange(DAYS) % 7 < 5, 1.1, 0.75)
    target = np.floor(touchpoints * np.cumsum(weight) / weight.sum()).astype(np.int64)
    target[-1] = touchpoints
    steps_an_episode = (TRAITS[:, 0] * (1.5 + TRAITS[:, 1])).sum() / TRAITS[:, 0].sum()
    for day in range(DAYS):
        wanted = target[day] - (target[day - 1] if day else 0)
        customer, time, event, topic = episodes(day, int(0.55 * wanted / steps_an_episode), customers)
        arrived = time + delays(len(time), random)
        due = (arrived - START) // DAY
        order = np.argsort(due, kind="stable")
        days, begins = np.unique(due[order], return_index=True)
        for one, rows in zip(days, np.split(order, begins[1:])):
            pending[int(one)].append((arrived[rows], customer[rows], time[rows], event[rows], topic[rows]))

        parts = pending.pop(day, [])
        missing = max(0, target[day] - log.rows - sum(len(part[0]) for part in parts))
        arrived = START + day * DAY + random.integers(0, DAY // 1000, missing) * 1000
        customer, event, topic = noise(arrived, customers)
        time = arrived - delays(missing, random) // 1000 * 1000
        parts.append((arrived, customer, np.where(time < START, arrived, time), event, topic))
        arrived, customer, time, event, topic = (np.concatenate(column) for column in zip(*parts))
        order = np.argsort(arrived, kind="stable")[: target[-1] - log.rows]
        log.append(customer[order], time[order], event[order], topic[order])
        if day % 30 == 29:
            log.end_file()
    log.end_file()


def sort_by_customer(source: Path, target: Path) -> None:
    """The same rows in order of customer, time and id, in bounded memory."""
    import duckdb

    target.mkdir(parents=True)
    duckdb.sql("SET memory_limit = '3GB'; SET threads = 2; SET preserve_insertion_order = true; SET TimeZone = 'UTC'")
    duckdb.sql(f"SET temp_directory = '{target}.spill'")
    duckdb.sql(
        f"COPY (SELECT * FROM '{source}/*.parquet' ORDER BY customer_id, occurred_at, touchpoint_id) TO "
        f"'{target}/part-0000.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    )


def main() -> None:
    """Writes `touchpoints/*.parquet` and `customers.parquet`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touchpoints", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--whale", type=float, default=0.0, metavar="SHARE", help="one customer's share of all, e.g. 0.05")
    parser.add_argument("--sorted", action="store_true", help="rows in order of customer, time and id; one file")
    options = parser.parse_args()
    if (options.out / "touchpoints").exists():
        parser.error(f"{options.out} holds touchpoints already")
    random = np.random.default_rng(options.seed)
    customers = Customers(max(100, options.touchpoints // TOUCHPOINTS_A_CUSTOMER), options.whale, random)
    folder = options.out / ("touchpoints.unsorted" if options.sorted else "touchpoints")
    write_log(options.touchpoints, customers, Log(folder, random))
    pq.write_table(customers.table(), options.out / "customers.parquet", compression="zstd")
    if options.sorted:
        sort_by_customer(folder, options.out / "touchpoints")
        for file in folder.glob("*.parquet"):
            file.unlink()
        folder.rmdir()


if __name__ == "__main__":
    main()
