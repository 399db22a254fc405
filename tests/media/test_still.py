"""Reading single pictures of every mode, and writing PNG."""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.media.clips import HEIGHT, WIDTH, corners, growing_alpha, psnr

from maskmotion.errors import MediaError
from maskmotion.media import is_video, read_still, save_png


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "gif", "jpg", "webp", "avif"])
def test_kinds(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"picture.{ending}"
    Image.fromarray(corners()).save(path)
    still = read_still(path)
    assert still.image.dtype == np.uint8
    assert still.alpha is None
    assert psnr(still.image, corners()) > 20
    assert not is_video(path)


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, corners()),
        (2, corners()[:, ::-1]),
        (3, np.rot90(corners(), 2)),
        (6, np.rot90(corners(), 1)),
        (8, np.rot90(corners(), -1)),
    ],
)
def test_exif_orientation(tmp_path: Path, orientation: int, stored: np.ndarray) -> None:
    path = tmp_path / "phone.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    np.testing.assert_array_equal(read_still(path).image, corners())


def test_alpha_modes(tmp_path: Path) -> None:
    image, alpha = corners(), growing_alpha(3)
    grey = np.asarray(Image.fromarray(image).convert("L"))
    Image.fromarray(np.dstack([image, alpha])).save(tmp_path / "rgba.png")
    Image.fromarray(np.dstack([grey, alpha])).save(tmp_path / "la.png")
    palette = Image.fromarray(image).quantize(8)
    palette.save(tmp_path / "p.png", transparency=palette.getpixel((0, 0)))

    rgba = read_still(tmp_path / "rgba.png")
    np.testing.assert_array_equal(rgba.image, image)  # colour under transparency is kept
    np.testing.assert_array_equal(rgba.alpha, alpha)
    la = read_still(tmp_path / "la.png")
    np.testing.assert_array_equal(la.image, np.repeat(grey[..., None], 3, -1))
    np.testing.assert_array_equal(la.alpha, alpha)
    red_is_clear = np.where(np.all(image == (200, 30, 30), axis=-1), 0, 255)
    np.testing.assert_array_equal(read_still(tmp_path / "p.png").alpha, red_is_clear)


def test_grey_and_sixteen_bits(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, WIDTH).round().astype(np.uint16)[None].repeat(HEIGHT, 0)
    for name in ("deep.png", "deep.tif"):
        Image.fromarray(ramp).save(tmp_path / name)
        read = read_still(tmp_path / name).image
        assert np.abs(read[..., 0].astype(float) - ramp / 257).max() <= 0.51
        np.testing.assert_array_equal(read[..., 0], read[..., 2])
    grey = (ramp // 257).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_still(tmp_path / "grey.png").image[..., 1], grey)
    Image.fromarray(grey > 127).save(tmp_path / "bits.png")
    assert set(np.unique(read_still(tmp_path / "bits.png").image)) == {0, 255}


def test_cmyk(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(corners()).convert("CMYK").save(path, quality=95)
    assert psnr(read_still(path).image, corners()) > 20


def icc_profile_with_swapped_red_and_green() -> bytes:
    """sRGB's profile, its red and green primaries exchanged: a reader that ignores it shows."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert b"rXYZ" in data
    return data.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_embedded_profiles_are_applied(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "profile.png"
    picture = Image.fromarray(corners()).convert(mode)
    picture.save(path, icc_profile=icc_profile_with_swapped_red_and_green())
    still = read_still(path)
    assert (still.alpha is None) == (mode == "RGB")
    swapped = corners()[..., [1, 0, 2]]
    assert np.abs(still.image.astype(int) - swapped).max() <= 2


def test_broken_profiles_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "profile.png"
    Image.fromarray(corners()).save(path, icc_profile=b"not a profile")
    np.testing.assert_array_equal(read_still(path).image, corners())


def broken_png(folder: Path) -> Path:
    path = folder / "broken.png"
    Image.fromarray(corners()).save(path)
    path.write_bytes(path.read_bytes()[:90])
    return path


def broken_jpeg(folder: Path) -> Path:
    path = folder / "broken.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    return path


def text(folder: Path) -> Path:
    (folder / "text.png").write_text("not a picture")
    return folder / "text.png"


def empty(folder: Path) -> Path:
    (folder / "empty.jpg").touch()
    return folder / "empty.jpg"


def with_header(folder: Path, width: int, height: int) -> Path:
    """A PNG that claims a size without having the pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    (folder / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + end)
    return folder / "huge.png"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "missing.png", "does not exist; check the path."),
        (lambda folder: folder, "is a folder; name one file in it."),
        (empty, "is empty (0 bytes); copy or download it again."),
        (text, "is not a picture that can be read; save it as PNG or JPEG."),
        (broken_png, "is a damaged picture"),
        (broken_jpeg, "is a damaged picture"),
        (lambda folder: with_header(folder, 17000, 10), "is 17000x10 px, more than 16384 px"),
        (lambda folder: with_header(folder, 11000, 10000), "is a damaged picture"),
        (lambda folder: with_header(folder, 30000, 30000), "has too many pixels; scale it down."),
    ],
)
def test_bad_input_says_what_is_wrong(tmp_path: Path, make, says: str) -> None:
    path = make(tmp_path)
    with pytest.raises(MediaError) as caught:
        read_still(path)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)


def test_heic_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "phone.heic").write_bytes(b"anything")
    with pytest.raises(MediaError, match=r"pip install maskmotion\[heic\]"):
        read_still(tmp_path / "phone.heic")


def test_heic(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(corners())).save(tmp_path / "phone.heic", quality=95)
    assert psnr(read_still(tmp_path / "phone.heic").image, corners()) > 20


def test_save_png(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "out.png"
    save_png(path, corners())
    np.testing.assert_array_equal(read_still(path).image, corners())
    save_png(path, corners(), growing_alpha(1))
    np.testing.assert_array_equal(read_still(path).alpha, growing_alpha(1))
    assert [entry.name for entry in path.parent.iterdir()] == ["out.png"]


def test_save_png_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MediaError, match="cannot be written"):
        save_png(tmp_path / "file" / "out.png", corners())
