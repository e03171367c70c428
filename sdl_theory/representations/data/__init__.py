"""Embeddings shipped with the library, and the script that rebuilds them."""
