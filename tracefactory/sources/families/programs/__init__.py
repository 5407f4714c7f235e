"""The tasks of the family `small_programs`, one class each; a file holds those that are alike."""
