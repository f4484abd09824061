"""Records set aside for good: counted, shown, and replayed once their cause is mended."""
