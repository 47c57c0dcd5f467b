"""Proofs from wheels: which symbols the libraries of one wheel need, and whether those of torch have them.

``reading`` reads a wheel, on an index by byte ranges; ``deciding`` turns what two wheels show into a cell.
"""
