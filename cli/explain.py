"""What expected errors say: apart from `cli.errors`, because these imports take half a second."""

import re

from pydantic import ValidationError
from pydantic_settings import SettingsError

from cli.errors import EXIT_FAILED, EXIT_USAGE
from lastword.errors import LastWordError
from lastword.holder.lock import AnotherHolder
from models.errors import DatabaseTrouble
from models.run_lock import RunUnderWay


def explain(error: Exception) -> tuple[list[str], int] | None:
    """Return an expected error's lines and exit code, or None for a defect."""
    match error:
        case ValidationError():
            # Only place and reason: the value that was given may be a secret.
            return [_setting(one["loc"], one["msg"]) for one in error.errors()], EXIT_USAGE
        case SettingsError():
            field = re.search(r'field "(\w+)"', str(error))
            return [_setting((field[1] if field else "",), "it is not valid JSON")], EXIT_USAGE
        case AnotherHolder():
            return [str(error)], EXIT_FAILED
        case LastWordError() | DatabaseTrouble():
            return [str(error)], EXIT_USAGE
        case RunUnderWay():
            return [str(error)], EXIT_FAILED
    return None


def _setting(place: tuple[int | str, ...], message: str) -> str:
    name = f"LASTWORD_{place[0]}".upper() if place else "settings"
    return f"{name}: {message[:1].lower()}{message[1:]}"
