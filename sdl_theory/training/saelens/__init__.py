"""Folders in SAELens's format: trained dictionaries of others come in, ours go out.

Nothing of SAELens is needed for either. A folder holds cfg.json and sae_weights.safetensors, W_enc
(d_in, d_sae) and W_dec (d_sae, d_out): our W_E and W_D transposed. Written after sae-lens 6.54.12
and tested against folders that it wrote. https://github.com/decoderesearch/SAELens
"""

from .read import read_saelens
from .write import check_saelens, write_saelens
