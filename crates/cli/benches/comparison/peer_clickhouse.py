"""The comparison's work in ClickHouse, as chdb runs it in a process; its SQL is in clickhouse_sql/.

ClickHouse is fastest where it works on arrays: one GROUP BY gathers a customer's steps for a journey into an array of
tuples, which is sorted and split at the starts; an instance is what its part holds up to the first late or closing step,
and every measure is a function of that array. Text of few values is LowCardinality from the scan on.

Tried and slower: three layers of window functions, as DuckDB's (6.6 s of CPU at 2 million touchpoints, not 3.8 s).
"""

from chdb import session

from definitions import AS_OF, AS_OF_US, ASSISTED, HERE, LANDMARKS, THREADS, WEEK_US, load, peer_arguments

JOURNEYS = load()

TOUCHPOINTS = """file('{lake}/touchpoints/*.parquet', Parquet, $$
    touchpoint_id String, customer_id String, occurred_at DateTime64(6, 'UTC'), channel LowCardinality(String),
    event LowCardinality(String), topic LowCardinality(Nullable(String)), function LowCardinality(Nullable(String)),
    satisfaction Nullable(Float64), resolved Nullable(Bool), cost Nullable(Float64)
$$)"""

# What a pair of event and topic is to a journey. closes: 1 completed, 2 abandoned.
ROLE = """
SELECT event, ifNull(topic, '') AS topic, toUInt8({code}) AS journey, toUInt8(ifNull({d.starts}, 0)) AS is_start,
    toUInt8(multiIf(ifNull({d.ends}, 0), 1, ifNull({d.abandons}, 0), 2, 0)) AS closes
FROM pair
WHERE ifNull({d.starts}, 0) OR ifNull({d.ends}, 0) OR ifNull({d.abandons}, 0) OR ifNull({d.includes}, 0)
"""


def main() -> None:
    """Runs the stages asked for. Each writes its rows as they come and later ones read the file."""
    asked = peer_arguments(__doc__)
    database = session.Session()
    touchpoints = TOUCHPOINTS.format(lake=asked.lake)
    for statement in (
        "CREATE DATABASE comparison",
        "USE comparison",
        f"SET max_threads = {THREADS}",
        "SET join_use_nulls = 1",
        "SET session_timezone = 'UTC'",
        "SET output_format_parquet_compression_method = 'zstd'",
    ):
        database.query(statement)
    database.query(f"""
        CREATE TABLE role ENGINE = Memory AS
        WITH pair AS (
            SELECT event, topic
            FROM (SELECT DISTINCT CAST(event AS String) AS event FROM {touchpoints}) AS events
            CROSS JOIN (SELECT DISTINCT CAST(topic AS Nullable(String)) AS topic FROM {touchpoints}) AS topics
        )
        SELECT * FROM ({" UNION ALL ".join(ROLE.format(code=code, d=j) for code, j in enumerate(JOURNEYS))})
    """)

    def write(table: str) -> None:
        query = (HERE / f"clickhouse_sql/{table}.sql").read_text()
        query = query.format(
            touchpoints=touchpoints, as_of=AS_OF, as_of_us=AS_OF_US, assisted=ASSISTED, week_us=WEEK_US,
            landmarks=LANDMARKS, names=[j.name for j in JOURNEYS], within=[j.within for j in JOURNEYS],
            idle=[j.idle for j in JOURNEYS],
        )  # fmt: skip
        database.query(f"INSERT INTO FUNCTION file('{asked.out}/{table}.parquet', Parquet) {query}")

    write("fct_journey")
    if asked.stage == "all":
        database.query(f"CREATE VIEW fct_journey AS SELECT * FROM file('{asked.out}/fct_journey.parquet', Parquet)")
        database.query(f"""
            CREATE TABLE customer ENGINE = Memory AS
            SELECT * REPLACE (toLowCardinality(ifNull(segment, 'unknown')) AS segment)
            FROM file('{asked.lake}/customers.parquet', Parquet)
        """)
        write("performance")
        write("key_journeys")


if __name__ == "__main__":
    main()
