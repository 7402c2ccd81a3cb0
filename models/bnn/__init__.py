"""Bayesian neural networks for regression and classification."""
