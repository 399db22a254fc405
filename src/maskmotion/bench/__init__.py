"""Timed comparisons within one run; `maskmotion bench` prints them."""
