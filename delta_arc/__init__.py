"""The lineage: keys and what they match, evidence, overrides, the wanted processes, the plan, and writing it."""
