"""The inference engines: one file each. They see functions and arrays, never an estimator."""
