"""How fast the fleet is, as ratios against a plain Playwright script in the same run."""
