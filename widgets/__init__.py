"""Pictures with handles, in three layers.

rows : parameters to numbers.
charts : numbers to pictures.
explorers : pictures with controls.
"""
