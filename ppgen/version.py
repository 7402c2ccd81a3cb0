"""The version of ppgen, as the wheel and saved runs bear it."""

__version__ = "0.1.0"
