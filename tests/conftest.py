import os

import torch
from hypothesis import settings

torch.set_num_threads(1)  # the tests' matrices are tiny, and two workers share the cores
settings.register_profile("explorer", max_examples=60, deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "explorer"))
