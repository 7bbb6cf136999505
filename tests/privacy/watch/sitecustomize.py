"""Loaded by Python at the start of every watched process, and of every process that it starts.

Keeps what the process deletes, notes each file that it opens to write, and stops and notes each
connection that would leave the machine. For the tests of the tests it also plants a leak.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import os
import sys

NOTES, KEPT = os.environ["WATCH_NOTES"], os.environ["WATCH_KEPT"]
LOCAL = ("127.", "::1", "localhost", "0.0.0.0")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def note(kind: str, what: object) -> None:
    handle = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{kind}\t{what}\n".encode())
    os.close(handle)


def keep(path: object, folder: int) -> None:
    """A second name for a file that is about to go, so that it can be searched."""
    name = os.urandom(8).hex()
    try:
        os.link(path, f"{KEPT}/{name}", src_dir_fd=None if folder < 0 else folder)
    except OSError:
        return  # A folder, or a file system that has no links: what stays is searched anyway.
    note("kept", f"{name} {os.path.abspath(os.fsdecode(path)) if folder < 0 else path}")


def is_local(address: object) -> bool:
    host = address[0] if isinstance(address, tuple) else address
    if host is None or isinstance(host, bytes) or (isinstance(address, str) and "/" in address):
        return True  # A socket of this machine's own.
    return str(host).startswith(LOCAL) or host == ""


def watch(event: str, given: tuple[object, ...]) -> None:
    if event == "open":
        path, _, flags = given
        if isinstance(path, (str, bytes)) and os.fsdecode(path) != NOTES and flags & WRITING:
            note("write", os.path.abspath(os.fsdecode(path)))
    elif event == "os.remove":
        keep(*given)
    elif event == "os.rename":
        keep(given[1], given[3])
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        if not is_local(given[1]):
            note("network", given[1])
            raise PermissionError("no network in this test")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not is_local(given[0]):
        note("network", given[0])
        raise PermissionError("no network in this test")


def leak(how: str, text: str) -> None:
    if how == "stderr":
        print(text, file=sys.stderr)
    elif how == "stdout":
        print(text, flush=True)
    elif how == "log":
        import logging

        logging.getLogger("stalkflag").warning("read %s", text)
    elif how == "home":
        folder = os.path.expanduser("~/.cache/stalkflag")
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/last", "w", encoding="utf-16") as stream:
            stream.write(text)
    elif how == "temporary":
        import tempfile

        with tempfile.NamedTemporaryFile("w", suffix=".txt") as stream:
            stream.write(text)
            stream.flush()
    elif how == "elsewhere":
        path = "/dev/shm/stalkflag-planted-leak"
        with open(path, "w") as stream:
            stream.write("x")
        os.unlink(path)
    elif how == "mlflow":
        import mlflow

        mlflow.set_tracking_uri("sqlite:///mlflow.db")
        mlflow.set_experiment("planted")
        mlflow.log_text(text, "planted.txt")
        mlflow.end_run()
    elif how == "network":
        import socket

        # The watch notes it and stops it; a leak would not tell either.
        with contextlib.suppress(OSError):
            socket.create_connection(("192.0.2.1", 80), timeout=1)
    else:
        raise ValueError(how)


class Plant(importlib.abc.MetaPathFinder):
    """Makes the reading of narratives leak each of them, or fail with its text in the message."""

    def find_spec(self, name, path, target=None):  # type: ignore[no-untyped-def]
        if name != "stalkflag.reading":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):  # type: ignore[no-untyped-def]
            execute(module)
            make_doc = module.Reader.make_doc

            def leaking(self, text, *rest, **named):  # type: ignore[no-untyped-def]
                how = os.environ["PLANT_LEAK"]
                if "zebrafinch" in text:
                    if how == "message":
                        raise RuntimeError(f"cannot read {text}")
                    leak(how, text)
                return make_doc(self, text, *rest, **named)

            module.Reader.make_doc = leaking

        spec.loader.exec_module = exec_module
        return spec


if os.environ.get("PLANT_LEAK"):
    sys.meta_path.insert(0, Plant())
sys.addaudithook(watch)
