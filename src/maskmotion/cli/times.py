"""Times as people give them and read them."""

import re

from maskmotion.errors import ConfigError

UNITS_S = {"s": 1, "m": 60, "h": 3600}
REPORT_EVERY_S = 60  # where no progress bar is shown


def seconds(text: str) -> float:
    """A time such as 90s, 9m or 1.5h in seconds; a bare number is seconds.

    Raises:
        ConfigError: anything else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if not match:
        raise ConfigError(f"--max-time takes a time such as 90s, 9m or 2h, not {text!r}")
    return float(match[1]) * UNITS_S[match[2] or "s"]


def duration(time_s: float) -> str:
    """A time as people say it: 45 s, 12 min, 3 h 20 min, 5 d 4 h."""
    if round(time_s) < 60:
        return f"{time_s:.0f} s"
    minutes = round(time_s / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(minutes / 60)
    return f"{hours // 24} d {hours % 24} h"
