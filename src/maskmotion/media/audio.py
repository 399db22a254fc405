"""The sound of the driving clip, carried over to the written video."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer, OutputContainer

from maskmotion.errors import MediaError
from maskmotion.media.streams import first_frame_s, open_input

SAMPLE_RATE = 48000
BIT_RATE = 160_000


@dataclass(frozen=True)
class AudioRule:
    """What a kind of file takes: these codecs as they are (None: any), all else encoded anew."""

    copied: frozenset[str] | None
    encoder: str


class AudioTrack:
    """One audio stream on its way into a container, a little at a time."""

    def __init__(
        self, source: InputContainer, packets: Iterator[av.Packet], output: OutputContainer
    ) -> None:
        self._source = source
        self._packets = packets
        self._output = output
        self._held = next(packets, None)

    def mux_until(self, time_s: float) -> None:
        """Write the packets that begin before a time on the written video's clock."""
        while self._held is not None and _begins_s(self._held) < time_s:
            self._output.mux(self._held)
            self._held = next(self._packets, None)

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def open_audio(path: Path, output: OutputContainer, rule: AudioRule) -> AudioTrack | None:
    """Add the clip's first audio stream to a container that has not begun; None: it is silent.

    Time 0 is the first frame of the clip's video that can be decoded, as in `open_video`, so sound
    and picture stay in step.

    Raises:
        MediaError: the file is missing.
    """
    if not path.exists():
        raise MediaError(f"{path} does not exist, so its sound cannot be taken; check the path.")
    try:
        source = open_input(path)
    except (av.FFmpegError, OSError):
        return None  # a folder of frames, or an animation that FFmpeg does not know
    if not source.streams.audio or source.streams.audio[0].codec_context is None:
        source.close()
        return None
    audio = source.streams.audio[0]
    start_s = first_frame_s(path)
    if start_s is None:
        start_s = (audio.start_time or 0) * cast(Fraction, audio.time_base)
    if rule.copied is None or audio.codec_context.codec.canonical_name in rule.copied:
        track = output.add_stream_from_template(audio)
        packets = _copied(source, audio, track, start_s)
    else:
        track = cast(
            av.AudioStream,
            output.add_stream(rule.encoder, rate=SAMPLE_RATE, bit_rate=BIT_RATE),
        )
        track.layout = "mono" if audio.codec_context.layout.nb_channels == 1 else "stereo"
        packets = _encoded(source, audio, track, start_s)
    return AudioTrack(source, packets, output)


def _copied(
    source: InputContainer, audio: av.AudioStream, track: av.AudioStream, start_s: Fraction
) -> Iterator[av.Packet]:
    for packet in _demuxed(source, audio):
        _move(packet, -start_s)
        # The packet just before the start stays: decoders need it to begin cleanly.
        if _begins_s(packet) + 2 * (packet.duration or 0) * packet.time_base > 0:
            packet.stream = track
            yield packet


def _encoded(
    source: InputContainer, audio: av.AudioStream, track: av.AudioStream, start_s: Fraction
) -> Iterator[av.Packet]:
    for packet in _demuxed(source, audio):
        for frame in _decoded(packet):
            _move(frame, -start_s)
            if _begins_s(frame) + Fraction(frame.samples, frame.sample_rate) > 0:
                yield from track.encode(frame)
    yield from track.encode(None)


def _demuxed(source: InputContainer, audio: av.AudioStream) -> Iterator[av.Packet]:
    try:
        for packet in source.demux(audio):
            if packet.pts is not None:
                yield packet
    except av.FFmpegError:
        return  # the clip is cut off: its sound ends there


def _decoded(packet: av.Packet) -> list[av.AudioFrame]:
    try:
        frames = cast(list[av.AudioFrame], packet.decode())
    except av.FFmpegError:
        return []  # one damaged packet
    return [frame for frame in frames if frame.pts is not None]


def _begins_s(piece: av.Packet | av.AudioFrame) -> Fraction:
    return cast(int, piece.pts) * cast(Fraction, piece.time_base)


def _move(piece: av.Packet | av.AudioFrame, by_s: Fraction) -> None:
    piece.pts = cast(int, piece.pts) + round(by_s / cast(Fraction, piece.time_base))
    piece.dts = piece.pts  # sound is never reordered
