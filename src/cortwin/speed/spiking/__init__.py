"""A training step of a recurrent network of spiking neurons, here and in other libraries.

All have the network of `cortwin.recurrent_lif`, or what comes nearest to it: leaky neurons with an exponential synaptic
current, all to all, and a leaky readout of the spikes; Adam on the squared error, float32.
"""
