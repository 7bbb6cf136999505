"""``stalkflag rules``: the pattern library, listed, shown, executed and explained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stalkflag.errors import InputError

if TYPE_CHECKING:
    from stalkflag.rules.schema import RuleSet

rules_app = typer.Typer(help="The pattern library.", no_args_is_help=True)

Overlay = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules", help="An overlay (file or folder); may be repeated.", show_default=False
    ),
]


def _load(overlays: list[Path] | None) -> RuleSet:
    from stalkflag.rules.schema import load_packs

    return load_packs(*(overlays or []))


@rules_app.command("list")
def list_cli(
    overlays: Overlay = None,
    stats: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled data on which to count each rule's hits.", show_default=False),
    ] = None,
) -> None:
    """List the rules: id, what they show, what they say; with --stats, how often they are right."""
    rules = _load(overlays)
    if stats:
        from stalkflag.training.rulestats import print_stats

        print_stats(rules, stats)
        return
    for rule in rules.rules:
        kind = (rule.axis and f"cue:{rule.axis}") or ",".join((rule.category or "", *rule.shows))
        typer.echo(f"{rule.id}\t{kind}\t{rule.says}")


@rules_app.command("show")
def show_cli(rule_id: str, overlays: Overlay = None) -> None:
    """Show one rule whole."""
    rules = _load(overlays)
    for rule in rules.rules:
        if rule.id == rule_id:
            typer.echo(f"{rule.id}  ({rule.origin})\n{rule.says}")
            for name in ("category", "axis", "shows", "act", "value", "by"):
                value = getattr(rule, name)
                if value:
                    typer.echo(f"{name}: {', '.join(value) if isinstance(value, tuple) else value}")
            for name in ("match", "hit", "miss"):
                for line in getattr(rule, name):
                    typer.echo(f"{name}: {line}")
            return
    raise InputError(f"There is no rule {rule_id!r}: 'stalkflag rules list' names them all.")


@rules_app.command("check")
def check_cli(overlays: Overlay = None) -> None:
    """Execute every example of every rule."""
    from stalkflag.rules.examples import check_examples

    rules = _load(overlays)
    failures = list(check_examples(rules))
    for failure in failures:
        typer.echo(str(failure), err=True)
    examples = sum(len(rule.hit) + len(rule.miss) for rule in rules.rules)
    typer.echo(f"{len(rules.rules)} rules, {examples} examples, {len(failures)} failed.")
    if failures:
        raise typer.Exit(2)


@rules_app.command("explain")
def explain_cli(text: str, overlays: Overlay = None) -> None:
    """Say which rules match a text, and what stopped those that do not count."""
    from stalkflag.narrative import whole_characters
    from stalkflag.rules.examples import explain

    for item in explain(_load(overlays), whole_characters(text)):
        typer.echo(f"{item.words!r}\t{item.rule.id}\t{item.outcome}")
