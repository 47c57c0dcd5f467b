"""The parts of the scripts that refresh tables; those that users need, too, are in torchlock.gathering."""
