"""Real feature directions shipped with the library, and the script that rebuilds them."""
