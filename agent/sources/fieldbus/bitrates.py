"""The bitrates of CAN adapters that speak slcan, in the order of their numbers: S0 to S8."""

BITRATES = (10_000, 20_000, 50_000, 100_000, 125_000, 250_000, 500_000, 800_000, 1_000_000)
