"""Speed, as ratios in one run: machines differ, and differ by the hour."""
