"""``stalkflag law``: the law profiles, what they hold, and checking one's own."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

law_app = typer.Typer(
    help="The law profiles: offences, points to prove and recording rules.", no_args_is_help=True
)


@law_app.command("list")
def list_cli() -> None:
    """Name the shipped profiles."""
    from stalkflag.law import load_profile, shipped

    for name in shipped():
        profile = load_profile(name)
        typer.echo(f"{name}\t{profile.name}\tlast compared with its sources on {profile.checked}")


@law_app.command("show")
def show_cli(
    law: Annotated[
        list[str] | None,
        typer.Argument(help="Profiles by name or path; all that are shipped if none is given."),
    ] = None,
) -> None:
    """Print what profiles hold as a page to read (Markdown), with sources and dates."""
    from stalkflag.law import load_profile, shipped
    from stalkflag.law.page import legal_basis

    sys.stdout.write(legal_basis([load_profile(one) for one in law or shipped()]))


@law_app.command("check")
def check_cli(
    file: Annotated[str, typer.Argument(help="A profile file (.toml).")],
) -> None:
    """Check a profile file; the first mistake is told with its key."""
    from stalkflag.law import load_profile
    from stalkflag.law.applied import unknown_rules
    from stalkflag.rules.schema import load_packs

    profile = load_profile(file)
    for where, selector in unknown_rules(profile, load_packs()):
        typer.echo(f"{file}: {where}: no rule in the packs is called {selector!r}.", err=True)
    typer.echo(
        f"{file}: profile {profile.id!r} is well formed: {len(profile.offences)} offences, "
        f"{len(profile.points)} points to prove."
    )
