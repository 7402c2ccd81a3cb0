"""Bayesian networks: tables and linear Gaussians over a directed acyclic graph."""
