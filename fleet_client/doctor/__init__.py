"""What may be wrong with a fleet, or with the machine that it runs on, and what to do about it."""
