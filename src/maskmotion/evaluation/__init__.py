"""Measuring models: protocols, metrics, baselines and reports."""
