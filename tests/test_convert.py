"""Conversion of released checkpoints; their outputs are compared in models/test_parity.py."""

import json
import os
import pickle
import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from maskmotion.convert import convert_checkpoint, read_checkpoint, rename
from maskmotion.errors import ModelError

TINY = {"generator": {"a": torch.zeros(3)}, "mask_generator": {"b": torch.ones(2)}}
BACKGROUND = {"bg_generator", "bg_refiner"}


def saved(path: Path, content: object, **how: object) -> Path:
    torch.save(content, path, **how)  # type: ignore[arg-type]
    return path


def refusal(path: Path) -> str:
    """The one sentence that converting the file ends with."""
    with pytest.raises(ModelError) as error:
        convert_checkpoint(path)
    message = str(error.value)
    assert "\n" not in message
    return message


def value_of(part: str, key: str) -> float:
    """A number that no other tensor holds."""
    return zlib.crc32(f"{part}/{key}".encode()) % 2**24 / 2**24


def labelled(testdata: Path, *, without: set[str], prefix: str) -> dict[str, dict[str, Tensor]]:
    """A released checkpoint that fills each tensor with its own number; takes no memory."""
    layout = json.loads((testdata / "parity" / "checkpoint_layout.json").read_text())
    return {
        part: {
            prefix + key: torch.tensor(value_of(part, key)).expand(shape)
            for key, shape in keys.items()
        }
        for part, keys in layout.items()
        if part not in without
    }


@pytest.mark.slow
@pytest.mark.parametrize(("without", "prefix"), [(BACKGROUND, ""), ({"bg_refiner"}, "module.")])
def test_a_checkpoint_without_both_background_networks(
    testdata: Path, tmp_path: Path, without: set[str], prefix: str
) -> None:
    path = saved(tmp_path / "paper.pth", labelled(testdata, without=without, prefix=prefix))
    model = convert_checkpoint(path, threshold=100 / 255)
    assert model.background_base is None
    assert model.background_refiner is None
    assert not model.config.background_networks
    assert model.config.threshold == 100 / 255
    assert (model.config.width, model.config.padded_masks) == (1, False)
    assert not any(module.training for module in model.modules())
    weights = model.state_dict()
    for part, key, ours in SAMPLES:
        if part not in BACKGROUND:
            value = weights[ours]
            assert value.min() == value.max() == value_of(part, key), ours
    numbers = {float(v.flatten()[0]) for k, v in weights.items() if "num_batches" not in k}
    assert len(numbers) == sum("num_batches" not in k for k in weights)  # each from its own key


SAMPLES = [
    ("generator", "first.conv.weight", "low_res.first.conv.weight"),
    ("generator", "bottleneck.r3.norm2.running_var", "low_res.bottleneck.3.norm2.running_var"),
    ("generator", "up_blocks.1.conv.bias", "low_res.up_blocks.1.conv.bias"),
    ("generator", "final.weight", "low_res.final.weight"),
    (
        "generator",
        "hourglass.encoder.down_blocks.4.norm.weight",
        "high_res.hourglass.down_blocks.4.norm.weight",
    ),
    (
        "generator",
        "hourglass.decoder.up_blocks.0.conv.weight",
        "high_res.hourglass.up_blocks.0.conv.weight",
    ),
    ("generator", "final_hourglass.bias", "high_res.final.bias"),
    (
        "generator",
        "mask_fix_net.encoder.down_blocks.0.conv.bias",
        "refiner.hourglass.down_blocks.0.conv.bias",
    ),
    ("generator", "ref.weight", "refiner.final.weight"),
    (
        "mask_generator",
        "predictor.decoder.up_blocks.4.norm.running_mean",
        "mask_generator.hourglass.up_blocks.4.norm.running_mean",
    ),
    ("mask_generator", "ref.bias", "mask_generator.final.bias"),
    ("bg_generator", "bottleneck.r0.conv1.weight", "background_base.bottleneck.0.conv1.weight"),
    ("bg_generator", "final.bias", "background_base.final.bias"),
    (
        "bg_refiner",
        "hourglass.decoder.up_blocks.2.norm.bias",
        "background_refiner.hourglass.up_blocks.2.norm.bias",
    ),
    ("bg_refiner", "final_hourglass.weight", "background_refiner.final.weight"),
]


@pytest.mark.parametrize(("part", "key", "ours"), SAMPLES)
def test_renamed_keys(part: str, key: str, ours: str) -> None:
    assert rename(part, key) == ours
    assert rename(part, f"module.{key}") == ours


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("generator", "down_blocks.0.conv.weight"),
        ("bg_generator", "down_blocks.1.norm.bias"),
        ("mask_generator", "down.weight"),
        ("generator", "first.norm.num_batches_tracked"),
    ],
)
def test_what_is_never_called_is_dropped(part: str, key: str) -> None:
    assert rename(part, key) is None


def test_every_released_key_has_its_own_name(testdata: Path) -> None:
    layout = json.loads((testdata / "parity" / "checkpoint_layout.json").read_text())
    names = [rename(part, key) for part, keys in layout.items() for key in keys]
    kept = [name for name in names if name]
    assert len(kept) == len(set(kept))
    assert {name.split(".")[0] for name in kept} == {
        "mask_generator",
        "refiner",
        "low_res",
        "high_res",
        "background_base",
        "background_refiner",
    }


def test_unknown_keys_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pth", TINY | {"generator": {"dense_motion.weight": torch.zeros(1)}})
    assert "generator has the unknown key dense_motion.weight" in refusal(path)


@pytest.mark.filterwarnings("ignore:.*__reduce__")
def test_code_in_a_pickle_does_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    for name, how in (("zip", True), ("legacy", False)):
        path = saved(
            tmp_path / name, TINY | {"generator": Trap()}, _use_new_zipfile_serialization=how
        )
        assert "not a checkpoint of plain weights" in refusal(path)
    path = tmp_path / "plain.pkl"
    path.write_bytes(pickle.dumps(Trap(), protocol=2))
    assert "not a checkpoint of plain weights" in refusal(path)
    assert not (tmp_path / "sprung").exists()
    torch.load(tmp_path / "legacy", weights_only=False)
    assert (tmp_path / "sprung").exists()  # it would have


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "there is no checkpoint file" in refusal(tmp_path / "nothing.pth")
    assert "there is no checkpoint file" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "lacks"),
    [
        ({"model": {}}, "generator and mask_generator"),
        ({"generator": {}}, "mask_generator"),
        ([1, 2], "generator and mask_generator"),
        (torch.zeros(3), "generator and mask_generator"),
        (None, "generator and mask_generator"),
    ],
)
def test_other_checkpoints_are_refused(tmp_path: Path, content: object, lacks: str) -> None:
    path = saved(tmp_path / "x.pth", content)
    assert refusal(path).endswith(f"it lacks {lacks}")


def test_other_parts_of_a_checkpoint_are_left_alone(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pth", TINY | {"epoch": 3, "optimizer": {"state": {}}})
    assert read_checkpoint(path).keys() == TINY.keys()


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, bytes]:
    """A checkpoint in torch's format and in the one of 2020."""
    path = tmp_path_factory.mktemp("checkpoints") / "x.pth"
    return {
        new: saved(path, TINY, _use_new_zipfile_serialization=new).read_bytes()
        for new in (True, False)
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("new", [True, False])
@given(share=st.floats(0, 1, exclude_max=True))
def test_cut_off_files_are_refused(
    tmp_path: Path, contents: dict[bool, bytes], new: bool, share: float
) -> None:
    path = tmp_path / "cut.pth"
    path.write_bytes(contents[new][: int(share * len(contents[new]))])
    with pytest.raises(ModelError) as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80))
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pth"
    for start in (b"", b"\x80\x02", b"PK\x03\x04"):
        path.write_bytes(start + content)
        with pytest.raises(ModelError):
            read_checkpoint(path)


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    path.write_text("hello world")
    assert "not a checkpoint of plain weights" in refusal(path)
