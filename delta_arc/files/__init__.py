"""What a file tells of its columns: from its first or last bytes, bounded, whatever a stranger put into it."""
