"""What `lastword doctor` looks at: each check is one function that returns one finding."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum

from sqlmodel import col, func, select

from lastword.address import SourceAddress
from lastword.errors import LastWordError, Rejected, Systemic
from lastword.holder.view import view_of
from lastword.ledger import size
from lastword.record import quarantine
from lastword.secrets import Keyring
from lastword.services import Services, open_services, tls_context
from lastword.settings import Settings
from lastword.sources import SOURCES
from lastword.span import format_span
from models import Account, Health
from models.database import Database
from models.errors import DatabaseTrouble
from models.types import now

SKEW = 120
"""Seconds that a clock may be off before certificates and schedules suffer."""


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's answer."""

    about: str
    level: Level
    text: str


async def checkup(settings: Settings, name: str | None = None) -> AsyncIterator[Finding]:
    """Check what does not need Prefect, one finding at a time.

    Args:
        settings: as a run would read them.
        name: the account whose login is tried; None: one that is well.
    """
    yield _data_dir(settings)
    database = await _database(settings)
    yield database
    if database.level is Level.TROUBLE:
        return
    yield await _ledger(settings)
    key = await _key(settings)
    yield key
    tls = _tls(settings)
    yield tls
    if Level.TROUBLE in (key.level, tls.level):
        return
    async with open_services(settings) as services:
        async for finding in _sources(services):
            yield finding
        if holder := await _holder(services):
            yield holder
        account = await _patient(services, name)
        if account is None:
            yield Finding("login", Level.WARNING, "there is no account to try it with")
            return
        yield await _dns(settings, account)
        yield await _clock(services, account)
        yield await _login(services, account)


def _data_dir(settings: Settings) -> Finding:
    path = settings.data_dir
    if not path.is_dir():
        return Finding("data", Level.TROUBLE, f"{path} is not there: run `lastword init`")
    if not os.access(path, os.W_OK):
        return Finding("data", Level.TROUBLE, f"{path} cannot be written to by this user")
    if path.stat().st_mode & 0o077:
        return Finding("data", Level.WARNING, f"others can look into {path}: `chmod 700 {path}`")
    return Finding("data", Level.OK, str(path))


async def _database(settings: Settings) -> Finding:
    try:
        async with Database.open(settings.database) as database, database.session() as session:
            query = select(Account.active, func.count()).group_by(col(Account.active))
            counts = dict((await session.exec(query)).all())
    except DatabaseTrouble as error:
        return Finding("database", Level.TROUBLE, str(error))
    said = f"{counts.get(True, 0)} active accounts, {counts.get(False, 0)} paused"
    return Finding("database", Level.OK, said)


async def _ledger(settings: Settings) -> Finding:
    async with Database.open(settings.database) as database:
        found = await size(database)
    since = f" since {found.oldest:%Y-%m-%d}" if found.oldest else ""
    text = (
        f"{found.entries:,} outcomes of {found.runs:,} runs{since}, kept for"
        f" {format_span(settings.retention)}; the database has {found.bytes / 1e6:,.1f} MB"
    )
    return Finding("ledger", Level.OK, text)


async def _key(settings: Settings) -> Finding:
    try:
        async with Database.open(settings.database) as database:
            await Keyring.load(settings).check(database)
    except LastWordError as error:
        return Finding("key", Level.TROUBLE, str(error))
    return Finding("key", Level.OK, "opens what was sealed")


def _tls(settings: Settings) -> Finding:
    try:
        context = tls_context(settings)
    except Systemic as error:
        return Finding("TLS", Level.TROUBLE, str(error))
    number = context.cert_store_stats()["x509_ca"]
    if not number:
        text = "no certificate authority is trusted: install the package ca-certificates"
        return Finding("TLS", Level.TROUBLE, text)
    return Finding("TLS", Level.OK, f"{number} certificate authorities are trusted")


async def _patient(services: Services, name: str | None) -> Account | None:
    """Return the account whose login is tried: never one whose password was refused."""
    query = select(Account).order_by(col(Account.last_at).desc().nulls_last())
    if name is None:
        query = query.where(col(Account.active).is_(True), col(Account.health) == Health.OK)
    else:
        query = query.where(Account.name == name)
    async with services.database.session() as session:
        return (await session.exec(query)).first()


async def _sources(services: Services) -> AsyncIterator[Finding]:
    """Say what the sources that are in use have to say of themselves."""
    for kind, source in SOURCES.items():
        query = select(func.count()).where(
            col(Account.active), col(Account.source).startswith(f"{kind}:")
        )
        async with services.database.session() as session:
            accounts = (await session.exec(query)).one()
        try:
            for remark in source.remarks(accounts) if accounts else []:
                yield Finding(kind, Level.OK, remark)
        except Systemic as error:
            yield Finding(kind, Level.TROUBLE, str(error))


async def _holder(services: Services) -> Finding | None:
    """Say how the holder does, where it runs or accounts need it."""
    holder = await view_of(services.database)
    if holder.since:
        return Finding("holder", Level.OK, holder.text)
    return Finding("holder", Level.TROUBLE, holder.text) if holder.wanted else None


async def _dns(settings: Settings, account: Account) -> Finding:
    domain = account.jid.partition("@")[2]
    if domain in settings.xmpp_servers:
        server = settings.xmpp_servers[domain]
        return Finding("DNS", Level.OK, f"{domain} is set to be at {server}")
    try:
        await asyncio.get_running_loop().getaddrinfo(domain, 5222, type=socket.SOCK_STREAM)
    except OSError:
        text = f"{domain} has no address here: check the resolver (SRV records alone are fine)"
        return Finding("DNS", Level.WARNING, text)
    return Finding("DNS", Level.OK, f"{domain} resolves")


async def _clock(services: Services, account: Account) -> Finding:
    """Compare our clock with the one of a server that posts come from."""
    host = SourceAddress.parse(account.source).host
    try:
        reply = await services.http.get(f"https://{host}/")
        seconds = abs((now() - parsedate_to_datetime(reply.headers["date"])).total_seconds())
    except (LastWordError, KeyError, ValueError, TypeError):
        return Finding("clock", Level.WARNING, f"not checked: {host} did not tell the time")
    if seconds > SKEW:
        text = f"{seconds:.0f} s off from {host}: set this machine's clock (NTP)"
        return Finding("clock", Level.TROUBLE, text)
    return Finding("clock", Level.OK, f"agrees with {host}")


async def _login(services: Services, account: Account) -> Finding:
    about = f"login of {account.name}"
    if account.health is Health.NEEDS_OWNER:
        text = f"not tried, it was refused before: `lastword why {account.name}`"
        return Finding(about, Level.WARNING, text)
    account.session_memory = None  # once resumed it would have to be saved anew
    try:
        async with services.publishers[account.publisher].session(account) as session:
            await session.current()
    except Rejected as error:
        await quarantine(services.database, account, error)
        return Finding(about, Level.TROUBLE, str(error))
    except LastWordError as error:
        return Finding(about, Level.TROUBLE, str(error))
    return Finding(about, Level.OK, "works")
