"""Weights from files and addresses: what is read, kept and checked, and every refusal."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from maskmotion.errors import ConfigError
from maskmotion.pretrained import fetch_tensors, missing_tensors, read_tensors

TENSORS = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.tensor([0.5, -1.0])}


def assert_same(found: dict[str, Tensor]) -> None:
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[key], tensor) for key, tensor in TENSORS.items())


def test_both_kinds_of_files(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "a.safetensors")
    torch.save(TENSORS, tmp_path / "a.pth")
    for path in sorted(tmp_path.iterdir()):
        assert_same(read_tensors(path, "weights of a"))


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
@pytest.mark.parametrize("content", [None, b"", b"hello world", b"PK\x03\x04 cut off"])
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes | None) -> None:
    path, message = tmp_path / name, "there is no file of weights of a {}"
    if content is not None:
        path.write_bytes(content)
        message = "the weights of a {} cannot be read ("
    with pytest.raises(ConfigError) as error:
        read_tensors(path, "weights of a")
    assert str(error.value).startswith(message.format(path))
    assert "\n" not in str(error.value)


class Code:
    """An object whose reading would run code."""


@pytest.mark.parametrize("thing", [torch.zeros(3), [1, 2], Code()])
def test_files_of_something_else(tmp_path: Path, thing: object) -> None:
    torch.save(thing, tmp_path / "a.pth")
    with pytest.raises(ConfigError, match=r"a\.pth cannot be read \(no file of tensors\)$"):
        read_tensors(tmp_path / "a.pth", "weights of a")


class Online:
    """A file with an address, and torch's folder of downloads."""

    def __init__(self, folder: Path) -> None:
        self.served = folder / "served.pth"
        torch.save(TENSORS, self.served)
        digest = hashlib.sha256(self.served.read_bytes()).hexdigest()
        self.kept = folder / "hub" / "checkpoints" / f"a-{digest[:8]}.pth"

    def fetched(self) -> dict[str, Tensor]:
        return fetch_tensors(self.served.as_uri(), self.kept.name, "weights of a", "do without")

    def refusal(self) -> str:
        with pytest.raises(ConfigError) as error:
            self.fetched()
        assert "\n" not in str(error.value)
        return str(error.value)


@pytest.fixture
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Online:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return Online(tmp_path)


def test_a_download_is_kept(online: Online, capsys: pytest.CaptureFixture[str]) -> None:
    assert_same(online.fetched())
    online.served.unlink()
    assert_same(online.fetched())
    told = capsys.readouterr()
    assert told.out == ""  # results go there
    assert told.err.count("Downloading") == 1


def test_a_failed_download_says_what_to_do(online: Online) -> None:
    online.served.unlink()
    message = online.refusal()
    address = online.served.as_uri()
    assert message.startswith(f"the weights of a could not be downloaded from {address} (")
    assert message.endswith("); do without")


def test_an_unreachable_address() -> None:
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9/a\.pth .*; do without$"):
        fetch_tensors("http://127.0.0.1:9/a.pth", "a-01234567.pth", "weights of a", "do without")


def test_a_download_of_something_else_is_not_kept(online: Online) -> None:
    torch.save({"b": torch.zeros(1)}, online.served)
    assert "invalid hash value" in online.refusal()
    assert not online.kept.exists()


@pytest.mark.parametrize("content", [b"", b"hello world", b"PK\x03\x04 cut off"])
def test_a_kept_file_that_was_damaged_is_named(online: Online, content: bytes) -> None:
    online.kept.parent.mkdir(parents=True)
    online.kept.write_bytes(content)
    assert online.refusal() == (
        f"the weights of a {online.kept} are damaged; delete that file, and it is fetched again"
    )
    online.kept.unlink()
    assert_same(online.fetched())


def test_missing_tensors() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    stored = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    assert missing_tensors(model, stored | {"classifier": torch.zeros(1)}) == []
    wrong = stored | {"1.weight": torch.zeros(2, 1), "0.bias": 1.0}
    del wrong["0.weight"]
    assert missing_tensors(model, wrong) == ["0.weight", "0.bias", "1.weight"]
