"""Prefect's PostgreSQL: is it there, new enough, ours to make tables in, and nobody else's?"""

from pydantic import SecretStr
from sqlalchemy import URL, Row, text

from lastword.usage import UsageError
from models.database import Database, normalise
from models.errors import DatabaseTrouble

SETTING = "LASTWORD_PREFECT_DATABASE_URL"
OLDEST = 140_009
"""As `server_version_num` counts; what Prefect wants (its page "Scale self-hosted Prefect")."""

# Prefect's first migration makes the extension, which an owner of the database may do.
_QUESTION = text(
    "SELECT current_setting('server_version_num')::int AS version,"
    " current_user AS us,"
    " has_schema_privilege(current_schema(), 'CREATE') AS may_make_tables,"
    " to_regclass('ledger') IS NOT NULL AS is_ours,"
    " EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') OR"
    " EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')"
    "  AS knows_trigrams,"
    " EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') OR"
    " has_database_privilege(current_database(), 'CREATE') AS may_have_trigrams"
)


async def check_postgresql(url: SecretStr, our_url: str) -> SecretStr:
    """Return the URL as Prefect takes it, once its database has answered well.

    Args:
        url: of Prefect's database.
        our_url: of our own.

    Raises:
        UsageError: Prefect could not work on it; the message says what to do, and no password.
    """
    try:
        database = Database(url.get_secret_value())
        if database.is_sqlite:
            raise UsageError(
                f"{SETTING}: the profile cluster keeps Prefect's tables in PostgreSQL, like"
                " postgresql://user:password@host/prefect"
            )
        if _place(database.url) == _place(normalise(our_url)):
            raise UsageError(_shared(database.url))
        try:
            async with database.session() as session:
                found = (await (await session.connection()).execute(_QUESTION)).one()
        finally:
            await database.dispose()
    except DatabaseTrouble as error:
        raise UsageError(f"{SETTING}: {error}") from None
    if fault := _fault(database.url, found):
        raise UsageError(fault)
    return SecretStr(database.url.render_as_string(hide_password=False))


def _fault(url: URL, found: Row[tuple[object, ...]]) -> str | None:
    at = f"{SETTING}: database {url.database}"
    if found.version < OLDEST:
        version, oldest = map(_version, (found.version, OLDEST))
        return f"{SETTING}: PostgreSQL {version} is too old for Prefect: {oldest} or newer"
    if found.is_ours:
        return _shared(url)
    if not found.may_make_tables:
        return f"{at}: our user {found.us} may not make tables in it: make it the owner"
    if not found.knows_trigrams:
        return f"{at}: the extension pg_trgm is missing: install PostgreSQL's contrib package"
    if not found.may_have_trigrams:
        return (
            f"{at}: our user {found.us} may not make the extension pg_trgm: make it the owner, or"
            " let a superuser run `CREATE EXTENSION pg_trgm` there"
        )
    return None


def _version(number: int) -> str:
    return "{}.{}".format(*divmod(number, 10_000))


def _shared(url: URL) -> str:
    return (
        f"{SETTING}: database {url.database} has our own tables; Prefect's and ours get in each"
        " other's way: make it one of its own, with `createdb`"
    )


def _place(url: URL) -> tuple[object, ...]:
    return url.host or url.query.get("host"), url.port, url.database
