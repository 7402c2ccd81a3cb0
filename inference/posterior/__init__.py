"""Engines for the posterior of any pair: they see functions of a flat vector, and arrays."""
