"""Everything that can be set, by environment variables named `LASTWORD_…`."""

import os
from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from lastword import jid
from lastword.ping import is_safe
from lastword.secret_files import FileSettings
from lastword.span import parse_span
from lastword.words import is_word

_LONGEST_CONTACT = 200


def _default_data_dir() -> Path:
    return Path("~/.local/share/lastword").expanduser()


class Settings(FileSettings):
    """Built at the start of a command or run, never at import."""

    model_config = SettingsConfigDict(
        env_prefix="LASTWORD_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    FROM_FILES = frozenset({"database_url", "notifier_password", "ping_url"})

    data_dir: Path = Field(default_factory=_default_data_dir)
    """Database, key and Prefect's own files live here."""
    database_url: SecretStr | None = None
    """SQLAlchemy URL; None: SQLite in the data directory."""
    key: SecretStr | None = None
    """The key that seals secrets; wins over the key file."""
    key_file: Path | None = None
    """None: `key` in the data directory."""

    report: Path | None = None
    """After each run the page of `lastword report` is written there; None: nowhere."""

    max_age: timedelta = Field(default=timedelta(days=30), gt=timedelta())
    """A post older than this is not published, unless its account says otherwise."""
    quiet_after: timedelta | None = Field(default=None, gt=timedelta())
    """Who wrote nothing for so long is looked at less often; None: everybody at every run."""
    opt_out_tag: str = "nostatus"
    """A post with this hashtag is left alone; the # may be given, too."""

    concurrency: int = Field(default=200, ge=1, le=1_000)
    """Connections to the servers of posts at once."""
    host_concurrency: int = Field(default=8, ge=1, le=1_000)
    """Fetches from one host at once."""
    host_rate: float = Field(default=20, gt=0, le=10_000)
    """Fetches from one host a second."""
    logins: int = Field(default=50, ge=1, le=1_000)
    """XMPP logins under way at once, over all servers."""
    task_runs: int | None = Field(default=None, ge=1)
    """Task runs in one run at most, so that accounts share them; None: see `flows.granularity`."""
    shard_size: int = Field(default=2_000, ge=1)
    """Accounts that one process takes on; a scheduled run over more is divided into shards."""
    shards_at_once: int = Field(default=4, ge=1, le=200)
    """Shards under way at once, over all workers."""
    failure_threshold: float = Field(default=0.2, ge=0, le=1)
    """A run in which a greater share of accounts failed is Failed, not Degraded."""
    no_run_after: timedelta = Field(default=timedelta(minutes=45), ge=timedelta(seconds=10))
    """Where no run ends for longer than this, operators are told."""
    ping_url: SecretStr | None = None
    """Told that a run starts, succeeds or fails: a service that misses it raises the alarm."""
    notifier_jid: str | None = None
    """Bare JID that tells owners when their account waits for them; None: nobody tells them."""
    notifier_password: SecretStr | None = None
    """Its password."""
    retry_seconds: float = Field(default=5, ge=0, le=600)
    """Wait before the first retry of a task run; the second waits twice as long."""

    retention: timedelta = Field(default=timedelta(days=90), ge=timedelta(days=1))
    """Outcomes and runs older than this are forgotten."""
    linger: timedelta = Field(default=timedelta(minutes=40), gt=timedelta())
    """From one run to the next, and a margin: a chat server must keep a session so long."""

    http_deadline: float = Field(default=20, gt=0, le=300)
    """Seconds for one fetch, from first byte sent to last byte read, redirects included."""
    xmpp_deadline: float = Field(default=30, gt=0, le=300)
    """Seconds for one login, from connecting to being in session."""
    xmpp_answer_deadline: float = Field(default=15, gt=0, le=300)
    """Seconds for the server to answer one request within a session."""

    health_port: int = Field(default=8098, ge=0, le=65_535)
    """Port that tells how `lastword up` does; 0: any that is free."""
    health_host: str = "127.0.0.1"
    """Address that it listens at."""

    contact: str = ""
    """Address in our User-Agent, for the people who run the servers that we ask."""
    allow_hosts: frozenset[str] = frozenset()
    """`host:port` pairs that may be private addresses or plain http, as JSON list."""
    ca_file: Path | None = None
    """PEM certificates trusted beside the system's, for posts and for XMPP."""
    xmpp_servers: dict[str, str] = Field(default_factory=dict)
    """XMPP domain → `host:port` to connect to instead of what DNS says, as JSON object;
    `xmpps://host:port` where TLS begins at once."""

    @field_validator("max_age", "quiet_after", "no_run_after", "retention", "linger", mode="before")
    @classmethod
    def _span(cls, value: object) -> object:
        return parse_span(value) if isinstance(value, str) else value

    @field_validator("opt_out_tag")
    @classmethod
    def _tag(cls, text: str) -> str:
        tag = text.strip().removeprefix("#")
        if not is_word(tag):
            raise ValueError("it is one word of letters, digits and _, like nostatus")
        return tag

    @field_validator("contact")
    @classmethod
    def _fits_a_header(cls, text: str) -> str:
        contact = text.strip()
        if not contact.isascii() or not contact.isprintable() or len(contact) > _LONGEST_CONTACT:
            raise ValueError(
                "it is an address in ASCII, like https://chat.example/bots or ops@chat.example"
            )
        return contact

    @field_validator("notifier_jid")
    @classmethod
    def _jid(cls, text: str | None) -> str | None:
        return jid.normalise(text) if text else None

    @field_validator("ping_url")
    @classmethod
    def _safe(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not is_safe(url.get_secret_value()):
            raise ValueError("it must be https, or on this machine")
        return url

    @field_validator("data_dir", "key_file", "ca_file", "report")
    @classmethod
    def _expand(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else None

    def paths(self) -> dict[str, Path]:
        """Return the paths that are set, absolute, by environment variable."""
        files = {
            name: Path(value).expanduser().absolute()
            for name, value in os.environ.items()
            if name.startswith("LASTWORD_") and name.endswith("_FILE") and value
        }
        named = {
            **files,
            "LASTWORD_DATA_DIR": self.data_dir,
            "LASTWORD_KEY_FILE": self.key_file,
            "LASTWORD_CA_FILE": self.ca_file,
            "LASTWORD_REPORT": self.report,
        }
        return {name: path for name, path in named.items() if path}

    @property
    def database(self) -> SecretStr:
        """The database's SQLAlchemy URL; it may have a password in it."""
        return self.database_url or SecretStr(f"sqlite+aiosqlite:///{self.data_dir}/lastword.db")

    @property
    def key_path(self) -> Path:
        """Where the key file is, or would be."""
        return self.key_file or self.data_dir / "key"
