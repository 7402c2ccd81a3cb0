"""Models of groups: eight schools, and regressions whose coefficients vary by group."""
