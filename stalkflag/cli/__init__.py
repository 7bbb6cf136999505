"""The command line: one module a command; heavy imports happen inside the commands."""

from stalkflag.cli.app import main

__all__ = ["main"]
