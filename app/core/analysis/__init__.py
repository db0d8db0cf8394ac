"""From the numbers that a query opened to statistics with intervals that include the noise."""
