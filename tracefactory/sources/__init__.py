"""Where problems come from: families of our own, files, Hugging Face datasets, stored generations."""
