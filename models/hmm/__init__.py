"""Hidden Markov models with Gaussian or categorical emissions."""
