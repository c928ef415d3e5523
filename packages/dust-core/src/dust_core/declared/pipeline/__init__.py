"""The DVC pipeline that is written from the specs."""
