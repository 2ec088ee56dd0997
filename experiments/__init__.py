"""The questions: one script each, computing rows and arrays and drawing figures."""
