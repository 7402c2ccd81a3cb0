"""Adversarial models: a generator of rows, and a discriminator that tells them from real ones."""
