"""Where the key that seals secrets comes from: LASTWORD_KEY, else a file for its owner only."""

import base64
import binascii
import os
import secrets
import shlex
import tempfile
from pathlib import Path

from pydantic import SecretStr

from lastword.errors import Systemic
from lastword.settings import Settings

KEY_BYTES = 32
"""AES-256."""
MOUNTS = ("/run/secrets", "/var/run/secrets")
"""Where Docker, Podman and Kubernetes mount secrets; systemd says where, by a variable."""


class KeyTrouble(Systemic):
    """The key is missing, unreadable, malformed, or not the one of the database."""


class KeyExists(KeyTrouble):
    """There is a key already where a new one was to be made."""


def read_key(settings: Settings) -> tuple[bytes, str]:
    """Return the key and, for messages, where it came from.

    Raises:
        KeyTrouble: there is none, others may read it, or it is malformed.
    """
    if settings.key is not None:
        return _decode(settings.key.get_secret_value(), "LASTWORD_KEY"), "LASTWORD_KEY"
    path = settings.key_path
    return _decode(_read(path).get_secret_value(), f"the key file {path}"), f"the key file {path}"


def has_key(settings: Settings) -> bool:
    """Return whether there is a key, readable or not."""
    if settings.key is not None:
        return True
    try:
        settings.key_path.stat()
    except FileNotFoundError:
        return False
    except OSError:  # it may be there, out of our sight
        return True
    return True


def create_key(path: Path) -> None:
    """Make a new key in a file that only its owner may read.

    Raises:
        KeyExists: a file is there already, which is left as it is.
        KeyTrouble: it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(file, "wb") as stream:
            stream.write(base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            stream.flush()
            os.fsync(file)
        _publish(Path(temporary), path)
    except OSError as error:
        raise KeyTrouble(f"the key file {path} cannot be made: {error.strerror}") from None


def _publish(temporary: Path, path: Path) -> None:
    """Let the key appear whole, and never in place of another."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise KeyExists(f"{path} is there already and was left as it is") from None
    finally:
        temporary.unlink()


def _read(path: Path) -> SecretStr:
    try:
        with path.open("rb") as stream:
            # Asked of the open file, so that nobody can swap it in between.
            if os.name == "posix" and os.fstat(stream.fileno()).st_mode & _forbidden(path):
                raise KeyTrouble(
                    f"the key file {path} is open to others:"
                    f" run `chmod 600 {shlex.quote(str(path))}`"
                )
            return SecretStr(stream.read(1024).decode("ascii", errors="replace"))
    except FileNotFoundError:
        raise KeyTrouble(
            f"there is no key at {path}: run `lastword init`, or restore the key file;"
            " without it the saved passwords cannot be read"
        ) from None
    except OSError as error:
        raise KeyTrouble(
            f"the key file {path} cannot be read ({error.strerror}): let this user read it"
        ) from None


def _forbidden(path: Path) -> int:
    """Return the bits of a key file's mode that nobody but its owner may have.

    Secrets that are mounted for us are 0444 or 0440: who may look there was decided outside, and
    only by processes like this one they are seen. None may be written to by others.
    """
    mounts = (*MOUNTS, os.environ.get("CREDENTIALS_DIRECTORY") or MOUNTS[0])
    is_mounted = any(path.is_relative_to(mount) for mount in mounts)
    return 0o022 if is_mounted else 0o077


def _decode(text: str, origin: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyTrouble(
            f"{origin} holds no key ({KEY_BYTES} bytes in base64): restore it from your backup"
        ) from None
    return key
