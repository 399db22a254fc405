"""Pictures that are videos: folders, strips, animations."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.media.clips import HEIGHT, WIDTH, corners, growing_alpha, moving, psnr

from maskmotion.errors import MediaError
from maskmotion.media import is_video, open_video


def write_folder(folder: Path, names: list[str], images: list[np.ndarray]) -> Path:
    folder.mkdir()
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image).save(folder / name)
    return folder


def test_folder_in_natural_order(tmp_path: Path) -> None:
    images = moving(4)
    names = ["frame2.png", "Frame10.PNG", "frame1.png", "frame11.png"]
    folder = write_folder(tmp_path / "frames", names, [images[i] for i in (1, 2, 0, 3)])
    (folder / "._frame0.png").write_bytes(b"what a Mac leaves behind")
    (folder / "readme.txt").write_text("not a frame")
    with open_video(folder) as video:
        assert (video.info.fps, video.info.frames, video.info.duration_s) == (25, 4, 0.16)
        for _ in range(2):
            frames = list(video)
            assert [f.time_s for f in frames] == pytest.approx([0, 0.04, 0.08, 0.12])
            for frame, image in zip(frames, images, strict=True):
                np.testing.assert_array_equal(frame.image, image)


def test_folder_of_one_size_only(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path / "frames", ["0.png", "1.png"], [corners(), corners(HEIGHT, WIDTH + 2)]
    )
    with (
        pytest.raises(MediaError, match=r"1\.png is 50x32 px but the first frame is 48x32 px"),
        open_video(folder) as video,
    ):
        list(video)


def test_folder_names_the_broken_frame(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "frames", ["0.png", "1.png"], moving(2))
    (folder / "1.png").write_text("broken")
    with pytest.raises(MediaError, match=r"1\.png is not a picture"), open_video(folder) as video:
        list(video)


def test_folder_with_alpha_in_some_frames(tmp_path: Path) -> None:
    rgba = np.dstack([corners(), growing_alpha(2)])
    folder = write_folder(tmp_path / "frames", ["0.png", "1.png"], [rgba, corners()])
    with open_video(folder) as video:
        first, second = video
    np.testing.assert_array_equal(first.alpha, rgba[..., 3])
    assert second.alpha is not None
    assert second.alpha.min() == 255


def test_strip(tmp_path: Path) -> None:
    squares = moving(5, 32, 32)
    path = tmp_path / "strip.png"
    Image.fromarray(np.concatenate(squares, axis=1)).save(path)
    assert not is_video(path)
    with open_video(path) as video:
        assert (video.info.width, video.info.height, video.info.frames) == (32, 32, 5)
        for frame, square in zip(video, squares, strict=True):
            np.testing.assert_array_equal(frame.image, square)


def test_a_long_strip_is_no_huge_picture(tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    Image.new("RGB", (8 * 2500, 8)).save(path)
    with open_video(path) as video:
        assert sum(1 for _ in video) == 2500


@pytest.mark.parametrize("size", [(32, 32), (50, 32), (32, 64)])
def test_a_single_picture_is_no_video(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "single.png"
    Image.new("RGB", size).save(path)
    with pytest.raises(
        MediaError, match=r"is a single picture; a driving clip needs at least two frames\."
    ):
        open_video(path)


def write_animation(path: Path, images: list[np.ndarray], durations_ms: list[int], **how) -> Path:
    first, *rest = [Image.fromarray(image) for image in images]
    first.save(path, save_all=True, append_images=rest, duration=durations_ms, loop=0, **how)
    return path


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.gif", {}),
        ("a.webp", {"lossless": True}),
        ("a.png", {}),
        ("a.avif", {"quality": 95}),
    ],
)
def test_animations(tmp_path: Path, name: str, how: dict) -> None:
    images = moving(5)
    durations_ms = [40, 80, 200, 40, 100]
    path = write_animation(tmp_path / name, images, durations_ms, **how)
    assert is_video(path)
    with open_video(path) as video:
        assert video.info.frames == 5
        assert video.info.duration_s == pytest.approx(0.46)
        assert float(video.info.fps) == pytest.approx(5 / 0.46, rel=1e-3)
        assert not video.info.has_alpha
        for _ in range(2):
            frames = list(video)
            assert [f.duration_s for f in frames] == pytest.approx([0.04, 0.08, 0.2, 0.04, 0.1])
            assert [f.time_s for f in frames] == pytest.approx([0, 0.04, 0.12, 0.32, 0.36])
            for frame, image in zip(frames, images, strict=True):
                assert frame.alpha is None
                assert psnr(frame.image, image) > 25


@pytest.mark.parametrize(
    ("name", "how"),
    [("a.gif", {"disposal": 2}), ("a.webp", {"lossless": True, "exact": True}), ("a.png", {})],
)
def test_animations_with_alpha(tmp_path: Path, name: str, how: dict) -> None:
    rgba = [np.dstack([image, growing_alpha(i)]) for i, image in enumerate(moving(4))]
    path = write_animation(tmp_path / name, rgba, [40] * 4, **how)
    with open_video(path) as video:
        assert video.info.has_alpha
        for frame, truth in zip(video, rgba, strict=True):
            np.testing.assert_array_equal(frame.alpha, truth[..., 3])
            seen = truth[..., 3] > 0
            assert psnr(frame.image[seen], truth[..., :3][seen]) > 25


def test_gif_durations_as_browsers_show_them(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "fast.gif", moving(3), [0, 10, 20])
    with open_video(path) as video:
        assert [frame.duration_s for frame in video] == pytest.approx([0.1, 0.1, 0.02])


def test_the_default_picture_of_a_png_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "default.png"
    cover, *images = [Image.fromarray(image) for image in (corners(), *moving(3))]
    cover.save(path, save_all=True, append_images=images, default_image=True, duration=40)
    with open_video(path) as video:
        assert video.info.frames == 3
        for frame, image in zip(video, moving(3), strict=True):
            np.testing.assert_array_equal(frame.image, image)


def test_pages_of_a_tiff_are_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    first, *rest = [Image.fromarray(image) for image in moving(3, 32, 32)]
    first.save(path, save_all=True, append_images=rest)
    assert not is_video(path)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_a_damaged_animation_says_so(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3), dtype=np.uint8)
    path = write_animation(tmp_path / name, list(noise), [40] * 4)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(MediaError, match=f"{name} is "):
        open_video(path)
