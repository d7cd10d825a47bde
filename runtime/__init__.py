"""What both programs stand on: errors, environment, terminal, files, threads, Atlan, S3, and the embedded sandbox."""
