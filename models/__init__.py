"""The science: one page per network, in its three writings."""
