"""What a release's home keeps in SQLite, as it would stand in PostgreSQL, in tables of before Dagster's last change."""

from pathlib import Path

import sqlalchemy as sa

#: Of the instance itself, and of who is alive.
_ITS_OWN = {"alembic_version", "instance_info", "secondary_indexes", "daemon_heartbeats"}
#: What Dagster's newest but one change of its tables in PostgreSQL has added, and the one before it.
ADDED, BEFORE = ("concurrency_limits", "using_default_limit"), "6b7fb194ff9c"


def move_into(url: str, home: Path) -> None:
    """Put the rows of a home's SQLite into a database that Dagster has laid, and make that older."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        laid = sa.MetaData()
        laid.reflect(connection)
        for file in ("history/runs.db", "history/runs/index.db", "schedules/schedules.db"):
            for name, rows in _rows(home / file).items():
                if rows and name in laid.tables and name not in _ITS_OWN:
                    connection.execute(laid.tables[name].insert(), rows)
        for table in laid.sorted_tables:
            if table.name not in _ITS_OWN and (key := table.autoincrement_column) is not None:
                newest = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(key), 0))) + 1
                sequence = sa.func.pg_get_serial_sequence(table.name, key.name)
                connection.execute(sa.select(sa.func.setval(sequence, newest)))
        connection.execute(sa.text(f"alter table {ADDED[0]} drop column {ADDED[1]}"))
        connection.execute(sa.text("update alembic_version set version_num = :old"), {"old": BEFORE})


def columns_of(url: str, table: str) -> set[str]:
    """The names of a table's columns."""
    return {column["name"] for column in sa.inspect(sa.create_engine(url, poolclass=sa.NullPool)).get_columns(table)}


def _rows(file: Path) -> dict[str, list[dict[str, object]]]:
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool)
    kept = sa.MetaData()
    kept.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(table.select()).mappings()]
            for table in kept.sorted_tables
        }
