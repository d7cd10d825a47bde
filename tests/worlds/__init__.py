"""Generated worlds: a source, a target, a landing zone, and the lineage that is true of them."""
