"""Speaks to `throughline serve` with the clients that analysts use and prints what worked.

Nothing is skipped silently: what cannot be installed on this machine stands in the table as such.
"""

import argparse
import asyncio
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from endpoint import Endpoint

CHECKS = []
TABLE = "fct_journey"


def check(client, feature):
    """Registers a function that tries one feature and returns how it went, in a few words."""

    def register(function):
        CHECKS.append((client, feature, function))
        return function

    return register


class NotHere(Exception):
    """Something that this machine does not have."""


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


# psql


def psql(endpoint, *commands):
    program = shutil.which("psql")
    if program is None:
        raise NotHere("psql is not installed (Debian: apt-get install postgresql-client)")
    command = [program, "-X", "-v", "ON_ERROR_STOP=1", f"host=127.0.0.1 port={endpoint.port} dbname=throughline user=ann"]
    for text in commands:
        command += ["-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    expect(done.returncode == 0, done.stderr.strip())
    return done.stdout


@check("psql", "SELECT")
def _(endpoint):
    return psql(endpoint, f"SELECT count(*) AS n FROM {TABLE}").split()[2] + " rows"


@check("psql", r"\l, \dn+")
def _(endpoint):
    expect("throughline" in psql(endpoint, r"\l"), "no database")
    out = psql(endpoint, r"\dn+")
    expect("main" in out and "The newest complete run" in out, out)
    return "database throughline; schema main with its comment"


@check("psql", r"\d, \dt, \dt+")
def _(endpoint):
    out = psql(endpoint, r"\d") + psql(endpoint, r"\dt") + psql(endpoint, r"\dt+")
    expect(TABLE in out and "pg_class" not in out, out)
    return "the tables of main"


@check("psql", rf"\d {TABLE}")
def _(endpoint):
    out = psql(endpoint, rf"\d {TABLE}")
    expect("journey_id" in out and "timestamp with time zone" in out, out)
    return "columns and types"


@check("psql", rf"\d+ {TABLE}")
def _(endpoint):
    out = psql(endpoint, rf"\d+ {TABLE}")
    described = [line for line in out.splitlines() if line.startswith(" ") and line.split("|")[-1].strip()]
    expect(len(described) > 20, out)
    return f"{len(described) - 1} columns with their comments"


@check("psql", r"\df, \dv, \di, \du, \dx")
def _(endpoint):
    for command in (r"\df odds*", r"\dv", r"\di", r"\du", r"\dx"):
        psql(endpoint, command)
    return "answered (there are none)"


@check("psql", "PREPARE, EXECUTE, cursor")
def _(endpoint):
    out = psql(endpoint, f"PREPARE p AS SELECT count(*) FROM {TABLE} WHERE status = $1", "EXECUTE p('open')")
    expect("1 row" in out, out)
    out = psql(endpoint, f"BEGIN; DECLARE c CURSOR FOR SELECT journey_id FROM {TABLE}; FETCH 3 FROM c; COMMIT")
    return "one row; three by a cursor"


@check("psql", "DROP TABLE")
def _(endpoint):
    try:
        psql(endpoint, f"DROP TABLE {TABLE}")
    except AssertionError as refused:
        return str(refused).splitlines()[0]
    raise AssertionError("it was not refused")


# psycopg, psycopg2, asyncpg, pg8000


def dsn(endpoint, more=""):
    return f"host=127.0.0.1 port={endpoint.port} dbname=throughline user=ann {more}"


@check("psycopg 3", "parameters, binary")
def _(endpoint):
    import psycopg

    with psycopg.connect(dsn(endpoint)) as connection, connection.cursor(binary=True) as cursor:
        cursor.execute(f"SELECT journey, count(*), min(started_at), avg(cost) FROM {TABLE} WHERE status = %s GROUP BY 1", ["open"])
        rows = cursor.fetchall()
        expect(rows and rows[0][2].tzinfo is not None, rows)
        return f"{len(rows)} rows, times with zone"


@check("psycopg 3", "prepared, pipeline, server cursor")
def _(endpoint):
    import psycopg

    with psycopg.connect(dsn(endpoint)) as connection:
        for _ in range(3):
            connection.execute(f"SELECT count(*) FROM {TABLE} WHERE touchpoints > %s", [2], prepare=True)
        with connection.pipeline():
            first = connection.execute("SELECT 1")
            second = connection.execute("SELECT 2")
            expect((first.fetchone(), second.fetchone()) == ((1,), (2,)), "pipeline")
        with connection.cursor("named") as cursor:
            cursor.itersize = 100
            cursor.execute(f"SELECT journey_id FROM {TABLE} LIMIT 250")
            expect(sum(1 for _ in cursor) == 250, "server cursor")
    return "all three"


@check("psycopg 3", "error codes")
def _(endpoint):
    import psycopg

    with psycopg.connect(dsn(endpoint), autocommit=True) as connection:
        try:
            connection.execute(f"DELETE FROM {TABLE}")
        except psycopg.errors.ReadOnlySqlTransaction as refused:
            return f"{type(refused).__name__}, and {type_of_missing(connection)}"
    raise AssertionError("it was not refused")


def type_of_missing(connection):
    import psycopg

    try:
        connection.execute("SELECT * FROM nowhere")
    except psycopg.errors.UndefinedTable as missing:
        return type(missing).__name__


@check("psycopg2", "SELECT, named cursor")
def _(endpoint):
    import psycopg2

    with psycopg2.connect(dsn(endpoint)) as connection, connection.cursor("named") as cursor:
        cursor.execute(f"SELECT journey_id, started_at FROM {TABLE} WHERE status = %s", ["completed"])
        expect(len(cursor.fetchmany(10)) == 10, "rows")
    return "ten rows of a named cursor"


@check("asyncpg", "prepared, types")
def _(endpoint):
    import asyncpg

    async def ask():
        connection = await asyncpg.connect(host="127.0.0.1", port=endpoint.port, database="throughline", user="ann")
        try:
            row = await connection.fetchrow(f"SELECT count(*) AS n, max(started_at) AS last FROM {TABLE} WHERE status = $1", "open")
            await connection.reset()
            return f"{row['n']} rows, last {row['last']:%Y-%m-%d}"
        finally:
            await connection.close()

    return asyncio.run(ask())


@check("pg8000", "SELECT")
def _(endpoint):
    import pg8000.native

    connection = pg8000.native.Connection("ann", host="127.0.0.1", port=endpoint.port, database="throughline")
    rows = connection.run(f"SELECT journey, count(*) FROM {TABLE} WHERE status = :status GROUP BY 1", status="open")
    connection.close()
    return f"{len(rows)} rows"


# SQLAlchemy, pandas


def engine(endpoint, driver="psycopg"):
    import sqlalchemy

    return sqlalchemy.create_engine(f"postgresql+{driver}://ann@127.0.0.1:{endpoint.port}/throughline")


@check("SQLAlchemy", "inspector")
def _(endpoint):
    import sqlalchemy

    inspector = sqlalchemy.inspect(engine(endpoint))
    expect(inspector.default_schema_name == "main", inspector.default_schema_name)
    expect("main" in inspector.get_schema_names(), inspector.get_schema_names())
    tables = inspector.get_table_names()
    expect(TABLE in tables, tables)
    comment = inspector.get_table_comment(TABLE)["text"]
    columns = inspector.get_columns(TABLE)
    commented = [column for column in columns if column.get("comment")]
    expect(comment and len(commented) == len(columns), (comment, columns))
    for empty in (inspector.get_view_names(), inspector.get_indexes(TABLE), inspector.get_foreign_keys(TABLE)):
        expect(empty == [], empty)
    inspector.get_pk_constraint(TABLE), inspector.get_unique_constraints(TABLE), inspector.get_check_constraints(TABLE)
    return f"{len(tables)} tables; {len(columns)} columns of {TABLE}, all with comments"


@check("SQLAlchemy", "reflection, ORM query")
def _(endpoint):
    import sqlalchemy

    with engine(endpoint).connect() as connection:
        table = sqlalchemy.Table(TABLE, sqlalchemy.MetaData(), autoload_with=connection)
        query = sqlalchemy.select(table.c.journey, sqlalchemy.func.count()).where(table.c.status == "open").group_by(table.c.journey)
        rows = connection.execute(query).all()
    return f"{len(table.columns)} columns, {len(rows)} rows"


@check("pandas", "read_sql")
def _(endpoint):
    import pandas

    frame = pandas.read_sql(f"SELECT * FROM {TABLE} LIMIT 1000", engine(endpoint))
    expect(len(frame) == 1000 and str(frame["started_at"].dtype).startswith("datetime64"), frame.dtypes)
    return f"1000 rows × {len(frame.columns)} columns"


# ADBC


def flight(endpoint):
    import adbc_driver_flightsql.dbapi

    return adbc_driver_flightsql.dbapi.connect(f"grpc://127.0.0.1:{endpoint.flight_port}", autocommit=True)


@check("ADBC Flight SQL", "SELECT → Arrow")
def _(endpoint):
    with flight(endpoint) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {TABLE}")
        table = cursor.fetch_arrow_table()
    return f"{table.num_rows} rows × {table.num_columns} columns"


@check("ADBC Flight SQL", "parameters")
def _(endpoint):
    with flight(endpoint) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {TABLE} WHERE status = $1 AND touchpoints > $2", ("open", 2))
        return f"{cursor.fetchone()[0]} rows counted"


@check("ADBC Flight SQL", "get_objects, get_info")
def _(endpoint):
    with flight(endpoint) as connection:
        expect(connection.adbc_get_info()["vendor_name"] == "Throughline", "info")
        objects = connection.adbc_get_objects(depth="all", db_schema_filter="main").read_all().to_pylist()
    tables = objects[0]["catalog_db_schemas"][0]["db_schema_tables"]
    journey = next(table for table in tables if table["table_name"] == TABLE)
    remarks = [column["remarks"] for column in journey["table_columns"] if column["remarks"]]
    return f"{len(tables)} tables, {len(remarks)} remarks on {TABLE}"


@check("ADBC PostgreSQL", "SELECT → Arrow")
def _(endpoint):
    import adbc_driver_postgresql.dbapi

    uri = f"postgresql://ann@127.0.0.1:{endpoint.port}/throughline"
    with adbc_driver_postgresql.dbapi.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(f"SELECT journey, touchpoints, started_at FROM {TABLE}")
        table = cursor.fetch_arrow_table()
    return f"{table.num_rows} rows, with adbc.postgresql.use_copy=false (COPY is refused)"


# The Delta tables themselves


def files(endpoint):
    import deltalake

    return deltalake.DeltaTable(str(endpoint.warehouse / TABLE))


@check("deltalake", "DeltaTable → pandas")
def _(endpoint):
    table = files(endpoint)
    return f"version {table.version()}, {len(table.to_pandas())} rows"


@check("pyarrow", "dataset of the Delta table")
def _(endpoint):
    return f"{files(endpoint).to_pyarrow_dataset().count_rows()} rows"


@check("DuckDB", "delta_scan")
def _(endpoint):
    import duckdb

    try:
        found = duckdb.sql(f"SELECT count(*) FROM delta_scan('{endpoint.warehouse / TABLE}')").fetchall()[0]
    except duckdb.Error as missing:
        raise NotHere(f"the extension has to be downloaded: {str(missing).splitlines()[0][:60]}") from missing
    return f"{found[0]} rows"


@check("DuckDB", "read_parquet of its files")
def _(endpoint):
    import duckdb

    paths = [str(pathlib.Path(path)) for path in files(endpoint).file_uris()]
    return f"{duckdb.read_parquet(paths).aggregate('count(*)').fetchall()[0][0]} rows; the list of files from deltalake"


@check("DuckDB", "over Arrow from Flight SQL")
def _(endpoint):
    import duckdb

    with flight(endpoint) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT journey, status FROM {TABLE}")
        journeys = cursor.fetch_arrow_table()
    return f"{len(duckdb.sql('SELECT journey, count(*) FROM journeys GROUP BY 1').fetchall())} rows"


@check("DuckDB", "ATTACH … (TYPE postgres)")
def _(endpoint):
    import duckdb

    try:
        duckdb.sql(f"ATTACH '{dsn(endpoint)}' AS t (TYPE postgres, READ_ONLY)")
    except duckdb.Error as missing:
        raise NotHere(f"the extension has to be downloaded: {str(missing).splitlines()[0][:60]}") from missing
    return "attached"


# What BI tools ask


GRAFANA = {
    "tables": r"""SELECT CASE WHEN quote_ident(table_schema) IN (
              SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
              FROM generate_series(array_lower(string_to_array(current_setting('search_path'),','),1),
                array_upper(string_to_array(current_setting('search_path'),','),1)) as i,
                string_to_array(current_setting('search_path'),',') s)
          THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
        FROM information_schema.tables
        WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog')""",
    "version": "SELECT current_setting('server_version_num')::int/100 as version",
    "columns": """SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns
        WHERE quote_ident(table_name) = 'fct_journey'""",
    "time series": """SELECT floor(extract(epoch from started_at)/86400)*86400 AS "time", journey AS metric, count(*) AS instances
        FROM fct_journey WHERE started_at BETWEEN '2026-07-01T00:00:00Z' AND '2026-10-01T00:00:00Z' GROUP BY 1, 2 ORDER BY 1, 2""",
}

METABASE = {
    "schemas": """SELECT nspname AS "TABLE_SCHEM", current_database() AS "TABLE_CATALOG" FROM pg_catalog.pg_namespace
        WHERE nspname <> 'pg_toast' AND (nspname !~ '^pg_temp_' OR nspname = (pg_catalog.current_schemas(true))[1]) ORDER BY 1""",
    "tables": """SELECT "n"."nspname" AS "schema", "c"."relname" AS "name",
        CASE "c"."relkind" WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END AS "type", "d"."description" AS "description",
        "stat"."n_live_tup" AS "estimated_row_count" FROM "pg_catalog"."pg_class" AS "c"
        INNER JOIN "pg_catalog"."pg_namespace" AS "n" ON "c"."relnamespace" = "n"."oid"
        LEFT JOIN "pg_catalog"."pg_description" AS "d" ON ("c"."oid" = "d"."objoid") AND ("d"."objsubid" = 0) AND ("d"."classoid" = 'pg_class'::regclass)
        LEFT JOIN "pg_stat_user_tables" AS "stat" ON ("n"."nspname" = "stat"."schemaname") AND ("c"."relname" = "stat"."relname")
        WHERE ("n"."nspname" !~ '^pg_') AND ("n"."nspname" <> 'information_schema') AND c.relkind in ('r', 'p', 'v', 'f', 'm')""",
    "columns": """SELECT c.column_name AS name, c.data_type AS "database-type", c.ordinal_position - 1 AS "database-position",
        c.table_schema AS "table-schema", c.table_name AS "table-name", col_description(CAST('main.fct_journey' AS regclass), c.ordinal_position) AS "field-comment"
        FROM information_schema.columns AS c WHERE c.table_name = 'fct_journey' ORDER BY c.ordinal_position""",
    "privileges": """SELECT t.tablename, pg_catalog.has_table_privilege(current_user, '"' || t.schemaname || '"."' || t.tablename || '"', 'select') AS ok
        FROM pg_catalog.pg_tables t WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema'""",
    "by month": """SELECT DATE_TRUNC('month', "main"."fct_journey"."started_at") AS "started_at", COUNT(*) AS "count"
        FROM "main"."fct_journey" GROUP BY DATE_TRUNC('month', "main"."fct_journey"."started_at") ORDER BY 1 ASC""",
    "settings": "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "timezone": "show timezone",
}


def all_answered(endpoint, queries):
    import psycopg

    told = []
    with psycopg.connect(dsn(endpoint), autocommit=True) as connection:
        for name, sql in queries.items():
            try:
                cursor = connection.execute(sql)
            except psycopg.Error as failed:
                raise AssertionError(f"{name}: {str(failed).splitlines()[0]}") from failed
            told.append(f"{name} {cursor.rowcount if cursor.description else 'ok'}")
    return ", ".join(told)


@check("Grafana", "its catalogue and panel queries")
def _(endpoint):
    return all_answered(endpoint, GRAFANA)


@check("Metabase", "its sync and question queries")
def _(endpoint):
    return all_answered(endpoint, METABASE)


@check("Superset", "PostgresEngineSpec")
def _(endpoint):
    superset = os.environ.get("SUPERSET_PYTHON")
    if not superset:
        raise NotHere("not installed: make clients SUPERSET=1 (apache-superset from PyPI, half a gigabyte)")
    script = pathlib.Path(__file__).with_name("superset_spec.py")
    done = subprocess.run([superset, str(script), str(endpoint.port)], capture_output=True, text=True, timeout=300)
    expect(done.returncode == 0, done.stderr.strip().splitlines()[-1:] or done.returncode)
    return done.stdout.strip().splitlines()[-1]


@check("node-postgres", "prepared, cursor, errors")
def _(endpoint):
    modules = os.environ.get("NODE_MODULES")
    if not modules or shutil.which("node") is None:
        raise NotHere("node or npm is not installed")
    script = pathlib.Path(__file__).with_name("node_postgres.js")
    environment = {**os.environ, "NODE_PATH": modules}
    done = subprocess.run(["node", str(script), str(endpoint.port)], capture_output=True, text=True, timeout=60, env=environment)
    expect(done.returncode == 0, done.stderr.strip())
    return done.stdout.strip()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--throughline", required=True, help="the program")
    arguments.add_argument("--data", help="a folder for the sample; a temporary one by default")
    arguments.add_argument("--customers", type=int, default=300)
    arguments.add_argument("--only", help="only clients whose name has this in it")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        endpoint = Endpoint(options.throughline, options.data or temporary, options.customers)
        try:
            failed = report(endpoint, options.only)
        finally:
            endpoint.stop()
    sys.exit(1 if failed else 0)


def report(endpoint, only):
    rows, failed = [], 0
    for client, feature, function in CHECKS:
        if only and only.lower() not in client.lower():
            continue
        try:
            worked, how = "yes", function(endpoint)
        except NotHere as missing:
            worked, how = "not here", str(missing)
        except Exception as error:  # every client has errors of its own
            worked, how = "NO", f"{type(error).__name__}: {error}"
            failed += 1
        rows.append((client, feature, worked, " ".join(str(how).split())[:150]))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in [("client", "feature", "worked", "how"), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0])).rstrip())
    return failed


if __name__ == "__main__":
    main()
