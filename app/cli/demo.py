"""``consilium demo``: the whole story on public data, with real cryptography, compared with the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Json, Profile, answer
from app.texts import text

if TYPE_CHECKING:
    from app.core.services.demo import DemoAnswer, DemoReport


def demo(
    profile: Profile,
    sites: Annotated[int, typer.Option(min=2, metavar="N", help="How many hospitals.")] = 3,
    quorum: Annotated[
        int | None, typer.Option(min=2, metavar="T", help="How many of them open a result together.")
    ] = None,
    patients: Annotated[
        int | None, typer.Option(min=1, metavar="P", help="Use a generated cohort of P patients, not the lung study.")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report to FILE (JSON).")] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Work in DIR and keep everything; the keys lie there in a file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let pretend hospitals make a collective key, seal public data, ask, and open the answers together."""
    from app.core.files import write_atomic
    from app.core.services.demo import Demo, Narrator

    narrator = Narrator() if as_json else Narrator(_begin, _done, _answered)
    done = Demo(sites=sites, quorum=quorum, patients=patients, keep=keep, narrator=narrator).run()
    plain = done.to_plain()
    if report is not None:
        write_atomic(report, json.dumps(plain, indent=2, ensure_ascii=False).encode() + b"\n")
    answer(plain, as_json, *_closing(done, keep))
    if _wrong(done):
        raise typer.Exit(1)


def _begin(step: str, params: dict[str, object]) -> None:
    typer.echo(text(f"cli.demo.{step}", None, **params))


def _done(phase: str, seconds: float) -> None:
    typer.echo(text("cli.demo.took", seconds=f"{seconds:.1f}"))


def _answered(found: DemoAnswer) -> None:
    typer.echo()
    typer.echo(f"  {found.text}")
    if found.exact:
        key = "cli.demo.exact" if found.truth == found.released else "cli.demo.wrong"
        typer.echo("  " + text(key, truth=found.truth, released=found.released, seconds=f"{found.seconds:.2f}"))
    else:
        typer.echo(
            "  "
            + text(
                "cli.demo.noised",
                truth=found.truth,
                released=found.released,
                scale=f"{found.noise_scale:g}",
                width=found.half_width,
                seconds=f"{found.seconds:.2f}",
            )
        )


def _closing(done: DemoReport, keep: Path | None) -> list[str]:
    exact = [query for query in done.queries if query.exact]
    lines = [
        "",
        text(
            "cli.demo.summary",
            right=sum(query.truth == query.released for query in exact),
            exact=len(exact),
            seconds=f"{sum(done.phases.values()):.0f}",
        ),
        text("cli.demo.relay", relay=done.relay),
        text("cli.demo.keyring", keyring=done.keyring),
    ]
    return lines if keep is None else [*lines, text("cli.demo.kept", path=keep)]


def _wrong(done: DemoReport) -> bool:
    return any(query.exact and query.truth != query.released for query in done.queries)
