"""What sparsity does to traps, measured: prevalence, correlated features, exits, resampling."""
