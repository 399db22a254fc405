"""`maskmotion bench inference`: what it prints and refuses."""

import json
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import pytest
from tiny import tiny_animator

from maskmotion import cli
from maskmotion.bench.results import Machine, Row
from maskmotion.checkpoint import save_model

SMALL = ["--rounds", "1", "--batch", "2", "--threads", "1", "--device", "cpu"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model m/."""
    save_model(tiny_animator(image_size=128), tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_json_is_all_that_is_printed(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "inference", "--model", "m", "--json", *SMALL]) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert set(report) == {"machine", "rows", "notes"}
    assert set(report["machine"]) == {field.name for field in fields(Machine)}
    names = {field.name for field in fields(Row)}
    forms = {("plain", "float32"), ("torch", "float32"), ("torch", "bfloat16")}
    if find_spec("onnxruntime") and find_spec("onnxscript"):
        forms |= {("onnx", "float32")}
        if find_spec("openvino"):
            forms |= {("openvino", "float32"), ("openvino", "bfloat16")}
    for swap in (False, True):
        rows = [row for row in report["rows"] if row["swap"] == swap]
        assert {(row["engine"], row["dtype"]) for row in rows[:-1]} == forms
        assert rows[-1]["engine"] == "torch, end to end"
        for row in rows:
            assert set(row) == names
            assert (row["model"], row["batch"], row["rounds"]) == ("m", 2, 1)
            assert row["frames_per_s"] > 0
            if row["engine"] not in ("plain", "torch, end to end"):
                assert row["psnr_to_plain_db"] > (80 if row["dtype"] == "float32" else 40)
            if row["engine"] == "torch":
                assert 0 < row["engine_conv_share"] < row["conv_share"]
    assert "m, with swap: 1/1" in printed.err
    assert [path.name for path in desk.iterdir()] == ["m"]


@pytest.mark.slow
def test_tables(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", "m", "--engines", "torch", *SMALL]
    assert cli.main(["bench", "inference", *words]) == 0
    printed = capsys.readouterr().out
    for swap in ("without", "with"):
        assert f"**m**, {swap} swap" in printed
    assert printed.count("| torch, end to end, ") == 2
    assert "onnx" not in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rounds", "0"], "--rounds"),
        (["--batch", "0"], "--batch"),
        (["--threads", "-1"], "--threads"),
        (["--engines", "tensorrt"], "tensorrt"),
        (["--device", "tpu"], "no device 'tpu' here"),
        (["--model", "nobody", "--engines", "torch"], "no model 'nobody'"),
    ],
)
def test_what_cannot_be_measured(
    words: list[str], message: str, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", "inference", *words]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    last = printed.err.splitlines()[-1]
    assert last.startswith("maskmotion: error: ")
    assert message in last
