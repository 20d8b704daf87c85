"""The shapes of what goes in, what is kept and what comes out. No behaviour beyond their own rules."""
