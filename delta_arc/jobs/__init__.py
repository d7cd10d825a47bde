"""What the jobs themselves tell, as OpenLineage events in files of strangers."""
