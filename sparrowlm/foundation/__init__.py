"""What every room stands on: errors, messages, files, progress, hardware. Knows nothing above."""
