"""Time and memory against size: every size is measured, exponents, what is kept; not the speed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.scale_tables import exponent


def test_the_exponent_of_a_power_is_its_power() -> None:
    sizes = [1e4, 1e5, 1e6, 1e7]
    assert exponent(sizes, [3e-9 * size**1.5 for size in sizes]) == (1.5, 0.0)
    slope, error = exponent(sizes, [1e-3, 1.2e-2, 0.09, 1.1])
    assert abs(slope - 1.0) < 2 * error + 0.05
    assert error > 0


def test_every_work_is_measured_at_every_size_and_kept_with_its_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def point(work: str, size: int) -> dict[str, float]:
        return {"size": size, "seconds": 1e-8 * size, "added_mib": 1.0, "peak_mib": 2.0}

    monkeypatch.setattr(scale, "_point", point)
    out, picture, page = (tmp_path / name for name in ("scale.json", "scale.png", "page.md"))
    page.write_text("<!-- scale --><!-- /scale -->")
    line = ["--out", str(out), "--picture", str(picture), "--page", str(page)]
    assert scale.main(line) == 0
    kept = json.loads(out.read_text())
    for work in ("features", "labels", "backtest", "fingerprint"):
        sizes = [one["size"] for one in kept["works"][work]["points"]]
        assert sizes == [10_000, 100_000, 1_000_000, 10_000_000]
        assert kept["works"][work]["exponent"] == 1.0
    assert kept["command"] == "python -m benchmarks.scale " + " ".join(line)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "![Time and memory against size](scale.png)" in page.read_text()
    assert "| features | bars | 10000, 100000, 1e+06, 1e+07 |" in capsys.readouterr().out
