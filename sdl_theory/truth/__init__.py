"""What is known of the features: directions, laws, streams of samples.

Imports the ground floor alone.
"""
