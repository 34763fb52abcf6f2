"""One short test for each row of the matrix, in the guides' words. A package, so that no project's
own test files have its names.
"""
