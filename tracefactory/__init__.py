"""tracefactory: problems whose answers can be checked in, verified reasoning traces out."""

__version__ = "0.1.0"
