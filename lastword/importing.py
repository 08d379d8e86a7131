"""Importing accounts: all rows of a file in one transaction, or none."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from lastword.rewire import check_password_needed, rewire
from lastword.rows import REQUIRED, ImportTrouble, Problem, Row
from lastword.secrets import Keyring
from lastword.usage import UsageError
from lastword.wiring import WITHOUT_PASSWORD, Wiring, checked, checked_password
from models import Account
from models.database import Database


@dataclass
class Imported:
    """What an import did, or would do: names of accounts."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    without_password: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A row whose cells are good, each by itself."""

    place: str
    values: dict[str, Any]
    password: SecretStr | None

    @property
    def name(self) -> str:
        return str(self.values["name"])


async def import_rows(
    database: Database,
    given: Sequence[Row],
    *,
    keyring: Keyring | None = None,
    update: bool = False,
    dry_run: bool = False,
) -> Imported:
    """Add the accounts of a file.

    Args:
        database: ours.
        given: the rows.
        keyring: seals the passwords; only needed where a row has one.
        update: change accounts that are there already; empty cells leave them as they are.
        dry_run: check everything and save nothing.

    Raises:
        ImportTrouble: rows are at fault; all of them are told, and nothing is imported.
    """
    problems: list[Problem] = []
    good = list(_check_cells(given, problems))
    problems += _check_twice(given)
    async with database.session() if dry_run else database.writing() as session:
        if keyring and not dry_run:
            await keyring.settle(session)
        query = select(Account).with_for_update()
        accounts = {account.name: account for account in await session.exec(query)}
        for row in good:
            if account := accounts.get(row.name):
                problems += _check_update(account, row, update=update)
        if problems:
            order = {row.place: number for number, row in enumerate(given)}
            raise ImportTrouble(sorted(problems, key=lambda it: order[it.place]))
        new = {row.name: Account(**row.values) for row in good if row.name not in accounts}
        done = Imported(added=list(new))
        try:
            if not dry_run:
                session.add_all(new.values())
                await session.flush()  # gives them the ids that their passwords are sealed for
            for row in good:
                if row.name in new:
                    _seal(new[row.name], row, None if dry_run else keyring)
                else:
                    is_changed = _update(accounts[row.name], row, keyring)
                    (done.updated if is_changed else done.unchanged).append(row.name)
        except IntegrityError:
            raise UsageError("accounts were added at the same moment: import again") from None
    done.without_password = [
        row.name for row in good if _lacks_password((accounts | new)[row.name], row)
    ]
    return done


def _check_cells(given: Sequence[Row], problems: list[Problem]) -> Iterator[_Checked]:
    """Give the rows whose cells are good, each by itself; the others become problems."""
    for row in given:
        values: dict[str, Any] = {}
        password: SecretStr | None = None
        before = len(problems)
        problems += [
            Problem(row.place, column, "empty") for column in REQUIRED if column not in row.cells
        ]
        for column, text in row.cells.items():
            try:
                values[column] = checked(column, text)
            except ValueError as error:
                problems.append(Problem(row.place, column, str(error)))
        try:
            password = checked_password(row.password) if row.password else None
        except ValueError as error:
            problems.append(Problem(row.place, "password", str(error)))
        if len(problems) == before:
            yield _Checked(row.place, values, password)


def _check_twice(given: Sequence[Row]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for row in given:
        name = unicodedata.normalize("NFC", row.cells.get("name", ""))
        place = first.setdefault(name, row.place)
        if name and place != row.place:
            yield Problem(row.place, "name", f"{name[:64]!r} stands in {place} already")


def _check_update(account: Account, row: _Checked, *, update: bool) -> Iterator[Problem]:
    if not update:
        text = f"there is an account {row.name!r} already: --update changes it"
        yield Problem(row.place, "name", text)
        return
    try:
        check_password_needed(account, _wiring(account, row), row.password)
    except UsageError as error:
        yield Problem(row.place, "password", str(error))


def _wiring(account: Account, row: _Checked) -> Wiring:
    return replace(Wiring.of(account), **row.values)


def _update(account: Account, row: _Checked, keyring: Keyring | None) -> bool:
    to = _wiring(account, row)
    return rewire(account, to, password=row.password, keyring=keyring)


def _seal(account: Account, row: _Checked, keyring: Keyring | None) -> None:
    if row.password and keyring:
        account.secret = keyring.seal_password(account, row.password)


def _lacks_password(account: Account, row: _Checked) -> bool:
    has_one = account.secret or row.password
    return not has_one and account.publisher not in WITHOUT_PASSWORD
