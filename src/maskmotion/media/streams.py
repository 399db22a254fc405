"""Videos that FFmpeg decodes: their streams, and their frames as they are displayed."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import Colorspace, VideoReformatter

from maskmotion.errors import MediaError
from maskmotion.media.files import require_file, require_size
from maskmotion.media.frames import DEFAULT_FPS, Frame, VideoInfo
from maskmotion.media.hdr import hlg_to_srgb, pq_to_srgb

# libswscale's flags: bicubic, full chroma input and output, accurate rounding.
SCALER = 0x4 | 0x2000 | 0x4000 | 0x40000
# Transfer and matrix codes of ITU-T H.273, as video streams carry them.
_TONE_MAPS = {16: pq_to_srgb, 18: hlg_to_srgb}
_UNTAGGED = 2
# FFmpeg's own VP8 and VP9 decoders drop the alpha that WebM carries beside the picture.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_MAX_FPS = 1000
VIDEO_ENDINGS = frozenset({
    ".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv",
    ".ogv", ".3gp",
})  # fmt: skip


@contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """Open a media file; what FFmpeg refuses becomes a MediaError."""
    require_file(path)
    try:
        container = open_input(path)
    except av.FFmpegError as error:
        raise MediaError(
            f"{path} is not a video that can be read, or is cut off ({error.strerror}); "
            "convert it to .mp4 or download it again."
        ) from error
    with container:
        yield container


def open_input(path: Path) -> InputContainer:
    """FFmpeg's own opening, and its own errors."""
    name = str(path.absolute())  # never taken for a protocol, whatever colons are in it
    try:
        return av.open(name)
    except UnicodeDecodeError:  # PyAV before 19 refuses tags that are not UTF-8
        return av.open(name, metadata_errors="replace")


def has_codec(name: str, mode: Literal["r", "w"]) -> bool:
    """Whether this FFmpeg decodes ("r") or encodes ("w") with the named codec."""
    try:
        av.Codec(name, mode)
    except ValueError:
        return False
    return True


def picture_stream(container: InputContainer) -> av.VideoStream | None:
    """The first video stream that is not a cover picture."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context:
            return stream
    return None


def first_frame_s(path: Path) -> Fraction | None:
    """When the first frame that can be decoded is shown, on its container's clock; None: never.

    A stream may begin earlier, with frames that hang on others before the cut.
    """
    with open_container(path) as container:
        stream = picture_stream(container)
        if stream is None:
            return None
        first = next(_decoded(container, stream), None)
        return None if first is None else _begin_s(first, cast(Fraction, stream.time_base))


def probe(path: Path) -> VideoInfo:
    """Decode the first frame: only that tells the size as displayed, and that decoding works."""
    with open_container(path) as container:
        stream = require_picture_stream(container, path)
        first = next(_decoded(container, stream), None)
        if first is None:
            raise MediaError(
                f"{path} has no frame that can be decoded; convert it to .mp4 or download it again."
            )
        width, height = _displayed_size(first, stream)
        require_size(path, width, height)
        fps = _fps(stream)
        duration_s = _duration_s(container, stream)
        estimate = None if duration_s is None else round(duration_s * fps)
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            fps=fps,
            frames=stream.frames or estimate,
            duration_s=duration_s,
            has_audio=bool(container.streams.audio),
            has_alpha=_has_alpha(first),
        )


def decode(info: VideoInfo, threads: int = 0, reduction: int = 1) -> Iterator[Frame]:
    """All frames of a probed video; each is held back until the next one tells its duration.

    Args:
        info: of `probe`.
        threads: that decode; 0: as many as FFmpeg sees fit.
        reduction: how many times smaller the pictures are than `info` says, where `displayed` can.
    """
    nominal_s = float(1 / info.fps)
    with open_container(info.path) as container:
        stream = require_picture_stream(container, info.path)
        tick_s = cast(Fraction, stream.time_base)
        scaler = VideoReformatter()
        held: av.VideoFrame | None = None
        matrix = np.eye(2)
        held_s = start_s = 0.0
        for frame in _decoded(container, stream, threads):
            if held is None:
                start_s = float(_begin_s(frame, tick_s))
                matrix = display_matrix(frame)
            else:
                time_s = _time_s(frame, tick_s, start_s)
                if time_s is None:
                    time_s = held_s + nominal_s
                elif time_s <= held_s:
                    time_s = held_s + nominal_s / 10  # a damaged clock, running backwards
                shown = displayed(held, info, matrix, scaler, reduction)
                yield Frame(*shown, held_s, time_s - held_s)
                held_s = time_s
            held = frame
        if held is not None:
            own_s = float((held.duration or 0) * tick_s)
            shown = displayed(held, info, matrix, scaler, reduction)
            yield Frame(*shown, held_s, own_s or nominal_s)


def _begin_s(first: av.VideoFrame, tick_s: Fraction) -> Fraction:
    return (first.pts or 0) * tick_s


def _time_s(frame: av.VideoFrame, tick_s: Fraction, start_s: float) -> float | None:
    return None if frame.pts is None else float(frame.pts * tick_s) - start_s


def require_picture_stream(container: InputContainer, path: Path) -> av.VideoStream:
    stream = picture_stream(container)
    if stream is None:
        raise MediaError(f"{path} has no video stream; choose a file with moving pictures.")
    return stream


def _decoded(
    container: InputContainer, stream: av.VideoStream, threads: int = 0
) -> Iterator[av.VideoFrame]:
    decoder = decoder_of(stream, threads)
    for packet in packets(container, stream):
        yield from decoded(decoder, packet)


def decoder_of(stream: av.VideoStream, threads: int = 0) -> av.VideoCodecContext:
    """The decoder of a stream, with `threads` threads (0: as many as FFmpeg sees fit)."""
    decoder = stream.codec_context
    alpha_mode = {key.lower(): value for key, value in stream.metadata.items()}.get("alpha_mode")
    if alpha_mode == "1" and decoder.codec.canonical_name in _ALPHA_DECODERS:
        name = _ALPHA_DECODERS[decoder.codec.canonical_name]
        if has_codec(name, "r"):
            decoder = cast(av.VideoCodecContext, av.CodecContext.create(name, "r"))
    decoder.thread_type = "AUTO"
    decoder.thread_count = threads
    return decoder


def decoded(decoder: av.VideoCodecContext, packet: av.Packet | None) -> list[av.VideoFrame]:
    """The frames that a packet brings out; none where it is damaged: the next may be whole."""
    try:
        return decoder.decode(packet)
    except av.FFmpegError:
        return []


def packets(container: InputContainer, stream: av.VideoStream) -> Iterator[av.Packet | None]:
    """The stream's packets, then None, which makes the decoder give out its last frames."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except av.FFmpegError:
        pass  # the file is cut off: what came before still plays
    yield None


def displayed(
    frame: av.VideoFrame,
    info: VideoInfo,
    matrix: np.ndarray,
    scaler: VideoReformatter,
    reduction: int = 1,
) -> tuple[np.ndarray, np.ndarray | None]:
    """A decoded frame as upright RGB with square pixels: `image` and `alpha` as in `Frame`.

    It is reduced only where that comes to the same: not in the colours of HDR, and not with colours
    that are transparent.
    """
    tone_map = _TONE_MAPS.get(frame.color_trc)
    if tone_map or info.has_alpha:
        reduction = 1
    width, height = (max(1, round(side / reduction)) for side in (info.width, info.height))
    if _swaps_axes(matrix):
        width, height = height, width
    wide, narrow = ("rgba64le", "rgba") if info.has_alpha else ("rgb48le", "rgb24")
    pixels = scaler.reformat(
        frame,
        width=width,
        height=height,
        format=wide if tone_map else narrow,
        src_colorspace=_guessed_matrix(frame),
        interpolation=SCALER,
    ).to_ndarray()
    pixels = _oriented(pixels, matrix)
    image, alpha = np.ascontiguousarray(pixels[..., :3]), None
    if info.has_alpha:
        alpha = np.ascontiguousarray(pixels[..., 3])
    if tone_map:
        image, alpha = tone_map(image), None if alpha is None else (alpha // 256).astype(np.uint8)
    return image, alpha


def _guessed_matrix(frame: av.VideoFrame) -> Colorspace | None:
    """The YUV matrix of an untagged frame, by its size as players do; None: as tagged."""
    if frame.colorspace != _UNTAGGED or frame.format.is_rgb:
        return None
    if frame.color_trc in _TONE_MAPS:
        return Colorspace.BT2020
    return Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601


def _has_alpha(frame: av.VideoFrame) -> bool:
    return frame.format.has_palette or any(part.is_alpha for part in frame.format.components)


def _displayed_size(frame: av.VideoFrame, stream: av.VideoStream) -> tuple[int, int]:
    width = round(frame.width * (stream.sample_aspect_ratio or 1))
    if _swaps_axes(display_matrix(frame)):
        return frame.height, width
    return width, frame.height


def display_matrix(frame: av.VideoFrame) -> np.ndarray:
    """The 2x2 matrix that takes stored to displayed coordinates; y points down in both.

    Asked of a clip's first frame only: PyAV ties a frame that is asked into a reference cycle, so
    that its pixels would wait for the garbage collector.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return np.eye(2)
    return np.frombuffer(cast(bytes, data), np.int32).reshape(3, 3)[:2, :2].T / 65536


def _swaps_axes(matrix: np.ndarray) -> bool:
    return bool(abs(matrix[0, 1]) > abs(matrix[0, 0]))


def _oriented(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Turn and mirror by quarter turns; a display matrix in a file holds nothing else."""
    if _swaps_axes(matrix):
        pixels = pixels.swapaxes(0, 1)
        matrix = matrix[:, ::-1]
    if matrix[0, 0] < 0:
        pixels = pixels[:, ::-1]
    if matrix[1, 1] < 0:
        pixels = pixels[::-1]
    return pixels


def _fps(stream: av.VideoStream) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= _MAX_FPS:
            return rate
    return DEFAULT_FPS


def _duration_s(container: InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
