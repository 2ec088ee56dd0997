"""Sweeps: many runs of one experiment, on this computer or on a cluster, that survive what happens to them."""
