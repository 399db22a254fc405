"""Single pictures: read as they are displayed, written atomically."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from maskmotion.errors import MediaError
from maskmotion.media.files import remove, require_file, require_size, temporary_beside, writing

HEIC_ENDINGS = frozenset({".heic", ".heif"})
PICTURE_ENDINGS = HEIC_ENDINGS | {
    ".png", ".apng", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif",
}  # fmt: skip


@dataclass(frozen=True)
class Still:
    """A picture: `image` (H, W, 3) uint8 RGB; `alpha` (H, W) uint8, None if the file has none."""

    image: np.ndarray
    alpha: np.ndarray | None


def read_still(path: str | Path) -> Still:
    """Read a picture as it is displayed: upright, in sRGB, 8 bits a channel.

    Of an animation, the first frame.

    Args:
        path: any picture that Pillow reads; HEIC with the `heic` extra.
    Returns:
        The picture, and its alpha where the file has one. The colour is not multiplied by alpha.
    Raises:
        MediaError: the file is missing, broken, too large, or not a picture.
    """
    path = Path(path)
    with reading(path), open_picture(path) as picture:
        require_size(path, picture.width, picture.height)
        return to_still(picture)


def save_png(path: str | Path, image: np.ndarray, alpha: np.ndarray | None = None) -> None:
    """Write a PNG; the file appears complete or not at all.

    Args:
        path: where to; missing folders are made.
        image: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8, 255 = opaque.
    Raises:
        MediaError: the file cannot be written.
    """
    path = Path(path)
    pixels = image if alpha is None else np.dstack([image, alpha])
    temporary = temporary_beside(path)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(temporary, format="PNG")
            temporary.replace(path)
    finally:
        remove(temporary)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever Pillow raises or warns about inside into one MediaError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except MediaError:
            raise
        except UnidentifiedImageError as error:
            raise MediaError(
                f"{path} is not a picture that can be read; save it as PNG or JPEG."
            ) from error
        except Image.DecompressionBombError as error:
            raise MediaError(f"{path} has too many pixels; scale it down.") from error
        except Exception as error:  # Pillow's plugins raise any kind on damaged files
            raise MediaError(
                f"{path} is a damaged picture ({error}); save or download it again."
            ) from error


def open_picture(path: Path) -> Image.Image:
    """Open with Pillow, which reads the header only; to be used inside `reading`."""
    require_file(path)
    if path.suffix.lower() in HEIC_ENDINGS:
        _register_heic(path)
    return Image.open(path)


def to_still(picture: Image.Image) -> Still:
    """The picture's pixels, upright, in 8-bit sRGB."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        picture = _to_8_bits(picture)
    alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
    return Still(
        np.array(_to_srgb(picture)),
        None if alpha is None else np.array(alpha),
    )


def _to_8_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture).clip(0, 65535)
    return Image.fromarray((values / 257).round().astype(np.uint8))


def _to_srgb(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if picture.mode == "LA":
        picture = picture.convert("L")
    elif picture.mode not in ("RGB", "L", "CMYK"):
        picture = picture.convert("RGB")
    if profile:
        try:
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, BytesIO(profile), srgb, outputMode="RGB")
            assert converted is not None  # None only when converting in place
            return converted
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken or unfitting profile: take the numbers as sRGB
    return picture.convert("RGB")


def _register_heic(path: Path) -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise MediaError(
            f"{path} is a HEIC picture; run `pip install maskmotion[heic]`, or save it as JPEG."
        ) from error
    pillow_heif.register_heif_opener()
