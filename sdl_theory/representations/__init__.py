"""What real networks answer: embeddings and activations with their labels, from files larger than
memory, class means of them, and harvesting them from a network.
"""
