"""The comparison's work in DuckDB; its SQL is in duckdb_sql/.

Narrow rows are what makes it fast: channel, topic, function and journey become enums of a byte (their values from one
scan of a column each), times 64-bit integers, so that both window sorts move little. Conditions are decided once for
each pair of event and topic, and a hash join puts them on the touchpoints.

Tried and slower at 20 million touchpoints, where this takes 35 s of CPU and 2.7 GB: text columns through the windows
(62 s and 4.9 GB, on a log with a sixth more instances); repeated contacts by a window over all members instead of over
the contacts alone (43 s); DISTINCT over (event, topic) instead of over each (1.7 s more).
"""

import math
from pathlib import Path

import duckdb

from definitions import AS_OF, AS_OF_US, ASSISTED, HERE, LANDMARKS, THREADS, WEEK_US, load, peer_arguments

# What a pair of event and topic is to a journey. closes: 1 completed, 2 abandoned.
ROLE = """
SELECT
    event, coalesce(topic, '') AS topic, '{d.name}'::journey_code AS journey, {d.within} AS within_us,
    {d.idle} AS idle_us, coalesce({d.starts}, false) AS is_start,
    CASE WHEN {d.ends} THEN 1 WHEN {d.abandons} THEN 2 ELSE 0 END::TINYINT AS closes
FROM pair
WHERE ({d.starts}) OR ({d.ends}) OR ({d.abandons}) OR ({d.includes})
"""


def prepare(database: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """The enums and the roles that fct_journey.sql reads."""
    for column in ("event", "topic", "channel", "function"):
        database.sql(f"""
            CREATE TYPE {column}_code AS ENUM (
                SELECT DISTINCT {column} FROM '{lake}/touchpoints/*.parquet' WHERE {column} IS NOT NULL
            )
        """)
    journeys = load()
    database.sql(f"CREATE TYPE journey_code AS ENUM ({', '.join(repr(journey.name) for journey in journeys)})")
    database.sql(f"""
        CREATE TABLE role AS
        WITH pair AS (
            SELECT event, topic
            FROM (SELECT unnest(enum_range(NULL::event_code)) AS event),
                (SELECT unnest(enum_range(NULL::topic_code)) AS topic UNION ALL SELECT NULL)
        )
        {" UNION ALL ".join(ROLE.format(d=journey) for journey in journeys)}
    """)


def main() -> None:
    """Runs the stages asked for. Each writes its rows as they come and later ones read the file: a table would be held."""
    asked = peer_arguments(__doc__)
    database = duckdb.connect()
    database.sql(f"SET threads = {THREADS}; SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
    database.sql(f"SET temp_directory = '{asked.out}/spill'")
    prepare(database, asked.lake)

    def write(table: str) -> None:
        query = (HERE / f"duckdb_sql/{table}.sql").read_text()
        query = query.format(
            lake=asked.lake, as_of=AS_OF, as_of_us=AS_OF_US, assisted=ASSISTED, week_us=WEEK_US, landmarks=LANDMARKS
        )
        database.sql(f"COPY ({query}) TO '{asked.out}/{table}.parquet' (FORMAT parquet, COMPRESSION zstd)")

    write("fct_journey")
    if asked.stage == "all":
        database.sql(f"CREATE VIEW fct_journey AS FROM '{asked.out}/fct_journey.parquet'")
        database.sql(f"""
            CREATE TABLE customer AS
            SELECT
                customer_id, coalesce(segment, 'unknown') AS segment,
                make_timestamp(epoch_us(joined_at)) AS joined_at,
                make_timestamp(epoch_us(churned_at)) AS churned_at,
                make_timestamp(epoch_us(lost_at)) AS lost_at
            FROM '{asked.lake}/customers.parquet'
        """)
        database.create_function("erfc", math.erfc, ["DOUBLE"], "DOUBLE")
        write("performance")
        write("key_journeys")


if __name__ == "__main__":
    main()
