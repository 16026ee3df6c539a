"""The predictor beside MLServer and KServe's SDK: ``make bench NAME=serve``."""
