"""All commands put together, and how a mistake is told to the person at the terminal."""

from __future__ import annotations

import os
import sys

import typer

from stalkflag import __version__
from stalkflag.cli.audit import audit_app
from stalkflag.cli.check import check_cli
from stalkflag.cli.data import data_app
from stalkflag.cli.evaluate import evaluate_cli
from stalkflag.cli.report import report_cli
from stalkflag.cli.rules import rules_app
from stalkflag.cli.score import score_cli
from stalkflag.cli.train import train_cli
from stalkflag.errors import StalkflagError

app = typer.Typer(
    name="stalkflag",
    help="Read police narratives for stalking: show the words, suggest, or refer to a person. "
    "stalkflag supports a person's decision and never makes it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check")(check_cli)
app.command("score")(score_cli)
app.command("report")(report_cli)
app.command("train")(train_cli)
app.command("evaluate")(evaluate_cli)
app.add_typer(audit_app, name="audit")
app.add_typer(rules_app, name="rules")
app.add_typer(data_app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stalkflag {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; exit 2 with one sentence on a user's mistake."""
    try:
        app()
    except StalkflagError as error:
        print(f"stalkflag: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stalkflag: stopped; no unfinished output was left.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (such as 'head') has gone: not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
