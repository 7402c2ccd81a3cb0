"""Density comparison, sample quality, and DataTrees for ArviZ."""
