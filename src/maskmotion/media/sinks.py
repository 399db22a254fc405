"""Where written frames go: a folder of PNG files, or one file through FFmpeg's encoders."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Protocol, cast

import av
import numpy as np
from av.filter import Graph
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from PIL import Image

from maskmotion.media.audio import open_audio
from maskmotion.media.kinds import Kind, encoder_of
from maskmotion.media.streams import SCALER

SOURCES = {3: "rgb24", 4: "rgba"}
BT709 = 1  # the code of its matrix, its primaries and its transfer in ITU-T H.273


class Sink(Protocol):
    """Takes frames in order; (H, W, 3), (H, W, 4) or, for grey kinds, (H, W) uint8."""

    def append(self, pixels: np.ndarray, time_s: Fraction) -> None: ...

    def finish(self, end_s: Fraction) -> None:
        """Complete what was appended; the last frame is shown until `end_s`."""

    def close(self) -> None:
        """Let go of all files, complete or not; may be called again."""


class FolderSink:
    """000000.png, 000001.png, ..."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def append(self, pixels: np.ndarray, time_s: Fraction) -> None:
        self._folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(self._folder / f"{self._count:06d}.png", compress_level=3)
        self._count += 1

    def finish(self, end_s: Fraction) -> None:
        pass

    def close(self) -> None:
        pass


class FileSink:
    """One file, encoded while the frames arrive; nothing is on disk before the first one."""

    def __init__(
        self,
        file: Path,
        kind: Kind,
        size: tuple[int, int],
        fps: Fraction,
        audio_from: Path | None,
        max_duration_s: float | None,
    ) -> None:
        height, width = (_even(side) if "420" in kind.pixels else side for side in size)
        encoder = encoder_of(kind, file)
        self._file = file
        self._kind = kind
        self._padding = ((0, height - size[0]), (0, width - size[1]), (0, 0))
        self._tick_s = encoder.tick_s
        self._held: av.VideoFrame | None = None
        self._held_tick = self._first_tick = 0
        self._durations: dict[int, int] = {}  # in ticks, by first tick, of frames being encoded
        self._sound_end_s = float("inf") if max_duration_s is None else max_duration_s
        self._container = av.open(
            str(file.absolute()),
            "w",
            format=kind.muxer,
            container_options=dict(kind.muxer_options),
        )
        self._stream = cast(
            av.VideoStream,
            self._container.add_stream(
                encoder.name,
                rate=fps,
                options=dict(encoder.options),
                width=width,
                height=height,
                pix_fmt="pal8" if kind.palette else kind.pixels,
                time_base=encoder.tick_s,
            ),
        )
        self._stream.codec_context.time_base = encoder.tick_s
        if kind.pixels.startswith("yuv"):
            _tag_bt709(self._stream.codec_context)
        elif kind.pixels == "gray":
            self._stream.codec_context.color_range = int(ColorRange.JPEG)
        self._palette = _palette_graph(width, height, encoder.tick_s) if kind.palette else None
        self._scaler = VideoReformatter()
        self._audio = None
        if audio_from is not None and kind.audio is not None:
            self._audio = open_audio(audio_from, self._container, kind.audio)

    def append(self, pixels: np.ndarray, time_s: Fraction) -> None:
        tick = round(time_s / self._tick_s)
        if self._held is not None:
            if tick - self._held_tick < self._kind.shortest_ticks:
                return
            self._encode_held(tick)
        else:
            self._first_tick = tick
        self._held = self._converted(np.pad(pixels, self._padding[: pixels.ndim], mode="edge"))
        self._held_tick = tick
        self._carry_sound(time_s)

    def finish(self, end_s: Fraction) -> None:
        end_tick = max(round(end_s / self._tick_s), self._held_tick + self._kind.shortest_ticks)
        if self._held is not None:
            # An intra frame is the last one in the file, too, where MP4 looks for the end.
            self._held.pict_type = PictureType.I
            self._encode_held(end_tick)
        self._encode(None)
        self._carry_sound(end_s)
        self._container.close()
        if self._kind.set_length is not None:
            self._kind.set_length(self._file, (end_tick - self._first_tick) * self._tick_s)

    def close(self) -> None:
        if self._audio is not None:
            self._audio.close()
        with suppress(av.FFmpegError, OSError):
            self._container.close()

    def _carry_sound(self, until_s: Fraction) -> None:
        if self._audio is not None:
            self._audio.mux_until(min(float(until_s), self._sound_end_s))

    def _converted(self, pixels: np.ndarray) -> av.VideoFrame:
        source = "gray" if pixels.ndim == 2 else SOURCES[pixels.shape[2]]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=source)
        if not self._kind.pixels.startswith("yuv"):
            return self._scaler.reformat(frame, format=self._kind.pixels)
        return self._scaler.reformat(
            frame,
            format=self._kind.pixels,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=SCALER,
        )

    def _encode_held(self, end_tick: int) -> None:
        """Encode the frame that was held back until it was known when it ends."""
        assert self._held is not None
        self._held.pts, self._held.time_base = self._held_tick, self._tick_s
        self._durations[self._held_tick] = end_tick - self._held_tick
        self._encode(self._held)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        """Encode and mux a frame; None flushes."""
        if self._palette is not None:
            for reduced in _through(self._palette, frame):
                self._mux(self._stream.encode(reduced))
        if self._palette is None or frame is None:
            self._mux(self._stream.encode(frame))

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            packet.duration = self._durations.pop(cast(int, packet.pts), packet.duration)
            self._container.mux(packet)


def _even(side: int) -> int:
    return side + side % 2


def _tag_bt709(context: av.VideoCodecContext) -> None:
    context.color_range = int(ColorRange.MPEG)
    context.colorspace = context.color_primaries = context.color_trc = BT709


def _palette_graph(width: int, height: int, tick_s: Fraction) -> Graph:
    """RGBA in, 256 colours out, chosen anew for each frame, of which one is transparent."""
    graph = Graph()
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat("rgba", width, height), time_base=tick_s
    )
    split = graph.add("split")
    choose = graph.add("palettegen", "stats_mode=single")
    apply = graph.add("paletteuse", "new=1:alpha_threshold=128")
    source.link_to(split)
    split.link_to(apply, 0, 0)
    split.link_to(choose, 1, 0)
    choose.link_to(apply, 0, 1)
    apply.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _through(graph: Graph, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
    """Push a frame, or None for the end, and pull what is ready."""
    graph.vpush(frame)
    with suppress(av.BlockingIOError, av.EOFError):
        while True:
            yield graph.vpull()
