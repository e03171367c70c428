"""The commands of `python -m sdl_theory`, a file each.

Each goes from words on the command line to what is printed, written and returned.
"""
