"""What expected errors say: apart from `cli.errors`, because these imports take half a second."""

from pydantic import ValidationError
from pydantic_settings import SettingsError

from cli.errors import EXIT_FAILED, EXIT_USAGE
from lastword.errors import LastWordError
from lastword.holder.lock import AnotherHolder
from lastword.wrong_settings import wrong_settings
from models.errors import DatabaseTrouble
from models.run_lock import RunUnderWay


def explain(error: Exception) -> tuple[list[str], int] | None:
    """Return an expected error's lines and exit code, or None for a defect."""
    match error:
        case ValidationError() | SettingsError():
            return wrong_settings(error), EXIT_USAGE
        case AnotherHolder():
            return [str(error)], EXIT_FAILED
        case LastWordError() | DatabaseTrouble():
            return [str(error)], EXIT_USAGE
        case RunUnderWay():
            return [str(error)], EXIT_FAILED
    return None
