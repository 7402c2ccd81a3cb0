"""Fitted densities as distributions of NumPyro and Pyro, in the units of the data."""
