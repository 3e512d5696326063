"""Findings from cuts: one detector a file. `baseline` is what they judge against, `budget` sets how far is too far, `fusion` tells one
tool from all of them, `coverage` gives the one word."""
