"""What only the holder needs, and who waits for it."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class HoldSettings(BaseSettings):
    """Beside those of `lastword.settings`."""

    model_config = SettingsConfigDict(env_prefix="LASTWORD_", env_ignore_empty=True, extra="ignore")

    hold_login_rate: float = Field(default=10, gt=0, le=1_000)
    """Logins a second on one server."""
    hold_logins: int = Field(default=10, ge=1, le=1_000)
    """Logins under way at once on one server."""
    hold_ping_seconds: float = Field(default=60, ge=0.1, le=600)
    """How often a session asks whether its server is still there."""
    hold_deadline: float = Field(default=60, gt=0, le=600)
    """Seconds that a run waits for the holder to show one status."""
    hold_health_port: int = Field(default=8099, ge=0, le=65_535)
    """Port on 127.0.0.1 that tells how the holder does; 0: any that is free."""
