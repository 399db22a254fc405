import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from maskmotion.errors import ConfigError, ShapeError
from maskmotion.evaluation import lpips
from maskmotion.evaluation.lpips import LPIPS, TruthOnce, load_lpips
from maskmotion.media import read_still, to_tensor

ALEXNET = "alexnet_features.safetensors"
HEADS = "lpips_v0.1_heads.safetensors"
# AlexNet's convolutions: torchvision's index -> (in, out, kernel, stride, padding, pool before)
CONVOLUTIONS = {
    0: (3, 64, 11, 4, 2, False),
    3: (64, 192, 5, 1, 2, True),
    6: (192, 384, 3, 1, 1, True),
    8: (384, 256, 3, 1, 1, False),
    10: (256, 256, 3, 1, 1, False),
}


def random_alexnet() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for index, (inside, outside, kernel, *_) in CONVOLUTIONS.items():
        noise = torch.randn((outside, inside, kernel, kernel), generator=generator)
        weights[f"features.{index}.weight"] = noise * (2 / (kernel**2 * inside)) ** 0.5
        weights[f"features.{index}.bias"] = torch.randn(outside, generator=generator) * 0.1
    return weights


def random_heads() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        f"alex.lin{layer}": torch.rand((1, outside, 1, 1), generator=generator)
        for layer, (_, outside, *_) in enumerate(CONVOLUTIONS.values())
    }


def published(heads: dict[str, Tensor]) -> dict[str, Tensor]:
    """As LPIPS' own file names them."""
    return {f"{key.removeprefix('alex.')}.model.1.weight": head for key, head in heads.items()}


def random_pictures(count: int, height: int = 64, width: int = 80, seed: int = 2) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def plain_features(picture: Tensor) -> list[np.ndarray]:
    """Of random_alexnet, after each ReLU, in plain calls."""
    weights = random_alexnet()
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
    x = (picture * 2 - 1 - shift) / torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
    found = []
    for index, (*_, stride, padding, pool) in CONVOLUTIONS.items():
        x = F.max_pool2d(x, 3, 2) if pool else x
        kernel, bias = weights[f"features.{index}.weight"], weights[f"features.{index}.bias"]
        x = F.conv2d(x, kernel, bias, stride, padding).relu()
        found.append(x.double().numpy())
    return found


def plain_distance(picture: Tensor, truth: Tensor) -> np.ndarray:
    """The formula pixel by pixel, for one pair of pictures."""
    distance = 0.0
    layers = zip(plain_features(picture), plain_features(truth), strict=True)
    for head, (one, other) in zip(random_heads().values(), layers, strict=True):
        weights = head.double().numpy().ravel()
        _, _, height, width = one.shape
        for row in range(height):
            for column in range(width):
                a, b = one[0, :, row, column], other[0, :, row, column]
                difference = a / (np.linalg.norm(a) + 1e-10) - b / (np.linalg.norm(b) + 1e-10)
                distance += (weights * difference**2).sum() / (height * width)
    return np.array([distance])


def write_weights(folder: Path) -> Path:
    save_file(random_alexnet(), folder / ALEXNET)
    save_file(random_heads(), folder / HEADS)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_weights(tmp_path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LPIPS:
    return load_lpips(write_weights(tmp_path_factory.mktemp("weights")))


@pytest.mark.parametrize(("height", "width"), [(64, 80), (31, 31), (47, 64)])
def test_the_formula(model: LPIPS, height: int, width: int) -> None:
    one, other = random_pictures(2, height, width).split(1)
    np.testing.assert_allclose(model(one, other), plain_distance(one, other), rtol=1e-4)


def test_a_batch_is_its_singles(model: LPIPS) -> None:
    pictures, truths = random_pictures(3), random_pictures(3, seed=3)
    singles = [model(a[None], b[None]) for a, b in zip(pictures, truths, strict=True)]
    batch = model(pictures, truths)
    assert batch.shape == (3,)
    assert batch.unique().numel() == 3
    torch.testing.assert_close(batch, torch.cat(singles))


def test_a_distance(model: LPIPS) -> None:
    one, other = random_pictures(2), random_pictures(2, seed=3)
    assert torch.equal(model(one, one), torch.zeros(2))
    assert torch.equal(model(one, other), model(other, one))
    assert (model(one, other) > 0).all()
    nearer = one + 0.1 * (other - one)
    assert (model(one, nearer) < model(one, other)).all()


def test_a_truth_is_looked_at_once(model: LPIPS) -> None:
    looked_at: list[Tensor] = []

    class Counting(LPIPS):
        def directions(self, picture: Tensor) -> list[Tensor]:
            looked_at.append(picture)
            return model.directions(picture)

    counting = Counting()
    counting.load_state_dict(model.state_dict())
    once = TruthOnce(counting)
    truth, other_truth, *pictures = random_pictures(10).split(2)
    met = [(pictures[0], truth), (pictures[1], truth), (truth, truth), (pictures[2], other_truth)]
    for picture, against in [*met, (pictures[0], truth)]:
        assert torch.equal(once(picture, against), model(picture, against))
    assert sum(picture is truth for picture in looked_at) == 3  # twice as the truth, once as given
    assert sum(picture is other_truth for picture in looked_at) == 1
    assert len(looked_at) == 8
    with pytest.raises(ShapeError, match="one shape"):
        once(pictures[0][:1], truth)


def test_pictures_without_features_have_no_distance(folder: Path) -> None:
    """All ReLUs are 0 there: the length is divided by without a NaN."""
    dead = {k: -t.abs() if "bias" in k else 0 * t for k, t in random_alexnet().items()}
    save_file(dead, folder / ALEXNET)
    one, other = random_pictures(2).split(1)
    assert torch.equal(load_lpips(folder)(one, other), torch.zeros(1))


def test_frozen(model: LPIPS) -> None:
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("picture", "truth"),
    [
        ((1, 3, 64, 64), (1, 3, 64, 32)),
        ((1, 3, 64, 64), (2, 3, 64, 64)),
        ((1, 1, 64, 64), (1, 1, 64, 64)),
        ((3, 64, 64), (3, 64, 64)),
        ((1, 3, 30, 64), (1, 3, 30, 64)),
    ],
)
def test_shapes_that_do_not_fit(
    model: LPIPS, picture: tuple[int, ...], truth: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeError, match="one shape"):
        model(torch.zeros(picture), torch.zeros(truth))


def test_files_as_downloaded_are_taken(folder: Path, tmp_path: Path, model: LPIPS) -> None:
    downloaded = tmp_path / "downloaded"
    downloaded.mkdir()
    classifier = {"classifier.1.weight": torch.zeros(1)}
    torch.save(random_alexnet() | classifier, downloaded / "alexnet-owt-7be5be79.pth")
    torch.save(published(random_heads()), downloaded / "alex.pth")
    loaded = load_lpips(downloaded).state_dict()
    assert loaded.keys() == model.state_dict().keys()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in model.state_dict().items())


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load_lpips(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_folders_that_are_none(folder: Path) -> None:
    assert "there is no folder of LPIPS weights" in refusal(folder / "nowhere")
    assert "it is a file" in refusal(folder / ALEXNET)


@pytest.mark.parametrize("name", [ALEXNET, HEADS])
def test_a_file_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    message = refusal(folder)
    assert name in message
    assert "--lpips-weights FOLDER" in message


@pytest.mark.parametrize("key", ["features.8.bias", "alex.lin3"])
def test_a_tensor_is_missing_or_of_another_shape(folder: Path, key: str) -> None:
    name = HEADS if key.startswith("alex") else ALEXNET
    stored = load_file(folder / name)
    right = stored.pop(key)
    save_file(stored, folder / name)
    assert f"have no {key} of shape {tuple(right.shape)}" in refusal(folder)
    save_file(stored | {key: right[..., :1].repeat(2, *[1] * (right.ndim - 1))}, folder / name)
    assert f"have no {key} of shape {tuple(right.shape)}" in refusal(folder)


@pytest.mark.parametrize(
    ("instead_of", "name"),
    [
        (ALEXNET, ALEXNET),
        (HEADS, HEADS),
        (ALEXNET, "alexnet-owt-7be5be79.pth"),
        (HEADS, "alex.pth"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"hello world", b"PK\x03\x04 cut off"])
def test_broken_files(folder: Path, instead_of: str, name: str, content: bytes) -> None:
    (folder / instead_of).unlink()
    (folder / name).write_bytes(content)
    message = refusal(folder)
    assert name in message
    assert "cannot be read" in message


def test_a_file_of_something_else(folder: Path) -> None:
    (folder / HEADS).unlink()
    torch.save(torch.zeros(3), folder / "alex.pth")
    assert "no file of tensors" in refusal(folder)
    torch.save({"alex.lin0": 1.0}, folder / "alex.pth")
    assert "have no alex.lin0" in refusal(folder)


@pytest.fixture
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both addresses name files here, and what is downloaded is kept here."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "kept"))
    served = tmp_path / "served"
    served.mkdir()
    torch.save(random_alexnet(), served / "alexnet.pth")
    torch.save(published(random_heads()), served / "alex.pth")
    for kind, file in (("ALEXNET", "alexnet.pth"), ("HEADS", "alex.pth")):
        digest = hashlib.sha256((served / file).read_bytes()).hexdigest()
        monkeypatch.setattr(lpips, f"{kind}_URL", (served / file).as_uri())
        monkeypatch.setattr(lpips, f"{kind}_DOWNLOAD", f"{kind.lower()}-{digest[:8]}.pth")
    return served


def test_without_a_folder_the_weights_are_downloaded_once(online: Path, model: LPIPS) -> None:
    loaded = load_lpips().state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in model.state_dict().items())
    for file in online.iterdir():
        file.unlink()
    load_lpips()


@pytest.mark.parametrize("name", ["alexnet.pth", "alex.pth"])
def test_a_failed_download_says_what_to_do(online: Path, name: str) -> None:
    (online / name).unlink()
    with pytest.raises(ConfigError, match=r"downloaded from \S*.*--lpips-weights FOLDER") as error:
        load_lpips()
    assert f"downloaded from {(online / name).as_uri()} " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["alexnet.pth", "alex.pth"])
def test_a_download_of_something_else_is_refused(online: Path, name: str) -> None:
    with (online / name).open("ab") as file:
        file.write(b"more")
    with pytest.raises(ConfigError, match="invalid hash value"):
        load_lpips()
    with pytest.raises(ConfigError, match="invalid hash value"):  # it was not kept
        load_lpips()


def test_the_published_example(testdata: Path) -> None:
    folder = testdata / "weights"
    pictures = [
        read_still(folder / "lpips_example" / f"ex_{name}.png").image for name in ("p0", "p1")
    ]
    truth = to_tensor([read_still(folder / "lpips_example" / "ex_ref.png").image] * 2)
    found = load_lpips(folder)(to_tensor(pictures), truth)
    torch.testing.assert_close(found, torch.tensor([0.7219, 0.1376]), atol=5e-5, rtol=0)
