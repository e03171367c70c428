"""Nothing here is a test: what SAELens wrote, and scripts that run where SAELens is."""

collect_ignore_glob = ["*"]
