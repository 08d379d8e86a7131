"""Settings that hold secrets may come from a file: `LASTWORD_…_FILE` names it.

A variable is seen by every child process and in `docker inspect`; a file that is mounted is not.
"""

import os
from pathlib import Path
from typing import Any, ClassVar

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from lastword.errors import Systemic

_LARGEST = 1_000_000


class FileSettings(BaseSettings):
    """Settings of which some may come from a file."""

    FROM_FILES: ClassVar[frozenset[str]] = frozenset()
    """Fields that may."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, _Files(settings_cls), env_settings


class _Files(PydanticBaseSettingsSource):
    def __call__(self) -> dict[str, Any]:
        found = {}
        for name in getattr(self.settings_cls, "FROM_FILES", ()):
            field = self.settings_cls.model_fields[name]
            text, key, is_complex = self.get_field_value(field, name)
            if text is None:
                continue
            try:
                found[key] = self.prepare_field_value(name, field, text, is_complex)
            except ValueError:
                # Its own words, and its cause, quote the text: that is a secret.
                raise Systemic(f"{self._variable(name)}_FILE: it holds no valid JSON") from None
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of a field's file, or None where none is named.

        Raises:
            Systemic: the file cannot be read, or the variable itself is set, too.
        """
        variable = self._variable(field_name)
        text = None
        if path := os.environ.get(f"{variable}_FILE"):
            if os.environ.get(variable):
                raise Systemic(f"{variable} and {variable}_FILE are both set: unset one of them")
            text = _read(Path(path).expanduser(), f"{variable}_FILE")
        return text, field_name, self.field_is_complex(field)

    def _variable(self, name: str) -> str:
        return f"{self.config.get('env_prefix', '')}{name}".upper()


def _read(path: Path, variable: str) -> str:
    try:
        with path.open("rb") as stream:
            text = stream.read(_LARGEST).decode().strip()
    except UnicodeDecodeError:
        raise Systemic(f"{variable}: {path} is not UTF-8") from None
    except OSError as error:
        raise Systemic(
            f"{variable}: {path} cannot be read ({error.strerror}): let this user read it"
        ) from None
    if not text:
        raise Systemic(f"{variable}: {path} is empty")
    return text
