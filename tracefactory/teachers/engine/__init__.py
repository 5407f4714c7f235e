"""A server of answers that this process starts, watches and owns to its end."""
