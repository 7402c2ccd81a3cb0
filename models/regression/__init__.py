"""Linear, logistic and Poisson regression, with normal or horseshoe priors of the slopes."""
