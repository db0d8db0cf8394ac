from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem
from app.relay.limits import Buckets, Limits, TokenBucket, read_limits
from app.relay.notices import MailSettings, read_mail


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=2.0, burst=3, now=0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(0.0) == 0.5
    assert bucket.take(0.25) == 0.25
    assert bucket.take(0.5) == 0.0
    assert [bucket.take(1000.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_buckets_are_apart_and_a_crowd_is_forgotten() -> None:
    buckets = Buckets(rate=0.001, burst=1)
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("a", 0.0) > 0
    assert buckets.take("b", 0.0) == 0.0
    for number in range(5000):
        buckets.take(number, 0.0)
    assert len(buckets._buckets) <= 4096


def test_limits_come_from_the_file_or_are_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    assert read_limits(path) == Limits()
    path.write_text('blob_bytes = 5\nretention_days = 3\nmetrics_to = ["10.0.0.1"]\n')
    limits = read_limits(path)
    assert (limits.blob_bytes, limits.retention, limits.metrics_to) == (5, 3 * 86_400_000, ("10.0.0.1",))


@pytest.mark.parametrize(
    "line", ["unknown = 1", "blob_bytes = 1.5", "blob_bytes = -1", "blob_bytes = true", "metrics_to = [1]", "= 3"]
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(line)
    with pytest.raises(EnvironmentProblem) as caught:
        read_limits(path)
    assert caught.value.code == "relay.bad_settings"
    assert line.startswith(str(caught.value.params["setting"])) or line == "= 3"


SAMPLE = Path(__file__).parents[3] / "installers/relay/relay.toml"


def test_the_sample_names_every_setting_with_its_default() -> None:
    assert read_limits(SAMPLE) == Limits()
    assert set(tomllib.loads(SAMPLE.read_text("utf-8"))) == {each.name for each in fields(Limits)}


def test_the_samples_mail_is_right_once_it_is_no_comment(tmp_path: Path) -> None:
    assert read_mail(SAMPLE) is None
    text = SAMPLE.read_text("utf-8")
    start = text.index("# [mail]")
    path = tmp_path / "relay.toml"
    path.write_text(
        text[:start] + text[start:].replace("\n# ", "\n").replace("\n#\n", "\n\n").removeprefix("# "), "utf-8"
    )
    found = read_mail(path)
    assert found is not None
    assert {each.name for each in fields(MailSettings)} - {"notices"} == set(
        tomllib.loads(path.read_text("utf-8"))["mail"]
    ) - {"notice"}
    assert (found.security, found.notices[0].place) == ("starttls", 2)
