"""Where the key that seals secrets comes from: LASTWORD_KEY, else a file for its owner only.

Each holds one key; two while one is being replaced, apart by a space or a line's end: the one of
before, then the one to come.
"""

import base64
import binascii
import fcntl
import os
import secrets
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretBytes, SecretStr

from lastword.errors import Systemic
from lastword.settings import Settings

KEY_BYTES = 32
"""AES-256."""
MOST = 2
"""Keys at one time."""
MOUNTS = ("/run/secrets", "/var/run/secrets")
"""Where Docker, Podman and Kubernetes mount secrets; systemd says where, by a variable."""


class KeyTrouble(Systemic):
    """The key is missing, unreadable, malformed, or not the one of the database."""


class KeyExists(KeyTrouble):
    """There is a key already where a new one was to be made."""


def read_keys(settings: Settings) -> tuple[list[SecretBytes], str]:
    """Return the key, or two while one is being replaced, and, for messages, where from.

    Raises:
        KeyTrouble: there is none, others may read it, or it is malformed.
    """
    if settings.key is not None:
        return _decode(settings.key, "LASTWORD_KEY"), "LASTWORD_KEY"
    path = settings.key_path
    return _decode(_read(path), f"the key file {path}"), f"the key file {path}"


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


def is_mounted(path: Path) -> bool:
    """Return whether a key file was put there for us, by what starts us."""
    mounts = (*MOUNTS, os.environ.get("CREDENTIALS_DIRECTORY") or MOUNTS[0])
    return any(path.is_relative_to(mount) for mount in mounts)


def create_key(path: Path) -> None:
    """Make a new key in a file that only its owner may read.

    Raises:
        KeyExists: a file is there already, which is left as it is.
        KeyTrouble: it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        _write(file, [new_key()])
        _publish(Path(temporary), path)
    except OSError as error:
        raise KeyTrouble(f"the key file {path} cannot be made: {error.strerror}") from None


def new_key() -> SecretBytes:
    """Return a new key."""
    return SecretBytes(secrets.token_bytes(KEY_BYTES))


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Hold the one right to replace a key file's content; let go of, however the process dies.

    Raises:
        KeyTrouble: another process has it, or the directory is not ours to write to.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _read_only(path, error) from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KeyTrouble("the key is being replaced already, by another process") from None
        yield
    finally:
        os.close(file)


def replace_keys(path: Path, keys: Sequence[SecretBytes]) -> None:
    """Let a key file hold these keys: whole before and after, whenever the power fails.

    Call it with the lock of `alone_with` held.

    Raises:
        KeyTrouble: it cannot be written.
    """
    # Always the same name: what a process that was killed has left is written over.
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        _write(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), keys)
        temporary.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise _read_only(path, error) from None


def _read_only(path: Path, error: OSError) -> KeyTrouble:
    return KeyTrouble(
        f"the key file {path} cannot be replaced ({error.strerror}):"
        " where it is given from outside, see docs/keys.md"
    )


def _write(file: int, keys: Sequence[SecretBytes]) -> None:
    with os.fdopen(file, "wb") as stream:
        stream.writelines(base64.urlsafe_b64encode(key.get_secret_value()) + b"\n" for key in keys)
        stream.flush()
        os.fsync(file)


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
    return 0o022 if is_mounted(path) else 0o077


def _decode(text: SecretStr, origin: str) -> list[SecretBytes]:
    """Return the keys of a text."""
    keys = [_decode_one(SecretStr(word)) for word in text.get_secret_value().split()]
    if not keys or not all(keys):
        raise KeyTrouble(
            f"{origin} holds no key ({KEY_BYTES} bytes in base64): restore it from your backup"
        )
    if len(keys) > MOST:
        raise KeyTrouble(
            f"{origin} holds {len(keys)} keys: it takes one, or two while one is replaced"
        )
    return keys


def _decode_one(word: SecretStr) -> SecretBytes:
    """Return a key; nothing where this is none."""
    try:
        key = base64.b64decode(word.get_secret_value(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return SecretBytes(b"")
    return SecretBytes(key if len(key) == KEY_BYTES else b"")
