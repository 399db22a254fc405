"""Clips, pairs of frames, augmentation."""
