"""What a recipe can say after `use:`: one file a stage, each with its config, its plan and its work."""
