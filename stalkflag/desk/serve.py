"""Starting a desk: what may be reached from where, and nothing else."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stalkflag.errors import InputError, MissingExtra

AT_ONCE = 400
"""Connections served at the same time; more are told to come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How to start a desk; see ``stalkflag desk --help``."""

    host: str = "127.0.0.1"
    port: int = 8765
    model: str = "bundled"
    law: str = "england-wales"
    decisions: Path | None = None
    keep_text: bool = False
    decide_first: bool = False
    audit_log: Path | None = None
    token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    origins: tuple[str, ...] = ()
    rate_limit: int | None = None
    workers: int = 0
    open: bool = False


def serve(start: Start) -> None:
    """Serve the desk's page and API until stopped.

    Raises
    ------
    InputError
        If the options would open the desk to others without protection, or a file or the
        address cannot be used.
    ModelError
        If the model cannot be loaded.
    MissingExtra
        If the extra ``desk`` is not installed.
    """
    check(start)
    try:
        import uvicorn

        from stalkflag.desk.app import create_app
        from stalkflag.desk.journal import Journal
        from stalkflag.desk.session import read_tokens
        from stalkflag.desk.state import Desk, DeskSettings
        from stalkflag.desk.workers import AssessorPool
    except ImportError:
        raise MissingExtra("desk", "The recording desk's page") from None
    from stalkflag.law import load_profile

    profile = load_profile(start.law)
    tokens = read_tokens(start.token_file) if start.token_file else None
    listening = _listen(start.host, start.port)
    port: int = listening.getsockname()[1]
    origins = _origins(start, port)
    settings = DeskSettings(
        origins=origins,
        cookie=f"stalkflag-desk-{port}",
        secure=all(origin.startswith("https:") for origin in origins),
        tokens=tokens,
        rate_limit=start.rate_limit or (60_000 if tokens is None else 1_200),
        decide_first=start.decide_first,
        keep_text=start.keep_text,
    )
    decisions = Journal(start.decisions) if start.decisions else None
    audit = Journal(start.audit_log, chained=True) if start.audit_log else None
    _say("loading the model")
    pool = AssessorPool(
        start.model, law=start.law, workers=start.workers or min(2, os.cpu_count() or 1)
    )
    try:
        desk = Desk(
            settings,
            pool=pool,
            model=pool.start(),
            profile=profile,
            decisions=decisions,
            audit=audit,
        )
    except BaseException:
        pool.close()
        raise
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(desk),
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=AT_ONCE,
            timeout_graceful_shutdown=5,
            ssl_certfile=start.tls_cert,
            ssl_keyfile=start.tls_key,
        )
    )
    address = sorted(origins)[0]
    _say(f"ready at {address}/ (Ctrl+C stops it)")
    if start.open:
        webbrowser.open(f"{address}/")
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        _say("closed")


def check(start: Start) -> None:
    """Refuse options that contradict each other or would leave the desk open to others."""
    if start.keep_text and not start.decisions:
        raise InputError(
            "--keep-text keeps texts in the decisions file: name one with --decisions."
        )
    same = start.decisions and start.audit_log
    if same and start.decisions.resolve() == start.audit_log.resolve():  # type: ignore[union-attr]
        raise InputError("--decisions and --audit-log need two different files.")
    if bool(start.tls_cert) != bool(start.tls_key):
        raise InputError("Give both --tls-cert and --tls-key, or neither.")
    if start.tls_cert and start.tls_key:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(start.tls_cert, start.tls_key)
        except OSError:
            raise InputError(
                f"{start.tls_cert} and {start.tls_key} are not a certificate and its key in PEM "
                "form: check the paths."
            ) from None
    if not (start.behind_proxy or not _is_loopback(start.host)):
        return
    if not start.token_file:
        raise InputError(
            "Others could reach this desk: name a token file with --token-file, or leave out "
            "--host and --behind-proxy."
        )
    if not (start.tls_cert or start.behind_proxy):
        raise InputError(
            "Others could read along: give --tls-cert and --tls-key, or say with --behind-proxy "
            "that a proxy of yours encrypts the connection."
        )
    if not start.origins:
        raise InputError(
            "Say under which address browsers reach the desk, as in "
            "--origin https://desk.example.police.uk."
        )
    if not all(urlsplit(origin).scheme == "https" for origin in start.origins):
        raise InputError(
            "A desk that others can reach needs an --origin that begins with https://."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origins(start: Start, port: int) -> frozenset[str]:
    if start.origins:
        return frozenset(_origin(given) for given in start.origins)
    scheme = "https" if start.tls_cert else "http"
    named = f"[{start.host}]" if ":" in start.host else start.host
    hosts = {named, "localhost"} | ({"127.0.0.1"} if start.host == "localhost" else set())
    return frozenset(f"{scheme}://{host}:{port}" for host in hosts)


def _origin(given: str) -> str:
    """Scheme, host and port as a browser writes them: in lower case, without a usual port."""
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise InputError(
            f"--origin {given} is not an address like https://desk.example.police.uk: "
            "give scheme, host and, where it is unusual, port."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"The desk cannot listen at {host} port {port} ({os.strerror(error.errno or 0)}): it may be open "
            "already; choose another with --port."
        ) from None


def _say(words: str) -> None:
    print(f"stalkflag desk: {words}", file=sys.stderr, flush=True)
