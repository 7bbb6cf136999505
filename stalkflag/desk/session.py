"""Who is at the desk: signed cookies, form tokens, and the file of access tokens.

Nothing is kept on the server: what a page needs to know again travels in it, sealed.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from stalkflag.errors import InputError

SHIFT = 12 * 60 * 60
"""Seconds after which a session ends."""

SHORTEST_TOKEN = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has been let in, and the person who uses it."""

    user: str
    nonce: str


class Seals:
    """Signatures with a key that lives as long as the server."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def seal(self, *parts: str) -> str:
        """A signature of these strings in this order."""
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
        return base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")

    def fits(self, seal: str, *parts: str) -> bool:
        """Whether this is the signature of these strings."""
        return hmac.compare_digest(
            seal.encode("utf-8", "surrogatepass"), self.seal(*parts).encode()
        )

    def open_session(self, user: str) -> str:
        """A new session's cookie."""
        name = base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")
        value = f"{name}.{secrets.token_urlsafe(16)}.{int(time.time()) + SHIFT}"
        return f"{value}.{self.seal('session', value)}"

    def read_session(self, cookie: str | None) -> Session | None:
        """The session of a cookie, if it is one of ours and not over."""
        value, _, seal = (cookie or "").rpartition(".")
        if not value or not self.fits(seal, "session", value):
            return None
        name, nonce, until = value.split(".")
        if time.time() > int(until):
            return None
        return Session(base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode(), nonce)

    def form_token(self, session: Session) -> str:
        """What a form must carry to be accepted from this session."""
        return self.seal("form", session.nonce)


class AccessTokens:
    """The people who may use a desk that others can reach, by their tokens."""

    def __init__(self, users: dict[str, str]) -> None:
        self._users = {_digest(token): user for token, user in users.items()}

    def user(self, token: str) -> str | None:
        """Whose token this is; looked up by its hash, so that timing tells nothing."""
        return self._users.get(_digest(token))


def read_tokens(path: Path) -> AccessTokens:
    """Read a token file: one ``NAME TOKEN`` a line; ``#`` begins a comment line.

    Raises
    ------
    InputError
        If it cannot be read, others may read it, or a line or token is not usable.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} cannot be read: check the path of the token file.") from None
    if sys.platform != "win32" and mode & 0o077:
        raise InputError(f"{path} can be read by others: run chmod 600 {path}.")
    users: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise InputError(f"{path}:{number}: write a name, a space and a token.")
        name, token = words
        if len(token) < SHORTEST_TOKEN:
            raise InputError(
                f"{path}:{number}: the token is shorter than {SHORTEST_TOKEN} characters: make "
                "one with python -c 'import secrets; print(secrets.token_urlsafe(32))'."
            )
        if token in users:
            raise InputError(f"{path}:{number}: the token stands there twice.")
        users[token] = name
    if not users:
        raise InputError(f"{path} holds no token: write one line 'NAME TOKEN' for each person.")
    return AccessTokens(users)


def this_user() -> str:
    """The name of the person whose account the desk runs under."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
