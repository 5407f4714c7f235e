"""Who writes the traces: one contract, one file a teacher."""
