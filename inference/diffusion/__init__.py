"""Diffusion: processes, samplers and likelihoods. They see functions and tensors, no estimator."""
