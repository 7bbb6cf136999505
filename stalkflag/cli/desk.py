"""``stalkflag desk``: the recording desk's local page and its JSON API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _verify(path: Path | None) -> None:
    """Check an audit log's chain and leave; exit 1 if it was changed."""
    if path is None:
        return
    try:
        from stalkflag.desk.journal import verify_chain
    except ImportError:
        from stalkflag.errors import MissingExtra

        raise MissingExtra("desk", "Checking an audit log") from None

    found = verify_chain(path)
    typer.echo(f"{path}: {found.lines} lines, {found.cut_short} cut short, last hash {found.head}.")
    if found.broken_at is not None:
        typer.echo(f"Line {found.broken_at} does not follow from the one before it.", err=True)
        raise typer.Exit(1)
    raise typer.Exit


def desk_cli(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")
    ] = 8765,
    decisions: Annotated[
        Path | None,
        typer.Option(help="Add people's decisions to this JSONL file.", show_default=False),
    ] = None,
    keep_text: Annotated[
        bool, typer.Option("--keep-text", help="Keep narratives in it too, to train with.")
    ] = False,
    decide_first: Annotated[
        bool,
        typer.Option("--decide-first", help="Hide the suggestion until the person has chosen."),
    ] = False,
    audit_log: Annotated[
        Path | None,
        typer.Option(help="Add every consultation to this chained file.", show_default=False),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="Let in only who has a token: lines 'NAME TOKEN'.", show_default=False),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate (PEM) to encrypt with.", show_default=False)
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="The certificate's key (PEM).", show_default=False)
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy of yours encrypts the connection.")
    ] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="Address that browsers use; may be repeated.", show_default=False),
    ] = None,
    rate_limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Requests a minute from one caller.",
            show_default="60,000; 1,200 with --token-file",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="Processes that read, 200 MB each; 0 for up to two.")
    ] = 0,
    open: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    model: Annotated[
        str, typer.Option(help="'bundled', a bundle folder, or models:/stalkflag@champion.")
    ] = "bundled",
    law: Annotated[
        str,
        typer.Option(help="'england-wales', 'scotland', or a profile file of your own (.toml)."),
    ] = "england-wales",
    verify_audit_log: Annotated[
        Path | None,
        typer.Option(
            callback=_verify,
            is_eager=True,
            help="Check an audit log's chain and leave.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open the recording desk: a local page and a JSON API.

    Nothing is stored unless --decisions or --audit-log names a file. Only this machine can reach
    it unless --token-file and TLS files or --behind-proxy say otherwise.
    """
    from stalkflag.desk.serve import Start, serve

    serve(
        Start(
            host=host,
            port=port,
            model=model,
            law=law,
            decisions=decisions,
            keep_text=keep_text,
            decide_first=decide_first,
            audit_log=audit_log,
            token_file=token_file,
            tls_cert=tls_cert,
            tls_key=tls_key,
            behind_proxy=behind_proxy,
            origins=tuple(origin or ()),
            rate_limit=rate_limit,
            workers=workers,
            open=open,
        )
    )
