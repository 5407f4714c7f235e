"""Where problems come from: own families, files, Hugging Face datasets, stored generations."""
