"""What Superset asks of a PostgreSQL database: its own engine spec, and the SQLAlchemy inspector it uses.

Run by clients.py with the Python that has apache-superset.
"""

import os
import sys
import tempfile

import sqlalchemy

os.environ["SUPERSET_SECRET_KEY"] = "for this run only"
os.environ["SUPERSET_HOME"] = tempfile.mkdtemp()

from superset.app import create_app  # noqa: E402  (it reads the environment when it is imported)

app = create_app()

with app.app_context():
    from superset.db_engine_specs.postgres import PostgresEngineSpec
    from superset.sql.parse import Table

    class Database:
        """As much of Superset's model of a database as the spec looks at."""

        backend = "postgresql"
        schema_options = {}
        db_engine_spec = PostgresEngineSpec

        def get_extra(self, *_):
            return {}

    engine = sqlalchemy.create_engine(f"postgresql+psycopg2://ann@127.0.0.1:{sys.argv[1]}/throughline")
    inspector = sqlalchemy.inspect(engine)
    database = Database()
    tables = PostgresEngineSpec.get_table_names(database, inspector, "main")
    PostgresEngineSpec.get_view_names(database, inspector, "main")
    schemas = inspector.get_schema_names()
    table = Table("fct_journey", "main")
    columns = PostgresEngineSpec.get_columns(inspector, table)
    comment = PostgresEngineSpec.get_table_comment(inspector, table)
    grains = {}
    for grain, template in PostgresEngineSpec.get_time_grain_expressions().items():
        expression = template.format(col="started_at", func="DATE_TRUNC", type="timestamp")
        sql = f"SELECT {expression} AS __timestamp, COUNT(*) AS count FROM main.fct_journey GROUP BY 1 ORDER BY count DESC LIMIT 10"
        # A connection each: after a failure there is nothing to roll back.
        with engine.connect() as connection:
            try:
                grains[grain] = len(connection.execute(sqlalchemy.text(sql)).all()) > 0
            except sqlalchemy.exc.DBAPIError as failed:
                grains[grain] = str(failed.orig).splitlines()[0]
    bad = {grain: why for grain, why in grains.items() if why is not True}
    assert "fct_journey" in tables and "main" in schemas and comment and columns, (tables, schemas, comment)
    print(f"{len(tables)} tables, {len(columns)} columns, comment, {len(grains) - len(bad)} of {len(grains)} time grains" + (f"; not {bad}" if bad else ""))
