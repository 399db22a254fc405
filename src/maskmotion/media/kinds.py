"""The kinds of video files that are written, by ending."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from maskmotion.errors import MediaError
from maskmotion.media.audio import AudioRule
from maskmotion.media.lengths import set_apng_length, set_webp_length
from maskmotion.media.streams import has_codec


@dataclass(frozen=True)
class Encoder:
    """One of FFmpeg's encoders and its settings; frame times are whole numbers of ticks."""

    name: str
    options: Mapping[str, str]
    # A frame of any common rate, 24000/1001 included, lasts a whole number of these ticks.
    tick_s: Fraction = Fraction(1, 120_000)


@dataclass(frozen=True)
class Kind:
    """How a kind of file is made.

    `pixels` is the format that frames are encoded from; `encoders` are in order of preference;
    frames less than `shortest_ticks` after the one before are left out; `set_length` corrects the
    written file where the muxer does not take the last frame's duration.
    """

    muxer: str
    pixels: str
    encoders: tuple[Encoder, ...]
    muxer_options: Mapping[str, str] = field(default_factory=dict)
    audio: AudioRule | None = None
    palette: bool = False
    shortest_ticks: int = 1
    set_length: Callable[[Path, Fraction], None] | None = None


_H264 = (
    Encoder("libx264", {"crf": "18", "preset": "veryfast", "forced-idr": "1"}),
    Encoder("libopenh264", {"b": "8M"}),
    Encoder("mpeg4", {"qmin": "2", "qmax": "4"}, Fraction(1, 60_000)),
)
_VP9 = (Encoder("libvpx-vp9", {"crf": "24", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),)
_PRORES = (Encoder("prores_ks", {"profile": "4444", "alpha_bits": "16"}),)
_WEBP = (Encoder("libwebp_anim", {"quality": "90"}, Fraction(1, 1000)),)
_APNG = (Encoder("apng", {"pred": "mixed"}),)
_GIF = (Encoder("gif", {}, Fraction(1, 100)),)

_MP4_AUDIO = AudioRule(frozenset({"aac", "mp3", "ac3", "eac3", "alac"}), "aac")
_WEBM_AUDIO = AudioRule(frozenset({"opus", "vorbis"}), "libopus")
_ANY_AUDIO = AudioRule(None, "aac")
_FAST_START = {"movflags": "+faststart"}

# Browsers slow a GIF down whose frames last a single tick of 10 ms.
_GIF_KIND = Kind("gif", "rgba", _GIF, {"loop": "0"}, palette=True, shortest_ticks=2)
_WEBP_KIND = Kind("webp", "bgra", _WEBP, {"loop": "0"}, set_length=set_webp_length)

OPAQUE_KINDS = {
    ".mp4": Kind("mp4", "yuv420p", _H264, _FAST_START, _MP4_AUDIO),
    ".mov": Kind("mov", "yuv420p", _H264, _FAST_START, _MP4_AUDIO),
    ".mkv": Kind("matroska", "yuv420p", _H264, {}, _ANY_AUDIO),
    ".webm": Kind("webm", "yuv420p", _VP9, {}, _WEBM_AUDIO),
    ".gif": _GIF_KIND,
    ".webp": _WEBP_KIND,
    ".png": Kind("apng", "rgb24", _APNG, {"plays": "0"}, set_length=set_apng_length),
}
ALPHA_KINDS = {
    ".mov": Kind("mov", "yuva444p10le", _PRORES, _FAST_START, _MP4_AUDIO),
    ".webm": Kind("webm", "yuva420p", _VP9, {}, _WEBM_AUDIO),
    ".gif": _GIF_KIND,
    ".webp": _WEBP_KIND,
    ".png": Kind("apng", "rgba", _APNG, {"plays": "0"}, set_length=set_apng_length),
}


def kind_of(path: Path, alpha: bool) -> Kind:
    """The kind of a path's ending, or a sentence on which endings there are."""
    ending = path.suffix.lower()
    if ending not in OPAQUE_KINDS:
        raise MediaError(
            f"{path} has the unknown ending {ending}; use {_listed(OPAQUE_KINDS)}, "
            "or none for a folder of frames."
        )
    if not alpha:
        return OPAQUE_KINDS[ending]
    if ending not in ALPHA_KINDS:
        raise MediaError(
            f"{path} cannot keep transparency; use {_listed(ALPHA_KINDS)}, "
            "or no ending for a folder of frames."
        )
    return ALPHA_KINDS[ending]


def encoder_of(kind: Kind, path: Path) -> Encoder:
    """The best encoder that this FFmpeg has."""
    for encoder in kind.encoders:
        if has_codec(encoder.name, "w"):
            return encoder
    names = " or ".join(encoder.name for encoder in kind.encoders)
    raise MediaError(f"{path} needs FFmpeg with {names}; choose another ending.")


def _listed(kinds: Mapping[str, Kind]) -> str:
    *others, last = kinds
    return f"{', '.join(others)} or {last}"
