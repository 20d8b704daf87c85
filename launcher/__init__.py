"""Starts a whole fleet on one machine, for `make up` and `make demo`, and ends all of it again."""
