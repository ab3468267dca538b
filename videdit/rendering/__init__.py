"""A clip of a plan -> a graph of stages -> the result. The only package that imports stages."""
