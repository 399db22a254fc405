"""Forms against each other: who takes part, the rows, and how they are written down."""

import math
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_animator

from maskmotion.bench import forms, inference, machine, stand
from maskmotion.bench.forms import PLAIN, RUNTIMES, Form, Subject
from maskmotion.bench.inference import forms_here, measure_inference, psnr_db
from maskmotion.bench.results import Machine, Report, Row, markdown
from maskmotion.checkpoint import save_model
from maskmotion.errors import MaskMotionError, ModelError
from maskmotion.processes import Processes


def test_one_that_fails_leaves_the_others_their_rows(tmp_path: Path) -> None:
    save_model(tiny_animator(image_size=128), tmp_path / "m")
    told = []
    report = measure_inference(
        [Subject(str(tmp_path / "m"))],
        [PLAIN, Form("torch", "float16")],
        device="cpu",
        rounds=2,
        batch=1,
        threads=1,
        progress=lambda *words: told.append(words),
    )
    assert [(row.engine, row.swap) for row in report.rows] == [("plain", False), ("plain", True)]
    for row in report.rows:
        assert (row.dtype, row.batch, row.rounds) == ("float32", 1, 2)
        assert row.times_plain_low == row.times_plain == row.times_plain_high == 1
        assert row.peak_mb is None or 50 < row.peak_mb < 5000
        assert row.frames_per_s > 0
        assert row.conv_share > 0
    assert report.rows[0].gflop_per_frame < report.rows[1].gflop_per_frame
    assert report.machine.threads == 1
    assert report.machine.conv_gflops_float32 > 1
    assert report.machine.conv_gflops_bfloat16 > 0.1
    assert "on torch, float16 was left out: dtype is torch.float32 or" in report.notes[-1]
    assert told[0] == ("counting operations", 0, 0)
    assert told[-1] == (f"{tmp_path / 'm'}, with swap", 2, 2)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model"):
        measure_inference([Subject(str(tmp_path / "nobody"))], [PLAIN], device="cpu")


def test_forms_of_a_processor_and_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    on_torch, notes = forms_here(["torch"], "cpu")
    assert not notes
    assert on_torch[:3] == [PLAIN, Form("torch", "float32"), Form("torch", "bfloat16")]
    assert [form.name for form in on_torch[3:]] == ["torch, end to end"]
    found, notes = forms_here(RUNTIMES, "mps")
    assert {form.runtime for form in found} == {"plain", "torch"}
    assert [note.split()[0] for note in notes] == ["onnx", "openvino"]
    monkeypatch.setattr(forms, "find_spec", lambda name: None)
    found, notes = forms_here(["onnx", "openvino"], "cpu")
    assert found == [PLAIN]
    assert notes[0].endswith("pip install 'maskmotion[onnx]'")
    assert notes[1].endswith("pip install 'maskmotion[onnx,openvino]'")
    monkeypatch.setattr(forms, "find_spec", lambda name: object())
    found, notes = forms_here(["onnx", "openvino"], "cpu")
    assert [(form.runtime, form.dtype) for form in found[1:]] == [
        ("onnx", "float32"),
        ("openvino", "float32"),
        ("openvino", "bfloat16"),
    ]
    assert not notes


@given(st.floats(1e-6, 1), st.integers(1, 4))
def test_psnr_of_a_uniform_error(error: float, frames: int) -> None:
    ones = np.ones((frames, 3, 4, 4))
    assert psnr_db(ones * error, ones * 0) == pytest.approx(-20 * math.log10(error))
    assert psnr_db(ones, ones) is None
    assert psnr_db(None, ones) is None


def test_a_killed_process_is_told_in_words() -> None:
    with Processes(1, stand.begin, 1) as process:
        with pytest.raises(MaskMotionError) as killed:
            process.run(partial(os._exit, 1))
        assert "its process was killed" in inference._reason(killed.value)
    assert inference._reason(ValueError("two\nlines")) == "two lines"
    assert inference._reason(MemoryError()) == "MemoryError"


def test_other_work_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1000.0, 0.0, 0.0), raising=False)
    assert "load 1000.0 at the start" in inference._load_notes()[0]
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 9.0, 9.0), raising=False)
    assert not inference._load_notes()


def test_rates_of_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MIN_S", 0.01)
    for dtype in machine.DTYPES:
        assert machine.convolution_gflops("cpu", dtype) > 0.1
    assert machine.processor("cpu").strip()


def test_tables() -> None:
    plain = Row(
        model="m",
        engine="plain",
        dtype="float32",
        swap=False,
        batch=8,
        rounds=3,
        frames_per_s=10,
        peak_mb=None,
        psnr_to_plain_db=None,
        times_plain=1,
        times_plain_low=1,
        times_plain_high=1,
        gflop_per_frame=4,
        conv_share=0.4,
        engine_gflop_per_frame=None,
        engine_conv_share=None,
    )
    fast = replace(
        plain,
        engine="torch",
        frames_per_s=25.0,
        peak_mb=512.4,
        psnr_to_plain_db=140.2,
        times_plain=2.5,
        times_plain_low=2.25,
        times_plain_high=2.75,
        conv_share=1.0,
        engine_gflop_per_frame=3,
        engine_conv_share=0.75,
    )
    rows = (plain, fast, replace(plain, swap=True), replace(fast, swap=True, psnr_to_plain_db=None))
    about = Machine("a processor", "cpu", 4, 2, "3.11", "2.13", 100.4, 200.4)
    lines = markdown(Report(about, rows, ("a note",))).splitlines()
    assert lines[0].startswith("a processor, 4 cores, threads: 2, device: cpu, torch 2.13.")
    assert "100 GFLOP/s in float32, 200 in bfloat16" in lines[0]
    assert "**m**, without swap: 4 GFLOP a frame, medians of 3" in lines
    assert "**m**, with swap: 4 GFLOP a frame, medians of 3" in lines
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) == 2 * 4
    assert len({line.count("|") for line in tables}) == 1
    assert tables[2] == "| plain, float32 | 10 | 1.00 (1.00 to 1.00) |  |  | 40 | 40% |  |"
    assert tables[3] == (
        "| torch, float32 | 25 | 2.50 (2.25 to 2.75) | 512 | 140 dB | 100 | 100% | 75% |"
    )
    assert "| equal |" in tables[-1]
    assert lines[-1] == "a note"
