"""Viewers of this API process: one thread with an event loop serves all of their sockets."""
