"""High dynamic range (PQ, HLG) to the ordinary range of sRGB."""

import numpy as np

# Signal values are 16-bit; each curve is a table over all of them.
_SIGNAL = np.linspace(0, 1, 65536)
# Diffuse white, by ITU-R BT.2408: 203 nits on a screen whose peak is 1,000.
_WHITE_NITS = 203
_HLG_PEAK_NITS = 1000
_HLG_GAMMA = 1.2
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
# Up to here light stays linear; what is above bends towards 1.
_SHOULDER = 0.8


def _pq_light(signal: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084: signal to light, 1 = diffuse white."""
    root = signal ** (1 / 78.84375)
    light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return 10000 / _WHITE_NITS * light ** (1 / 0.1593017578125)


def _hlg_light(signal: np.ndarray) -> np.ndarray:
    """ARIB STD-B67: signal to the light of the scene, in [0, 1]."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _srgb_signal(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


_PQ_TABLE = _pq_light(_SIGNAL).astype(np.float32)
_HLG_TABLE = _hlg_light(_SIGNAL).astype(np.float32)
_SRGB_TABLE = (255 * _srgb_signal(_SIGNAL)).round().astype(np.uint8)


def pq_to_srgb(signal: np.ndarray) -> np.ndarray:
    """PQ to sRGB.

    Args:
        signal: (H, W, 3) uint16, BT.2020 primaries.
    Returns:
        (H, W, 3) uint8 sRGB.
    """
    return _light_to_srgb(_PQ_TABLE[signal])


def hlg_to_srgb(signal: np.ndarray) -> np.ndarray:
    """HLG to sRGB, as on a screen of 1,000 nits.

    Args:
        signal: (H, W, 3) uint16, BT.2020 primaries.
    Returns:
        (H, W, 3) uint8 sRGB.
    """
    scene = _HLG_TABLE[signal]
    system_gain = (scene @ _LUMINANCE_2020) ** np.float32(_HLG_GAMMA - 1)
    return _light_to_srgb(scene * system_gain[..., None] * (_HLG_PEAK_NITS / _WHITE_NITS))


def _light_to_srgb(light: np.ndarray) -> np.ndarray:
    """(H, W, 3) light in BT.2020, 1 = diffuse white, to uint8 sRGB."""
    light = np.maximum(light @ _BT2020_TO_BT709.T, 0)
    # One gain for the three channels keeps the hue.
    peak = light.max(axis=-1, keepdims=True)
    above = np.maximum(peak - _SHOULDER, 0) / (1 - _SHOULDER)
    bent = np.minimum(peak, _SHOULDER) + (1 - _SHOULDER) * above / (1 + above)
    light = light * (bent / np.maximum(peak, 1e-6))
    return _SRGB_TABLE[(light * 65535 + 0.5).clip(0, 65535).astype(np.uint16)]
