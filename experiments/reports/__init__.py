"""What the pages of all experiments share: tables, plots, style."""
