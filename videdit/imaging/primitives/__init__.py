"""The operations that pixel formulas are made of, for one kind of memory each."""
