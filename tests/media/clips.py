"""Tiny pictures, clips and sounds, made by hand so that what is in them is known."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

WIDTH, HEIGHT = 48, 32


def moving(count: int, height: int = HEIGHT, width: int = WIDTH) -> list[np.ndarray]:
    """Smooth colours with a bright bar that moves two pixels a frame."""
    y, x = np.mgrid[:height, :width]
    frames = []
    for index in range(count):
        image = np.stack([60 + x * 100 // width, 60 + y * 100 // height, 120 + 0 * x], -1)
        image[:, (2 * index) % width : (2 * index) % width + 8] = (200, 180, 40)
        frames.append(image.astype(np.uint8))
    return frames


def growing_alpha(index: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Opaque on the left; the slanted edge moves four pixels a frame."""
    y, x = np.mgrid[:height, :width]
    return np.where(x - y // 4 < 8 + 4 * index, 255, 0).astype(np.uint8)


def corners(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Red, green, blue, white from the top left, in reading order: every turn shows."""
    image = np.zeros((height, width, 3), np.uint8)
    half_y, half_x = height // 2, width // 2
    image[:half_y, :half_x] = (200, 30, 30)
    image[:half_y, half_x:] = (30, 200, 30)
    image[half_y:, :half_x] = (30, 30, 200)
    image[half_y:, half_x:] = (220, 220, 220)
    return image


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB."""
    error = ((a.astype(float) - b.astype(float)) ** 2).mean()
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def write_clip(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times_s: Sequence[float] | None = None,
    rate: Fraction = Fraction(25),
    matrix: Colorspace | None = None,
    full_range: bool = False,
    tags: dict[str, int] | None = None,
    options: dict[str, str] | None = None,
    rotation: int | None = None,
    tick_s: Fraction = Fraction(1, 90_000),
) -> Path:
    """Encode with PyAV alone; without `tags` the file does not say what its colours mean."""
    images = list(images)
    if times_s is None:
        times_s = [float(index / rate) for index in range(len(images))]
    with av.open(str(path), "w") as container:
        height, width = images[0].shape[:2]
        stream = container.add_stream(
            codec,
            rate=rate,
            width=width,
            height=height,
            pix_fmt=pixels,
            time_base=tick_s,
            options={"crf": "4", "preset": "ultrafast"} if options is None else options,
        )
        stream.codec_context.time_base = tick_s
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        for image, time_s in zip(images, times_s, strict=True):
            source = {4: "rgba", 3: "rgb24", 1: "gray"}[image.shape[2]]
            if image.dtype == np.uint16:
                source = "rgb48le"
            frame = av.VideoFrame.from_ndarray(image.squeeze(), format=source).reformat(
                format=pixels,
                dst_colorspace=matrix,
                dst_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
                interpolation=0x4 | 0x40000,
            )
            frame.pts, frame.time_base = round(Fraction(time_s) / tick_s), tick_s
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if rotation is not None:
        turn_mp4(path, rotation)
    return path


def turn_mp4(path: Path, degrees: int) -> None:
    """Set the display matrix of an MP4's video track: `degrees` clockwise, as phones write it."""
    one = 1 << 16
    a, b, c, d = {
        90: (0, one, -one, 0),
        180: (-one, 0, 0, -one),
        270: (0, -one, one, 0),
        -1: (-one, 0, 0, one),  # mirrored left to right
    }[degrees]
    matrix = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    upright = np.array([one, 0, 0, 0, one, 0, 0, 0, 1 << 30], ">i4").tobytes()
    data = path.read_bytes()
    at = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:at] + matrix + data[at + len(matrix) :])


def write_sound(
    path: Path,
    *,
    codec: str,
    video: bool = True,
    seconds: float = 1.0,
    sound_from_s: float = 0.0,
    picture_from_s: float = 0.0,
    click_s: float | None = None,
    keyframe_every: int = 250,
) -> Path:
    """A clip whose sound is a tone, or silence with one click; both streams on one clock."""
    rate = 48_000
    silence = np.zeros(int(seconds * rate), np.float32)
    if click_s is None:
        wave = 0.2 * np.sin(np.arange(silence.size) * 440 * 2 * np.pi / rate).astype(np.float32)
    else:
        wave = silence
        wave[int((click_s - sound_from_s) * rate) :][:480] = 0.9
    with av.open(str(path), "w") as container:
        picture = None
        if video:
            picture = container.add_stream("libx264", rate=25, width=WIDTH, height=HEIGHT)
            picture.pix_fmt = "yuv420p"
            picture.options = {"preset": "ultrafast", "tune": "zerolatency"}
            picture.gop_size = keyframe_every
        sound = container.add_stream(codec, rate=rate)
        sound.layout = "mono"
        if picture is not None:
            for index, image in enumerate(moving(int(seconds * 25))):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = index + round(picture_from_s * 25), Fraction(1, 25)
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        for start in range(0, wave.size, 1024):
            part = wave[start : start + 1024][None]
            piece = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            piece.sample_rate = rate
            piece.pts, piece.time_base = start + round(sound_from_s * rate), Fraction(1, rate)
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    return path


def without_first_pictures(clip: Path, path: Path, count: int) -> Path:
    """The same packets in another file, but for the first pictures: as if cut off a keyframe."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as container:
        streams = [container.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.stream.type == "video" and count > 0:
                count -= 1
            elif packet.size:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return path


def audio_packets(path: Path) -> list[bytes]:
    """The bytes of a file's audio packets."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def loudest_s(path: Path) -> float:
    """When the loudest sample of a file's sound is heard, on the container's clock."""
    best = (0.0, 0.0)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            level = np.abs(frame.to_ndarray().astype(np.float64)).reshape(-1)
            best = max(best, (level.max(), frame.time + level.argmax() / frame.sample_rate))
    return best[1]
