"""``consilium demo``: the whole story on public data, with real cryptography, compared with the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Json, Profile, answer
from app.texts import text

if TYPE_CHECKING:
    from app.core.services.demo import DemoAnalysis, DemoAnswer, DemoReport


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

    narrator = Narrator() if as_json else Narrator(_begin, _done, _answered, _analysed)
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
    seconds = f"{found.seconds:.2f}"
    released = text("cli.demo.fewer_than", least=found.least) if found.released is None else found.released
    if found.exact:
        key = "cli.demo.exact" if found.right else "cli.demo.wrong"
        if found.right and found.released is None:
            key = "cli.demo.withheld"
        typer.echo("  " + text(key, truth=found.truth, released=released, seconds=seconds))
    else:
        typer.echo(
            "  "
            + text(
                "cli.demo.noised",
                truth=found.truth,
                released=released,
                scale=f"{found.noise_scale:g}",
                width=found.half_width,
                seconds=seconds,
            )
        )


def _analysed(found: DemoAnalysis) -> None:
    typer.echo()
    typer.echo(f"  {found.text}")
    key = "cli.demo.analysed" if found.right else "cli.demo.analysed_wrong"
    typer.echo("  " + text(key, numbers=found.numbers, seconds=f"{found.seconds:.2f}"))
    for group, days in found.medians.items():
        if days is None:
            typer.echo("  " + text("cli.demo.not_reached", group=group))
        else:
            typer.echo("  " + text("cli.demo.median", group=group, days=f"{days:.1f}"))
    if found.coarsened:
        typer.echo("  " + text("cli.demo.coarsened"))


def _closing(done: DemoReport, keep: Path | None) -> list[str]:
    exact = [query for query in done.queries if query.exact]
    lines = [
        "",
        text(
            "cli.demo.summary",
            right=sum(query.right for query in exact),
            exact=len(exact),
            analyses=sum(each.right for each in done.analyses),
            of=len(done.analyses),
            seconds=f"{sum(done.phases.values()):.0f}",
        ),
        text("cli.demo.relay", relay=done.relay),
        text("cli.demo.keyring", keyring=done.keyring),
    ]
    return lines if keep is None else [*lines, text("cli.demo.kept", path=keep)]


def _wrong(done: DemoReport) -> bool:
    return not (all(each.right for each in done.queries) and all(each.right for each in done.analyses))
