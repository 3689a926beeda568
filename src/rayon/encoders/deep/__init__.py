"""Neural networks as encoders: made, loaded and exported with torch, which only training needs.

Nothing here is imported by the default install: what is exported runs in `rayon.encoders.onnx` and
`rayon.encoders.onnx_text`.
"""
