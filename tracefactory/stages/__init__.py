"""What a recipe can say after `use:`: one file a stage, with its config, plan and work."""
