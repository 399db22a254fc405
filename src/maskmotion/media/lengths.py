"""The length of an animation, set in the file: encoders only guess how long its last frame is."""

import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

_UINT16 = 2**16 - 1
_UINT24 = 2**24 - 1
_FCTL_BYTES = 26
_FCTL_DELAY = 20  # a fraction of a second: two bytes over two bytes
_ANMF_DELAY = 12  # milliseconds in three bytes


def set_apng_length(file: Path, length_s: Fraction) -> None:
    """Show the last frame of an animated PNG for what the others leave of its length."""
    with file.open("r+b") as stream:
        frames = list(_apng_frames(stream))
        for at in frames[:-1]:
            stream.seek(at + _FCTL_DELAY)
            delay, per_s = struct.unpack(">HH", stream.read(4))
            length_s -= Fraction(delay, per_s or 100)
        if not frames or length_s <= 0:
            return  # a still
        largest = max(1, min(_UINT16, int(_UINT16 / length_s)))
        delay_s = min(length_s, Fraction(_UINT16)).limit_denominator(largest)
        stream.seek(frames[-1])
        chunk = bytearray(stream.read(_FCTL_BYTES))
        struct.pack_into(">HH", chunk, _FCTL_DELAY, delay_s.numerator, delay_s.denominator)
        stream.seek(frames[-1])
        stream.write(chunk + struct.pack(">I", zlib.crc32(b"fcTL" + chunk)))


def set_webp_length(file: Path, length_s: Fraction) -> None:
    """Show the last frame of an animated WebP for what the others leave of its length."""
    with file.open("r+b") as stream:
        frames = list(_webp_frames(stream))
        rest_ms = round(length_s * 1000)
        for at in frames[:-1]:
            stream.seek(at + _ANMF_DELAY)
            rest_ms -= int.from_bytes(stream.read(3), "little")
        if frames and rest_ms > 0:
            stream.seek(frames[-1] + _ANMF_DELAY)
            stream.write(min(rest_ms, _UINT24).to_bytes(3, "little"))


def _apng_frames(stream: BinaryIO) -> Iterator[int]:
    """Where the contents of the frames' control chunks begin."""
    at = 8
    while len(head := _read(stream, at, 8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name == b"fcTL":
            yield at + 8
        at += size + 12


def _webp_frames(stream: BinaryIO) -> Iterator[int]:
    """Where the contents of the frames' chunks begin."""
    at = 12
    while len(head := _read(stream, at, 8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"ANMF":
            yield at + 8
        at += 8 + size + size % 2


def _read(stream: BinaryIO, at: int, count: int) -> bytes:
    stream.seek(at)
    return stream.read(count)
