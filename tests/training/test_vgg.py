import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from maskmotion.errors import ConfigError
from maskmotion.training import vgg
from maskmotion.training.vgg import VGG19, load_vgg

# torchvision's index of each convolution as far as relu5_1: (in, out) channels
CONVOLUTIONS = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
    16: (256, 256),
    19: (256, 512),
    21: (512, 512),
    23: (512, 512),
    25: (512, 512),
    28: (512, 512),
}
POOLS = (4, 9, 18, 27)


def random_weights(last: int) -> dict[str, Tensor]:
    """Of the convolutions up to `last`, named as torchvision names them."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for index, (inside, outside) in CONVOLUTIONS.items():
        if index <= last:
            noise = torch.randn((outside, inside, 3, 3), generator=generator)
            weights[f"features.{index}.weight"] = noise * (2 / (9 * inside)) ** 0.5
            weights[f"features.{index}.bias"] = torch.randn(outside, generator=generator) * 0.1
    return weights


def plain_features(picture: Tensor, weights: dict[str, Tensor], last: int) -> dict[int, Tensor]:
    """Output of the ReLU after each convolution, in plain calls."""
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    x = (picture - mean) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    found = {}
    for index in range(last + 1):
        if index in POOLS:
            x = F.max_pool2d(x, 2)
        elif index in CONVOLUTIONS:
            kernel, bias = weights[f"features.{index}.weight"], weights[f"features.{index}.bias"]
            x = F.conv2d(x, kernel, bias, padding=1).relu()
            found[index] = x
    return found


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "vgg.safetensors"
    save_file(random_weights(10), path)
    return path


@pytest.mark.parametrize(
    ("layers", "convolutions"),
    [
        ((1,), [0]),
        ((3,), [10]),
        ((1, 2, 3), [0, 5, 10]),
        ((1, 2, 3, 4, 5), [0, 5, 10, 19, 28]),
    ],
)
def test_features(tmp_path: Path, layers: tuple[int, ...], convolutions: list[int]) -> None:
    weights = random_weights(convolutions[-1])
    path = tmp_path / "vgg.safetensors"
    save_file(weights, path)
    model = load_vgg(layers, path)
    assert model.state_dict().keys() == weights.keys()  # nothing after the last is built
    picture = torch.rand(2, 3, 32, 48)
    found, wanted = model(picture), plain_features(picture, weights, convolutions[-1])
    assert len(found) == len(layers)
    for layer, feature, index in zip(layers, found, convolutions, strict=True):
        side = 2 ** (layer - 1)
        assert feature.shape == (2, min(512, 64 * side), 32 // side, 48 // side)
        torch.testing.assert_close(feature, wanted[index], atol=1e-4, rtol=1e-4)


def test_weights_are_frozen_but_pictures_are_not(stored: Path) -> None:
    model = load_vgg((1, 2, 3), stored)
    assert not any(p.requires_grad for p in model.parameters())
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    model(picture)[-1].sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0


def test_surplus_weights_and_torch_files_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "vgg19.pth"
    weights = random_weights(10)
    torch.save(weights | {"classifier.0.weight": torch.zeros(1)}, path)
    model = load_vgg((1, 2), path)
    assert torch.equal(model.features[5].weight, weights["features.5.weight"])


def test_too_few_layers_are_told(stored: Path) -> None:
    with pytest.raises(ConfigError, match=r"features\.12\.weight.*relu4_1") as error:
        load_vgg((1, 4), stored)
    assert "\n" not in str(error.value)


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "vgg.safetensors"
    save_file(random_weights(0) | {"features.0.bias": torch.zeros(32)}, path)
    with pytest.raises(ConfigError, match=r"features\.0\.bias"):
        load_vgg((1,), path)


@pytest.mark.parametrize("name", ["vgg.safetensors", "vgg.pth"])
def test_broken_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        load_vgg((1,), tmp_path / name)
    (tmp_path / name).write_bytes(b"hello world")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_vgg((1,), tmp_path / name)


@pytest.fixture
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The address names this file, and what is downloaded is kept in a folder of the test."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "kept"))
    served = tmp_path / "served.pth"
    torch.save(random_weights(0), served)
    digest = hashlib.sha256(served.read_bytes()).hexdigest()
    monkeypatch.setattr(vgg, "WEIGHTS_URL", served.as_uri())
    monkeypatch.setattr(vgg, "WEIGHTS_DOWNLOAD", f"vgg19-{digest[:8]}.pth")
    return served


def test_without_a_file_the_weights_are_downloaded_once(online: Path) -> None:
    for _ in range(2):
        model = load_vgg((1,))
        assert torch.equal(model.features[0].weight, random_weights(0)["features.0.weight"])
        online.unlink(missing_ok=True)


def test_a_failed_download_says_what_to_do(online: Path) -> None:
    online.unlink()
    with pytest.raises(ConfigError, match=r"VGG-19 weights .* from file:.*--vgg-weights FILE"):
        load_vgg((1,))


def test_a_download_of_something_else_is_refused(online: Path) -> None:
    torch.save(random_weights(2), online)
    with pytest.raises(ConfigError, match="invalid hash value"):
        load_vgg((1,))


def test_the_stored_imagenet_weights(testdata: Path) -> None:
    path = testdata / "weights" / "vgg19_conv1_1_to_conv3_1.safetensors"
    model = load_vgg((1, 2, 3), path)
    features = model(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert [feature.shape[1] for feature in features] == [64, 128, 256]
    assert all((feature > 0).float().mean() > 0.1 for feature in features)
    with pytest.raises(ConfigError, match="relu4_1"):
        load_vgg((1, 2, 3, 4), path)


def test_layers_need_not_be_named_in_order() -> None:
    assert VGG19((3, 1)).wanted == VGG19((1, 3)).wanted
