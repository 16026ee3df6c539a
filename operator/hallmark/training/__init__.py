"""The model side of the assay: rows in, a gated model and its sealed form out.

``python -m hallmark.training`` is the training Job. ``assay`` is its pure core; scikit-learn,
fairlearn and onnx are imported only once the data have passed.
"""
