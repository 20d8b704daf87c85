"""HTTP in and out: parse, call one service, render."""
