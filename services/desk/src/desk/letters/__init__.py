"""Records set aside for good: counted, shown, and published again once their cause is mended."""
